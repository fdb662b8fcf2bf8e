"""Asks a broker for its topics and changes them. Used by `TopicAdmin` alone, which handles what goes wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import TopicAlreadyExistsError, for_code

from roggia_runtime.config_requests import SetTopicConfigs
from roggia_runtime.denials import DENIED
from roggia_runtime.errors import AdminError
from roggia_runtime.topic_changes import Action, Change, Existing

MAX_COPIES = 3
"""Replicas of a new topic, or as many as there are brokers if those are fewer."""

_OWN_SETTING = 1
"""DescribeConfigs' config_source of a setting that was made on the topic itself."""


async def existing(client: AIOKafkaAdminClient, wanted: Collection[str]) -> dict[str, Existing]:
    """Those of the `wanted` topics that exist, with partitions and settings."""
    topics = {t["topic"]: len(t["partitions"]) for t in await client.describe_topics() if t["topic"] in wanted}
    if not topics:
        return {}
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in topics]
    found: dict[str, Existing] = {}
    for response in await client.describe_configs(resources):
        for code, message, _, name, entries in response.resources:
            refuse(code, f"settings of topic {name} ({message})")
            own = {entry[0]: entry[1] for entry in entries if entry[3] == _OWN_SETTING}
            found[name] = Existing(topics[name], {entry[0]: entry[1] for entry in entries}, own)
    return found


async def carry_out(client: AIOKafkaAdminClient, wanted: Iterable[Change]) -> None:
    """Do every change. Raises `AdminError` at the first that Kafka refuses."""
    todo = list(wanted)
    await _create(client, [change for change in todo if change.action is Action.CREATE])
    await _grow(client, [change for change in todo if change.action is Action.GROW])
    await _alter(client, [change for change in todo if change.action is Action.ALTER])


def refuse(code: int, what: str) -> None:
    """Raise `AdminError` for an error code of the protocol."""
    error = for_code(code)
    if error in DENIED:
        raise AdminError(f"{what}: not allowed; call this as one of the cluster's super.users")
    if code:
        raise AdminError(f"{what}: {error.__name__}")


async def _create(client: AIOKafkaAdminClient, wanted: Sequence[Change]) -> None:
    if not wanted:
        return
    copies = min(MAX_COPIES, len((await client.describe_cluster())["brokers"]))
    topics = [NewTopic(c.topic, c.partitions, copies, topic_configs=dict(c.config)) for c in wanted]
    response = await client.create_topics(topics)
    for name, code, *message in response.topic_errors:
        if code != TopicAlreadyExistsError.errno:
            refuse(code, f"cannot create topic {name} ({message})")
    await _visible(client, {change.topic: change.partitions for change in wanted})


async def _grow(client: AIOKafkaAdminClient, wanted: Sequence[Change]) -> None:
    if wanted:
        await client.create_partitions({change.topic: NewPartitions(change.partitions) for change in wanted})
        await _visible(client, {change.topic: change.partitions for change in wanted})


async def _visible(client: AIOKafkaAdminClient, wanted: Mapping[str, int]) -> None:
    """Wait until the brokers show new partitions with leaders, so that the next call does not meet a half-made one."""
    for _ in range(200):
        described: list[Any] = await client.describe_topics(list(wanted))
        led = {t["topic"]: sum(p["leader"] >= 0 for p in t["partitions"]) for t in described}
        if all(led.get(topic, 0) >= partitions for topic, partitions in wanted.items()):
            return
        await asyncio.sleep(0.05)


async def _alter(client: AIOKafkaAdminClient, wanted: Sequence[Change]) -> None:
    if not wanted:
        return
    configs: dict[str, dict[str, str]] = {}
    for change in wanted:
        configs.setdefault(change.topic, {}).update(change.config)
    response = await client._send_request(SetTopicConfigs(configs))  # noqa: SLF001 - the client has no such call
    for code, message, _, name in response.responses:
        refuse(code, f"cannot alter topic {name} ({message})")
    await _set(client, configs)


async def _set(client: AIOKafkaAdminClient, wanted: Mapping[str, Mapping[str, str]]) -> None:
    """Wait until a broker shows the settings: the controller has them first, and the next plan must see them."""
    for _ in range(200):
        found = await existing(client, wanted)
        if all(config.items() <= found[topic].config.items() for topic, config in wanted.items() if topic in found):
            return
        await asyncio.sleep(0.05)
