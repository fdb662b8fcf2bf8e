"""How `roggia status` looks."""

from __future__ import annotations

from typing import Any

import pytest
from rich.console import Console
from roggia.cli.status_view import shown

NOTHING = {"documents": 0, "p50_s": None, "p95_s": None, "last_indexed_at_ms": None}


@pytest.mark.parametrize(
    ("letters", "said"),
    [
        ([], "Open dead letters: none"),
        (
            [("invalid", 4), ("content", 3), ("invalid", 1)],
            "Open dead letters: 5 of ingest (invalid), 3 of ingest (content)",
        ),
    ],
)
def test_open_letters_are_summed_by_stage_and_kind(letters: list[tuple[str, int]], said: str) -> None:
    """Three causes of one kind are one number here; `roggia dlq list` tells them apart."""
    causes = [{"stage": "ingest", "kind": kind, "fingerprint": "", "open": number} for kind, number in letters]

    assert said in _text({"dead_letters": causes})


def _text(more: dict[str, Any]) -> str:
    report = {"processes": [], "lag": None, "operator": {}, "jobs": [], "dead_letters": []}
    report["searchable"] = {"live": NOTHING, "replayed": NOTHING}
    console = Console(width=200, force_terminal=False)
    with console.capture() as captured:
        console.print(*shown(report | more, partitions=False), sep="\n")
    return captured.get()
