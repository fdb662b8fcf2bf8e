"""AsyncAPI 3 out of the topic catalogue and the schemas: the text of `docs/reference/asyncapi.yaml`.

Structure: https://www.asyncapi.com/docs/reference/specification/v3.0.0 with Kafka bindings 0.5.0.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from roggia_schemas import bundled, topics
from roggia_schemas.cloudevents import CONTENT_TYPE

_BINDING = "0.5.0"
_SCHEMAS = "../../schemas/roggia_schemas/avro"
_AVRO = "application/vnd.apache.avro;version=1.9.0"
_IN_BINDING = ("retention.ms", "delete.retention.ms", "max.message.bytes")
_HEADERS = {
    "ce_specversion": "CloudEvents version, 1.0.",
    "ce_id": "event_id of the event.",
    "ce_type": "Type of the event.",
    "ce_source": "Who published it.",
    "ce_time": "occurred_at of the event, RFC 3339.",
    "ce_subject": "doc_id, or tenant_id where there is no document.",
    "content-type": f"Always {CONTENT_TYPE}.",
    "traceparent": "W3C trace context.",
    "__value_schema_id": "Schema by GUID instead of the prefix; read, never written by Roggia.",
}


def asyncapi_document() -> str:
    """The whole document as YAML."""
    files = topics.files()
    document = {
        "asyncapi": "3.0.0",
        "info": _info(),
        "defaultContentType": CONTENT_TYPE,
        "channels": {file.event: _channel(file) for file in files},
        "operations": dict(operation for file in files for operation in _operations(file).items()),
        "components": {
            "messages": {_class(file): _message(file) for file in files},
            "messageTraits": {"cloudEvent": {"headers": _headers()}},
        },
    }
    head = "# Generated from the topic catalogue and the schemas by roggia_schemas.generate: do not edit.\n"
    return head + yaml.safe_dump(document, sort_keys=False, width=116, allow_unicode=True)


def _info() -> dict[str, Any]:
    return {
        "title": "Roggia events",
        "version": "1",
        "description": (
            "Values are Avro in the Confluent wire format (0x00, 4-byte schema id). Keys are UTF-8; the partitioner is "
            "murmur2 (librdkafka: partitioner=murmur2_random). Every topic has a dead-letter topic <topic>.dlq; a "
            "replay lane is <topic>.replay."
        ),
        "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
    }


def _channel(file: topics.TopicFile) -> dict[str, Any]:
    channel: dict[str, Any] = {
        "address": file.topic,
        "description": file.description.strip(),
        "messages": {_class(file): {"$ref": f"#/components/messages/{_class(file)}"}},
        "bindings": {"kafka": _channel_binding(file)},
        "x-owner": file.owner,
        "x-compatibility": file.compatibility,
        "x-topic-config": {name: str(value) for name, value in file.config.items()},
    }
    if "{generation}" in file.topic:
        channel["parameters"] = {"generation": {"description": "Generation, from 1."}}
    return channel


def _channel_binding(file: topics.TopicFile) -> dict[str, Any]:
    settings: dict[str, Any] = {"cleanup.policy": str(file.config["cleanup.policy"]).split(",")}
    settings |= {name: int(file.config[name]) for name in _IN_BINDING if name in file.config}
    return {"partitions": file.partitions, "topicConfiguration": settings, "bindingVersion": _BINDING}


def _operations(file: topics.TopicFile) -> Mapping[str, Any]:
    """One per producer and consumer; `send` and `receive` from the side of the named party."""
    parties = [("send", name) for name in file.producers] + [("receive", name) for name in file.consumers]
    return {f"{_word(name)}.{verb}.{file.event}": _operation(file, verb, name) for verb, name in parties}


def _operation(file: topics.TopicFile, verb: str, party: str) -> dict[str, Any]:
    return {
        "action": verb,
        "title": f"{party}: {verb} {file.event}",
        "channel": {"$ref": f"#/channels/{file.event}"},
        "messages": [{"$ref": f"#/channels/{file.event}/messages/{_class(file)}"}],
    }


def _message(file: topics.TopicFile) -> dict[str, Any]:
    version = bundled.versions(file.event)[-1]
    return {
        "name": _class(file),
        "title": file.event,
        "summary": bundled.schema(file.event)["doc"],
        "contentType": CONTENT_TYPE,
        "traits": [{"$ref": "#/components/messageTraits/cloudEvent"}],
        "payload": {"schemaFormat": _AVRO, "schema": {"$ref": f"{_SCHEMAS}/{file.event}/v{version}.avsc"}},
        "bindings": {
            "kafka": {
                "key": {"type": "string", "description": f"UTF-8 {file.key}"},
                "schemaIdLocation": "payload",
                "schemaIdPayloadEncoding": "confluent",
                "schemaLookupStrategy": "TopicIdStrategy",
                "bindingVersion": _BINDING,
            }
        },
    }


def _headers() -> dict[str, Any]:
    properties = {name: {"type": "string", "description": text} for name, text in _HEADERS.items()}
    return {"type": "object", "properties": properties}


def _class(file: topics.TopicFile) -> str:
    return str(bundled.schema(file.event)["name"])


def _word(party: str) -> str:
    """`embedder (query)` as an identifier."""
    return "-".join(party.replace("(", " ").replace(")", " ").split())
