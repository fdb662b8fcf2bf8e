"""The quota on a replay job's client id: set and removed where brokers have quotas, said where they have none."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from roggia_operator.replay.quota import quota
from roggia_runtime.quotas import NoQuotasError, limit_producer

from tests.support.kafka import Broker, JavaKafka
from tests.support.loops import settings


async def test_apache_kafka_holds_the_quota_inside_the_block_alone(
    apache_kafka: Broker, java_kafka: JavaKafka, topic_name: Callable[[str], str]
) -> None:
    """Kafka's own tool shows it while the job runs, and nothing afterwards."""
    client_id = topic_name("roggia-replay")

    def shown() -> str:
        return java_kafka.tool(
            "kafka.admin.ConfigCommand",
            *("--bootstrap-server", apache_kafka.bootstrap, "--describe"),
            *("--entity-type", "clients", "--entity-name", client_id),
        )

    async with quota(settings(apache_kafka.bootstrap), client_id, 123456.0) as trouble:
        inside = shown()

    assert trouble == ""
    assert "producer_byte_rate=123456.0" in inside
    assert "producer_byte_rate" not in shown()


async def test_a_broker_without_quotas_is_named_and_the_job_goes_on(devstack: Broker) -> None:
    """The embedded broker has none: the block runs all the same, and says why there is no net."""
    with pytest.raises(NoQuotasError, match="does not know client quotas"):
        await limit_producer(settings(devstack.bootstrap), "roggia-replay-x", 1.0)
    async with quota(settings(devstack.bootstrap), "roggia-replay-x", 1.0) as trouble:
        assert "does not know client quotas" in trouble
