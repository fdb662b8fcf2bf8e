"""Golden questions from what people clicked, and from what answers cited.

A log of clicks is JSONL: `{"query_id", "doc_id"}` where the search was recorded on `retrieval.served` with its text, or
`{"query", "tenant", "domain", "doc_id"}` by itself. Clicks judge only what the old model showed, so such a set favours
the old model: it shows losses, hardly gains (Joachims et al., SIGIR 2005, on trust in rank). Questions are people's own
words: they may hold personal data, and the file is to be kept accordingly.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from roggia_operator.evaluation.golden.model import GoldenQuery, Judged
from roggia_operator.evaluation.golden.reading import Complaint, checked, lines, located, parsed

CLICKED = "clicked"
_ANY = Judged(doc_id="-")
"""Stands where judgements come later, so that the checks of a whole question apply."""


class Click(msgspec.Struct, frozen=True, kw_only=True):
    """One click or citation. Unknown fields are left alone: logs hold more than is needed here."""

    doc_id: str
    query_id: str = ""
    query: str = ""
    tenant: str = ""
    domain: str = ""
    groups: tuple[str, ...] = ()
    language: str | None = None


@dataclass(frozen=True, slots=True)
class Served:
    """A recorded search: where, what, and which documents it showed."""

    tenant: str
    domain: str
    query: str
    documents: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rules:
    """A document is relevant from `least` clicks on (grade 1); grade 2 from `clearly` on, with half of all of them."""

    least: int = 2
    clearly: int = 5


@dataclass(frozen=True, slots=True)
class Gathered:
    """Questions, and how many clicks gave none, by reason."""

    queries: tuple[GoldenQuery, ...]
    skipped: Counter[str] = field(default_factory=Counter)


def read(path: Path) -> Iterator[Click]:
    """Clicks of a file. Raises `GoldenSetError`."""
    for number, line in lines(path):
        with located(path, number):
            if line.strip():
                yield _whole(parsed(line, Click))


def gather(clicks: Iterable[Click], served: Mapping[str, Served], rules: Rules | None = None) -> Gathered:
    """Questions with the documents that were clicked often enough. `served`: recorded searches by query id."""
    rules, skipped = rules or Rules(), Counter[str]()
    queries = []
    for asked, found in _counted(clicks, served, skipped).items():
        relevant = tuple(_judged(found, rules))
        if relevant:
            queries.append(msgspec.structs.replace(asked, relevant=relevant))
        else:
            skipped["too few clicks"] += found.total()
    return Gathered(tuple(queries), skipped)


def _counted(
    clicks: Iterable[Click], served: Mapping[str, Served], skipped: Counter[str]
) -> dict[GoldenQuery, Counter[str]]:
    """Clicks by question and document."""
    counts: dict[GoldenQuery, Counter[str]] = {}
    for click in clicks:
        try:
            asked = _asked(click, served, skipped)
        except Complaint:
            skipped["search that the service would refuse"] += 1
            continue
        if asked is not None:
            counts.setdefault(asked, Counter())[click.doc_id] += 1
    return counts


def _whole(click: Click) -> Click:
    if not click.doc_id:
        raise Complaint("doc_id: is empty; name the document that was clicked")
    if not click.query_id:
        missing = [name for name in ("query", "tenant", "domain") if not getattr(click, name)]
        if missing:
            raise Complaint(f"{missing[0]}: is missing; give query_id, or query, tenant and domain")
        _question(click, Served(click.tenant, click.domain, click.query))
    return click


def _asked(click: Click, served: Mapping[str, Served], skipped: Counter[str]) -> GoldenQuery | None:
    if click.query:
        return _question(click, Served(click.tenant, click.domain, click.query))
    known = served.get(click.query_id)
    if known is None:
        skipped["search not recorded, or without its text"] += 1
        return None
    if known.documents and click.doc_id not in known.documents:
        skipped["document not shown by that search"] += 1
        return None
    return _question(click, known)


def _question(click: Click, served: Served) -> GoldenQuery:
    """The question without its judgements; the same for every click on its results. Raises `Complaint`."""
    asked = GoldenQuery(
        query=" ".join(served.query.split()),
        tenant=served.tenant,
        domain=served.domain,
        groups=tuple(sorted(click.groups)),
        language=click.language,
        relevant=(_ANY,),
        tags=(CLICKED,),
    )
    return checked(asked)


def _judged(found: Counter[str], rules: Rules) -> Iterator[Judged]:
    total = found.total()
    for doc_id, count in sorted(found.items()):
        if count >= rules.least:
            yield Judged(doc_id=doc_id, grade=2 if count >= rules.clearly and 2 * count >= total else 1)
