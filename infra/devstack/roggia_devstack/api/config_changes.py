"""What AlterConfigs and IncrementalAlterConfigs may ask for, and what the second makes of a topic's settings."""

from __future__ import annotations

from collections import Counter
from collections.abc import MutableMapping, Sequence
from typing import Final

from kio.schema.errors import ErrorCode

from roggia_devstack.api import topic_configs
from roggia_devstack.api.topic_configs import ConfigType
from roggia_devstack.wire.decode import Message

_SET, _REMOVE, _APPEND, _SUBTRACT = 0, 1, 2, 3
_OPERATIONS: Final = (_SET, _REMOVE, _APPEND, _SUBTRACT)
Refusal = tuple[ErrorCode, str]


def refused_whole(entries: Sequence[Message]) -> Refusal | None:
    """Why AlterConfigs may not set these entries: a name twice, or a value of null."""
    return _repeated(entries) or _null(entries)


def refused_changes(changes: Sequence[Message]) -> Refusal | None:
    """Why IncrementalAlterConfigs may not make these changes, whatever the topic's settings are."""
    unknown = next((one for one in changes if one["config_operation"] not in _OPERATIONS), None)
    if unknown is not None:
        return ErrorCode.invalid_request, f"{unknown['name']}: there is no operation {unknown['config_operation']}"
    refused = _repeated(changes) or _null([one for one in changes if one["config_operation"] != _REMOVE])
    return refused or next((found for found in map(_not_a_list, changes) if found is not None), None)


def apply(config: MutableMapping[str, str], changes: Sequence[Message]) -> None:
    """Make changes that were not refused; the result may still hold values that are not allowed."""
    for change in changes:
        name, operation, value = change["name"], change["config_operation"], change["value"]
        if operation == _REMOVE:
            config.pop(name, None)
        elif operation == _SET:
            config[name] = value
        else:
            words = topic_configs.words(topic_configs.value_of(config, name))
            given = topic_configs.words(value)
            kept = [word for word in words if operation == _APPEND or word not in given]
            added = [word for word in given if operation == _APPEND and word not in words]
            config[name] = ",".join([*kept, *added])


def _not_a_list(change: Message) -> Refusal | None:
    name, operation = change["name"], change["config_operation"]
    key = topic_configs.KEYS.get(name)
    if key is None:
        lists = operation in {_APPEND, _SUBTRACT}
        return (ErrorCode.invalid_config, topic_configs.problem(name, "") or name) if lists else None
    if operation in {_APPEND, _SUBTRACT} and key.type is not ConfigType.LIST:
        return ErrorCode.invalid_config, f"{name}: is no list; set it instead"
    return None


def _repeated(entries: Sequence[Message]) -> Refusal | None:
    name, times = max(Counter(entry["name"] for entry in entries).items(), key=lambda item: item[1], default=("", 0))
    return (ErrorCode.invalid_request, f"{name[:200]}: the request names it {times} times") if times > 1 else None


def _null(entries: Sequence[Message]) -> Refusal | None:
    name = next((entry["name"] for entry in entries if entry["value"] is None), None)
    return None if name is None else (ErrorCode.invalid_request, f"{name[:200]}: null is no value")
