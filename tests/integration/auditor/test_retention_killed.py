"""Sealing as a process that is killed with kill -9 at any moment: no record is lost, and in the end all is sealed."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
from pathlib import Path

from roggia_auditor.retention.acts import Kind
from roggia_auditor.retention.checking import check
from roggia_auditor.retention.history import history

from tests.support.retaining import sqlite_ground

SEALING = """
import asyncio, pathlib, sys
from roggia_auditor.retention.worker import Policy, Retention
from tests.support.retaining import LATER, ORIGIN, sqlite_ground

async def main():
    ground = sqlite_ground(pathlib.Path(sys.argv[1]))
    await ground.ledger.start()
    print("begins", flush=True)
    await Retention(ground.ledger, ground.files, Policy(ORIGIN, 0, None), now=lambda: LATER).once()
    await ground.ledger.stop()

asyncio.run(main())
"""
ROOT = Path(__file__).resolve().parents[3]
KILLS = 8


def killed(path: Path, after_s: float) -> None:
    """Begin sealing, and kill it so many seconds later."""
    process = subprocess.Popen([sys.executable, "-c", SEALING, str(path)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "begins\n"
    try:
        process.wait(after_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(20)


async def test_a_sealing_that_is_killed_loses_nothing(tmp_path: Path) -> None:
    """Eight kills at random moments, then one run to its end: every record as before, each month sealed once."""
    chance, ground = random.Random(3), sqlite_ground(tmp_path)
    await ground.ledger.start()
    for month in range(1, 7):
        await ground.month(month, 150)
    await ground.signed()
    rows, root = await ground.rows(), await ground.root()
    for _ in range(KILLS):
        await asyncio.to_thread(killed, tmp_path, chance.uniform(0.02, 0.4))
        assert await ground.rows() == rows
        assert await ground.root() == root
    await asyncio.to_thread(killed, tmp_path, 60)
    segments = await ground.ledger.segments()
    assert [one.span.month for one in segments] == [f"2025-0{month}" for month in range(1, 7)]
    assert [act.kind for act in (await history(ground.ledger)).acts] == [Kind.SEGMENT_SEALED] * 6
    for one in segments:
        await check(ground.ledger, ground.files, one)
        assert not await ground.ledger.move(one.span, 1)
    assert await ground.rows() == rows
    assert (await ground.verified("beta"))["complete"]
    assert not list(ground.place.rglob("*.new"))
    await ground.ledger.stop()
