"""Topics and their settings, asked for on the wire."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from kio.schema.errors import ErrorCode
from roggia_devstack.api import topic_configs
from roggia_devstack.storage.config import DEFAULTS, LogConfig
from roggia_devstack.wire import apis

from tests.support.wire import RawClient, connect, running_broker


@pytest_asyncio.fixture
async def client(tmp_path: Path) -> AsyncIterator[RawClient]:
    """A connection to a broker of its own."""
    async with running_broker(tmp_path) as broker:
        yield await connect(broker.bootstrap)


async def create(client: RawClient, name: str, partitions: int = 1, **changes: Any) -> Any:
    """Ask for a topic and return its part of the answer."""
    config = [{"name": key.replace("_", "."), "value": value} for key, value in changes.pop("config", {}).items()]
    topic = {"name": name, "num_partitions": partitions, "replication_factor": 1, "assignments": [], "configs": config}
    answer = await client.ask(apis.CREATE_TOPICS, 5, topics=[topic | changes], timeout=1000)
    return answer["topics"][0]


def test_settings_and_storage_agree() -> None:
    """What clients are told are defaults is what the storage engine goes by, and it has an effect for each."""
    assert {name: key.default for name, key in topic_configs.KEYS.items() if name in DEFAULTS} == dict(DEFAULTS)
    LogConfig.parse({name: key.default for name, key in topic_configs.KEYS.items()})


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "ü", "a" * 250, "a b"])
async def test_bad_names_are_refused(client: RawClient, name: str) -> None:
    """Kafka's rules for topic names hold, with a reason."""
    refused = await create(client, name)
    assert refused["error_code"] == ErrorCode.invalid_topic_exception
    assert "topic name" in refused["error_message"]


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("retention_ms", "-2"),
        ("retention_ms", "soon"),
        ("retention_ms", "9" * 400),
        ("retention_ms", None),
        ("cleanup_policy", "compact,rot"),
        ("min_cleanable_dirty_ratio", "nan"),
        ("min_cleanable_dirty_ratio", "1.5"),
        ("segment_bytes", "100"),
        ("invented_setting", "1"),
        ("x" * 20_000, "1"),
        ("compression_type", "zstd"),
    ],
)
async def test_bad_settings_are_refused_by_name(client: RawClient, setting: str, value: str | None) -> None:
    """A setting that is unknown, without effect or out of range is refused, naming it; the topic is not made."""
    refused = await create(client, "t", config={setting: value})
    assert refused["error_code"] == ErrorCode.invalid_config
    assert setting.replace("_", ".")[:40] in refused["error_message"]
    assert (await client.ask(apis.METADATA, 4, topics=None, allow_auto_topic_creation=False))["topics"] == []


async def test_what_else_is_refused(client: RawClient) -> None:
    """Two replicas, no partitions, a topic twice: each with its own error."""
    assert (await create(client, "t", replication_factor=2))["error_code"] == ErrorCode.invalid_replication_factor
    assert (await create(client, "t", 0))["error_code"] == ErrorCode.invalid_partitions
    assert (await create(client, "t", 3))["num_partitions"] == 3
    assert (await create(client, "t"))["error_code"] == ErrorCode.topic_already_exists


async def test_a_dry_run_makes_nothing(client: RawClient) -> None:
    """validate_only answers as if, and makes nothing."""
    topic = {"name": "t", "num_partitions": 2, "replication_factor": -1, "assignments": [], "configs": []}
    answer = await client.ask(apis.CREATE_TOPICS, 5, topics=[topic], timeout=1000, validate_only=True)
    assert answer["topics"][0]["error_code"] == ErrorCode.none
    assert (await client.ask(apis.METADATA, 4, topics=None, allow_auto_topic_creation=False))["topics"] == []


async def test_lists_are_appended_to_and_subtracted_from(client: RawClient) -> None:
    """IncrementalAlterConfigs changes one setting and leaves the others; a list can grow and shrink."""
    await create(client, "t", config={"retention_ms": "5000"})

    async def change(name: str, operation: int, value: str | None) -> int:
        config = {"name": name, "config_operation": operation, "value": value}
        resource = {"resource_type": 2, "resource_name": "t", "configs": [config]}
        answer = await client.ask(apis.INCREMENTAL_ALTER_CONFIGS, 1, resources=[resource], validate_only=False)
        return int(answer["responses"][0]["error_code"])

    async def value(name: str) -> Any:
        resource = {"resource_type": 2, "resource_name": "t", "configuration_keys": [name]}
        answer = await client.ask(apis.DESCRIBE_CONFIGS, 4, resources=[resource])
        return answer["results"][0]["configs"][0]["value"]

    assert await change("cleanup.policy", 2, "compact") == 0
    assert await value("cleanup.policy") == "delete,compact"
    assert await change("cleanup.policy", 3, "delete") == 0
    assert (await value("cleanup.policy"), await value("retention.ms")) == ("compact", "5000")
    assert await change("retention.ms", 0, "-7") == ErrorCode.invalid_config
    assert await change("retention.ms", 1, None) == 0
    assert await value("retention.ms") == "604800000"


async def test_topics_are_made_on_demand_only_where_it_was_asked_for(tmp_path: Path, client: RawClient) -> None:
    """By default asking for a topic does not make it; a broker that was told to makes it, with default partitions."""
    wanted = {"topics": [{"name": "new"}], "allow_auto_topic_creation": True}
    answer = await client.ask(apis.METADATA, 4, **wanted)
    assert answer["topics"][0]["error_code"] == ErrorCode.unknown_topic_or_partition
    async with running_broker(tmp_path / "other", auto_create_topics=True, default_partitions=3) as broker:
        willing = await connect(broker.bootstrap)
        assert len((await willing.ask(apis.METADATA, 4, **wanted))["topics"][0]["partitions"]) == 3
        unwanted = {"topics": [{"name": "other"}], "allow_auto_topic_creation": False}
        answer = await willing.ask(apis.METADATA, 4, **unwanted)
        assert answer["topics"][0]["error_code"] == ErrorCode.unknown_topic_or_partition
