"""What came of a migration: kept as a line of JSON, and told in words."""

from __future__ import annotations

import json
import os
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.support.migration.readers import p95
from tests.support.migration.run import Migration

FILE = Path(os.environ.get("ROGGIA_CHAOS_MIGRATIONS", ".roggia/migrations.jsonl"))
_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Outcome:
    """`wrong` must be empty: differences from the model of the log, and searches that were not answered as they should.
    `answered` counts searches by phase and generation."""

    plan: str
    documents: int
    records: int
    differences: dict[str, dict[str, int]]
    wrong: list[str]
    searches: dict[str, int]
    failovers: int
    p95_before_s: float
    p95_migration_s: float
    longest_s: float
    filled_s: float
    switched_s: dict[str, float]
    died: list[str]
    seconds: float


def outcome(migration: Migration) -> Outcome:
    """Of a run that has ended."""
    told, readers = migration.told, migration.readers
    by = {phase: [one.took_s for one in readers.answers if one.phase == phase] for phase in ("before", "migration")}
    asked = Counter(f"{one.phase}, g{one.generation}" for one in readers.answers)
    named = [
        f"{moment}: {kind}: {one}"
        for moment, found in told.differences.items()
        for kind, ones in asdict(found).items()
        for one in ones
    ]
    return Outcome(
        plan=str(told.plan),
        documents=told.documents,
        records=told.records,
        differences={moment: found.counts() for moment, found in told.differences.items()},
        wrong=[*named, *readers.wrong],
        searches=dict(sorted(asked.items())),
        failovers=readers.failovers,
        p95_before_s=round(p95(by["before"]), 4),
        p95_migration_s=round(p95(by["migration"]), 4),
        longest_s=round(max((one.took_s for one in readers.answers), default=0.0), 3),
        filled_s=round(told.filled_s, 1),
        switched_s={what: round(took, 3) for what, took in told.switched_s.items()},
        died=told.died,
        seconds=round(told.seconds, 1),
    )


def keep(found: Outcome) -> None:
    """Add it to the file."""
    FILE.parent.mkdir(parents=True, exist_ok=True)
    with FILE.open("a") as file:
        file.write(json.dumps(asdict(found)) + "\n")


def words(found: Outcome) -> str:
    """All of it, of what is wrong the first."""
    lines = [f"{name}: {value}" for name, value in asdict(found).items() if name != "wrong"]
    return "\n".join([*lines, f"wrong: {len(found.wrong)}", *found.wrong[:_SHOWN]])
