"""When a producer has to look whether its last commit hangs."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from aiokafka.client import ConnectionGroup
from roggia_runtime.consumer.links import Link


class Connection:
    """One that is open."""

    def connected(self) -> bool:
        """It is."""
        return True


class Connections:
    """A producer's connections to coordinators, and a clock."""

    def __init__(self) -> None:
        self.now = 0.0
        self.held: dict[Any, Any] = {}
        self.producer: Any = SimpleNamespace(client=SimpleNamespace(_conns=self.held))
        self.open(1)

    def open(self, node: int) -> None:
        """A new connection in the place of an old one."""
        self.held[node, ConnectionGroup.COORDINATION] = Connection()

    def link(self) -> Link:
        """What watches them."""
        return Link(self.producer, lambda: self.now)


def test_a_connection_lost_right_after_a_commit_is_doubtful_until_trusted() -> None:
    """Also when another one has taken its place; asked about once a second."""
    ground = Connections()
    link = ground.link()
    assert not link.lost()
    ground.open(1)
    assert (link.lost(), link.due(), link.due()) == (True, True, False)
    ground.now += 1.0
    assert link.due()
    link.trust()
    assert not link.lost()


def test_another_coordinator_s_connection_says_nothing() -> None:
    """The group's coordinator is met with the first offsets: nothing was lost. When it goes, something was."""
    ground = Connections()
    link = ground.link()
    ground.open(2)
    assert not link.lost()
    del ground.held[2, ConnectionGroup.COORDINATION]
    assert link.lost()


def test_a_connection_that_ends_long_after_the_last_commit_says_nothing() -> None:
    """Its markers are written by then: an idle connection that is closed costs nothing."""
    ground = Connections()
    link = ground.link()
    link.committed()
    ground.now += 61.0
    assert not link.lost()
    ground.open(1)
    assert not link.lost()
    link.committed()
    ground.open(1)
    assert link.lost()
