"""Checks one tenant's export of the audit log. Needs Python 3.11 and the package `cryptography`; nothing of Roggia.

    python verify_export.py FOLDER --key 'NAME+ID+BASE64' [--witness 'NAME+ID+BASE64']
    python verify_export.py RECORD.tlog-proof --key … [--witness …]

FOLDER holds manifest.json, head.checkpoint, proof.json and records.jsonl. The keys are public, and come to you by
another way than the folder did. Of several keys of the log, old and new, one must have signed, and none falsely.
What is checked, each on the one before it:

1. Every file is the one that the manifest names.
2. head.checkpoint is signed by the key (and by the witness, where one is given): size and root of the head log.
3. The newest leaf of the head log, none but it, names the roots of all logs and of all tenants' last numbers.
4. The tenant's leaf, the only one that can be there for its name, says how many records it has in which logs; each
   log's leaf says that log's size and root.
5. Every record is in its log's tree, is the tenant's, has the hash of the value that comes with it, and the numbers
   are 1, 2, 3 … up to the tenant's last one in that log: none is missing, none is twice.
6. A number may be missing in one case alone: a record of the log of acts, checked as in 5, says that it was dropped.
   Then "complete" is false (with --complete: it does not hold), and "not_shown" names numbers, time, name and reason.
7. What is written beside a record for reading is what its entry says, and the sums are those of the manifest.

A RECORD.tlog-proof (C2SP tlog-proof) is one record. Its `extra` line leads from its log to the head log: steps 2 and 3,
that log's leaf, that the file's own checkpoint is of that size and root and is signed, and the record in it.
Prints a report. Exit status: 0 it holds, 1 something does not (what and where), 2 it cannot be read.
Sources: RFC 6962, RFC 9162 (trees), C2SP signed-note, tlog-checkpoint, tlog-cosignature.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import struct
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

FORMAT = "roggia-audit-export/1"
HEAD = "roggia-audit-head/2"
STATUSES = {1: "RATED", 2: "UNPRICED", 3: "PARKED", 4: "UNREADABLE", 5: "ACT", 6: "ACCESS"}
ACTS = "audit.acts/00000000-0000-0000-0000-000000000000/0"
DROPPED = ("at", "by", "reason", "month", "records", "pico_usd", "leaves_sha256")
PROOF, RECORD = "c2sp.org/tlog-proof@v1", "roggia-audit-proof/1"
FIXED = struct.Struct(">B16sIQQ16sQBBBq")
LOG, WITNESS = 1, 4
Logs = dict[str, tuple[int, bytes]]
Shown = list[tuple[int, int]]
Acts = list[dict[str, str]]
UNREADABLE = (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError, struct.error)


class WrongError(Exception):
    """Something does not hold. The message says what and where."""


def main() -> int:
    """Check and print the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder of an export, or file of a proof")
    parser.add_argument("--key", required=True, action="append", help="public key of the head log, NAME+ID+BASE64")
    parser.add_argument("--witness", action="append", default=[], help="public key of a witness that must have signed")
    parser.add_argument("--complete", action="store_true", help="a record that was dropped is one that is missing")
    given = parser.parse_args()
    try:
        checked = check if given.folder.is_dir() else check_proof
        report = checked(given.folder, " ".join(given.key), given.witness)
        hidden = report.get("not_shown", [])
        need(not given.complete or not hidden, f"records are not shown: {hidden}")
    except WrongError as wrong:
        print(json.dumps({"holds": False, "why": str(wrong)}, indent=1))
        return 1
    except UNREADABLE as error:
        print(json.dumps({"holds": False, "why": f"cannot be read: {error!r}"}, indent=1))
        return 2
    print(json.dumps({"holds": True, **report}, indent=1))
    return 0


def check(folder: Path, key: str, witnesses: list[str]) -> dict[str, object]:
    """An export. `key` may be several, separated by spaces. Raises `WrongError`."""
    _ = [key_of(one) for one in (*key.split(), *witnesses)]
    manifest = parsed((folder / "manifest.json").read_text())
    need(manifest["format"] == FORMAT, f"manifest.json: format {manifest['format']!r} is not {FORMAT!r}")
    for name, digest in manifest["files"].items():
        need(Path(name).name == name, f"manifest.json: {name} is not in the folder")
        need(hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest, f"{name} is not the manifest's file")
    need({"head.checkpoint", "proof.json", "records.jsonl"} <= set(manifest["files"]), "manifest.json: too few files")
    with readable("head.checkpoint"):
        size, root = signed_head((folder / "head.checkpoint").read_text(), key, witnesses)
    with readable("proof.json"):
        proof = parsed((folder / "proof.json").read_text())
        logs, last = committed(proof, size, root, manifest["tenant"])
    shown: dict[str, Shown] = {origin: [] for origin in last}
    acts: Acts = []
    acts_log = f"{key.split('+', maxsplit=1)[0].removesuffix('/head')}/{ACTS}"
    pico = count = 0
    for line, text in enumerate((folder / "records.jsonl").read_bytes().splitlines(), 1):
        with readable(f"records.jsonl:{line}"):
            row = parsed(text)
            pico += record(row, f"records.jsonl:{line}", manifest["tenant"], logs, shown)
            acts += [parsed(raw(row["value"]))] if row["log"] == acts_log else []
        count += 1
    hidden = [part for origin, number in last.items() for part in not_shown(origin, number, shown[origin], logs, acts)]
    away = sum(int(str(one["last"])) - int(str(one["first"])) + 1 for one in hidden)
    said = manifest.get("not_shown", "0")
    need(said == str(away), f"manifest.json: {said} not shown, here are {away}")
    need(manifest["records"] == str(count), f"manifest.json: {manifest['records']} records, here are {count}")
    need(manifest["pico_usd"] == str(pico), f"manifest.json: {manifest['pico_usd']} pico-USD, the records say {pico}")
    found = {"tenant": manifest["tenant"], "records": count, "pico_usd": str(pico), "logs": last, "head_size": size}
    return {**found, "complete": not hidden, "not_shown": hidden}


def not_shown(origin: str, last: int, shown: Shown, logs: Logs, acts: Acts) -> list[dict[str, object]]:
    """Numbers of a log that an act says were dropped. Raises `WrongError` for one that is missing without an act."""
    dropped = [act for act in acts if act["act"] == "records.dropped" and act["log"] == origin and ACTS not in origin]
    for act in dropped:
        fits(act, origin, last, shown, logs[origin][0])
    found: list[dict[str, object]] = []
    for before, number in zip([0, *(one for one, _ in shown)], [*(one for one, _ in shown), last + 1], strict=True):
        at = before + 1
        while at < number:
            act = next((one for one in dropped if int(one["first"]) <= at <= int(one["last"])), dict[str, str]())
            need(bool(act), f"{origin}: record {at} of {last} is missing")
            until = min(number - 1, int(act["last"]))
            found.append({"log": origin, "first": at, "last": until, **{name: act[name] for name in DROPPED}})
            at = until + 1
    return found


def fits(act: dict[str, str], origin: str, last: int, shown: Shown, size: int) -> None:
    """Raises `WrongError` for an act of dropping that contradicts what is shown."""
    first, end, first_leaf, end_leaf = (int(act[name]) for name in ("first", "last", "first_leaf", "end_leaf"))
    what = f"{origin}: the act that drops records {first} to {end}"
    need(1 <= first <= end <= last and 0 <= first_leaf < end_leaf <= size, f"{what} names what is not there")
    need(int(act["records"]) == end - first + 1 <= end_leaf - first_leaf, f"{what} counts {act['records']}")
    for number, index in shown:
        need(
            (first <= number <= end) == (first_leaf <= index < end_leaf),
            f"{what} has leaves {first_leaf} up to {end_leaf}; record {number} is leaf {index}",
        )


def check_proof(file: Path, key: str, witnesses: list[str]) -> dict[str, object]:
    """One record. `key` may be several, separated by spaces. Raises `WrongError`."""
    text = file.read_text()
    if not text.startswith(PROOF + "\n"):
        raise ValueError(f"{file.name}: no proof of a record")
    _ = [key_of(one) for one in (*key.split(), *witnesses)]
    with readable(file.name):
        return proven(text, file.name, key, witnesses)


def proven(text: str, name: str, key: str, witnesses: list[str]) -> dict[str, object]:
    """What a proof's file of that name says, once all of it holds. Raises `WrongError`."""
    above, _, below = text.partition("\n\n")
    _, extra, index, *path = above.split("\n")
    need(extra.startswith("extra ") and index.startswith("index "), f"{name}: no lines `extra` and `index`")
    more = parsed(raw(extra.removeprefix("extra ")))
    need(more["format"] == RECORD, f"{name}: format {more['format']!r} is not {RECORD!r}")
    size, root = signed_head(more["checkpoint"], key, witnesses)
    log_count, log_root, _, _ = head_of(more, size, root)
    origin, log_size, its_root = log_of(more["log"], log_count, log_root)
    body, _, lines = below.partition("\n\n")
    need(body == f"{origin}\n{log_size}\n{base64.b64encode(its_root).decode()}", f"{name}: a checkpoint of another")
    need(signed_by(key, body + "\n", lines), f"{name}: the log's checkpoint is not signed by the key")
    entry, at = raw(more["entry"]), int(index.removeprefix("index "))
    included(leaf(entry), at, log_size, path, its_root, f"{name}: record")
    said, value = fields(entry), raw(more["value"])
    need(said["value_sha256"] == hashlib.sha256(value).hexdigest(), f"{name}: its value is not the one logged")
    return {**said, "log": origin, "index": str(at), "log_size": log_size, "head_size": size}


def record(row: dict[str, object], where: str, tenant: str, logs: Logs, shown: dict[str, Shown]) -> int:
    """One record; its amount. Raises `WrongError`."""
    origin, entry, value, index = str(row["log"]), raw(row["entry"]), raw(row["value"]), int(str(row["index"]))
    need(origin in shown, f"{where}: the tenant has no record in {origin}")
    size, root = logs[origin]
    included(leaf(entry), index, size, row["path"], root, f"{where}: record")
    found = fields(entry)
    need(found["tenant"] == tenant, f"{where}: a record of another tenant")
    number = int(str(found["tenant_seq"]))
    before = shown[origin][-1] if shown[origin] else (0, -1)
    need(number > before[0], f"{where}: number {number} follows {before[0]}; it is twice, or out of order")
    need(index > before[1], f"{where}: leaf {index} follows {before[1]}; numbers grow with leaves")
    shown[origin].append((number, index))
    need(found.pop("value_sha256") == hashlib.sha256(value).hexdigest(), f"{where}: its value is not the one logged")
    for name in set(row) - {"log", "index", "entry", "path", "value"}:
        need(name in found, f"{where}: nothing proves {name}")
        need(row[name] == found[name], f"{where}: {name} reads {row[name]!r}, its entry says {found[name]!r}")
    return int(str(found["pico_usd"] or 0))


def fields(entry: bytes) -> dict[str, str | None]:
    """What an entry says, by the names of records.jsonl. Raises `WrongError`."""
    schema, topic, part, offset, at, event, seq, status, zero, has_cost, cost = FIXED.unpack_from(entry)
    need(schema == 1 and not zero and status in STATUSES and has_cost in (0, 1), "an entry of another schema")
    texts, place = [], FIXED.size
    for _ in range(5):
        (length,) = struct.unpack_from(">H", entry, place)
        texts.append(entry[place + 2 : place + 2 + length].decode())
        place += 2 + length
    need(len(entry) == place + 32, "an entry of another length")
    tenant, reason, period, booked, version = texts
    return {
        "event_id": str(uuid.UUID(bytes=event)),
        "tenant_seq": str(seq),
        "status": STATUSES[status],
        "reason": reason,
        "tenant": tenant,
        "period": period,
        "booked": booked,
        "pico_usd": str(cost) if has_cost else None,
        "price_version": version,
        "value_sha256": entry[place:].hex(),
        "topic_id": str(uuid.UUID(bytes=topic)),
        "partition": str(part),
        "offset": str(offset),
        "appended_at": str(at),
    }


def committed(
    proof: dict[str, dict[str, object]], size: int, root: bytes, tenant: str
) -> tuple[dict[str, tuple[int, bytes]], dict[str, int]]:
    """Sizes and roots of the tenant's logs, and its last number in each. Raises `WrongError`."""
    log_count, log_root, _, tenant_root = head_of(proof, size, root)
    of_tenant = raw(proof["tenant"]["entry"])
    need(leads(leaf(of_tenant), tenant, proof["tenant"]["path"]) == tenant_root, "proof.json: tenant: another root")
    name, *rest = of_tenant.decode().removesuffix("\n").split("\n")
    need(name == tenant, f"proof.json: last numbers of {name}, not of {tenant}")
    last = {origin: size_of(number) for origin, number in zip(rest[::2], rest[1::2], strict=True)}
    found = [log_of(one, log_count, log_root) for one in proof["logs"]]  # type: ignore[arg-type]
    logs = {origin: (log_size, its_root) for origin, log_size, its_root in found}
    need(set(last) <= set(logs), "proof.json: a log of the tenant is missing")
    return logs, last


def head_of(proof: dict[str, dict[str, object]], size: int, root: bytes) -> tuple[int, bytes, int, bytes]:
    """What the head log's newest leaf says: how many logs, their root; how many tenants, theirs."""
    head = raw(proof["head"]["entry"])
    need(proof["head"]["index"] == size - 1, "proof.json: the head is not the newest one of the head log")
    included(leaf(head), size - 1, size, proof["head"]["path"], root, "proof.json: head")
    lines = head.decode().split("\n")
    need(len(lines) == 6 and lines[0] == HEAD and lines[5] == "", "proof.json: the head is of another kind")
    return size_of(lines[1]), raw(lines[2]), size_of(lines[3]), raw(lines[4])


def log_of(one: dict[str, object], count: int, root: bytes) -> tuple[str, int, bytes]:
    """Name, size and root of a log among the logs."""
    entry = raw(one["entry"])
    included(leaf(entry), int(str(one["index"])), count, one["path"], root, "proof.json: log")
    origin, size, its_root, _ = entry.decode().removesuffix("\n").split("\n")
    return origin, size_of(size), raw(its_root)


def signed_head(text: str, key: str, witnesses: list[str]) -> tuple[int, bytes]:
    """Size and root of the head log in its checkpoint. Raises `WrongError` unless log and witnesses have signed it."""
    body, found, lines = text.rpartition("\n\n")
    need(bool(found), "head.checkpoint: no signed note")
    body += "\n"
    need(signed_by(key, body, lines), "head.checkpoint: not signed by the key")
    for witness in witnesses:
        name = witness.split("+")[0]
        need(signs(witness, WITNESS, body, lines), f"head.checkpoint: not signed by the witness {name}")
    origin, size, root = body.removesuffix("\n").split("\n")
    names = {one.split("+", maxsplit=1)[0] for one in key.split()}
    need({origin} == names, f"head.checkpoint: it is of {origin}, the key of {', '.join(sorted(names))}")
    return size_of(size), raw(root)


def signed_by(key: str, body: str, lines: str) -> bool:
    """Whether one of the log's keys signed. Each is looked at: a signature that does not hold is never passed over."""
    return True in [signs(one, LOG, body, lines) for one in key.split()]


def signs(key: str, kind: int, body: str, lines: str) -> bool:
    """Whether a line is the key's signature over the note. Raises `WrongError` for any that does not hold."""
    name, number, material = key_of(key)
    found = False
    need(material[0] == kind, f"key {name}: it is of another kind, of a log or of a witness")
    for signature in (raw(line.split(" ")[2]) for line in lines.splitlines() if line.startswith(f"— {name} ")):
        if signature[:4] == number:
            message, made = body, signature[4:]
            if kind == WITNESS:
                message, made = f"cosignature/v1\ntime {int.from_bytes(made[:8], 'big')}\n{body}", made[8:]
            try:
                Ed25519PublicKey.from_public_bytes(material[1:]).verify(made, message.encode())
            except InvalidSignature:
                raise WrongError(f"head.checkpoint: the signature of {name} does not hold") from None
            found = True
    return found


def key_of(key: str) -> tuple[str, bytes, bytes]:
    """Name, id and material of a key. Raises `ValueError`: it is what was given, not what is checked."""
    try:
        name, told, packed = key.strip().split("+", 2)
        material = raw(packed)
    except ValueError:
        raise ValueError(f"key {key[:80]!r}: expected NAME+ID+BASE64") from None
    number = hashlib.sha256(name.encode() + b"\n" + material).digest()[:4]
    if number.hex() != told or len(material) != 33:
        raise ValueError(f"key {name}: it was not copied whole")
    return name, number, material


def included(found: bytes, index: int, size: int, path: Any, root: bytes, what: str) -> None:
    """RFC 9162 §2.1.3.2. Raises `WrongError` unless the path leads from the leaf to the root."""
    need(0 <= index < size, f"{what}: leaf {index} is not in a tree of {size}")
    at, end = index, size - 1
    for sibling in map(digest_of, path):
        need(end > 0, f"{what}: leaf {index} of {size}: the path is too long")
        if at & 1 or at == end:
            found = node(sibling, found)
            while not at & 1 and at:
                at, end = at >> 1, end >> 1
        else:
            found = node(found, sibling)
        at, end = at >> 1, end >> 1
    need(end == 0 and found == root, f"{what}: leaf {index} of {size} does not lead to the signed root")


def leads(found: bytes, name: str, path: Any) -> bytes:
    """The root above a name's leaf. A branch parts at a bit of the names' SHA-256: a name has one place, no second."""
    key, below = hashlib.sha256(name.encode()).digest(), 256
    for at, other in path:
        need(type(at) is int and 0 <= at < below, f"proof.json: tenant: bit {at!r} above bit {below}")
        sibling, below = digest_of(other), at
        sides = sibling + found if key[at // 8] >> (7 - at % 8) & 1 else found + sibling
        found = hashlib.sha256(b"\x02" + at.to_bytes(2, "big") + sides).digest()
    return found


def digest_of(text: object) -> bytes:
    """A hash in base64. Raises `ValueError`."""
    if len(found := raw(text)) != 32:
        raise ValueError("a hash is not 32 bytes long")
    return found


def leaf(entry: bytes) -> bytes:
    """RFC 6962 §2.1."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node(left: bytes, right: bytes) -> bytes:
    """RFC 6962 §2.1."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def raw(text: object) -> bytes:
    """Bytes in base64. Raises `ValueError`."""
    found = base64.b64decode(str(text), validate=True)
    if base64.b64encode(found).decode() != text:
        raise ValueError(f"no base64: {str(text)[:60]!r}")
    return found


def size_of(text: str) -> int:
    """A number as signed texts write it. Raises `ValueError`."""
    if not text.isascii() or str(int(text)) != text:
        raise ValueError(f"no number: {text[:30]!r}")
    return int(text)


def parsed(text: str | bytes) -> Any:
    """JSON in which no name is there twice. Raises `ValueError`."""

    def once(pairs: list[tuple[str, object]]) -> dict[str, object]:
        if len(found := dict(pairs)) != len(pairs):
            raise ValueError("a name is there twice")
        return found

    return json.loads(text, object_pairs_hook=once)


@contextmanager
def readable(where: str) -> Iterator[None]:
    """What is in a file that is there and cannot be read does not hold, and the report says where."""
    try:
        yield
    except UNREADABLE as error:
        raise WrongError(f"{where}: cannot be read: {error or error!r}") from None


def need(holds: bool, otherwise: str) -> None:
    """Raise `WrongError` unless it holds."""
    if not holds:
        raise WrongError(otherwise)


if __name__ == "__main__":
    sys.exit(main())
