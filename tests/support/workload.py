"""A seeded history of documents: edits, ACL changes, moves, deletes and late arrivals, and the state it must end in.

Used by the chaos runs over the whole pipeline. The same seed gives the same events, byte for byte.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from roggia_schemas.events import DocChanged, Operation

TENANTS = ("acme", "globex")
DOMAINS = ("docs", "wiki")
GROUPS = ("staff", "sales", "legal")
_WORDS = [
    "river",
    "channel",
    "mill",
    "field",
    "water",
    "gate",
    "stone",
    "wheel",
    "flow",
    "bank",
    "meadow",
    "sluice",
    "grain",
    "season",
    "miller",
    "law",
    "winter",
    "measure",
    "garden",
    "village",
    "bridge",
    "market",
    "summer",
    "repair",
    "owner",
    "share",
    "turn",
    "night",
    "order",
    "ditch",
    "slope",
    "spring",
]
_START_MS = 1_700_000_000_000


@dataclass(slots=True)
class _Document:
    tenant_id: str
    doc_id: str
    domain: str
    revision: int = 0
    acl: tuple[str, ...] = ("*",)
    paragraphs: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Workload:
    """Events in the order of publication. `late` repeats older revisions among newer ones."""

    events: tuple[DocChanged, ...]

    def last(self) -> dict[tuple[str, str], DocChanged]:
        """Per (tenant_id, doc_id), the event with the highest revision: what the index must hold."""
        newest: dict[tuple[str, str], DocChanged] = {}
        for event in self.events:
            key = (event.tenant_id, event.doc_id)
            if key not in newest or event.revision > newest[key].revision:
                newest[key] = event
        return newest

    def slices(self, count: int) -> list[Sequence[DocChanged]]:
        """The events in `count` runs of nearly equal length."""
        size = -(-len(self.events) // count)
        return [self.events[start : start + size] for start in range(0, len(self.events), size)]


def workload(*, documents: int, events: int, seed: int = 1) -> Workload:
    """`events` changes of `documents` documents: about 14 % deletes, 5 % moves, 8 % ACL changes, 3 % late repeats."""
    return Workload(tuple(changes(documents=documents, events=events, seed=seed)))


def changes(*, documents: int, events: int, seed: int = 1) -> Iterator[DocChanged]:
    """The same, one after the other."""
    return _events(random.Random(seed), documents, events)


def _events(rng: random.Random, documents: int, events: int) -> Iterator[DocChanged]:
    held = [
        _Document(TENANTS[number % 2], f"doc-{number:05d}", DOMAINS[number // 2 % 2]) for number in range(documents)
    ]
    past: list[DocChanged] = []
    for number in range(events):
        if past and rng.random() < 0.03:
            yield rng.choice(past)
            continue
        event = _next(rng, held[number] if number < documents else rng.choice(held), number)
        past.append(event)
        if len(past) > 500:
            past.pop(rng.randrange(len(past)))
        yield event


def _next(rng: random.Random, document: _Document, number: int) -> DocChanged:
    document.revision += rng.randint(1, 3)
    draw = rng.random()
    if document.paragraphs and draw < 0.14:
        document.paragraphs.clear()
        return _event(document, number)
    if not document.paragraphs:
        document.paragraphs.extend(_paragraph(rng) for _ in range(rng.randint(1, 8)))
    elif draw < 0.19:
        document.domain = DOMAINS[1 - DOMAINS.index(document.domain)]
    elif draw < 0.27:
        document.acl = tuple(rng.sample(GROUPS, rng.randint(1, 2)))
    else:
        _edit(rng, document.paragraphs)
    return _event(document, number)


def _edit(rng: random.Random, paragraphs: list[str]) -> None:
    place = rng.randrange(len(paragraphs))
    draw = rng.random()
    if draw < 0.3 and len(paragraphs) < 12:
        paragraphs.insert(place, _paragraph(rng))
    elif draw < 0.5 and len(paragraphs) > 1:
        paragraphs.pop(place)
    else:
        paragraphs[place] = _paragraph(rng)


def _paragraph(rng: random.Random) -> str:
    heading = f"## {rng.choice(_WORDS).title()} {rng.randint(1, 99)}\n\n" if rng.random() < 0.4 else ""
    return heading + " ".join(rng.choice(_WORDS) for _ in range(rng.randint(30, 140))).capitalize() + "."


def _event(document: _Document, number: int) -> DocChanged:
    common = {
        "event_id": f"018bcfe5-0000-7000-8000-{number:012x}",
        "occurred_at": _START_MS + number,
        "tenant_id": document.tenant_id,
        "domain": document.domain,
        "doc_id": document.doc_id,
        "revision": document.revision,
    }
    if not document.paragraphs:
        return DocChanged(**common, operation=Operation.DELETE)
    text = f"# {document.doc_id}\n\n" + "\n\n".join(document.paragraphs) + "\n"
    return DocChanged(
        **common,
        operation=Operation.UPSERT,
        content_type="text/markdown",
        content=text.encode(),
        title=document.doc_id,
        acl=document.acl,
    )
