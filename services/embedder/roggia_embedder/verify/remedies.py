"""How findings are mended: by renewing the document, by a deletion, or not by the stream at all. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec
from roggia_runtime.findings import Finding, Kind, Repair
from roggia_schemas.names import Version

from roggia_embedder.ports import Document, head_id
from roggia_embedder.verify.rows import Expected, Fact, identity, named
from roggia_embedder.verify.scope import Place

_FIRST = Version(0, 0)
_GENERATION = re.compile(r"__g\d+\Z")


def mended(expected: Expected, place: Place, findings: Sequence[Finding], facts: Sequence[Fact]) -> list[Finding]:
    """The findings of one document in one collection, each with its repair or its remedy."""
    if not findings:
        return []
    stuck = _stuck(place, findings, facts)
    away = _out_of_reach(expected, place, facts)
    repair = _repair(expected, place)
    return [_with(finding, repair, stuck or _alone(finding, away)) for finding in findings]


def _with(finding: Finding, repair: Repair, remedy: str) -> Finding:
    return msgspec.structs.replace(finding, repair=Repair.NONE if remedy else repair, remedy=remedy)


def _repair(expected: Expected, place: Place) -> Repair:
    """A renewed version also deletes itself from the domains that the document has left, where the log names them."""
    reached = place.domain == expected.domain or place.domain in expected.left_domains
    return Repair.RENEW if expected.living and reached else Repair.DELETE


def _stuck(place: Place, findings: Sequence[Finding], facts: Sequence[Fact]) -> str:
    """Why the stream can mend nothing of this document here; empty where it can."""
    if not _GENERATION.search(place.name):
        return f"{place.name} is no generation's collection: fill it again by a replay into it"
    if any(fact.version < _FIRST for fact in facts):
        return "a point has no version: delete the points without `revision` or `epoch`, then repair"
    ahead = [finding.found for finding in findings if finding.kind is Kind.AHEAD and finding.found]
    if ahead:
        newest = max(mark.revision for mark in ahead)
        return f"publish the document again under a revision above {newest}"
    return ""


def _out_of_reach(expected: Expected, place: Place, facts: Sequence[Fact]) -> frozenset[str]:
    """Points that no write of this document meets: they name another one, or are heads under an id of their own."""
    own = Document(place.tenant, place.domain, expected.doc_id)
    head = identity(head_id(own))
    return frozenset(named(fact.point) for fact in facts if fact.whose != own or (fact.head and fact.point != head))


def _alone(finding: Finding, away: frozenset[str]) -> str:
    surplus = finding.kind is Kind.ORPHAN and finding.point_id in away
    return f"no write of the stream meets this point: delete it by its id from {finding.collection}" if surplus else ""
