"""From an alias in MLflow to a generation that serves, through the real operator service and its controller."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from roggia_operator.generations.client import Asked
from roggia_operator.models import tags
from roggia_operator.models.adapters.mlflow import MlflowRegistry
from roggia_operator.models.values import CANDIDATE, CHAMPION, PREVIOUS, Draft, Evidence, Report, Verdict
from roggia_schemas.events import GenerationState, GenerationWish

from tests.support.generation_fleet import generations
from tests.support.models import embedder

pytestmark = pytest.mark.timeout(240)


async def test_an_alias_fills_and_serves_what_passed(
    tmp_path: Path, mlflow_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """candidate that is the baseline's model: nothing. Another: filled. champion by hand: nothing. After a
    gate's report in MLflow: it serves, and `previous` is the baseline's version.
    Rolled back by a person: the alias does not undo that, a newer report does."""
    monkeypatch.setenv("ROGGIA_OPERATOR_MODELS_URI", mlflow_file)
    monkeypatch.setenv("ROGGIA_OPERATOR_MODELS_POLL_S", "0.3")
    registry = await asyncio.to_thread(MlflowRegistry, mlflow_file)
    for fingerprint in ("model@1", "model@2"):
        await asyncio.to_thread(registry.register, Draft(name="emb", ref=embedder(fingerprint)))
    async with generations(tmp_path / "run") as (fleet, client):
        await fleet.corpus()
        await asyncio.to_thread(registry.set_alias, "emb", CANDIDATE, 1)
        await asyncio.sleep(1.5)
        assert list(await client.table()) == []
        await asyncio.to_thread(registry.set_alias, "emb", CANDIDATE, 2)
        pair = await fleet.state(client, 2, GenerationState.FILLING)
        assert (pair.side.model.uri, pair.side.model.fingerprint) == ("models:/emb/2", "model@2")
        await fleet.read_all(2)
        await fleet.state(client, 2, GenerationState.SHADOW)
        await asyncio.to_thread(registry.set_alias, "emb", CHAMPION, 2)
        await asyncio.sleep(1.5)
        assert (await client.get(2)).status is GenerationState.SHADOW
        report = Report(name="emb", version=2, verdict=Verdict.PASS, manifest="m1", fingerprint="model@2")
        filed = await asyncio.to_thread(registry.file_report, report, Evidence())
        await asyncio.to_thread(registry.set_tags, "emb", 2, tags.of_gate(filed))
        pair = await fleet.state(client, 2, GenerationState.LIVE)
        assert pair.side.history[-1].evidence["report"] == filed.report_id
        assert pair.side.history[-1].by == "models"
        assert len(list(await client.table())) == 2
        assert await _previous(registry) == 1
        await client.wish(2, GenerationWish.ROLL_BACK, Asked("ops@example", "users complain"))
        await fleet.state(client, 2, GenerationState.ROLLED_BACK)
        await asyncio.sleep(1.5)
        assert (await client.get(2)).status is GenerationState.ROLLED_BACK
        again = await asyncio.to_thread(registry.file_report, report, Evidence())
        await asyncio.to_thread(registry.set_tags, "emb", 2, tags.of_gate(again))
        pair = await fleet.state(client, 2, GenerationState.LIVE)
        assert (pair.side.cutover, pair.side.history[-1].evidence["report"]) == (2, again.report_id)


async def _previous(registry: MlflowRegistry) -> int:
    """The version that a rollback returns to, once the reconciler has written it."""
    async with asyncio.timeout(30):
        while True:
            (model,) = await asyncio.to_thread(registry.models)
            if PREVIOUS in model.aliases:
                return model.aliases[PREVIOUS]
            await asyncio.sleep(0.2)
