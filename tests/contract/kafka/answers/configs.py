"""What a broker answers about settings: described, replaced, changed one by one."""

from __future__ import annotations

from typing import Any

from roggia_devstack.wire import apis

from tests.contract.kafka.answers.asking import Ask, Asker, Behaviours, named

_TOPIC, _BROKER, _GROUP, _LOGGER = 2, 4, 32, 8
SET, DELETE, APPEND, SUBTRACT = 0, 1, 2, 3
Change = tuple[str, int, str | None]


async def _value(asker: Asker, topic: str, name: str) -> str:
    await asker.topic("later")  # whoever tells of a later topic has taken in the change before it
    resource = {"resource_type": _TOPIC, "resource_name": topic, "configuration_keys": [name]}
    answer = await asker.ask(apis.DESCRIBE_CONFIGS, resources=[resource], include_synonyms=True)
    found = answer["results"][0]["configs"]
    return f"{found[0]['value']} (source {found[0]['config_source']})" if found else "absent"


def _changing(*changes: Change, shows: str | None = None, check: bool = False, **config: str) -> Ask:
    async def ask(asker: Asker) -> str:
        topic = await asker.topic(**config)
        said = await _change(asker, [{"resource_type": _TOPIC, "resource_name": topic}], changes, check)
        return said if shows is None else f"{said}; {shows}={await _value(asker, topic, shows)}"

    return ask


async def _change(
    asker: Asker, resources: list[dict[str, Any]], changes: tuple[Change, ...], check: bool = False
) -> str:
    configs = [{"name": name, "config_operation": operation, "value": value} for name, operation, value in changes]
    wanted = [resource | {"configs": configs} for resource in resources]
    answer = await asker.ask(apis.INCREMENTAL_ALTER_CONFIGS, resources=wanted, validate_only=check)
    return ", ".join(named(one["error_code"]) for one in answer["responses"])


def _changing_other(kind: int, name: str, *changes: Change, check: bool = True) -> Ask:
    async def ask(asker: Asker) -> str:
        return await _change(asker, [{"resource_type": kind, "resource_name": name}], changes, check)

    return ask


async def _change_twice(asker: Asker) -> str:
    resource = {"resource_type": _TOPIC, "resource_name": await asker.topic()}
    return await _change(asker, [resource, resource], (("retention.ms", SET, "1"),))


def _replacing(configs: dict[str, str | None], *, shows: str | None = None, check: bool = False, **config: str) -> Ask:
    async def ask(asker: Asker) -> str:
        topic = await asker.topic(**config)
        entries = [{"name": name, "value": value} for name, value in configs.items()]
        said = await _replace(asker, [{"resource_type": _TOPIC, "resource_name": topic, "configs": entries}], check)
        return said if shows is None else f"{said}; {shows}={await _value(asker, topic, shows)}"

    return ask


async def _replace(asker: Asker, resources: list[dict[str, Any]], check: bool = False) -> str:
    answer = await asker.ask(apis.ALTER_CONFIGS, resources=resources, validate_only=check)
    return ", ".join(named(one["error_code"]) for one in answer["responses"])


async def _replace_twice(asker: Asker) -> str:
    topic = {"resource_type": _TOPIC, "resource_name": await asker.topic(), "configs": []}
    return await _replace(asker, [topic, topic])


async def _replace_unknown(asker: Asker) -> str:
    return await _replace(asker, [{"resource_type": _TOPIC, "resource_name": asker.name("t"), "configs": []}])


async def _replace_named_twice(asker: Asker) -> str:
    entries = [{"name": "retention.ms", "value": value} for value in ("1", "2")]
    return await _replace(asker, [{"resource_type": _TOPIC, "resource_name": await asker.topic(), "configs": entries}])


def _describing(kind: int, name: str | None = None, keys: list[str] | None = None, *, count: bool = False) -> Ask:
    async def ask(asker: Asker) -> str:
        named_ = await asker.topic(retention_ms="5") if name is None else name
        resource = {"resource_type": kind, "resource_name": named_, "configuration_keys": keys}
        answer = await asker.ask(apis.DESCRIBE_CONFIGS, resources=[resource], include_synonyms=True)
        found = answer["results"][0]
        entries = [
            f"{one['name']}={one['value']} (source {one['config_source']}, type {one['config_type']}, "
            f"{'read only' if one['read_only'] else 'can be set'})"
            for one in found["configs"]
        ]
        return f"{named(found['error_code'])}{'' if count else ': ' + ', '.join(sorted(entries)) if entries else ''}"

    return ask


BEHAVIOURS: Behaviours = {
    "IncrementalAlterConfigs: set": _changing(("retention.ms", SET, "999"), shows="retention.ms"),
    "IncrementalAlterConfigs: one setting leaves the others": _changing(
        ("retention.ms", SET, "999"), shows="segment.ms", segment_ms="777"
    ),
    "IncrementalAlterConfigs: delete": _changing(
        ("retention.ms", DELETE, None), shows="retention.ms", retention_ms="5"
    ),
    "IncrementalAlterConfigs: delete what is not set": _changing(("retention.ms", DELETE, None), shows="retention.ms"),
    "IncrementalAlterConfigs: delete with a value": _changing(
        ("retention.ms", DELETE, "5"), shows="retention.ms", retention_ms="5"
    ),
    "IncrementalAlterConfigs: append to the default": _changing(
        ("cleanup.policy", APPEND, "compact"), shows="cleanup.policy"
    ),
    "IncrementalAlterConfigs: append what is there": _changing(
        ("cleanup.policy", APPEND, "compact"), shows="cleanup.policy", cleanup_policy="compact"
    ),
    "IncrementalAlterConfigs: append two": _changing(
        ("cleanup.policy", APPEND, "compact,delete"), shows="cleanup.policy", cleanup_policy="compact"
    ),
    "IncrementalAlterConfigs: append a word that is not allowed": _changing(
        ("cleanup.policy", APPEND, "rot"), shows="cleanup.policy"
    ),
    "IncrementalAlterConfigs: subtract": _changing(
        ("cleanup.policy", SUBTRACT, "compact"), shows="cleanup.policy", cleanup_policy="compact,delete"
    ),
    "IncrementalAlterConfigs: subtract what is not there": _changing(
        ("cleanup.policy", SUBTRACT, "compact"), shows="cleanup.policy", cleanup_policy="delete"
    ),
    "IncrementalAlterConfigs: subtract the last word": _changing(
        ("cleanup.policy", SUBTRACT, "compact"), shows="cleanup.policy", cleanup_policy="compact"
    ),
    "IncrementalAlterConfigs: append to a number": _changing(("retention.ms", APPEND, "5"), shows="retention.ms"),
    "IncrementalAlterConfigs: subtract from a number": _changing(("retention.ms", SUBTRACT, "5"), shows="retention.ms"),
    "IncrementalAlterConfigs: append null": _changing(("cleanup.policy", APPEND, None)),
    "IncrementalAlterConfigs: subtract null": _changing(("cleanup.policy", SUBTRACT, None)),
    "IncrementalAlterConfigs: set null": _changing(("retention.ms", SET, None), shows="retention.ms"),
    "IncrementalAlterConfigs: set to nothing": _changing(("retention.ms", SET, ""), shows="retention.ms"),
    "IncrementalAlterConfigs: set a list to nothing": _changing(("cleanup.policy", SET, ""), shows="cleanup.policy"),
    "IncrementalAlterConfigs: set a number with spaces": _changing(
        ("retention.ms", SET, " 999 "), shows="retention.ms"
    ),
    "IncrementalAlterConfigs: set a list with spaces": _changing(
        ("cleanup.policy", SET, "compact, delete"), shows="cleanup.policy"
    ),
    "IncrementalAlterConfigs: set a list with a word twice": _changing(
        ("cleanup.policy", SET, "compact,compact"), shows="cleanup.policy"
    ),
    "IncrementalAlterConfigs: an operation that there is not": _changing(("retention.ms", 9, "5")),
    "IncrementalAlterConfigs: an unknown setting": _changing(("no.such.setting", SET, "5")),
    "IncrementalAlterConfigs: delete an unknown setting": _changing(("no.such.setting", DELETE, None)),
    "IncrementalAlterConfigs: append to an unknown setting": _changing(("no.such.setting", APPEND, "5")),
    "IncrementalAlterConfigs: one request names a setting twice": _changing(
        ("retention.ms", SET, "5"), ("retention.ms", DELETE, None), shows="retention.ms"
    ),
    "IncrementalAlterConfigs: one bad of two changes nothing": _changing(
        ("retention.ms", SET, "5"), ("segment.ms", SET, "soon"), shows="retention.ms"
    ),
    "IncrementalAlterConfigs: only checked": _changing(("retention.ms", SET, "999"), shows="retention.ms", check=True),
    "IncrementalAlterConfigs: no change": _changing(),
    "IncrementalAlterConfigs: one request names a topic twice": _change_twice,
    "IncrementalAlterConfigs: an unknown topic": _changing_other(_TOPIC, "no-such-topic", ("retention.ms", SET, "5")),
    "IncrementalAlterConfigs: a name that no topic can have": _changing_other(
        _TOPIC, "a/b", ("retention.ms", SET, "5")
    ),
    "IncrementalAlterConfigs: an empty topic name": _changing_other(_TOPIC, "", ("retention.ms", SET, "5")),
    "IncrementalAlterConfigs: a broker that does not exist": _changing_other(_BROKER, "77", ("x.y", SET, "5")),
    "IncrementalAlterConfigs: a broker that is no number": _changing_other(_BROKER, "one", ("x.y", SET, "5")),
    "IncrementalAlterConfigs: a read-only setting of the broker": _changing_other(_BROKER, "1", ("node.id", SET, "5")),
    "IncrementalAlterConfigs: a resource type that there is not": _changing_other(99, "x", ("x.y", SET, "5")),
    "AlterConfigs: replaces everything": _replacing({"segment.ms": "777"}, shows="retention.ms", retention_ms="5"),
    "AlterConfigs: sets": _replacing({"segment.ms": "777"}, shows="segment.ms"),
    "AlterConfigs: nothing": _replacing({}, shows="retention.ms", retention_ms="5"),
    "AlterConfigs: null": _replacing({"retention.ms": None}, shows="retention.ms", retention_ms="5"),
    "AlterConfigs: an unknown setting": _replacing({"no.such.setting": "5"}),
    "AlterConfigs: a setting out of range": _replacing({"retention.ms": "-2"}),
    "AlterConfigs: one bad of two changes nothing": _replacing(
        {"retention.ms": "5", "segment.ms": "soon"}, shows="retention.ms"
    ),
    "AlterConfigs: only checked": _replacing({"retention.ms": "5"}, shows="retention.ms", check=True),
    "AlterConfigs: one request names a topic twice": _replace_twice,
    "AlterConfigs: one request names a setting twice": _replace_named_twice,
    "AlterConfigs: an unknown topic": _replace_unknown,
    "DescribeConfigs: what was set": _describing(_TOPIC, keys=["retention.ms"]),
    "DescribeConfigs: a default": _describing(_TOPIC, keys=["segment.ms"]),
    "DescribeConfigs: a list": _describing(_TOPIC, keys=["cleanup.policy"]),
    "DescribeConfigs: a setting that there is not": _describing(_TOPIC, keys=["no.such.setting"]),
    "DescribeConfigs: all": _describing(_TOPIC, count=True),
    "DescribeConfigs: no keys": _describing(_TOPIC, keys=[], count=True),
    "DescribeConfigs: an unknown topic": _describing(_TOPIC, "no-such-topic"),
    "DescribeConfigs: a name that no topic can have": _describing(_TOPIC, "a/b"),
    "DescribeConfigs: an empty topic name": _describing(_TOPIC, ""),
    "DescribeConfigs: the broker": _describing(_BROKER, "1", ["node.id"]),
    "DescribeConfigs: the default of all brokers": _describing(_BROKER, "", count=True),
    "DescribeConfigs: a broker that does not exist": _describing(_BROKER, "77"),
    "DescribeConfigs: a broker that is no number": _describing(_BROKER, "one"),
    "DescribeConfigs: a resource type that there is not": _describing(99, "x"),
}
