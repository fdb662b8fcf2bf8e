"""A crash anywhere between the catalogue and the Kafka transaction changes nothing that a reader sees."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st
from roggia_runtime.records import Record

from tests.support import ingesting
from tests.support.ingesting import MemoryCatalogue, change, delete, outputs, record

DOCS = ("a", "b")
STEPS = ("commit", "commit", "lag", "lag", "abort", "crash", "abort both", "crash both")
"""What follows a handled batch: its transaction commits, or is still running while the next batch is handled, or is
aborted (the same process goes on from the committed position), or the process dies. `both`: the transaction of the
batch before it, which was still running, comes to nothing too."""


@st.composite
def logs(draw: st.DrawFn) -> list[Record]:
    """Updates, deletes and nulls of two documents that move between domains; revisions also go back and repeat."""
    log = []
    for offset in range(draw(st.integers(1, 14))):
        doc_id = draw(st.sampled_from(DOCS))
        revision = draw(st.integers(0, 6))
        domain = draw(st.sampled_from(("docs", "wiki", "blog")))
        kind = draw(st.sampled_from(("upsert", "upsert", "delete", "null", "bad")))
        if kind == "null":
            log.append(record(None, offset, doc_id=doc_id))
        elif kind == "delete":
            log.append(record(delete(doc_id, revision, domain=domain), offset))
        else:
            fields = {"acl": ()} if kind == "bad" else {}
            log.append(record(change(doc_id, revision, domain=domain, **fields), offset))
    return log


class Loop:
    """The runtime's loop as far as a handler can see it, with a log that only shows what was committed."""

    def __init__(self, log: Sequence[Record]) -> None:
        self._log = log
        self._catalogue = MemoryCatalogue()
        self._handler = ingesting.handler(self._catalogue)
        self._running: tuple[int, list[bytes | None]] | None = None
        self.committed = 0
        self.visible: list[bytes | None] = []

    async def run(self, sizes: Sequence[int], steps: Sequence[str]) -> None:
        """Work through the log; `sizes` and `steps` are used up, after which everything commits."""
        plan = list(zip(sizes, steps, strict=False))
        position = 0
        while position < len(self._log):
            size, step = plan.pop(0) if plan else (3, "commit")
            batch = self._log[position : position + size]
            values = [output.value for output in outputs(await self._handler.handle(batch))]
            if "both" not in step:
                self._commit()
            self._running = (position + len(batch), values)
            position = self._after(step, position + len(batch))
        self._commit()

    def _after(self, step: str, position: int) -> int:
        if step == "commit":
            self._commit()
        elif step != "lag":
            self._running = None
            position = self.committed
            if "crash" in step:
                self._handler = ingesting.handler(self._catalogue)
        return position

    def _commit(self) -> None:
        if self._running is not None:
            self.committed, values = self._running
            self.visible += values
            self._running = None


@settings(max_examples=250, deadline=None)
@given(logs(), st.lists(st.integers(1, 5), max_size=14), st.lists(st.sampled_from(STEPS), max_size=14))
async def test_what_becomes_visible_is_what_one_undisturbed_run_shows(
    log: list[Record], sizes: list[int], steps: list[str]
) -> None:
    """Whatever the batches, aborts and crashes: the same bytes in the same order, each once, to the last one."""
    undisturbed, disturbed = Loop(log), Loop(log)
    await undisturbed.run([1] * len(log), [])
    await disturbed.run(sizes, steps)
    assert disturbed.visible == undisturbed.visible


@settings(max_examples=100, deadline=None)
@given(logs(), st.integers(0, 13), st.integers(1, 5))
async def test_a_group_set_back_shows_no_older_version_again(log: list[Record], back: int, size: int) -> None:
    """After a full run, offsets are set back by hand: per document the last event again, and nothing before it."""
    catalogue = MemoryCatalogue()
    handler = ingesting.handler(catalogue)
    first = [verdict for one in log for verdict in await handler.handle([one])]
    handler = ingesting.handler(catalogue)
    rest = log[back:]
    again = [
        verdict for start in range(0, len(rest), size) for verdict in await handler.handle(rest[start : start + size])
    ]
    before = [output.value for output in outputs(first)]
    last = {output.key: output.value for output in outputs(first)}
    for output in outputs(again):
        assert output.value in before
    final = {output.key: output.value for output in outputs(again)}
    assert all(last[key] == value for key, value in final.items())
