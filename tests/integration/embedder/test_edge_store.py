"""The embedded engine's own promises: durability, one process, clean creation. And the protocol's property on it."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import pytest
from roggia_embedder.adapters.edge import EdgeCatalogue, EdgeStore
from roggia_embedder.adapters.edge.files import write_json
from roggia_embedder.errors import StoreLockedError
from roggia_embedder.ports import IndexBinding
from roggia_embedder.tuning import IndexTuning
from roggia_schemas.names import Version

from tests.support.index import COLLECTION, SPEC, Content, contents, deliveries, document, expected, passage
from tests.support.interleaving import run_interleaved

T = TypeVar("T")
KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from roggia_embedder.adapters.edge import EdgeCatalogue, EdgeStore
from roggia_embedder.indexing.writer import IndexWriter
from roggia_embedder.ports import IndexBinding
from roggia_schemas.names import Version
from tests.support.index import COLLECTION, SPEC, Content, deliveries, document

async def main() -> None:
    root = Path(sys.argv[1])
    store = EdgeStore(root)
    await store.ensure_collection(SPEC)
    await EdgeCatalogue(root).bind(IndexBinding("kb_acme_docs", COLLECTION, 1, SPEC.model, SPEC.dimension))
    writer = IndexWriter(store, lambda: 7)
    for number in range(40):
        owner = document(f"d{number}")
        await writer.write(COLLECTION, deliveries(owner, Version(1), Content(("one", "two"))))
        await writer.write(COLLECTION, deliveries(owner, Version(2), Content(("two", f"three {number}"))))
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


async def test_acknowledged_writes_survive_kill_nine(tmp_path: Path) -> None:
    """A process killed right after its last write, never flushed, lost nothing: heads, passages, alias."""
    done = await asyncio.to_thread(subprocess.run, [sys.executable, "-c", KILLED, str(tmp_path)], check=False)
    assert done.returncode == -9
    store = EdgeStore(tmp_path)
    heads, rows = await contents(store)
    versions = {document(f"d{n}"): {Version(2): Content(("two", f"three {n}"))} for n in range(40)}
    assert rows == expected(versions)
    assert all(head.indexed_at == 7 for head in heads.values())
    assert len(heads) == len(versions)
    bound = await EdgeCatalogue(tmp_path).resolve("acme", "docs")
    assert bound == IndexBinding("kb_acme_docs", COLLECTION, 1, SPEC.model, SPEC.dimension)
    await store.close()


async def test_a_second_process_is_refused_in_words(tmp_path: Path) -> None:
    """The folder admits one process: the second is told which folder and what to do, the first goes on."""
    store = EdgeStore(tmp_path)
    code = (
        "import sys; from pathlib import Path\n"
        "from roggia_embedder.adapters.edge import EdgeStore\n"
        "from roggia_embedder.errors import StoreLockedError\n"
        "try: EdgeStore(Path(sys.argv[1]))\n"
        "except StoreLockedError as error: print(error)\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    second = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=True)
    assert str(tmp_path) in second.stdout
    assert "use a Qdrant server" in second.stdout
    with pytest.raises(StoreLockedError):
        EdgeStore(tmp_path)
    await store.close()
    await EdgeStore(tmp_path).close()


async def test_a_creation_cut_short_is_started_again(tmp_path: Path) -> None:
    """A crash while a collection was being created leaves a folder that the next start removes."""
    store = EdgeStore(tmp_path)
    await store.ensure_collection(SPEC)
    await store.close()
    (tmp_path / "collections" / COLLECTION / "spec.json").unlink()
    store = EdgeStore(tmp_path)
    assert await store.collections() == []
    await store.ensure_collection(SPEC)
    assert await store.collections() == [SPEC]
    await store.close()


async def test_a_crash_leaves_a_switch_of_aliases_done_or_not_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Several aliases go to the file at once: a process that dies at any write leaves no half."""
    names, allowed = ("kb_acme_docs", "kb_acme_faq", "kb_acme_law"), 1
    written: list[Path] = []

    def dying(path: Path, value: object) -> None:
        if len(written) == allowed:
            raise OSError("dead")
        written.append(path)
        write_json(path, value)

    catalogue = EdgeCatalogue(tmp_path)
    await catalogue.switch([IndexBinding(name, COLLECTION, 1, SPEC.model, SPEC.dimension) for name in names])
    monkeypatch.setattr("roggia_embedder.adapters.edge.catalogue.write_json", dying)
    for generation in (2, 3):
        moved = [IndexBinding(name, f"{name}__g{generation}", generation, "m", 8) for name in names]
        with suppress(OSError):
            await catalogue.switch(moved)
        assert {held.generation for held in await EdgeCatalogue(tmp_path).bindings()} == {2}
        assert await catalogue.bindings() == await EdgeCatalogue(tmp_path).bindings()


async def test_optimising_changes_no_answer(tmp_path: Path) -> None:
    """Past its threshold a collection is optimised by `maintain`, with the graph of the tuning; contents stay."""
    store = EdgeStore(tmp_path, IndexTuning(optimise_from_points=200, indexing_threshold_kb=1))
    await store.ensure_collection(SPEC)
    await store.upsert(COLLECTION, [passage(document("a"), Version(1), f"text {n}") for n in range(300)])
    before = await contents(store)
    await store.maintain()
    assert await contents(store) == before
    assert len(await store.list_points(COLLECTION, [document("a")])) == 300
    await store.close()


class InlineStore(EdgeStore):
    """Runs engine calls in the caller, so that a test can decide the order of two writers' calls."""

    async def _run(self, work: Callable[[], T]) -> T:
        return work()


@pytest.mark.parametrize("seed", range(12))
def test_two_writers_that_crash_end_at_the_newest_version(tmp_path: Path, seed: int) -> None:
    """On the real engine too: any interleaving of two crashing writers ends as the newest version says."""
    chance = random.Random(seed)
    store = InlineStore(tmp_path)
    asyncio.run(store.ensure_collection(SPEC))
    corpus = {document(f"d{number}"): _versions(chance) for number in range(12)}
    jobs = [
        [delivery]
        for owner, held in corpus.items()
        for version, said in held.items()
        for delivery in deliveries(owner, version, said, parts=chance.randint(1, 2) if said.texts else 1)
    ]
    jobs += [list(job) for job in chance.sample(jobs, 8)]
    chance.shuffle(jobs)
    run_interleaved(chance, store, jobs)
    assert asyncio.run(contents(store))[1] == expected(corpus)
    asyncio.run(store.close())


def _versions(chance: random.Random) -> dict[Version, Content]:
    def said() -> Content:
        if chance.random() < 0.2:
            return Content((), (), deleted=True)
        texts = chance.sample(["alpha", "beta", "gamma", "delta"], chance.randint(0, 3))
        return Content(tuple(texts), chance.choice([("*",), ("staff",)]), chance.choice(["en", "de"]))

    numbers = chance.sample(range(6), chance.randint(1, 4))
    return {Version(chance.choice([number, 2**53 - 6 + number]), number % 2): said() for number in numbers}
