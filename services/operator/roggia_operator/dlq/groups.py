"""Dead letters by their cause: how many, since when, what became of them, and one to look at."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from roggia_operator.dlq.ledger import Fate, Ledger
from roggia_operator.dlq.letters import Letter

MAX_REASONS = 20
"""Different reasons kept of one group; further ones count under `OTHER`."""
OTHER = "other reasons"
_VALUES = re.compile(r"'[^']*'|\"[^\"]*\"|\b(?:0x)?[a-f]*+\d[0-9a-f.-]*\b")


@dataclass(slots=True)
class Reason:
    """Letters whose messages differ in numbers and quoted values only; the newest one's message and place."""

    count: int
    example: Letter
    alike: bool = True
    """Whether every message is the example's, to the letter."""


@dataclass(slots=True)
class Group:
    """Every letter of one (stage, kind, fingerprint) that was read. Nothing was done yet with the open ones."""

    stage: str
    kind: str
    fingerprint: str
    example: Letter
    """The newest open letter; the newest of all where none is open."""
    first_ms: int
    last_ms: int
    letters: int = 0
    open: int = 0
    """How many wait for somebody to do something."""
    came_back: int = 0
    """How many of the open ones were redriven before, and failed again."""
    fates: Counter[Fate] = field(default_factory=Counter)
    topics: Counter[str] = field(default_factory=Counter)
    """Letters by DLQ."""
    reasons: dict[str, Reason] = field(default_factory=dict)

    @property
    def status(self) -> str:
        """`open` while a letter waits, else `ended`."""
        return "open" if self.open else "ended"

    def add(self, letter: Letter, fate: Fate | None) -> None:
        """Count one letter."""
        self.letters += 1
        self.topics[letter.place.topic] += 1
        self.first_ms, self.last_ms = min(self.first_ms, letter.timestamp_ms), max(self.last_ms, letter.timestamp_ms)
        if fate is not None:
            self.fates[fate] += 1
        else:
            self._example(letter)
            self.open += 1
            self.came_back += letter.redrives > 0
        if fate is None or not self.open:
            self._reason(letter)

    def _example(self, letter: Letter) -> None:
        if not self.open:
            self.reasons.clear()
        if not self.open or letter.timestamp_ms >= self.example.timestamp_ms:
            self.example = letter

    def _reason(self, letter: Letter) -> None:
        text = _VALUES.sub("…", letter.message)
        if text not in self.reasons and len(self.reasons) >= MAX_REASONS:
            text = OTHER
        reason = self.reasons.setdefault(text, Reason(0, letter))
        reason.count += 1
        reason.alike &= letter.message == reason.example.message
        if letter.timestamp_ms >= reason.example.timestamp_ms:
            reason.example = letter


async def grouped(found: AsyncIterator[Letter], ledger: Ledger) -> list[Group]:
    """Groups of these letters: those with open letters first, the most of them first."""
    groups: dict[tuple[str, str, str], Group] = {}
    async for letter in found:
        cause = (letter.stage, letter.kind, letter.fingerprint)
        if cause not in groups:
            groups[cause] = Group(*cause, letter, letter.timestamp_ms, letter.timestamp_ms)
        known = ledger.fate(letter.place)
        groups[cause].add(letter, known and known[0])
    return sorted(groups.values(), key=lambda group: (-group.open, -group.letters, group.fingerprint))
