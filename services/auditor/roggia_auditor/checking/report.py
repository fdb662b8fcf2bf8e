"""What a check of the ledger found, and what it could not look at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

MAX_FINDINGS = 1_000
"""Findings that are kept; all of them are counted."""
Looked = Callable[[int], None]
"""Called with how many more records have been looked at."""


class Finding(NamedTuple):
    """Something that does not hold: where it is, and what is wrong."""

    place: str
    what: str


@dataclass(slots=True)
class Report:
    """Everything holds where `count` is 0. `notes` say what was not checked, and why."""

    records: int = 0
    tenants: int = 0
    count: int = 0
    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, place: str, what: str) -> None:
        """One thing that does not hold."""
        self.count += 1
        if len(self.findings) < MAX_FINDINGS:
            self.findings.append(Finding(place, what))

    def note(self, text: str) -> None:
        """Something that was not checked; said once."""
        if text not in self.notes:
            self.notes.append(text)
