"""The record of generations as the reconciler sees it, and its wishes as the record takes them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from roggia_runtime.clock import now_ms
from roggia_runtime.errors import ModelRegistryError
from roggia_runtime.tables import Table
from roggia_schemas.events import GenerationModel, GenerationSide, GenerationState, GenerationWish, IndexGeneration

from roggia_operator.generations.client import Asked, GenerationClient, Plan
from roggia_operator.generations.ports import Gate
from roggia_operator.generations.table import GenerationTable, Pair
from roggia_operator.generations.values import GateReport
from roggia_operator.models.generations import Standing, State, Wish, WishKind
from roggia_operator.models.ports import ModelRegistry
from roggia_operator.models.values import ModelFacts

_REGISTERED = re.compile(r"models:/([^/@]+)/([1-9][0-9]{0,9})")
"""A version in the registry. What the record's `name` and `version` say beside it is for people, and may be empty."""


class RecordStandings:
    """`Standings` over a followed `index.generation`. The service starts `table` before it runs the poller.

    `model` says which model the baseline's vectors are of, whose record does not; empty while that is not known.
    """

    def __init__(self, table: Table[IndexGeneration], baseline: int = 1, model: Callable[[], str] = str) -> None:
        self._table, self._baseline, self._model = table, baseline, model

    def __call__(self) -> Sequence[Standing]:
        """See `Standings`."""
        return standings(self._table.rows, self._baseline, self._model())


def standings(rows: Mapping[str, IndexGeneration], baseline: int = 1, model: str = "") -> list[Standing]:
    """Every generation, and the baseline, which has no record before the first plan, and none of its `model` ever."""
    table = GenerationTable()
    for event in rows.values():
        table.put(event)
    found = [standing(pair) for pair in table]
    if table.get(baseline) is None:
        found.append(Standing(generation=baseline, state=State.LIVE))
    return [_known(one, model) if one.generation == baseline else one for one in found]


def _known(standing: Standing, model: str) -> Standing:
    return replace(standing, fingerprint=standing.fingerprint or model)


def standing(pair: Pair) -> Standing:
    """One generation. Only a model out of the registry has a name and a version that aliases know."""
    side, wanted = pair.side, pair.wanted
    registered = _REGISTERED.fullmatch(side.model.uri)
    last = side.history[-1] if side.history else None
    return Standing(
        generation=pair.number,
        state=State(pair.status.value),
        model=registered[1] if registered else "",
        version=int(registered[2]) if registered else 0,
        fingerprint=side.model.fingerprint,
        gate_passed=bool(wanted and wanted.override),
        selection=tuple(side.selection),
        cutover=side.cutover if side.side is GenerationSide.STATE else 0,
        wish=WishKind(wanted.wish.value) if wanted else None,
        wished_by=wanted.by if wanted else "",
        report=wanted.report if wanted else "",
        moved_by=last.by if last else "",
        moved_ms=last.at if last else 0,
        message=side.message,
    )


class RecordWishes:
    """`Wishes` through the client that people use."""

    def __init__(self, client: GenerationClient) -> None:
        self._client = client

    async def __call__(self, wish: Wish) -> None:
        """See `Wishes`."""
        if wish.kind is WishKind.FILL and not wish.generation:
            await self._fill(wish)
            return
        asked = Asked(by=wish.by, why=wish.why, report=wish.report)
        await self._client.wish(wish.generation, GenerationWish(wish.kind.value), asked)

    async def _fill(self, wish: Wish) -> None:
        pairs = list(await self._client.table())
        held = [pair for pair in pairs if pair.status is not GenerationState.RETIRED]
        if any(pair.side.model.fingerprint == wish.ref.fingerprint for pair in held):
            return
        serving = max(held, key=lambda pair: pair.side.cutover, default=None)
        chunker, store = (serving.side.chunker_generation, serving.side.store) if serving else (1, "")
        plan = Plan(model_of(wish), wish.selection, chunker, by=wish.by, why=wish.why, store=store)
        await self._client.plan(plan)


def model_of(wish: Wish) -> GenerationModel:
    """How the embedder is told of a version: out of the registry, or on its server."""
    ref: ModelFacts = wish.ref
    uri, name, version = ref.uri, wish.name, str(wish.version)
    if ref.endpoint:
        uri, name, version = ref.endpoint, ref.served, ref.revision
    return GenerationModel(
        uri=uri,
        name=name,
        version=version,
        fingerprint=ref.fingerprint,
        dimension=ref.dimension,
        window=ref.window,
        passage_prefix=ref.passage_prefix,
        query_prefix=ref.query_prefix,
    )


class RegistryGate:
    """The controller's `Gate`: reports in the registry, and those that `others` keep."""

    def __init__(self, registry: ModelRegistry, others: Gate) -> None:
        self._registry, self._others = registry, others

    async def report(self, report_id: str) -> GateReport:
        """See `Gate`. A registry that is away is no verdict: the controller asks again."""
        try:
            held = await asyncio.to_thread(self._registry.report, report_id)
        except ModelRegistryError as error:
            return GateReport(now_ms(), report_id, reason=f"cannot be read: {error}")
        if held is None:
            return await self._others.report(report_id)
        reason = f"{held.name}/{held.version} on corpus {held.manifest}"
        return GateReport(now_ms(), report_id, held.verdict.value, reason, held.fingerprint)
