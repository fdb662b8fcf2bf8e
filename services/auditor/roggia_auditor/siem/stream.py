"""Records of all logs from where a reader stopped: pages of lines, and where to go on behind each of them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from roggia_auditor.export.rows import event_of
from roggia_auditor.ledger.model import Stream
from roggia_auditor.ports import EventCodec, Ledger
from roggia_auditor.siem import cef, ocsf
from roggia_auditor.siem.facts import Facts

_PAGE = 500
Positions = Mapping[str, int]
"""Next record by the name of its log; one that is missing is read from its start."""


class Format(StrEnum):
    """What lines are."""

    OCSF = "ocsf"
    CEF = "cef"


@dataclass(frozen=True, slots=True)
class Asked:
    """What a reader wants. `tenant` empty: of all tenants. `with_subject`: with the pseudonym of who asked."""

    kind: Format
    product_version: str
    tenant: str = ""
    with_subject: bool = False


class Page(NamedTuple):
    """Lines without their ends, and the positions behind them."""

    lines: tuple[str, ...]
    after: Positions


class SiemStream:
    """Reads the ledger. `origin` is what logs' names begin with."""

    def __init__(self, ledger: Ledger, codec: EventCodec, origin: str, asked: Asked) -> None:
        self._ledger, self._codec, self._origin, self._asked = ledger, codec, origin, asked
        self._line: Callable[[Facts], str] = {Format.OCSF: self._ocsf, Format.CEF: self._cef}[asked.kind]

    async def pages(self, start: Positions) -> AsyncIterator[Page]:
        """Every inference that the ledger holds from there on, log by log, each in its order. Ends at the end.

        The ledger's own logs (who read, corrections, acts) hold no inferences: they are not in it.
        """
        at = dict(start)
        for stream in sorted(one for one in await self._ledger.streams() if one.of_kafka):
            log = stream.origin(self._origin)
            while lines := await self._lines(stream, log, at):
                yield Page(tuple(one for one in lines if one), dict(at))

    async def _lines(self, stream: Stream, log: str, at: dict[str, int]) -> list[str]:
        """The next lines of a log, empty for records of other tenants; moves its position."""
        found = []
        for row in await self._ledger.rows(stream, at.get(log, 0), _PAGE):
            at[log] = row.index + 1
            if self._asked.tenant in ("", row.leaf.tenant):
                event = await event_of(self._codec, stream, row)
                found.append(self._line(Facts(log, row, event, self._asked.with_subject)))
            else:
                found.append("")
        return found

    def _ocsf(self, facts: Facts) -> str:
        return json.dumps(ocsf.event(facts, self._asked.product_version), separators=(",", ":"))

    def _cef(self, facts: Facts) -> str:
        return cef.line(facts, self._asked.product_version)
