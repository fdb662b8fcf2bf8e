"""The ledger's trees, hashed again from its records and held against a published checkpoint of the head log.

Whoever has the checkpoint from elsewhere (a topic, a witness, a tenant's export) finds every change of what it covers,
also one by somebody who has the ledger and the log's key: records, tiles, heads, numbers and checkpoints.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from roggia_auditor.checking.stream import Finding, Scanned, Wanted, scan
from roggia_auditor.errors import LedgerError, NoteError, ProofError, TreeError
from roggia_auditor.heads import rotation
from roggia_auditor.heads.continuing import entries
from roggia_auditor.heads.seal import LogHead, Seal, seal
from roggia_auditor.ledger.model import Stream
from roggia_auditor.ports import Ledger, State
from roggia_auditor.tlog import checkpoint as checkpoints
from roggia_auditor.tlog import hashes
from roggia_auditor.tlog import note as notes
from roggia_auditor.tlog.checkpoint import Checkpoint
from roggia_auditor.tlog.frontier import Frontier
from roggia_auditor.tlog.keys import VerifierKey
from roggia_auditor.tlog.note import Note


class Against(NamedTuple):
    """What a ledger is held against: what its logs' names begin with, a published checkpoint, the log's public keys."""

    origin: str
    published: Note
    keys: Sequence[VerifierKey]


async def check(ledger: Ledger, against: Against) -> list[Finding]:
    """What does not hold; nothing where everything does.

    Reads all records: for a ledger that nobody writes to, or a copy. Raises `ProofError` for a published checkpoint
    that is not signed, `LedgerUnavailableError`.
    """
    against.published.verified(against.keys)
    published = checkpoints.of(against.published)
    try:
        state = await ledger.everything()
        signed = dict(_signed(state, against))
        found, committed = await _head_log(ledger, published, state, signed.get(published.origin))
        more, under = await _logs(ledger, against.origin, published.size, state, signed)
    except (LedgerError, ProofError, TreeError) as error:
        return [Finding("ledger", str(error))]
    found += [Finding(*wrong) for wrong in _notes(signed)] + more
    if committed is not None and under.head().encoded() != committed:
        found.append(_committed(under, committed, published.size))
    return found


def _signed(state: State, against: Against) -> Mapping[str, Checkpoint | str]:
    """By origin what the kept checkpoints say, or why one of them says nothing."""

    def read(origin: str, size: int, text: str) -> Checkpoint | str:
        try:
            signed = notes.parse(text)
            signed.verified(against.keys)
            found = checkpoints.of(signed)
        except NoteError as error:
            return str(error)
        return found if (found.origin, found.size) == (origin, size) else "it is of another log or size"

    return {origin: read(origin, *kept) for origin, kept in state.notes.items()}


def _notes(signed: Mapping[str, Checkpoint | str]) -> list[tuple[str, str]]:
    return [(f"{origin}: checkpoint", found) for origin, found in signed.items() if isinstance(found, str)]


async def _head_log(
    ledger: Ledger, published: Checkpoint, state: State, newest: Checkpoint | str | None
) -> tuple[list[Finding], bytes | None]:
    """What is wrong with the head log, and the leaf that the published checkpoint ends with, where it is that one."""
    found, edge, last = list[Finding](), Frontier(), b""
    roots, committed = {0: edge.root()}, b""
    async for one in entries(ledger, 0, state.head_log.size):
        edge, _ = edge.grown([hashes.leaf(one.entry)])
        if one.after != edge:
            return [Finding(f"head log, leaf {one.index}", "it does not lead to the right edge beside it")], None
        roots[edge.size], last = edge.root(), one.entry
        committed = last if edge.size == published.size else committed
    if edge.size < published.size:
        return [Finding(f"head log, leaf {edge.size}", f"is missing: {published.size} were published")], None
    if roots[published.size] != published.root:
        return [Finding(f"head log, leaves up to {published.size}", "they do not lead to the published root")], None
    if newest is None or (isinstance(newest, Checkpoint) and newest.size < published.size):
        found.append(Finding(f"{published.origin}: checkpoint", "is missing, or older than the published one"))
    elif isinstance(newest, Checkpoint) and roots.get(newest.size) != newest.root:
        found.append(Finding(f"{published.origin}: checkpoint", "the head log does not lead to its root"))
    elif isinstance(newest, Checkpoint) and edge.size > newest.size and rotation.decoded(last) is None:
        found.append(Finding(f"head log, leaf {newest.size}", "is under no checkpoint"))
    return found, committed


async def _logs(
    ledger: Ledger, origin: str, size: int, state: State, signed: Mapping[str, Checkpoint | str]
) -> tuple[list[Finding], Seal]:
    """What is wrong with the logs, and the state of them that the records make at the published size."""
    sealed = {one.origin: one for one in await ledger.sealed_logs(size)}
    streams = {stream.origin(origin): stream for stream in state.heads}
    found = [Finding(name, "the log is missing") for name in sealed if name not in streams]
    logs, last = list[LogHead](), dict[str, dict[str, int]]()
    for name, stream in streams.items():
        before, newest = sealed.get(name), signed.get(name)
        kept = newest if isinstance(newest, Checkpoint) else None
        scanned = await scan(ledger, Wanted(name, stream, state.heads[stream], before, kept))
        found += [*scanned.findings, *_numbers(name, stream, scanned, state)]
        if before is not None and (newest is None or (kept is not None and kept.size < before.size)):
            found.append(Finding(f"{name}: checkpoint", "is missing, or older than what was published"))
        if before is not None:
            logs.append(before._replace(root=scanned.sealed_root))
            for tenant, number in scanned.sealed_last.items():
                last.setdefault(tenant, {})[name] = number
    return found, seal(logs, last)


def _numbers(name: str, stream: Stream, scanned: Scanned, state: State) -> list[Finding]:
    held = {tenant: numbers[stream] for tenant, numbers in state.last.items() if stream in numbers}
    wrong = sorted(tenant for tenant in {*held, *scanned.last} if held.get(tenant) != scanned.last.get(tenant))
    return [
        Finding(
            f"{name}: tenant {tenant}", f"last number {held.get(tenant)}, the records say {scanned.last.get(tenant)}"
        )
        for tenant in wrong
    ]


def _committed(under: Seal, committed: bytes, size: int) -> Finding:
    lines, head = committed.decode(errors="replace").split("\n"), under.head()
    if len(lines) > 2 and (lines[1], lines[2]) != (str(head.logs), base64.b64encode(head.logs_root).decode()):
        return Finding(f"logs under leaf {size - 1} of the head log", "they are not those that it commits to")
    return Finding(f"tenants under leaf {size - 1} of the head log", "their last numbers are not those it commits to")
