"""The data directory: held by one supervisor, found by other commands."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from roggia.connection import Named, resolve
from roggia.errors import AlreadyRunningError, NotRunningError
from roggia.stack.data import DataDirectory, StackState
from roggia.stack.plan import Ports
from roggia.stack.ports import LOOPBACK

STATE = StackState(pid=4711, started_at_ms=1, kafka="127.0.0.1:1", registry="http://r", query="http://q")


def test_a_second_holder_is_refused_and_told_who_holds_it(tmp_path: Path) -> None:
    """A second `up` on the same data would corrupt it; the message names the process and the way out."""
    first, second = DataDirectory(tmp_path), DataDirectory(tmp_path)
    with first.held():
        first.write(STATE)
        with pytest.raises(AlreadyRunningError, match=r"process 4711.*--data"), second.held():
            pass
    with second.held():
        assert second.is_held()


def test_a_state_file_without_a_holder_is_not_believed(tmp_path: Path) -> None:
    """After a kill -9 the state file stays; the lock is gone with the process, and the lock decides."""
    data = DataDirectory(tmp_path)
    with data.held():
        data.write(STATE)
        assert data.running() == STATE

    with pytest.raises(NotRunningError, match=r"roggia up --data"):
        data.running()


def test_looking_at_a_directory_that_does_not_exist_creates_nothing(tmp_path: Path) -> None:
    """A mistyped --data must not litter."""
    data = DataDirectory(tmp_path / "typo")

    assert not data.is_held()
    with pytest.raises(NotRunningError):
        data.running()
    assert list(tmp_path.iterdir()) == []


def test_what_is_named_wins_over_the_environment_and_the_state(tmp_path: Path) -> None:
    """Option, then environment, then state file; only the last needs a running stack."""
    environment = {"ROGGIA_KAFKA_BOOTSTRAP": "env:9092", "ROGGIA_DATA": str(tmp_path)}

    assert resolve(Named(kafka="named:9092"), environment).kafka == "named:9092"
    assert resolve(Named(), environment).kafka == "env:9092"
    with pytest.raises(NotRunningError):
        resolve(Named(), {"ROGGIA_DATA": str(tmp_path)})
    data = DataDirectory(tmp_path)
    with data.held():
        data.write(STATE)
        assert resolve(Named(), {"ROGGIA_DATA": str(tmp_path)}).kafka == STATE.kafka
        assert resolve(Named(), environment, need="query").query == STATE.query


def test_a_taken_port_is_replaced_by_a_free_one_and_no_port_is_given_twice() -> None:
    """`up` starts beside whatever else runs on the machine."""
    with socket.socket() as taken:
        taken.bind((LOOPBACK, 0))
        taken.listen()
        busy = taken.getsockname()[1]

        ports = Ports.free(Ports(broker=busy, registry=busy, query=busy))

    given = [ports.broker, ports.registry, ports.query, *ports.health.values()]
    assert busy not in given
    assert len(given) == len(set(given))
