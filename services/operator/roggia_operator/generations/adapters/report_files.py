"""Reports of the gate as files, or passed along whole inside the wish."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import msgspec
from roggia_runtime.clock import now_ms

from roggia_operator.generations.values import GateReport

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
VERDICTS = ("pass", "fail", "inconclusive")


class _File(msgspec.Struct, frozen=True):
    """What is read of a report; it may hold more."""

    verdict: str
    reason: str = ""
    fingerprint: str = ""
    generation: int = 0


class ReportFiles:
    """`folder` holds `<id>.json`. An id that begins with `{` is the report itself."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def report(self, report_id: str) -> GateReport:
        """The report; without a verdict when there is none, or when it cannot be read: `reason` says why."""
        if report_id.lstrip().startswith("{"):
            return parsed(report_id, report_id.encode())
        if not _ID.fullmatch(report_id):
            return GateReport(now_ms(), report_id, reason="is no id: letters, digits, '.', '_' and '-' make one")
        path = self._folder / f"{report_id}.json"
        try:
            return parsed(report_id, await asyncio.to_thread(path.read_bytes))
        except FileNotFoundError:
            return GateReport(now_ms(), report_id, reason=f"is not there: no {path.name} in {self._folder}")


def parsed(report_id: str, text: bytes) -> GateReport:
    """A report out of JSON: `verdict`, and of what it is by `fingerprint` or `generation`."""
    try:
        read = msgspec.json.decode(text, type=_File)
    except msgspec.DecodeError as wrong:
        return GateReport(now_ms(), report_id, reason=f"is no report: {wrong}")
    if read.verdict not in VERDICTS:
        return GateReport(now_ms(), report_id, reason=f"verdict: {read.verdict!r} is none of {', '.join(VERDICTS)}")
    return GateReport(now_ms(), report_id, read.verdict, read.reason, read.fingerprint, read.generation)
