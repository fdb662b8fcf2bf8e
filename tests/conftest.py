"""Fixtures that every test may use."""

import logging
import os
import signal
from collections.abc import Iterator

import pytest
import structlog

from tests.support.auditor_fleet import audit_ledger
from tests.support.chaos_proof import devstack_alone, own_broker
from tests.support.kafka import (
    _apache_session,
    _apache_template,
    _devstack_session,
    apache_kafka,
    devstack,
    fresh_apache,
    java_kafka,
    kafka,
    topic_name,
)
from tests.support.mlflow_server import mlflow_file, mlflow_server, mlflow_template
from tests.support.pgvector import pgvector, pgvector_dsn
from tests.support.postgres import postgres, postgres_dsn
from tests.support.registry import registry
from tests.support.secured import secured_kafka
from tests.support.storm.ground import ground, nursery

__all__ = [
    "_apache_session",
    "_apache_template",
    "_devstack_session",
    "apache_kafka",
    "audit_ledger",
    "devstack",
    "devstack_alone",
    "fresh_apache",
    "ground",
    "java_kafka",
    "kafka",
    "mlflow_file",
    "mlflow_server",
    "mlflow_template",
    "nursery",
    "own_broker",
    "pgvector",
    "pgvector_dsn",
    "postgres",
    "postgres_dsn",
    "registry",
    "secured_kafka",
    "topic_name",
]


# pytest-xdist tells its workers how wide a terminal is; what a test calls in this process writes into a pipe.
os.environ.pop("COLUMNS", None)
# A shell that runs the tests in the background has them ignore SIGINT, and so would every program that they start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


_LONGEST = (
    "integration/pipeline/",
    "integration/auditor/test_anchor_s3",
    "integration/operator/",
    "integration/standalone/",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest: everybody waits for whoever gets one of them last."""
    items.sort(key=lambda item: not any(name in item.path.as_posix() for name in _LONGEST))


@pytest.fixture(autouse=True)
def _logs_as_they_were() -> Iterator[None]:
    """A test that starts a program in this process configures logs for it; the next test must not write there."""
    yield
    structlog.reset_defaults()
    for handler in [one for one in logging.root.handlers if type(one) is logging.StreamHandler]:
        logging.root.removeHandler(handler)
