"""What the options of `roggia replay` mean: texts in, a checked selection out."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

from roggia_operator.replay.plan import checked_rates
from roggia_operator.replay.selection import OffsetRange, Selection, documents, selected
from roggia_operator.times import millis
from roggia_runtime.clock import now_ms
from roggia_schemas import topics

from roggia.cli.named_files import text_of
from roggia.cli.replay_missing import missing
from roggia.connection import Connection
from roggia.errors import UsageError

_RANGE = re.compile(r"([0-9]{1,9}):([0-9]{1,18})-([0-9]{1,18})\Z")


@dataclass(frozen=True, slots=True)
class Asked:
    """The options as they were typed."""

    topic: str
    since: str = ""
    until: str = ""
    offsets: list[str] | None = None
    tenant: str = ""
    domain: str = ""
    doc: list[str] | None = None
    docs: Path | None = None
    missing: bool = False
    collection: str = ""
    mode: str = "same"


async def asked(said: Asked, where: Connection) -> Selection:
    """The selection that the options describe. Raises `UsageError` and `SelectionError`."""
    if said.mode not in ("same", "renew"):
        raise UsageError(f"--mode: {said.mode!r} is neither same nor renew")
    if said.missing:
        return selected(await _missing(said, where))
    return selected(
        Selection(
            topic=said.topic,
            from_ms=moment("--from", said.since),
            to_ms=moment("--to", said.until),
            offsets=tuple(offset_range(text) for text in said.offsets or ()),
            tenant=said.tenant,
            domain=said.domain,
            documents=_documents(said),
            mode=cast("Literal['same', 'renew']", said.mode),
            collection=said.collection,
        )
    )


async def _missing(said: Asked, where: Connection) -> Selection:
    """What the index of the query service misses or has wrong, and a replay can mend."""
    others = (said.doc, said.docs, said.since, said.until, said.offsets, said.collection)
    if said.topic != topics.DOC_CHANGED or any(others):
        raise UsageError("--missing: goes with --tenant and --domain only, over doc.changed; leave the others out")
    if said.domain and not said.tenant:
        raise UsageError(f"--domain: {said.domain!r} is a domain of which tenant? give --tenant as well")
    return await missing(where.query, said.tenant, said.domain)


def moment(option: str, text: str) -> int | None:
    """Milliseconds since the epoch of an ISO 8601 time (UTC where it names no offset) or a time ago; None for ''."""
    if not text:
        return None
    try:
        return millis(text, now_ms())
    except ValueError:
        raise UsageError(f"{option}: {text!r} is no time; write 2026-01-31T12:00:00Z, or 90m, 2h, 7d ago") from None


def offset_range(text: str) -> OffsetRange:
    """`PARTITION:FIRST-END`. Raises `UsageError`."""
    found = _RANGE.match(text)
    if not found:
        raise UsageError(f"--offsets: {text!r} is not PARTITION:FIRST-END, as 0:100-250")
    return OffsetRange(int(found[1]), int(found[2]), int(found[3]))


def rates_of(texts: list[str] | None, where: str = "--rate") -> dict[str, float]:
    """Limits per second from `NAME=NUMBER`; `where` they were written. Raises `UsageError` and `SelectionError`."""
    found: dict[str, float] = {}
    for text in texts or ():
        name, _, number = text.partition("=")
        try:
            found[name] = float(number)
        except ValueError:
            raise UsageError(f"{where}: {text!r} is not NAME=NUMBER, as records=50") from None
    return checked_rates(found)


def _documents(said: Asked) -> tuple[str, ...]:
    """What --doc and --docs name. Naming nothing must not mean everything."""
    if said.doc and not all(map(str.strip, said.doc)):
        raise UsageError("--doc: is empty; name a document, or leave it out to take all")
    return documents([*(said.doc or ()), *_lines(said.docs)], said.tenant)


def _lines(path: Path | None) -> list[str]:
    if path is None:
        return []
    lines = text_of("--docs", path).split("\n")  # ids may hold other characters at which splitlines would cut
    if not any(line.strip() for line in lines):
        raise UsageError(f"--docs: {path} names no document")
    return lines
