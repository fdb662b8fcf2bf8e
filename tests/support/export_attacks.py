"""What can be done to the files of an export, by whoever has the folder."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.support.attacking import flipped


def rewritten(folder: Path, change: Callable[[list[Any]], None]) -> None:
    """Records changed by `change`."""
    rows = [json.loads(line) for line in (folder / "records.jsonl").read_text().splitlines()]
    change(rows)
    (folder / "records.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def attacked(folder: Path, chance: random.Random) -> str:
    """Do something to an export; say what."""
    kind = chance.choice(["entry", "value", "path", "text", "drop", "newest", "swap", "twice", "head", "note", "leaf"])
    if kind in {"head", "leaf"}:
        proof = json.loads((folder / "proof.json").read_text())
        part = chance.choice([proof["head"], proof["tenant"], *proof["logs"]])
        part["entry"] = flipped(part["entry"], chance)
        (folder / "proof.json").write_text(json.dumps(proof))
    elif kind == "note":
        text = (folder / "head.checkpoint").read_text().split("\n")
        text[1] = str(int(text[1]) + 1)
        (folder / "head.checkpoint").write_text("\n".join(text))
    else:
        rewritten(folder, lambda rows: _changed(rows, kind, chance))
    return kind


def _changed(rows: list[Any], kind: str, chance: random.Random) -> None:
    at = chance.randrange(len(rows))
    if kind in {"entry", "value"}:
        rows[at][kind] = flipped(rows[at][kind], chance)
    elif kind == "path":
        place = chance.randrange(len(rows[at]["path"]))
        rows[at]["path"][place] = flipped(rows[at]["path"][place], chance)
    elif kind == "text":
        rows[at][chance.choice(["pico_usd", "tenant_seq", "status", "booked", "event_id"])] = "7"
    elif kind == "drop":
        del rows[at]
    elif kind == "newest":
        del rows[-1]
    elif kind == "twice":
        rows.insert(at, rows[at])
    else:
        other = (at + 1) % len(rows)
        rows[at], rows[other] = rows[other], rows[at]
