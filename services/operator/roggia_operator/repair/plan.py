"""From findings to what mends them. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec
from roggia_runtime.findings import Finding, Mark, Repair
from roggia_schemas.names import document_key

from roggia_operator.replay.selection import MAX_DOCUMENTS

GONE = "doc.changed no longer holds it: publish the document again, or delete it"
UNREADABLE = (
    "the log has records that cannot be read, and this document may be in one: mend those first (roggia dlq list)"
)
FEW, SHARE = 20, 0.1
"""More deletions than `FEW`, and than this share of what the log knows, look like a log that is not whole."""
_JOB_DOCUMENTS = MAX_DOCUMENTS // 5
"""Documents of one job: its record stays small."""


class Place(NamedTuple):
    """A document in one domain."""

    tenant: str
    domain: str
    doc_id: str


@dataclass(slots=True)
class RepairPlan:
    """What would be done. `renewals` are keys of documents, `deletions` the version of each deletion."""

    renewals: dict[str, list[Finding]] = field(default_factory=dict)
    deletions: dict[Place, Mark] = field(default_factory=dict)
    beyond: list[Finding] = field(default_factory=list)
    """Findings that the stream cannot mend; each names its remedy."""

    @property
    def empty(self) -> bool:
        """Nothing can be done."""
        return not self.renewals and not self.deletions

    @property
    def documents(self) -> dict[str, list[str]]:
        """Everything that is touched: document ids by tenant."""
        found: dict[str, dict[str, None]] = {}
        for findings in self.renewals.values():
            found.setdefault(findings[0].tenant, {})[findings[0].doc_id] = None
        for place in self.deletions:
            found.setdefault(place.tenant, {})[place.doc_id] = None
        return {tenant: list(ids) for tenant, ids in found.items()}

    def drastic(self, known: int) -> bool:
        """Whether so much would be deleted, beside the `known` documents of the log, that the log is to be doubted.

        A topic that was created anew, or the wrong one, makes orphans of everything.
        """
        return len(self.deletions) > max(FEW, SHARE * known)

    def jobs(self) -> list[tuple[str, ...]]:
        """The renewals as the documents of one job after the other."""
        keys = list(self.renewals)
        return [tuple(keys[at : at + _JOB_DOCUMENTS]) for at in range(0, len(keys), _JOB_DOCUMENTS)]

    def without(self, present: Iterable[str]) -> RepairPlan:
        """The same plan, when `doc.changed` holds only the keys `present`: the others are beyond repair."""
        here = set(present)
        gone = [finding for key, found in self.renewals.items() if key not in here for finding in found]
        lost = [msgspec.structs.replace(one, repair=Repair.NONE, remedy=GONE) for one in gone]
        kept = {key: found for key, found in self.renewals.items() if key in here}
        return RepairPlan(kept, dict(self.deletions), [*self.beyond, *lost])


def planned(findings: Iterable[Finding], unreadable: int = 0) -> RepairPlan:
    """One renewal per document, one deletion per document and domain, above everything that was found of it.

    While the log has `unreadable` records, nothing is deleted for not being known to it.
    """
    plan = RepairPlan()
    for finding in findings:
        if unreadable and finding.repair is Repair.DELETE and finding.expected is None:
            plan.beyond.append(msgspec.structs.replace(finding, repair=Repair.NONE, remedy=UNREADABLE))
        elif finding.repair is Repair.RENEW:
            plan.renewals.setdefault(document_key(finding.tenant, finding.doc_id).decode(), []).append(finding)
        elif finding.repair is Repair.DELETE:
            place = Place(finding.tenant, finding.domain, finding.doc_id)
            wanted, held = finding.delete_at or Mark(0, 1), plan.deletions.get(place)
            plan.deletions[place] = wanted if held is None else max(held, wanted, key=_order)
        else:
            plan.beyond.append(finding)
    return plan


def _order(mark: Mark) -> tuple[int, int]:
    return mark.revision, mark.epoch
