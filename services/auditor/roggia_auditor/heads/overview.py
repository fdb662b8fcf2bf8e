"""What the head log says now, for people: how large every log is, who signed, who witnessed, which keys came when."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from roggia_auditor.heads import rotation
from roggia_auditor.heads.continuing import entries
from roggia_auditor.ports import Ledger
from roggia_auditor.tlog import checkpoint as checkpoints
from roggia_auditor.tlog import note as notes
from roggia_auditor.tlog.note import Note, Signature

_TIMED = 8 + 64
"""Bytes of a witness's signature: it has a time before it, a log's has not."""


async def overview(ledger: Ledger, origin: str, leaves: int) -> Mapping[str, Any]:
    """The newest checkpoint, the logs, and the last `leaves` leaves. Raises `TreeError` where one is missing."""
    kept = await ledger.kept(f"{origin}/head")
    if kept is None:
        return {"origin": f"{origin}/head", "size": 0, "logs": [], "leaves": []}
    size, signed = kept[0], notes.parse(kept[1])
    now = {stream.origin(origin): head.frontier.size for stream, head in (await ledger.streams()).items()}
    found = checkpoints.of(signed)
    return {
        "origin": found.origin,
        "size": size,
        "root": base64.b64encode(found.root).decode(),
        **_signers(signed),
        "logs": [
            {
                "origin": one.origin,
                "records": one.size,
                "next_offset": one.next_offset,
                "records_now": now.get(one.origin),
            }
            for one in await ledger.sealed_logs(size)
        ],
        "leaves": [_leaf(one.index, one.entry) async for one in entries(ledger, max(0, size - leaves), size)],
    }


def _signers(signed: Note) -> Mapping[str, Any]:
    def named(one: Signature) -> str:
        return f"{one.name}+{one.key_id.hex()}"

    witnessed = [one for one in signed.signatures if len(one.body) == _TIMED]
    return {
        "signed_by": [named(one) for one in signed.signatures if one not in witnessed],
        "witnesses": [{"key": named(one), "at": notes.witnessed_at(one)} for one in witnessed],
    }


def _leaf(index: int, entry: bytes) -> Mapping[str, Any]:
    keys = rotation.decoded(entry)
    if keys is not None:
        return {"index": index, "keys": [str(key) for key in keys]}
    lines = entry.decode(errors="replace").split("\n")
    return {"index": index, "logs": lines[1], "tenants": lines[3]} if len(lines) > 3 else {"index": index}
