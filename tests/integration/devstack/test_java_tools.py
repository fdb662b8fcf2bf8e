"""Kafka's own command-line tools against the devstack broker: they find a broker that they can work with."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from tests.support.clients import make_topic
from tests.support.kafka import Broker, JavaKafka

_TOPICS = "org.apache.kafka.tools.TopicCommand"
_CONFIGS = "kafka.admin.ConfigCommand"
_DELETE = "org.apache.kafka.tools.DeleteRecordsCommand"
_OFFSETS = "org.apache.kafka.tools.GetOffsetShell"
_GROUPS = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand"
_PRODUCE = "org.apache.kafka.tools.ConsoleProducer"
_CONSUME = "org.apache.kafka.tools.consumer.ConsoleConsumer"
_PERFORMANCE = "org.apache.kafka.tools.ProducerPerformance"

Name = Callable[[str], str]


def test_topics_are_made_listed_described_and_removed(
    devstack: Broker, java_kafka: JavaKafka, topic_name: Name
) -> None:
    """The topics tool creates with a configuration, shows it, and deletes."""
    server, topic = ("--bootstrap-server", devstack.bootstrap), topic_name("java")
    made = java_kafka.tool(
        _TOPICS, *server, "--create", "--topic", topic, "--partitions", "3", "--config", "cleanup.policy=compact"
    )
    assert f"Created topic {topic}" in made
    described = java_kafka.tool(_TOPICS, *server, "--describe", "--topic", topic)
    assert "PartitionCount: 3" in described
    assert "cleanup.policy=compact" in described
    java_kafka.tool(_TOPICS, *server, "--delete", "--topic", topic)
    assert topic not in java_kafka.tool(_TOPICS, *server, "--list").split()


def test_lines_go_in_and_come_out_and_the_group_can_be_looked_after(
    devstack: Broker, java_kafka: JavaKafka, topic_name: Name
) -> None:
    """Console producer to console consumer in a group; the groups tool shows its lag, resets it and deletes it."""
    server, topic, group = ("--bootstrap-server", devstack.bootstrap), topic_name("java"), topic_name("group")
    java_kafka.tool(_TOPICS, *server, "--create", "--topic", topic, "--partitions", "1")
    lines = [f"line {number} ü" for number in range(50)]
    java_kafka.tool(_PRODUCE, *server, "--topic", topic, stdin="\n".join(lines) + "\n")
    read = java_kafka.tool(
        _CONSUME, *server, "--topic", topic, "--from-beginning", "--max-messages", "50", "--group", group
    )
    assert read.splitlines()[:50] == lines
    of_group = ("--group", group)
    assert _row(java_kafka.tool(_GROUPS, *server, "--describe", *of_group), topic)[3:6] == ["50", "50", "0"]
    to_earliest = ("--reset-offsets", "--to-earliest", "--execute", "--topic", topic)
    assert _row(java_kafka.tool(_GROUPS, *server, *of_group, *to_earliest), topic)[-1] == "0"
    assert "was successful" in java_kafka.tool(_GROUPS, *server, *of_group, "--delete")


def test_transactions_of_the_performance_tool_are_read_committed(
    devstack: Broker, java_kafka: JavaKafka, topic_name: Name
) -> None:
    """The Java transactional producer commits many short transactions; a read_committed consumer gets every record."""
    server, topic = ("--bootstrap-server", devstack.bootstrap), topic_name("java")
    java_kafka.tool(_TOPICS, *server, "--create", "--topic", topic, "--partitions", "2")
    load = ("--num-records", "3000", "--record-size", "100", "--throughput", "-1")
    properties = ("--command-property", f"bootstrap.servers={devstack.bootstrap}")
    transactions = ("--transactional-id", topic_name("tx"), "--transaction-duration-ms", "50")
    done = java_kafka.tool(_PERFORMANCE, "--topic", topic, *load, *properties, *transactions)
    assert "3000 records sent" in done
    committed = ("--isolation-level", "read_committed", "--from-beginning", "--max-messages", "3000")
    assert len(java_kafka.tool(_CONSUME, *server, "--topic", topic, *committed).splitlines()) >= 3000


def test_topics_grow_and_their_settings_change(devstack: Broker, java_kafka: JavaKafka, topic_name: Name) -> None:
    """The topics tool adds partitions; the configs tool sets, shows and removes a list and a number."""
    server, topic = ("--bootstrap-server", devstack.bootstrap), make_topic(devstack.bootstrap, topic_name("java"))
    java_kafka.tool(_TOPICS, *server, "--alter", "--topic", topic, "--partitions", "3")
    assert "PartitionCount: 3" in java_kafka.tool(_TOPICS, *server, "--describe", "--topic", topic)
    entity = ("--entity-type", "topics", "--entity-name", topic)
    wanted = "retention.ms=12345,cleanup.policy=[compact,delete]"
    java_kafka.tool(_CONFIGS, *server, "--alter", *entity, "--add-config", wanted)
    shown = java_kafka.tool(_CONFIGS, *server, "--describe", *entity)
    assert "retention.ms=12345" in shown
    assert "cleanup.policy=compact,delete" in shown
    java_kafka.tool(_CONFIGS, *server, "--alter", *entity, "--delete-config", "cleanup.policy")
    assert "cleanup.policy" not in java_kafka.tool(_CONFIGS, *server, "--describe", *entity)


def test_records_are_deleted_and_offsets_told(
    devstack: Broker, java_kafka: JavaKafka, topic_name: Name, tmp_path: Path
) -> None:
    """The delete-records tool moves the start, and the get-offsets tool tells it."""
    server, topic = ("--bootstrap-server", devstack.bootstrap), make_topic(devstack.bootstrap, topic_name("java"))
    java_kafka.tool(_PRODUCE, *server, "--topic", topic, stdin="a\nb\nc\n")
    plan = tmp_path / "plan.json"
    plan.write_text(json.dumps({"partitions": [{"topic": topic, "partition": 0, "offset": 2}], "version": 1}))
    assert "low_watermark: 2" in java_kafka.tool(_DELETE, *server, "--offset-json-file", str(plan))
    assert java_kafka.tool(_OFFSETS, *server, "--topic", topic, "--time", "-2").strip() == f"{topic}:0:2"
    assert java_kafka.tool(_OFFSETS, *server, "--topic", topic).strip() == f"{topic}:0:3"


def test_every_way_to_reset_offsets(devstack: Broker, java_kafka: JavaKafka, topic_name: Name) -> None:
    """The groups tool resets by each of its rules, deletes the offsets of a topic, and shows state and members."""
    server, topic = ("--bootstrap-server", devstack.bootstrap), make_topic(devstack.bootstrap, topic_name("java"))
    of_group = ("--group", topic_name("group"))
    java_kafka.tool(_PRODUCE, *server, "--topic", topic, stdin="a\nb\nc\n")
    for rule, offset in [
        (("--to-latest",), "3"),
        (("--shift-by", "-1"), "2"),
        (("--to-offset", "1"), "1"),
        (("--to-datetime", "2020-01-01T00:00:00.000"), "0"),
        (("--by-duration", "PT1H"), "0"),
        (("--to-current",), "0"),
    ]:
        said = java_kafka.tool(_GROUPS, *server, *of_group, "--reset-offsets", *rule, "--topic", topic, "--execute")
        assert _row(said, topic)[-1] == offset, rule
    assert "Empty" in java_kafka.tool(_GROUPS, *server, "--describe", *of_group, "--state")
    java_kafka.tool(_GROUPS, *server, "--delete-offsets", *of_group, "--topic", topic)
    assert topic not in java_kafka.tool(_GROUPS, *server, "--describe", *of_group, "--offsets")


def _row(table: str, topic: str) -> list[str]:
    """The cells of the tool's line about a topic."""
    return next(line.split() for line in table.splitlines() if topic in line.split())
