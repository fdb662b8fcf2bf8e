"""Whole logs in the layout of C2SP tlog-tiles: read by the specification alone they come to their checkpoints."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from roggia_auditor.adapters.sqlite_ledger import SqliteLedger
from roggia_auditor.errors import ExportError
from roggia_auditor.export.tiles import TilesExport
from roggia_auditor.heads.sealing import Sealed, Sealer
from roggia_auditor.ledger.model import Stream
from roggia_auditor.tlog import note

from tests.support.anchoring import KEY, NEXT_KEY, ORIGIN, grow
from tests.support.auditing import STREAM, TOPIC, TOPIC_ID, root_of

EMPTY = Stream(TOPIC, TOPIC_ID, 1)


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[SqliteLedger]:
    """A log of two full tiles and a part of a third."""
    made = SqliteLedger(tmp_path / "ledger.sqlite3")
    await made.start()
    await grow(made, 600)
    yield made
    await made.stop()


def exporting(ledger: SqliteLedger, sealed: Sealed) -> TilesExport:
    """Of all its logs."""
    return TilesExport(ledger, sealed, {one.origin(ORIGIN): one for one in (STREAM, EMPTY)}, ORIGIN)


def read(folder: Path) -> tuple[str, int, str]:
    """Origin, size and root in a log's checkpoint, once entries and tiles were read as tlog-tiles describes them and
    the tree was made of them anew."""
    text = (folder / "checkpoint").read_text()
    note.parse(text).verified([KEY.verifier(), NEXT_KEY.verifier()])
    origin, size, root = text.split("\n")[:3]
    leaves, level, at = [], 0, 0
    while at < int(size):
        width = min(256, int(size) - at)
        name = f"{at // 256:03}" + ("" if width == 256 else f".p/{width}")
        bundled = (folder / "tile" / "entries" / name).read_bytes()
        for _ in range(width):
            length = int.from_bytes(bundled[:2], "big")
            leaves.append(hashlib.sha256(b"\0" + bundled[2 : 2 + length]).digest())
            bundled = bundled[2 + length :]
        assert not bundled
        assert (folder / "tile" / "0" / name).read_bytes() == b"".join(leaves[at : at + width])
        at += width
    hashes = leaves
    while len(hashes) >= 256:
        level += 1
        hashes = [root_of(hashes[start : start + 256]) for start in range(0, len(hashes) // 256 * 256, 256)]
        name = f"000.p/{len(hashes)}"
        assert (folder / "tile" / str(level) / name).read_bytes() == b"".join(hashes)
    return origin, int(size), root if base64.b64encode(root_of(leaves)).decode() == root else "another"


async def test_every_log_comes_to_its_checkpoint(ledger: SqliteLedger, tmp_path: Path) -> None:
    """The head log, with the leaf that names keys, and the partition's: no file too many, none missing."""
    await Sealer(ledger, ORIGIN, KEY).seal()
    sealed = await Sealer(ledger, ORIGIN, NEXT_KEY).seal()
    written = await exporting(ledger, sealed).write(tmp_path / "tiles")
    assert written == {f"{ORIGIN}/head": 3, STREAM.origin(ORIGIN): 600}
    for origin, size in written.items():
        folder = tmp_path / "tiles" / origin.removeprefix(f"{ORIGIN}/")
        found = read(folder)
        assert found[:2] == (origin, size)
        assert found[2] != "another"
    log = tmp_path / "tiles" / STREAM.origin(ORIGIN).removeprefix(f"{ORIGIN}/")
    assert sorted(str(path.relative_to(log)) for path in log.rglob("*") if path.is_file()) == [
        "checkpoint",
        "tile/0/000",
        "tile/0/001",
        "tile/0/002.p/88",
        "tile/1/000.p/2",
        "tile/entries/000",
        "tile/entries/001",
        "tile/entries/002.p/88",
    ]


async def test_what_does_not_come_to_the_checkpoint_is_not_exported(ledger: SqliteLedger, tmp_path: Path) -> None:
    """A record that is missing: the log is named; so is a folder that holds something."""
    sealed = await Sealer(ledger, ORIGIN, KEY).seal()
    assert ledger._connection is not None
    ledger._connection.execute("DELETE FROM records WHERE leaf_index = 599")
    with pytest.raises(ExportError, match="its 599 entries do not come to the checkpoint of 600"):
        await exporting(ledger, sealed).write(tmp_path / "tiles")
    with pytest.raises(ExportError, match="holds something"):
        await exporting(ledger, sealed).write(tmp_path / "tiles")
