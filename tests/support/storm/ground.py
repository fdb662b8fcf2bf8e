"""Fixture `ground`: what a storm rages over."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.support.kafka import Broker
from tests.support.registry import Registry
from tests.support.storm.nursery import Nursery

if TYPE_CHECKING:
    from tests.support.storm.run import Ground


@pytest.fixture(scope="session")
def nursery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    """Where service processes are forked."""
    made = Nursery(tmp_path_factory.mktemp("nursery"))
    yield made
    made.close()


@pytest.fixture
def ground(fresh_apache: Broker, registry: Registry, nursery: Nursery) -> Ground:
    """A new Apache Kafka, a registry, and a nursery."""
    from tests.support.storm.run import Ground  # every test loads fixtures; few need the services

    return Ground(fresh_apache, registry, nursery)
