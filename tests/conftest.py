"""Fixtures that every test may use."""

from tests.support.kafka import (
    _apache_session,
    _devstack_session,
    apache_kafka,
    devstack,
    java_kafka,
    kafka,
    topic_name,
)
from tests.support.postgres import postgres, postgres_dsn
from tests.support.registry import registry

__all__ = [
    "_apache_session",
    "_devstack_session",
    "apache_kafka",
    "devstack",
    "java_kafka",
    "kafka",
    "postgres",
    "postgres_dsn",
    "registry",
    "topic_name",
]
