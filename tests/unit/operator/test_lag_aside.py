"""Groups that no reader waits for: a filling is at work, a retired generation is over, and neither is trouble."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import pytest
from msgspec import structs
from rich.console import Console
from roggia.cli.status import exit_status
from roggia.cli.status_view import shown
from roggia_operator.console import picture
from roggia_operator.generations.waiting import aside, awaited
from roggia_operator.lag import plain
from roggia_operator.lag.history import History
from roggia_operator.lag.monitor import Snapshot
from roggia_operator.lag.searchable import Recent
from roggia_operator.lag.values import GroupState, Measurement, PartitionLag
from roggia_runtime.records import Partition
from roggia_schemas.events import DocUpserted, GenerationState, IndexGeneration

from tests.support.events import example
from tests.support.generations import row

END = 100
EVERY_MS = 15_000
COUNTS = {"offsets": 200, "done": 86}


def judged(
    places: Sequence[Sequence[int | None]], *rows: IndexGeneration, number: int = 2, owner: str = "m@h"
) -> dict[str, Any]:
    """`/v1/lag` after observations of embed's group of a generation: one list a partition, fifteen seconds apart."""
    history, group = History(), f"roggia.embed.g{number}"
    for at, seen in enumerate(zip(*places, strict=True)):
        parts = [
            PartitionLag(
                group, Partition("doc.chunked.c1", part), place, 0, END, END - (place or 0), 9e6, 9e6, owner=owner
            )
            for part, place in enumerate(seen)
        ]
        history.add(Measurement(at * EVERY_MS, tuple(parts), {group: GroupState("Stable", 1)}))
    report = history.report(aside(rows))
    assert report is not None
    return plain.report(report)


def screen(lag: dict[str, Any], *, partitions: bool = False) -> str:
    """What `roggia status` writes."""
    found = {
        "lag": lag, "searchable": plain.searchable(Recent().summary()), "processes": [], "dead_letters": [], "jobs": [],
        "operator": {"answers": True, "trouble": ""},
    }  # fmt: skip
    out = Console(file=io.StringIO(), width=220)
    for part in shown(found, partitions=partitions):
        out.print(part)
    assert isinstance(out.file, io.StringIO)
    return out.file.getvalue()


FILLING = row(2, GenerationState.FILLING, counts=COUNTS)
PAUSED = row(2, GenerationState.FILLING, counts=COUNTS, paused=True)
STANDS = [[5, 5, 5, 5], [9, 9, 9, 9]]


@pytest.mark.parametrize(
    ("places", "known", "status"),
    [
        ([[5, 5, 5, 5], [1, 2, 3, 4]], FILLING, "OK"),
        ([[5, 5, 5, 5], [END, END, END, END]], FILLING, "STALL"),
        (STANDS, FILLING, "STALL"),
        ([[None, None, None, None]], FILLING, "STALL"),
        ([[5, 5]], FILLING, "OK"),
        (STANDS, PAUSED, "OK"),
        (STANDS, row(2, GenerationState.SHADOW), "STALL"),
        (STANDS, row(2, GenerationState.ROLLED_BACK), "STALL"),
        (STANDS, row(2, GenerationState.LIVE), "STALL"),
        (STANDS, row(2, GenerationState.RETIRED), "OK"),
        (STANDS, row(2, GenerationState.FAILED), "OK"),
    ],
    ids=[
        "one partition moves", "what is left stands", "nothing moves", "never began", "too early to tell", "paused",
        "a shadow keeps in step", "so does what was rolled back", "so does what serves", "over", "given up",
    ],
)  # fmt: skip
def test_a_filling_is_trouble_only_when_nothing_of_it_moves(
    places: Sequence[Sequence[int | None]], known: IndexGeneration, status: str
) -> None:
    """A backlog that is a generation's work is OK, and so is the exit status, until none of what is left moves. A
    generation that has to keep in step is judged like any other; one that is over is not judged."""
    lag = judged(places, known)
    assert lag["status"] == status
    assert exit_status({"lag": lag}) == (8 if status == "STALL" else 0)


def test_nobody_reading_for_a_filling_is_a_stop_once_it_is_sure() -> None:
    """Two quick looks cannot tell; a window of twenty seconds and more can: no host has taken the generation."""
    assert judged([[5, 5]], FILLING, owner="")["status"] == "OK"
    assert judged([[5, 5, 5]], FILLING, owner="")["status"] == "STOP"


def test_a_filling_makes_no_document_late() -> None:
    """Old records that it has still to read are not live events that wait; those of what serves are."""
    assert judged([[5, 6]], FILLING)["freshness"]["oldest_s"] == 0
    assert judged([[5, 6]], row(2, GenerationState.LIVE))["freshness"]["oldest_s"] == 9e6


def test_progress_is_shown_in_the_place_of_a_status() -> None:
    """`roggia status` says FILLING with the share done, or PAUSED; a real stall, and a group of readers, as ever."""
    moving = judged([[1, 2, 3, 4]], FILLING)
    assert "FILLING 43 %" in screen(moving)
    assert "PAUSED 43 %" in screen(judged(STANDS, PAUSED))
    assert "RETIRED" in screen(judged(STANDS, row(2, GenerationState.RETIRED)))
    stalled = screen(judged(STANDS, FILLING))
    assert "STALL" in stalled and "FILLING" not in stalled
    assert "generation 2 is paused" in screen(judged(STANDS, PAUSED), partitions=True)
    assert moving["groups"][0]["aside"] == {
        "generation": 2, "state": "FILLING", "label": "FILLING 43 %", "paused": False, "done": 86, "offsets": 200,
    }  # fmt: skip
    assert judged(STANDS)["groups"][0]["aside"] is None


def test_the_console_shows_it_the_same_way() -> None:
    """The stage of a filling generation carries its progress; the stage of one that serves does not."""
    history = History()
    parts = tuple(
        PartitionLag(f"roggia.embed.g{n}", Partition("doc.chunked.c1", 0), 5, 0, END, 95, 9.0, 9.0) for n in (1, 2)
    )
    history.add(Measurement(0, parts, {part.group: GroupState("Stable", 1) for part in parts}))
    seen = Snapshot(history.report(aside([FILLING])), Recent().summary(), "")
    shown = picture.pipeline(seen, {"embed": 3}, 30.0)
    hops = shown.hops
    assert shown.dead_letters == 3, "generations share what they read: its letters are counted once"
    assert [(hop.group, hop.aside) for hop in hops] == [("roggia.embed.g1", ""), ("roggia.embed.g2", "FILLING 43 %")]


def upserted(generation: int, waited_ms: int) -> DocUpserted:
    """An event of the index that came `waited_ms` after the document's change."""
    event = example("doc.upserted")
    assert isinstance(event, DocUpserted)
    return structs.replace(event, occurred_at=1, indexed_at=1 + waited_ms, generation=generation)


@pytest.mark.parametrize(("state", "counted"), [("FILLING", 1), ("SHADOW", 1), ("LIVE", 2)])
def test_only_the_index_that_readers_have_says_how_long_documents_take(state: str, counted: int) -> None:
    """A filling reads documents that are years old: their age is no lateness. After a cutover it is the new index."""
    rows = [row(2, GenerationState(state), cutover=1 if state == "LIVE" else 0)]
    recent = Recent(awaited=lambda event: awaited(rows, 1, event))
    for event in (upserted(1, 1_000), upserted(2, 9_000), upserted(2, 9_000)):
        recent.add(event, replayed=False)
    assert recent.summary().live.documents == counted
