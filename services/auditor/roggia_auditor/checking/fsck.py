"""The check of a whole ledger: every log, the head log, and every tenant's sums."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from roggia_auditor.checking.headlog import HeadCheck
from roggia_auditor.checking.published import PublishedCheck
from roggia_auditor.checking.recount import Recounter
from roggia_auditor.checking.report import Looked, Report
from roggia_auditor.checking.sums import compare, compare_days
from roggia_auditor.checking.trees import Mark, TreeCheck
from roggia_auditor.errors import LedgerError, NoteError, TreeError
from roggia_auditor.ledger.model import Stream
from roggia_auditor.ports import EventCodec, State
from roggia_auditor.pricing.entries import PriceBook
from roggia_auditor.retention.ports import KeptLedger
from roggia_auditor.tlog import checkpoint as checkpoints
from roggia_auditor.tlog.checkpoint import Checkpoint
from roggia_auditor.tlog.keys import VerifierKey
from roggia_auditor.tlog.note import Note


@dataclass(frozen=True, slots=True)
class Means:
    """What a check has to go by. Without a book, no amount is rated again; without keys, no signature is looked at."""

    codec: EventCodec
    origin: str
    book: PriceBook | None = None
    keys: Sequence[VerifierKey] = ()
    quick: bool = False
    """Hashes, trees and signatures alone."""
    published: Note | None = None
    """A checkpoint of the head log that somebody else keeps: the ledger must lead to it."""


class Check:
    """One check of a ledger, of its state when `run` begins. An auditor may go on meanwhile.

    Raises `ProofError` for a published checkpoint that none of the keys has signed, or that is of another log.
    """

    def __init__(self, ledger: KeptLedger, means: Means) -> None:
        self._ledger, self._means = ledger, means
        self._published = None if means.published is None else _believed(means.published, means)
        self.report = Report()

    async def total(self) -> int:
        """How many records will be looked at: each of them twice, or once where hashes are enough."""
        return (1 if self._means.quick else 2) * sum(
            head.frontier.size for head in (await self._ledger.streams()).values()
        )

    async def run(self, looked: Looked = lambda _: None) -> Report:
        """Everything. What cannot be read is a finding as well."""
        try:
            await self._trees(looked)
            if self._means.quick:
                self.report.note("what entries say, tenants' numbers and sums: only hashes were asked for")
            else:
                await self._sums(looked)
        except (LedgerError, TreeError) as error:
            self.report.add("ledger", str(error))
        return self.report

    async def _trees(self, looked: Looked) -> None:
        state, published = await self._ledger.everything(), await self._against()
        roots, marks = {}, dict[str, Mapping[int, Mark]]()
        for stream in sorted(state.heads):
            origin = stream.origin(self._means.origin)
            sealed = state.notes.get(origin, (0, ""))[0]
            head, quick = state.heads[stream], self._means.quick
            sizes = {sealed, *(published.sizes(origin) if published else ())}
            tree = TreeCheck(self._ledger, stream, head, self.report, marks=sizes, quick=quick)
            await tree.run(_last(state, stream), looked)
            roots[origin] = (sealed, tree.at[sealed].root if sealed in tree.at else None)
            marks[origin] = tree.at
        size = {self._published.size} if self._published else ()
        log = HeadCheck(self._ledger, self._means.origin, self._means.keys, self.report, size)
        await log.run(state, roots)
        if published is not None:
            published.run(state, log.roots, log.leaves, marks)

    async def _against(self) -> PublishedCheck | None:
        if (held := self._published) is None:
            return None
        return PublishedCheck(held, await self._ledger.sealed_logs(held.size), self.report)

    async def _sums(self, looked: Looked) -> None:
        book = self._means.book
        if book is None:
            self.report.note("amounts were not rated again, nor compared by model: there was no price log")
        recounter = Recounter(self._ledger, self._means.codec, book, self.report)
        for tenant in await self._ledger.counted_tenants():
            held = await self._ledger.counted(tenant)
            found = await recounter.of(tenant, held.heads, looked)
            compare(tenant, held, found, self.report, priced=book is not None)
            compare_days(held, found, self.report)
            self.report.tenants += 1


def _believed(published: Note, means: Means) -> Checkpoint:
    published.verified(means.keys)
    found = checkpoints.of(published)
    if found.origin != f"{means.origin}/head":
        raise NoteError(f"the published checkpoint is of {found.origin}, the ledger's head log is {means.origin}/head")
    return found


def _last(state: State, stream: Stream) -> dict[str, int]:
    numbers: Mapping[str, Mapping[Stream, int]] = state.last
    return {tenant: held[stream] for tenant, held in numbers.items() if stream in held}
