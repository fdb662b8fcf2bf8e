"""A ledger held against a checkpoint of its head log that somebody else keeps: a topic, a witness, a tenant's export.

Whoever has one finds every change of what it covers, also one by somebody who has the ledger and the log's key.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence

from roggia_auditor.checking.report import Report
from roggia_auditor.checking.trees import Mark
from roggia_auditor.heads.seal import Head, LogHead, header_of, seal
from roggia_auditor.ports import State
from roggia_auditor.tlog.checkpoint import Checkpoint

Marks = Mapping[str, Mapping[int, Mark]]
"""By log, then by size: what its records make there."""
_LOGS = slice(1, 3)
"""Lines of a head log's entry: how many logs, and their root."""


class PublishedCheck:
    """`sealed` are the logs as the ledger says that they were under the published leaf."""

    def __init__(self, published: Checkpoint, sealed: Sequence[LogHead], report: Report) -> None:
        self._published, self._report = published, report
        self._sealed = {one.origin: one for one in sealed}

    def sizes(self, origin: str) -> frozenset[int]:
        """The size of a log that the published leaf speaks of."""
        return frozenset({self._sealed[origin].size} if origin in self._sealed else ())

    def run(self, state: State, roots: Mapping[int, bytes], leaves: Mapping[int, bytes], marks: Marks) -> None:
        """Add what does not hold. `roots` and `leaves` are the head log's, as its entries make it."""
        self._kept(state)
        size, head = self._published.size, self._published.origin
        found = roots.get(size)
        if found is None:
            self._report.add(f"{head} leaf {state.head_log.size}", f"missing: {size} leaves were published")
        elif found != self._published.root:
            self._report.add(f"{head} leaves before {size}", "they do not lead to the published root")
        elif size:
            self._under(leaves[size], marks)

    def _kept(self, state: State) -> None:
        """No checkpoint may be older than the published one."""
        due = {name: one.size for name, one in self._sealed.items()} | {self._published.origin: self._published.size}
        for origin, size in sorted(due.items()):
            if state.notes.get(origin, (-1, ""))[0] < size:
                self._report.add(f"{origin} checkpoint", "it is missing, or older than the published one")

    def _under(self, leaf: bytes, marks: Marks) -> None:
        """What the records make at the published sizes against the published leaf."""
        place = f"under leaf {self._published.size - 1} of the head log"
        logs, last, known = list[LogHead](), dict[str, dict[str, int]](), True
        for origin, one in self._sealed.items():
            mark = marks.get(origin, {}).get(one.size)
            if mark is None:
                self._report.add(f"{origin} records before {one.size}", "they are not all there")
                return
            logs.append(one._replace(root=mark.root))
            known = known and mark.last is not None
            for tenant, number in (mark.last or {}).items():
                last.setdefault(tenant, {})[origin] = number
            if mark.root != one.root:
                self._report.add(f"{origin} records before {one.size}", "they do not lead to the root that was signed")
        head, said = seal(logs, last).head(header_of(leaf)), leaf.decode(errors="replace").split("\n")
        if said[_LOGS] != _lines(head):
            self._report.add(f"logs {place}", "they are not those that it commits to")
        elif not known:
            self._report.note(f"tenants {place}: their numbers were not looked at, or some records were dropped")
        elif leaf != head.encoded():
            self._report.add(f"tenants {place}", "their last numbers are not those that it commits to")


def _lines(head: Head) -> list[str]:
    return [str(head.logs), base64.b64encode(head.logs_root).decode()]
