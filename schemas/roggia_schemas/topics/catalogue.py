"""The topic catalogue, read from the `.yaml` files beside this module."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files as resources
from typing import Annotated, Any, Literal

import msgspec
import yaml

from roggia_schemas.errors import UnknownEventError
from roggia_schemas.topics import names
from roggia_schemas.topics.spec import TopicSpec, dead_letters, replay_lane

Compatibility = Literal["FULL_TRANSITIVE", "BACKWARD_TRANSITIVE"]
_GENERATION = re.compile(r"[1-9]\d{0,9}")


class TopicFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One catalogue file. `topic` may end in `{generation}`: then it stands for one topic per generation."""

    event: str
    number: Annotated[int, msgspec.Meta(ge=1, le=65535)]
    topic: str
    owner: str
    description: str
    key: Literal[
        "tenant_id/doc_id",
        "tenant_id",
        "job_id/side",
        "g<generation>/side",
        "provider/model",
        "tenant_id/day/provider/model",
        "tenant_id/period",
        "log",
    ]
    partitions: Annotated[int, msgspec.Meta(ge=1)]
    compatibility: Compatibility
    producers: tuple[str, ...]
    consumers: tuple[str, ...]
    config: dict[str, str | int]
    replayed: bool = False
    """Whether the topic has a replay lane."""
    example: dict[str, Any]

    def matches(self, topic: str) -> bool:
        """True when `topic` is this file's topic, in whatever generation."""
        prefix, marker, _ = self.topic.partition("{generation}")
        if not marker:
            return topic == self.topic
        number = topic.removeprefix(prefix)
        return topic.startswith(prefix) and bool(_GENERATION.fullmatch(number)) and int(number) <= names.MAX_GENERATION

    def spec(self, topic: str) -> TopicSpec:
        """This file's row for `topic`, which it must match."""
        return TopicSpec(
            name=topic,
            event=self.event,
            key=self.key,
            partitions=self.partitions,
            config={name: str(value) for name, value in self.config.items()},
            owner=self.owner,
            producers=self.producers,
            consumers=self.consumers,
            compatibility=self.compatibility,
            description=self.description,
        )


@cache
def files() -> tuple[TopicFile, ...]:
    """Every catalogue file, in the order of `number`. Raises `msgspec.ValidationError` when a file is wrong."""
    folder = resources("roggia_schemas.topics")
    texts = [entry.read_text("utf-8") for entry in folder.iterdir() if entry.name.endswith(".yaml")]
    loaded = [msgspec.convert(yaml.safe_load(text), TopicFile, builtin_types=(bytes,)) for text in texts]
    return tuple(sorted(loaded, key=lambda file: file.number))


@cache
def catalogue() -> tuple[TopicSpec, ...]:
    """Live topics in their first generation, each followed by its DLQ, then by its replay lane and that one's DLQ."""
    specs: list[TopicSpec] = []
    for file in files():
        live = file.spec(file.topic.format(generation=1))
        for topic in (live, replay_lane(live)) if file.replayed else (live,):
            specs += (topic, dead_letters(topic))
    return tuple(specs)


@cache
def spec(topic_name: str) -> TopicSpec:
    """The row of one topic: live in any generation, `.dlq`, `.replay` or `.replay.dlq`.

    Raises `UnknownEventError` when the catalogue has no such topic.
    """
    if topic_name.endswith(".dlq"):
        return dead_letters(spec(topic_name.removesuffix(".dlq")))
    if topic_name.endswith(".replay"):
        return replay_lane(spec(topic_name.removesuffix(".replay")))
    for file in files():
        if file.matches(topic_name):
            return file.spec(topic_name)
    known = ", ".join(file.topic for file in files())
    raise UnknownEventError(f"topic {topic_name!r} is not in the catalogue; there are {known}")
