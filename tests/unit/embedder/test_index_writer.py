"""The narrow places of the index protocol, one by one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from roggia_embedder.adapters.memory import MemoryStore
from roggia_embedder.errors import StoreUnavailableError
from roggia_embedder.indexing.writer import Complete, IndexWriter, intersect
from roggia_schemas.names import Version

from tests.support.index import COLLECTION, SPEC, Content, contents, deliveries, document

DOC = document("a")


class Interrupted(MemoryStore):
    """Runs something once, just before the first call of one method."""

    def __init__(self, method: str, before: Callable[[], Awaitable[object]]) -> None:
        super().__init__()
        self._method, self._before, self._armed = method, before, True

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if name.startswith("_") or name != self._method or not self._armed:
            return found

        async def call(*arguments: Any) -> Any:
            if self._armed:
                self._armed = False
                await self._before()
            return await found(*arguments)

        return call


async def test_a_kept_passage_that_a_clean_up_deletes_meanwhile_is_written_again() -> None:
    """Between listing and bumping, an older version's clean-up may delete what the newer one keeps."""

    async def clean_up() -> None:
        await store.delete_older(COLLECTION, {DOC: Version(2)})

    store = Interrupted("bump", clean_up)
    await store.ensure_collection(SPEC)
    writer = IndexWriter(store, lambda: 7)
    await writer.write(COLLECTION, deliveries(DOC, Version(1), Content(("one", "two"))))
    (done,) = await writer.write(COLLECTION, deliveries(DOC, Version(3), Content(("one", "three"))))
    assert isinstance(done, Complete)
    assert {row[2] for row in (await contents(store))[1]} == {"one", "three"}


async def test_a_passage_whose_language_changes_meanwhile_gets_new_words() -> None:
    """A bump that finds another language does nothing; the passage is upserted, vectors and all."""

    async def translate() -> None:
        await IndexWriter(store, lambda: 7).write(
            COLLECTION, deliveries(DOC, Version(2), Content(("one",), language="de"))
        )

    store = Interrupted("write_heads", translate)
    store._armed = False
    await store.ensure_collection(SPEC)
    writer = IndexWriter(store, lambda: 7)
    await writer.write(COLLECTION, deliveries(DOC, Version(1), Content(("one",), language="en")))
    store._armed = True
    (done,) = await writer.write(COLLECTION, deliveries(DOC, Version(3), Content(("one",), language="en")))
    assert (done.added, done.kept) == (1, 0)
    assert {(row[1], row[4]) for row in (await contents(store))[1]} == {(Version(3), "en")}


async def test_a_version_overtaken_before_its_last_look_leaves_nothing_behind() -> None:
    """Somebody newer completes after my passages were listed: what I wrote is deleted by me."""

    async def overtake() -> None:
        await IndexWriter(store, lambda: 7).write(COLLECTION, deliveries(DOC, Version(9), Content(("new",))))

    store = Interrupted("upsert", overtake)
    await store.ensure_collection(SPEC)
    (outcome,) = await IndexWriter(store, lambda: 7).write(COLLECTION, deliveries(DOC, Version(1), Content(("old",))))
    assert outcome.newer == Version(9)
    assert {row[2] for row in (await contents(store))[1]} == {"new"}


async def test_points_that_never_appear_are_a_store_that_does_not_work() -> None:
    """A store that accepts writes and does not show them is reported as unavailable, not waited for without end."""

    class Forgetful(MemoryStore):
        async def upsert(self, collection: str, passages: Any) -> None:
            """Accept and forget."""

    store = Forgetful()
    await store.ensure_collection(SPEC)
    with pytest.raises(StoreUnavailableError, match=COLLECTION):
        await IndexWriter(store, lambda: 7).write(COLLECTION, deliveries(DOC, Version(1), Content(("one",))))


@pytest.mark.parametrize(
    ("held", "admitted", "left"),
    [
        (("*",), ("staff",), ("staff",)),
        (("staff", "board"), ("*",), ("staff", "board")),
        (("staff", "board"), ("board", "new"), ("board",)),
        (("staff",), ("board",), ()),
    ],
)
def test_narrowing_admits_only_who_was_and_is_admitted(
    held: tuple[str, ...], admitted: tuple[str, ...], left: tuple[str, ...]
) -> None:
    """Old text is shown to nobody new: the groups of both versions, with `*` as all groups."""
    assert intersect(held, admitted) == left
