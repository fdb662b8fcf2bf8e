"""Attacks: what somebody might do to an export or to a ledger, chosen by a random generator that can be seeded."""

from __future__ import annotations

import base64
import hashlib
import json
import random
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from roggia_auditor import verify_export

from tests.support.anchoring import KEY

RECORD_FIELDS = ("pico_usd", "tenant_seq", "status", "booked", "event_id", "period", "offset", "log", "index")
KINDS = (
    "entry", "value", "path", "text", "drop", "newest", "swap", "twice", "foreign", "cut", "line", "short",
    "head", "head path", "log", "no log", "size", "root", "signature", "truncate",
)  # fmt: skip
"""Attacks on an export: on its records, its proof, its checkpoint."""
FLIPPED = (
    ("records", "entry"),
    ("records", "value"),
    ("records", "leaf_hash"),
    ("tiles", "hash"),
    ("head_log", "entry"),
    ("head_log", "peaks"),
    ("sealed_logs", "root"),
    ("streams", "peaks"),
)
"""Whatever is a hash or is hashed, by table and column."""


class Attack(NamedTuple):
    """What was done, and the words of which one must be in the report."""

    what: str
    places: tuple[str, ...]


def flipped(text: str, chance: random.Random) -> str:
    """One bit of bytes in base64."""
    return base64.b64encode(flip(base64.b64decode(text), chance)).decode()


def flip(raw: bytes, chance: random.Random) -> bytes:
    """One bit of some bytes."""
    changed = bytearray(raw)
    changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


class Export:
    """The files of an export, attacked one copy after the other."""

    def __init__(self, good: Path, bad: Path, others: Path) -> None:
        """`others` is another tenant's export under the same seal: records to slip in."""
        self._files = {path.name: path.read_text() for path in good.iterdir()}
        self._rows = self._files["records.jsonl"].splitlines()
        self._others = (others / "records.jsonl").read_text().splitlines()
        self._bad = bad
        bad.mkdir()

    def attack(self, chance: random.Random) -> tuple[str, str]:
        """Do something to a fresh copy, and mend the manifest; what was done, and what the verifier says."""
        kind = chance.choice(KINDS)
        files = dict(self._files)
        if kind in {"head", "head path", "log", "no log"}:
            files["proof.json"] = _proof(files["proof.json"], kind, chance)
        elif kind in {"size", "root", "signature", "truncate"}:
            files["head.checkpoint"] = _checkpoint(files["head.checkpoint"], kind, chance)
        else:
            files["records.jsonl"] = self._records(kind, chance)
        files["manifest.json"] = _forged(files)
        for name, text in files.items():
            (self._bad / name).write_text(text)
        return kind, holds(self._bad)

    def _records(self, kind: str, chance: random.Random) -> str:
        rows = list(self._rows)
        at = chance.randrange(len(rows))
        if kind in {"drop", "newest"}:
            del rows[at if kind == "drop" else -1]
        elif kind == "short":
            del rows[at:]
        elif kind == "twice":
            rows.insert(chance.randrange(len(rows)), rows[at])
        elif kind == "foreign":
            rows[at : at + chance.randrange(2)] = [chance.choice(self._others)]
        elif kind == "swap":
            alike = [n for n, row in enumerate(rows) if json.loads(row)["log"] == json.loads(rows[0])["log"]]
            one, other = chance.sample(alike, 2)  # of one log: which log comes first says nothing
            rows[one], rows[other] = rows[other], rows[one]
        elif kind == "line":
            rows[at] = rows[at][: chance.randrange(1, len(rows[at]))]
        else:
            rows[at] = json.dumps(_record(json.loads(rows[at]), kind, chance))
        return "".join(f"{row}\n" for row in rows)


def _record(row: dict[str, Any], kind: str, chance: random.Random) -> dict[str, Any]:
    if kind in {"entry", "value"}:
        row[kind] = flipped(row[kind], chance)
    elif kind == "path":
        place = chance.randrange(len(row["path"]))
        row["path"][place] = flipped(row["path"][place], chance)
    elif kind == "cut":
        what = chance.choice(["path", "entry", "value", *RECORD_FIELDS])
        if what in RECORD_FIELDS:
            row[what] = str(row[what]) + "7"
        else:
            row[what] = row[what][:-4] if what != "path" else row[what][:-1]
    else:
        what = chance.choice(["pico_usd", "tenant_seq", "status", "booked", "event_id"])
        row[what] = f"{row[what]}7"
    return row


def _proof(text: str, kind: str, chance: random.Random) -> str:
    proof = json.loads(text)
    part = chance.choice([proof["head"], proof["tenant"], *proof["logs"]])
    if kind == "no log":
        del proof["logs"][chance.randrange(len(proof["logs"]))]
    elif kind == "log" and "index" in part:
        part["index"] = int(part["index"]) + chance.choice([-1, 1])
    elif kind in {"log", "head path"} and part["path"]:
        place = chance.randrange(len(part["path"]))
        part["path"][place : place + 1] = [_step(part["path"][place], kind, chance)] * chance.randrange(3)
    else:
        part["entry"] = flipped(part["entry"], chance)
    return json.dumps(proof)


def _step(step: Any, kind: str, chance: random.Random) -> Any:
    """A hash of a path; among the tenants it has the bit beside it at which names part."""
    if isinstance(step, str):
        return flipped(step, chance)
    at, other = step
    return [at + chance.choice([-1, 1]), other] if kind == "log" else [at, flipped(other, chance)]


def _checkpoint(text: str, kind: str, chance: random.Random) -> str:
    lines = text.split("\n")
    if kind == "size":
        lines[1] = str(int(lines[1]) + chance.choice([-1, 1, 1000]))
    elif kind == "root":
        lines[2] = flipped(lines[2], chance)
    elif kind == "signature":
        dash, name, packed = lines[4].split(" ")
        lines[4] = f"{dash} {name} {flipped(packed, chance)}"
    else:
        return text[: chance.randrange(len(text) - 1)]
    return "\n".join(lines)


def _forged(files: dict[str, str]) -> str:
    """A manifest that fits: hashes, count and sum are those of what lies there, where that can be told."""
    manifest = json.loads(files["manifest.json"])
    for name in manifest["files"]:
        manifest["files"][name] = hashlib.sha256(files[name].encode()).hexdigest()
    try:
        rows = [json.loads(line) for line in files["records.jsonl"].splitlines()]
        manifest["records"] = str(len(rows))
        manifest["pico_usd"] = str(sum(int(row["pico_usd"] or 0) for row in rows))
    except (ValueError, KeyError, TypeError):
        pass
    return json.dumps(manifest)


def holds(folder: Path) -> str:
    """Why an export does not hold; empty where it does."""
    try:
        verify_export.check(folder, str(KEY.verifier()), [])
    except verify_export.WrongError as wrong:
        return str(wrong)
    return ""


def on_ledger(connection: sqlite3.Connection, chance: random.Random) -> Attack:
    """Do something to a ledger that changes what a checkpoint covers, or the checkpoints that it keeps."""
    kinds: Sequence[Callable[[sqlite3.Connection, random.Random], Attack]] = (
        _flip, _flip, _flip, _cut, _drop, _newest, _swap, _swap_tiles, _insert, _insert_tile, _truncate, _note, _head,
        _sequence,
    )  # fmt: skip
    return chance.choice(kinds)(connection, chance)


def _some(connection: sqlite3.Connection, table: str, chance: random.Random) -> tuple[str, tuple[object, ...]]:
    """One row of a table, as a condition."""
    keys = {
        "records": ("stream", "leaf_index"),
        "tiles": ("stream", "level", "hash_index"),
        "head_log": ("leaf_index",),
        "sealed_logs": ("origin", "head_index"),
        "streams": ("id",),
        "notes": ("origin",),
        "sequences": ("stream", "tenant"),
    }[table]
    if table == "sealed_logs":  # what was kept for older checkpoints is held against those
        query = "SELECT origin, max(head_index) FROM sealed_logs GROUP BY origin ORDER BY origin"
    else:
        query = f"SELECT {', '.join(keys)} FROM {table} ORDER BY {', '.join(keys)}"
    rows = connection.execute(query).fetchall()
    return " AND ".join(f"{key} = ?" for key in keys), chance.choice(rows)


def _names(connection: sqlite3.Connection, table: str, key: tuple[object, ...]) -> tuple[str, ...]:
    """How a report names the row."""
    if table == "records":
        (partition,) = connection.execute("SELECT partition FROM streams WHERE id = ?", key[:1]).fetchone()
        return (f"/{partition} leaf {key[1]}:", f"/{partition} leaf {key[1]} ")
    return {
        "tiles": (" tile ",),
        "head_log": ("/head leaf",),
        "sealed_logs": ("logs under leaf", "records before"),
    }.get(table, (": head",))


def _flip(connection: sqlite3.Connection, chance: random.Random) -> Attack:
    table, column = chance.choice(FLIPPED)
    where, key = _some(connection, table, chance)
    (raw,) = connection.execute(f"SELECT {column} FROM {table} WHERE {where}", key).fetchone()
    connection.execute(f"UPDATE {table} SET {column} = ? WHERE {where}", (flip(raw, chance), *key))
    return Attack(f"flip {table}.{column} {key}", _names(connection, table, key))


def _cut(connection: sqlite3.Connection, chance: random.Random) -> Attack:
    table, column = chance.choice(FLIPPED[:5])
    where, key = _some(connection, table, chance)
    (raw,) = connection.execute(f"SELECT {column} FROM {table} WHERE {where}", key).fetchone()
    cut = raw[: chance.randrange(len(raw))]
    connection.execute(f"UPDATE {table} SET {column} = ? WHERE {where}", (cut, *key))
    return Attack(f"cut {table}.{column} {key}", _names(connection, table, key))


def _drop(connection: sqlite3.Connection, chance: random.Random) -> Attack:
    table = chance.choice(["records", "records", "tiles", "head_log", "sealed_logs", "notes"])
    where, key = _some(connection, table, chance)
    names = _names(connection, table, key) if table != "notes" else (" checkpoint:",)
    connection.execute(f"DELETE FROM {table} WHERE {where}", key)
    return Attack(f"drop {table} {key}", names)


def _newest(connection: sqlite3.Connection, chance: random.Random) -> Attack:
    """A tenant's newest record, and what the tables say of it: head, number."""
    where, (stream, tenant) = _some(connection, "sequences", chance)
    query = "SELECT max(leaf_index) FROM records WHERE stream = ? AND tenant = ?"
    (index,) = connection.execute(query, (stream, tenant)).fetchone()
    names = _names(connection, "records", (stream, index))
    connection.execute("DELETE FROM records WHERE stream = ? AND leaf_index = ?", (stream, index))
    connection.execute(f"UPDATE sequences SET last = last - 1 WHERE {where}", (stream, tenant))
    return Attack(f"drop newest of {tenant} {stream}/{index}", names)


def _swap(connection: sqlite3.Connection, chance: random.Random) -> Attack:
    (one, other) = chance.sample(
        connection.execute("SELECT stream, leaf_index FROM records ORDER BY 1, 2").fetchall(), 2
    )
    columns = "entry, leaf_hash, value"
    held = [
        connection.execute(f"SELECT {columns} FROM records WHERE stream = ? AND leaf_index = ?", key).fetchone()
        for key in (one, other)
    ]
    for key, values in zip((other, one), held, strict=True):
        update = "UPDATE records SET entry = ?, leaf_hash = ?, value = ? WHERE stream = ? AND leaf_index = ?"
        connection.execute(update, (*values, *key))
    return Attack(f"swap {one} and {other}", _names(connection, "records", one) + _names(connection, "records", other))


def _swap_tiles(connection: sqlite3.Connection, chance: random.Random) -> Attack:
    """A tile's hash in the place of a record's, and the record's in the place of the tile's."""
    tile = chance.choice(
        connection.execute("SELECT stream, level, hash_index, hash FROM tiles ORDER BY 1, 2, 3").fetchall()
    )
    where, key = _some(connection, "records", chance)
    (leaf,) = connection.execute(f"SELECT leaf_hash FROM records WHERE {where}", key).fetchone()
    connection.execute(f"UPDATE records SET leaf_hash = ? WHERE {where}", (tile[3], *key))
    connection.execute("UPDATE tiles SET hash = ? WHERE stream = ? AND level = ? AND hash_index = ?", (leaf, *tile[:3]))
    return Attack(f"swap tile {tile[:3]} and leaf {key}", (" tile ",))


def _insert(connection: sqlite3.Connection, chance: random.Random) -> Attack:
    """A copy of a record between two others, or behind the last; those behind it move on."""
    where, (stream, index) = _some(connection, "records", chance)
    columns = (
        "event_id, tenant, tenant_seq, booked, day, occurred_at, request_id, response_id, trace_id, model, prompt, "
    )
    columns += "cost_pico, entry, leaf_hash, value"
    move = "UPDATE records SET leaf_index = {} WHERE stream = ? AND leaf_index {}"
    connection.execute(move.format("-leaf_index - 2", "> ?"), (stream, index))
    connection.execute(move.format("-leaf_index - 1", "< -1"), (stream,))
    connection.execute(
        f"INSERT INTO records (stream, leaf_index, status, {columns}) "
        f"SELECT stream, leaf_index + 1, 4, {columns} FROM records WHERE {where}",
        (stream, index),
    )
    return Attack(f"insert behind {stream}/{index}", _names(connection, "records", (stream, index + 1)))


def _insert_tile(connection: sqlite3.Connection, chance: random.Random) -> Attack:
    (stream,) = chance.choice(connection.execute("SELECT id FROM streams ORDER BY id").fetchall())
    query = "SELECT count(*) FROM tiles WHERE stream = ? AND level = 1"
    (count,) = connection.execute(query, (stream,)).fetchone()
    connection.execute("INSERT INTO tiles VALUES (?, 1, ?, ?)", (stream, count, chance.randbytes(32)))
    return Attack(f"insert tile {stream}/{count}", (" tile 1/",))


def _truncate(connection: sqlite3.Connection, chance: random.Random) -> Attack:
    table = chance.choice(["records", "head_log", "tiles"])
    where, key = _some(connection, table, chance)
    names = _names(connection, table, key)
    last = where.rsplit(" AND ", 1)[-1].removesuffix(" = ?")
    connection.execute(f"DELETE FROM {table} WHERE {where.removesuffix(f'{last} = ?')}{last} >= ?", key)
    return Attack(f"truncate {table} at {key}", names)


def _note(connection: sqlite3.Connection, chance: random.Random) -> Attack:
    """A kept checkpoint: another size, root or signature, or cut."""
    where, key = _some(connection, "notes", chance)
    (text,) = connection.execute(f"SELECT note FROM notes WHERE {where}", key).fetchone()
    changed = _checkpoint(text, chance.choice(["size", "root", "signature", "truncate"]), chance)
    connection.execute(f"UPDATE notes SET note = ? WHERE {where}", (changed, *key))
    return Attack(f"checkpoint of {key}", (" checkpoint:",))


def _head(connection: sqlite3.Connection, chance: random.Random) -> Attack:
    """Two leaves of the head log exchanged, or one more behind its end."""
    keys = connection.execute("SELECT leaf_index, entry, peaks FROM head_log ORDER BY leaf_index").fetchall()
    if chance.randrange(2):
        one, other = chance.sample(keys, 2)
        connection.execute("UPDATE head_log SET entry = ? WHERE leaf_index = ?", (other[1], one[0]))
        connection.execute("UPDATE head_log SET entry = ? WHERE leaf_index = ?", (one[1], other[0]))
        return Attack(f"swap head leaves {one[0]} and {other[0]}", ("/head leaf",))
    width = 32 * (len(keys) + 1).bit_count()
    connection.execute("INSERT INTO head_log VALUES (?, ?, ?)", (len(keys), keys[0][1], chance.randbytes(width)))
    return Attack("insert a head leaf", ("/head leaf",))


def _sequence(connection: sqlite3.Connection, chance: random.Random) -> Attack:
    """A tenant's last number, or what is kept of a log at a seal."""
    if chance.randrange(2):
        where, key = _some(connection, "sequences", chance)
        connection.execute(f"UPDATE sequences SET last = last + ? WHERE {where}", (chance.choice([-1, 1]), *key))
        return Attack(f"last number of {key}", (f"tenant {key[1]}",))
    where, key = _some(connection, "sealed_logs", chance)
    column = chance.choice(["size", "next_offset"])
    connection.execute(f"UPDATE sealed_logs SET {column} = {column} - 1 WHERE {where}", key)
    return Attack(f"sealed {column} of {key}", ("logs under leaf", "records before", "tenants under leaf"))
