"""A console on made-up operations: what its pages show and what its actions were asked for."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from roggia_operator.console.generation_views import BaseRow, GenerationRow, Generations, MoveRow
from roggia_operator.console.views import (
    CollectionRow,
    Freshness,
    Hop,
    JobRow,
    Letter,
    LetterGroup,
    PartitionRow,
    Pipeline,
    Plan,
    RecordRow,
    TopicRow,
)
from roggia_operator.errors import JobError, SelectionError

NOW = 1_764_000_000_000
HOSTILE = "<script>alert('x')</script>"
GROUP = LetterGroup(
    "doc.changed.dlq", "ingest", "invalid", "acl", "0a1b2c3d4e5f", 128, NOW - 7_200_000, NOW - 40_000, "2:17",
    f"acl: empty; name the groups that may see the document, or [\"*\"] for the whole tenant {HOSTILE}",
)  # fmt: skip
RECORD = RecordRow(
    2, 17, NOW - 40_000, "acme/travel/expenses.md", {"ce_type": "roggia.doc.changed", "x": HOSTILE},
    {"tenant_id": "acme", "doc_id": "travel/expenses.md", "title": HOSTILE},
)  # fmt: skip


def job(job_id: str = "replay-20251124-101500-1a2b", status: str = "RUNNING", wish: str = "RUN") -> JobRow:
    """A replay that is a quarter done."""
    return JobRow(
        job_id, "REPLAY", status, "live freshness 41 s is above the objective of 30 s" if status == "THROTTLED" else "",
        "ops@host", "new parser", NOW - 600_000, NOW - 590_000, None, 12_500, 50_000,
        {"scanned": 12_500, "sent": 9_120, "bytes": 48_211_000}, {"records": 200.0}, {"topic": "doc.changed"}, wish,
    )  # fmt: skip


def generation(number: int, state: str) -> GenerationRow:
    """A generation that others named and moved."""
    report = "0f3c1f2f7f8d4e0a9b1c2d3e4f5a6b7c"
    moves = (
        MoveRow(NOW - 40_000, "FILLING", state, "models", f"alias candidate of emb/{number} {HOSTILE}",
                {"report": report, f"parity g{number}": "2 documents, 4 points, exact"}),
        MoveRow(NOW - 90_000, "", "PLANNED", HOSTILE, "", {}),
    )  # fmt: skip
    return GenerationRow(
        number=number, state=state, message=f"waits: g{number} is compared with the log {HOSTILE}",
        model=f"models:/{HOSTILE}/{number}", fingerprint="emb@0123456789abcdef;dim=384;pool=mean;window=512",
        dimension=384, selection=("acme/handbook", "globex/*"), done=86_000, offsets=200_000, rate=212.0, left_s=540.0,
        limit=250.0, canary=5.0 if state == "SHADOW" else 0.0, wish="SERVE", answered=state != "SHADOW",
        by=HOSTILE, why=HOSTILE, report=report, override=HOSTILE, history=moves,
    )  # fmt: skip


@dataclass
class FakeLooking:
    """Answers the same every time; `down` makes it raise."""

    down: Exception | None = None
    idle: bool = False

    def _up(self) -> None:
        if self.down:
            raise self.down

    async def pipeline(self) -> Pipeline:
        """See `Looking`."""
        self._up()
        if self.idle:
            hops = tuple(Hop(s, f"roggia.{s}", t) for s, t in (("ingest", "doc.changed"), ("embed", "doc.chunked.c1")))
            return Pipeline(hops, Freshness(0, None, None, None, 30.0))
        hops = (
            Hop("ingest", "roggia.ingest", "doc.changed", "OK", 0, 0.0, 12.4, 12.4, None, 3_120, 128),
            Hop("embed", "roggia.embed.g1", "doc.chunked.c1", "WARN", 1_482, 21.3, 96.0, 41.0, 780.0, 0, 0),
            Hop(
                "embed", "roggia.embed.g2", "doc.chunked.c1", "OK", 30_120, 9e6, 0.0, 88.0, 340.0, 0, 0, "FILLING 43 %"
            ),
            Hop("upsert", "roggia.upsert.g1", "doc.embedded.g1", "STALL", 17, 140.0, 41.0, 0.0, None, 0, 2),
        )
        fresh = Freshness(300, 2.1, 18.4, NOW - 3_000, 30.0, 140.0, oldest_exact=False)
        return Pipeline(hops, fresh, ("the registry does not answer",), 130)

    async def partitions(self) -> Sequence[PartitionRow]:
        """See `Looking`."""
        return [PartitionRow("roggia.ingest", "doc.changed", n, "OK", 120, 120, 0, 0.0) for n in range(6)]

    async def topics(self) -> Sequence[TopicRow]:
        """See `Looking`."""
        self._up()
        return [
            TopicRow("doc.changed", 6, 50_120, "platform", "Documents as they change upstream."),
            TopicRow("doc.chunked.c1", 6, 50_007, "ingest", "The newest chunk set of every document."),
        ]

    async def tail(self, topic: str, last: int) -> Sequence[RecordRow]:
        """See `Looking`."""
        if topic != "doc.changed":
            raise SelectionError(f"TOPIC: {topic!r} does not exist; there are doc.changed")
        unread = RecordRow(0, 3, NOW, None, {}, {}, "magic byte 0x7b is not 0x00")
        gone = RecordRow(1, 9, NOW, "acme/old.md", {}, {}, "", tombstone=True)
        return [RECORD, unread, gone]

    async def letters(self) -> Sequence[LetterGroup]:
        """See `Looking`."""
        return [] if self.idle else [GROUP]

    async def letter(self, topic: str, place: str) -> Letter:
        """See `Looking`."""
        if place != GROUP.place:
            raise SelectionError(f"PLACE: {topic} holds no record at {place}")
        return Letter(GROUP, RECORD)

    async def jobs(self) -> Sequence[JobRow]:
        """See `Looking`."""
        if self.idle:
            return []
        return [job(), job("redrive-20251124-090000-77aa", "DONE"), job("replay-20251123-220000-0c0c", "THROTTLED")]

    async def collections(self) -> Sequence[CollectionRow]:
        """See `Looking`."""
        if self.idle:
            return []
        model = "all-MiniLM-L6-v2/1f6f…/w512/mean/d384/fp32"
        return [CollectionRow("kb_acme_handbook__g1", "kb_acme_handbook", 1, model, 384, 50_007)]

    async def generations(self) -> Generations:
        """See `Looking`."""
        self._up()
        baseline = GenerationRow(
            number=1, state="LIVE", message="baseline", model="as the embedder's settings say", baseline=True,
            serves=("every knowledge base that no selection names",), points=50_007, wish="SERVE",
        )  # fmt: skip
        if self.idle:
            return Generations((baseline,), (BaseRow("every knowledge base that no selection names", 1),), "")
        return Generations(
            (generation(4, "FILLING"), generation(3, "SHADOW"), baseline, generation(2, "RETIRED")),
            (BaseRow("acme/handbook", 1, 1), BaseRow("globex/kb", 3, 1), BaseRow("every other", 1)),
            "the index at http://127.0.0.1:7080 does not answer",
        )


@dataclass
class FakeActions:
    """Notes what was started."""

    started: list[tuple[str, str, str, str]] = field(default_factory=list)

    async def plan(self, kind: str, form: Mapping[str, str]) -> Plan:
        """See `Actions`."""
        if kind == "replay" and form.get("tenant") == "ACME":
            raise SelectionError("tenant: 'ACME' is not valid; use 1 to 63 of a-z, 0-9 and '-'")
        wanted = {name: text for name, text in form.items() if name != "form"}
        refused = "Nothing matches." if form.get("tenant") == "nobody" else ""
        facts = (("Records", "128, exactly"), ("Overtaken", "3"), ("Goes to", "doc.changed.replay"))
        warnings = ("Retention of the lane (7 d) would end before the job does.",)
        return Plan(kind, f"{kind.title()} 128 records", f"{kind.title()} 128 records", facts, warnings,
                    json.dumps(wanted, sort_keys=True), kind == "drop", refused)  # fmt: skip

    async def start(self, kind: str, payload: str, *, who: str, reason: str) -> str:
        """See `Actions`."""
        if kind == "cancel":
            raise JobError("the job has ended already")
        self.started.append((kind, payload, who, reason))
        return "/jobs/replay-20251124-101500-1a2b"
