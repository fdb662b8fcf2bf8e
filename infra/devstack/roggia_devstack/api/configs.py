"""DescribeConfigs, AlterConfigs and IncrementalAlterConfigs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from kio.schema.errors import ErrorCode

from roggia_devstack.api import topic_configs
from roggia_devstack.api.call import Call, Handlers
from roggia_devstack.api.topic_configs import ConfigKey, ConfigType
from roggia_devstack.broker.topics import Topics
from roggia_devstack.wire import apis
from roggia_devstack.wire.decode import Message

_TOPIC, _BROKER = 2, 4
_TOPIC_SOURCE, _STATIC_BROKER_SOURCE, _DEFAULT_SOURCE = 1, 4, 5
_SET, _REMOVE, _APPEND, _SUBTRACT = 0, 1, 2, 3
Config = Mapping[str, str]
Refusal = tuple[ErrorCode, str]
_NO_TOPIC: Final[Refusal] = (ErrorCode.unknown_topic_or_partition, "the topic does not exist")


class ConfigsApi:
    """Configuration of topics, and the broker's own, which can only be read."""

    def __init__(self, topics: Topics, broker: Config) -> None:
        self._topics = topics
        self._broker: Final = broker

    def handlers(self) -> Handlers:
        """Requests served here."""
        return {
            apis.DESCRIBE_CONFIGS: self._describe,
            apis.ALTER_CONFIGS: self._replace,
            apis.INCREMENTAL_ALTER_CONFIGS: self._change,
        }

    def _describe(self, request: Message, call: Call) -> Message:  # noqa: ARG002 - flags are absent in old versions
        documented = bool(request.get("include_documentation", False))
        synonyms = bool(request.get("include_synonyms", False))
        return {"results": [self._described(item, synonyms, documented) for item in request["resources"]]}

    def _described(self, item: Message, synonyms: bool, documented: bool) -> Message:
        answer = _resource(item)
        wanted = item["configuration_keys"]
        if item["resource_type"] == _BROKER:
            entries = [
                _broker_entry(name, value) for name, value in self._broker.items() if wanted is None or name in wanted
            ]
            return answer | {"configs": entries}
        meta = self._topics.get(item["resource_name"])
        refusal = self._topic_refusal(item)
        if meta is None or refusal is not None:
            return answer | _refused(refusal or _NO_TOPIC) | {"configs": ()}
        keys = [key for name, key in topic_configs.KEYS.items() if wanted is None or name in wanted]
        return answer | {"configs": [_topic_entry(key, meta.config, synonyms, documented) for key in keys]}

    def _topic_refusal(self, item: Message) -> Refusal | None:
        if item["resource_type"] != _TOPIC:
            return ErrorCode.invalid_request, f"resource type {item['resource_type']} has no configuration here"
        return _NO_TOPIC if self._topics.get(item["resource_name"]) is None else None

    def _replace(self, request: Message, call: Call) -> Message:  # noqa: ARG002 - same for all versions
        responses = []
        for item in request["resources"]:
            config = {entry["name"]: entry["value"] for entry in item["configs"]}
            responses.append(self._alter(item, config, request))
        return {"responses": responses}

    def _change(self, request: Message, call: Call) -> Message:  # noqa: ARG002 - same for all versions
        responses = []
        for item in request["resources"]:
            meta = self._topics.get(item["resource_name"]) if item["resource_type"] == _TOPIC else None
            current: dict[str, str | None] = {} if meta is None else dict(meta.config)
            for config in item["configs"]:
                _apply(current, config)
            responses.append(self._alter(item, current, request))
        return {"responses": responses}

    def _alter(self, item: Message, config: dict[str, str | None], request: Message) -> Message:
        refusal = self._topic_refusal(item)
        if refusal is None:
            problems = (topic_configs.problem(name, value) for name, value in config.items())
            reason = next((problem for problem in problems if problem is not None), None)
            refusal = None if reason is None else (ErrorCode.invalid_config, reason)
        if refusal is not None:
            return _resource(item) | _refused(refusal)
        if not request["validate_only"]:
            self._topics.alter_config(item["resource_name"], {name: value or "" for name, value in config.items()})
        return _resource(item)


def _apply(config: dict[str, str | None], change: Message) -> None:
    name, operation, value = change["name"], change["config_operation"], change["value"]
    if operation == _REMOVE:
        config.pop(name, None)
    elif operation == _SET or name not in topic_configs.KEYS:
        config[name] = value
    else:
        current = config.get(name) or topic_configs.KEYS[name].default
        words = [word.strip() for word in current.split(",") if word.strip()]
        given = [word.strip() for word in (value or "").split(",")]
        kept = [word for word in words if operation != _SUBTRACT or word not in given]
        added = [word for word in given if operation == _APPEND and word not in words]
        config[name] = ",".join([*kept, *added])


def _resource(item: Message) -> Message:
    return {
        "error_code": ErrorCode.none,
        "error_message": None,
        "resource_type": item["resource_type"],
        "resource_name": item["resource_name"],
    }


def _refused(refusal: Refusal) -> Message:
    return {"error_code": refusal[0], "error_message": refusal[1]}


def _broker_entry(name: str, value: str) -> Message:
    return {
        "name": name,
        "value": value,
        "read_only": True,
        "config_source": _STATIC_BROKER_SOURCE,
        "is_sensitive": False,
        "synonyms": (),
        "config_type": ConfigType.STRING,
        "documentation": None,
    }


def _topic_entry(key: ConfigKey, config: Config, synonyms: bool, documented: bool) -> Message:
    own = key.name in config
    value = topic_configs.value_of(config, key.name)
    sources = [(config[key.name], _TOPIC_SOURCE)] if own else []
    sources.append((key.default, _DEFAULT_SOURCE))
    return {
        "name": key.name,
        "value": value,
        "read_only": False,
        "config_source": _TOPIC_SOURCE if own else _DEFAULT_SOURCE,
        "is_sensitive": False,
        "synonyms": [{"name": key.name, "value": item, "source": source} for item, source in sources]
        if synonyms
        else (),
        "config_type": key.type,
        "documentation": key.help if documented else None,
    }
