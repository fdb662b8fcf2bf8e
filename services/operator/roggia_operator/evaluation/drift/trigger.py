"""What a watch over drift says: a measured value against a threshold, with its evidence."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Kind(StrEnum):
    """What was watched."""

    CONTENT = "content drift"
    DUPLICATES = "near-duplicates"
    PRECISION = "precision below objective"


class Trigger(msgspec.Struct, frozen=True, kw_only=True):
    """One look. `fired`: there is reason to *plan* a generation; a person or the gate decides everything after that.

    `evidence` holds the numbers behind `value`, for the plan's record.
    """

    kind: Kind
    fired: bool
    value: float
    threshold: float
    evidence: dict[str, float]

    @property
    def reason(self) -> str:
        """One line for the `why` of a plan."""
        numbers = ", ".join(f"{name} {value:.4g}" for name, value in self.evidence.items())
        return f"{self.kind.value}: {self.value:.4g} against {self.threshold:.4g} ({numbers})"
