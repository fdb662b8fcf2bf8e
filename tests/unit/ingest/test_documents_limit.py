"""The most documents that a tenant may have: who is refused, who never is, and what makes room."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest
from roggia_ingest.admission import Admission
from roggia_ingest.catalogue import DocKey, Entry
from roggia_ingest.errors import FullError
from roggia_ingest.handlers import IngestHandler
from roggia_ingest.ports import Owned
from roggia_runtime.records import DeadLetter, Done, Headers, Partition, Record, Verdict
from roggia_runtime.tenancy import Tenancy
from roggia_schemas import topics
from roggia_schemas.events import DocChanged, TenantConfig

from tests.support.ingesting import Direct, MemoryCatalogue, change, delete, handler, record
from tests.support.tenants import config


class Tenant:
    """One catalogue, and handlers on it that know what acme may have."""

    def __init__(self, limit: int | None) -> None:
        self.catalogue, self.preparer = MemoryCatalogue(), Counted()
        self._rows: dict[str, TenantConfig] = {}
        self.allow(limit)
        self.one = self.handler()
        self._offsets: Iterator[int] = iter(range(10**6))

    def allow(self, limit: int | None) -> None:
        """A new configuration."""
        self._rows["acme"] = config("acme", limits={} if limit is None else {"documents": limit})

    def handler(self) -> IngestHandler:
        """Another instance, or the same one after a restart."""
        gate = Admission(Tenancy(self._rows), self.catalogue)
        return handler(self.catalogue, admission=gate, preparer=self.preparer)

    def batch(self, *events: DocChanged | str, partition: int = 0) -> list[Record]:
        """Records of events; a name stands for the Kafka null of that document."""
        return [
            record(None if isinstance(one, str) else one, next(self._offsets), doc_id=str(one), partition=partition)
            for one in events
        ]

    async def handle(self, *events: DocChanged | str) -> str:
        """What becomes of one batch."""
        return said(await self.one.handle(self.batch(*events)))


class Counted(Direct):
    """Counts what is chunked, and lets others go first meanwhile."""

    jobs = 0

    async def prepare(self, job: Any) -> Any:
        """A moment later."""
        self.jobs += 1
        for _ in range(5):
            await asyncio.sleep(0)
        return await super().prepare(job)


class Contested(MemoryCatalogue):
    """Another instance writes `rival`'s document just before each of the first writes."""

    def __init__(self, *rivals: str) -> None:
        super().__init__()
        self._rivals = list(rivals)

    async def save(
        self, entries: Mapping[DocKey, Entry], owned: Owned | None = None, limits: Mapping[str, int] | None = None
    ) -> None:
        """The rival first."""
        if self._rivals and limits:
            made = MemoryCatalogue()
            await handler(made).handle([record(change(self._rivals.pop(0)), 0, partition=9)])
            self.entries |= made.entries
        await super().save(entries, owned, limits)


def said(verdicts: Sequence[Verdict]) -> str:
    """One letter each: taken, limited, or the first of another verdict's name."""
    return "".join("t" if isinstance(one, Done) else "L" if _limited(one) else type(one).__name__ for one in verdicts)


def _limited(verdict: Verdict) -> bool:
    return isinstance(verdict, DeadLetter) and verdict.kind == "limit"


async def test_one_document_too_many_is_a_letter_that_says_what_to_do() -> None:
    """Kind, field and message name the document, the limit, the tenant, what it has, and both ways to make room. It is
    no fault: it does not count among the letters that stop the consumer.
    """
    tenant = Tenant(2)
    (*_, verdict) = await tenant.one.handle(tenant.batch(change("a"), change("b"), change("c")))
    assert isinstance(verdict, DeadLetter)
    assert (verdict.kind, verdict.field, verdict.is_fault) == ("limit", "doc_id", False)
    for words in ("'c'", "the 2 documents", "tenant acme", "it has 2", "roggia tenants apply", "delete", "redrive"):
        assert words in verdict.message


async def test_what_is_there_changes_and_ends_at_the_limit_and_over_it() -> None:
    """Updates, moves, deletions and nulls of existing documents pass, also where the limit was lowered below them."""
    tenant = Tenant(3)
    await tenant.handle(change("a"), change("b"), change("c"))
    tenant.allow(1)
    assert await tenant.handle(change("a", 2), change("b", 2, domain="wiki"), change("new"), "c", delete("b", 3)) == (
        "ttLtt"
    )
    assert await tenant.handle(change("new")) == "L"
    assert await tenant.catalogue.living("acme") == 1


async def test_a_deletion_makes_room_in_the_order_of_the_log() -> None:
    """Also within one batch, behind a slow update of the document that goes; one that comes back takes its place."""
    tenant = Tenant(2)
    assert await tenant.handle(change("a"), change("b"), change("c")) == "ttL"
    assert await tenant.handle(change("a", 2), change("c"), delete("a", 3), change("c", 2), change("a", 4)) == "tLttL"
    assert await tenant.handle("b", change("a", 5)) == "tt"


async def test_a_raised_limit_holds_at_once_and_what_was_refused_passes_from_the_lane() -> None:
    """The next record counts by the new limit, without a restart; a redriven letter takes a place as a live one does,
    and finds none while there is none.
    """
    tenant = Tenant(1)
    assert await tenant.handle(change("a"), change("b"), change("c"), change("d")) == "tLLL"
    assert said(await tenant.one.handle([lane(change("b"), 0)])) == "L"
    tenant.allow(2)
    assert said(await tenant.one.handle([lane(change("b"), 1), lane(change("c"), 2)])) == "tL"
    tenant.allow(None)
    assert await tenant.handle(change("c"), change("d")) == "tt"


def lane(event: DocChanged, offset: int) -> Record:
    """The record of an event in the replay lane."""
    live = record(event, offset)
    headers: Headers = ()
    return Record(topics.replay(live.topic), live.partition, offset, live.timestamp_ms, live.key, live.value, headers)


async def test_a_batch_that_comes_again_finds_its_own_places() -> None:
    """Its rows were written and its transaction was not: judged anew, by the same process or another, nobody is refused
    for the rows of that try, and rows of documents that do not come again give their places back.
    """
    tenant = Tenant(2)
    batch = tenant.batch(change("a"), change("b"), change("c"))
    assert said(await tenant.one.handle(batch)) == "ttL"
    assert said(await tenant.one.handle(batch)) == "ttL"
    again = tenant.handler()
    again.assigned({Partition(topics.DOC_CHANGED, 0): 0})
    assert said(await again.handle(batch)) == "ttL"
    assert await tenant.catalogue.living("acme") == 2


async def test_another_instance_that_takes_the_last_place_is_seen() -> None:
    """Between judging and writing: the batch is judged again, and keeps what there is room for, in its order."""
    tenant = Tenant(2)
    tenant.catalogue = Contested("rival")
    verdicts = await tenant.handler().handle(tenant.batch(change("a"), change("b")))
    assert said(verdicts) == "tL"
    assert {key.doc_id for key in tenant.catalogue.entries} == {"a", "rival"}


async def test_a_catalogue_that_always_says_full_is_waited_for() -> None:
    """Others who take the room again and again do not keep the loop's thread: it tries later, and says for whom."""
    tenant = Tenant(1)
    tenant.catalogue = Contested("rival")
    tenant.catalogue.living = MemoryCatalogue().living  # type: ignore[method-assign]  # sees room always
    with pytest.raises(FullError, match="acme"):
        await tenant.handler().handle(tenant.batch(change("a")))


async def test_what_has_no_room_is_not_chunked() -> None:
    """Once a tenant is known to be full, what is refused costs no work."""
    tenant = Tenant(1)
    await tenant.handle(change("a"), change("b"))
    before = tenant.preparer.jobs
    assert await tenant.handle(change("c"), change("d")) == "LL"
    assert tenant.preparer.jobs == before


@pytest.mark.parametrize("limit", [None, 0, 5])
async def test_other_tenants_and_tenants_without_a_limit_are_not_counted(limit: int | None) -> None:
    """Nobody but the limited tenant is refused; a limit of nought takes nothing."""
    tenant = Tenant(limit)
    found = await tenant.handle(*[change(name) for name in "abcdefg"], change("h", tenant_id="globex"))
    assert found == {None: "tttttttt", 0: "LLLLLLLt", 5: "tttttLLt"}[limit]
