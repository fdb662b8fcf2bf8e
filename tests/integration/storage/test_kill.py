"""kill -9 in the middle of writing: what was acknowledged is there."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from roggia_devstack.storage import Store

from tests.support.batches import consume

WRITER = """
import sys
from pathlib import Path
from roggia_devstack.storage import Store
from tests.support.batches import batch

store = Store.open(Path(sys.argv[1]))
if "t" not in store.topics():
    store.create_topic("t", 1, {"segment.bytes": "200000", "cleanup.policy": "compact", "max.message.bytes": "9999999"})
log = store.log("t", 0)
sequence = int(sys.argv[2])
while True:
    records = [(b"%d" % (sequence + n), b"x" * 3000) for n in range(3)]
    log.append(batch(records, producer=(1, 0, sequence % 2**31)), sequence)
    store.state.put("offset", "g", {"at": sequence + 3})
    sequence += 3
    if sequence % 60 == 0:
        store.maintain(sequence)
    sys.stdout.write(f"{sequence}\\n")
    sys.stdout.flush()
"""


@pytest.mark.parametrize("start", [0])
def test_nothing_acknowledged_is_lost(tmp_path: Path, start: int) -> None:
    """Three times killed at work, with segments rolling and compaction running: no record lost, none twice."""
    done = start
    for lines in (1, 150, 400):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path / "d"), str(done)], stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout is not None
        acknowledged = done
        for _ in range(lines):
            acknowledged = int(writer.stdout.readline())
        writer.send_signal(signal.SIGKILL)
        rest = writer.stdout.read().split("\n")
        writer.wait()
        acknowledged = max([acknowledged, *(int(line) for line in rest[:-1] if line)])
        store = Store.open(tmp_path / "d")
        rows = consume(store.log("t", 0), committed=True, max_bytes=1 << 20)
        assert [row.key for row in rows] == [b"%d" % n for n in range(len(rows))]
        assert len(rows) in (acknowledged, acknowledged + 3)
        state = store.state.get("offset", "g")
        assert state is not None
        assert state["at"] in (acknowledged, acknowledged + 3)
        done = len(rows)
        store.close()
