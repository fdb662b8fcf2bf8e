"""DescribeConfigs, AlterConfigs and IncrementalAlterConfigs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

from kio.schema.errors import ErrorCode

from roggia_devstack.api import config_changes, topic_configs, topic_names
from roggia_devstack.api.call import Call, Handlers
from roggia_devstack.api.topic_configs import ConfigKey, ConfigType
from roggia_devstack.broker.topics import Topics
from roggia_devstack.wire import apis
from roggia_devstack.wire.decode import Message

_TOPIC, _BROKER = 2, 4
_TOPIC_SOURCE, _STATIC_BROKER_SOURCE, _DEFAULT_SOURCE = 1, 4, 5
Config = Mapping[str, str]
Refusal = tuple[ErrorCode, str]
_NO_TOPIC: Final[Refusal] = (ErrorCode.unknown_topic_or_partition, "the topic does not exist")
_REPEATED: Final[Refusal] = (ErrorCode.invalid_request, "the request names this resource twice")
_READ_ONLY: Final[Refusal] = (ErrorCode.invalid_request, "the broker's settings are set when it starts")


class ConfigsApi:
    """Configuration of topics, and the broker's own, which can only be read."""

    def __init__(self, topics: Topics, node_id: int, broker: Config) -> None:
        self._topics = topics
        self._node = str(node_id)
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
            if item["resource_name"] not in {"", self._node}:
                refusal = ErrorCode.invalid_request, f"there is no broker {item['resource_name'][:20]!r}"
                return answer | _refused(refusal) | {"configs": ()}
            entries = [
                _broker_entry(name, value) for name, value in self._broker.items() if wanted is None or name in wanted
            ]
            return answer | {"configs": entries}
        meta = self._topics.get(item["resource_name"])
        if meta is None:
            return answer | _refused(self._topic_refusal(item) or _NO_TOPIC) | {"configs": ()}
        keys = [key for name, key in topic_configs.KEYS.items() if wanted is None or name in wanted]
        return answer | {"configs": [_topic_entry(key, meta.config, synonyms, documented) for key in keys]}

    def _topic_refusal(self, item: Message) -> Refusal | None:
        if item["resource_type"] != _TOPIC:
            return ErrorCode.invalid_request, f"resource type {item['resource_type']} has no configuration here"
        if self._topics.get(item["resource_name"]) is not None:
            return None
        reason = topic_names.problem(item["resource_name"])
        return _NO_TOPIC if reason is None else (ErrorCode.invalid_topic_exception, reason)

    def _replace(self, request: Message, call: Call) -> Message:  # noqa: ARG002 - same for all versions
        times = _times(request)
        responses = []
        for item in request["resources"]:
            repeated = times[item["resource_type"], item["resource_name"]] > 1
            refusal = _REPEATED if repeated else self._refusal(item) or config_changes.refused_whole(item["configs"])
            config = {entry["name"]: entry["value"] for entry in item["configs"]}
            responses.append(self._altered(item, refusal, config, request))
        return {"responses": responses}

    def _change(self, request: Message, call: Call) -> Message:  # noqa: ARG002 - same for all versions
        times = _times(request)
        responses = []
        for item in request["resources"]:
            repeated = times[item["resource_type"], item["resource_name"]] > 1
            refusal = _REPEATED if repeated else self._refusal(item) or config_changes.refused_changes(item["configs"])
            meta = self._topics.get(item["resource_name"])
            config = {} if meta is None else dict(meta.config)
            if refusal is None:
                config_changes.apply(config, item["configs"])
            responses.append(self._altered(item, refusal, config, request))
        return {"responses": responses}

    def _refusal(self, item: Message) -> Refusal | None:
        """Why a resource cannot be altered, whatever the change."""
        if item["resource_type"] == _BROKER:
            return _READ_ONLY
        if item["resource_type"] == _TOPIC and not item["resource_name"]:
            return ErrorCode.invalid_request, "settings of all topics at once are not supported"
        return self._topic_refusal(item)

    def _altered(
        self, item: Message, refusal: Refusal | None, config: Mapping[str, str | None], request: Message
    ) -> Message:
        if refusal is None:
            refusal = _invalid(config)
        if refusal is not None:
            return _resource(item) | _refused(refusal)
        if not request["validate_only"]:
            settings = {name: topic_configs.normal(name, value) for name, value in config.items()}
            self._topics.alter_config(item["resource_name"], settings)
        return _resource(item)


def _times(request: Message) -> Counter[tuple[int, str]]:
    return Counter((item["resource_type"], item["resource_name"]) for item in request["resources"])


def _invalid(config: Mapping[str, str | None]) -> Refusal | None:
    problems: Iterable[str | None] = (topic_configs.problem(name, value) for name, value in config.items())
    reason = next((problem for problem in problems if problem is not None), None)
    return None if reason is None else (ErrorCode.invalid_config, reason)


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
        "config_type": _type_of(value),
        "documentation": None,
    }


def _type_of(value: str) -> ConfigType:
    if value in {"true", "false"}:
        return ConfigType.BOOLEAN
    return ConfigType.INT if value.isdecimal() else ConfigType.STRING


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
