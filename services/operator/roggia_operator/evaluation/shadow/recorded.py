"""Recorded questions, to be asked again. Pure but for the file.

A file is JSONL: `{"query", "tenant", "domain"}` and, where known, `groups` of who asked, `language`, `tags`. Unknown
fields are left alone: logs hold more than is needed here. Questions are people's own words: keep such files as such.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

import msgspec

from roggia_operator.evaluation.errors import GoldenSetError
from roggia_operator.evaluation.golden.clicks import Served
from roggia_operator.evaluation.golden.model import GoldenQuery, Judged
from roggia_operator.evaluation.golden.reading import Complaint, checked, lines, located, parsed

_UNJUDGED = (Judged(doc_id="-"),)
"""Stands where a golden question has its judgements: recorded ones have none, and need none."""


class _Recorded(msgspec.Struct, frozen=True, kw_only=True):
    query: str
    tenant: str
    domain: str
    groups: tuple[str, ...] = ()
    language: str | None = None
    tags: tuple[str, ...] = ()


def read(path: Path, most: int) -> list[GoldenQuery]:
    """Questions of a file, each once, at most so many, chosen by hash. Raises `GoldenSetError`."""
    found = []
    for number, line in lines(path):
        with located(path, number):
            if line.strip():
                found.append(_question(parsed(line, _Recorded)))
    if not found:
        raise GoldenSetError(f"{path}: holds no question; write one JSON object a line: query, tenant, domain")
    return chosen(found, most)


def of_served(searches: Iterable[Served], groups: tuple[str, ...], most: int, tenant: str = "") -> list[GoldenQuery]:
    """Questions of recorded searches, of one tenant where it is named, asked as `groups`: the record does not say who
    asked. What the service would refuse today is left out."""
    found = []
    for one in searches:
        if tenant in ("", one.tenant):
            asked = _Recorded(query=one.query, tenant=one.tenant, domain=one.domain, groups=groups)
            try:
                found.append(_question(asked))
            except Complaint:
                continue
    return chosen(found, most)


def chosen(questions: Iterable[GoldenQuery], most: int) -> list[GoldenQuery]:
    """Each question once, at most so many: a sample that is the same every time."""
    once = {one.id: one for one in questions}
    kept = sorted(once, key=lambda name: hashlib.sha256(name.encode()).digest())[:most]
    return [once[name] for name in kept]


def _question(one: _Recorded) -> GoldenQuery:
    return checked(
        GoldenQuery(
            query=" ".join(one.query.split()),
            tenant=one.tenant,
            domain=one.domain,
            groups=tuple(sorted(one.groups)),
            language=one.language,
            relevant=_UNJUDGED,
            tags=one.tags,
        )
    )
