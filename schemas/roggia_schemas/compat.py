"""Schema evolution: checking every released version against every other, without a server, and registering them.

Called by `roggia schemas check|register`, by the development registry and by the tests. Needs the `avro` package, which
comes with the extras `cli` and `devstack`; services never import this module.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Protocol

import avro.errors
import avro.schema
from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType

from roggia_schemas import bundled, topics
from roggia_schemas.errors import SchemaError
from roggia_schemas.layout import loads


@dataclass(frozen=True, slots=True)
class Problem:
    """One reason why two versions of an event cannot live together."""

    event: str
    reader: str
    writer: str
    message: str

    def __str__(self) -> str:
        return f"{self.event}: {self.reader} cannot read what {self.writer} wrote: {self.message}"


@dataclass(frozen=True, slots=True)
class Registration:
    """One schema to register under one subject, in ascending order of `version` per subject."""

    subject: str
    event: str
    version: int
    schema_json: str
    compatibility: str


class SchemaRegistry(Protocol):
    """The part of a registry that registering needs; `roggia_runtime.registry` has the client."""

    async def set_compatibility(self, subject: str, level: str, /) -> None:
        """Set the subject's compatibility level."""
        ...

    async def register(self, subject: str, schema_json: str, /) -> int:
        """Register a schema and return its id; the same schema again gives the same id."""
        ...


def check_all() -> list[Problem]:
    """Every pair of released versions of every event that breaks the event's compatibility. Empty: all is well."""
    return [problem for file in topics.files() for problem in _problems(file.event, _released(file.event), file)]


def check_candidate(event: str, schema_json: str) -> list[Problem]:
    """What would be wrong with `schema_json` as the next version of `event`.

    Raises `UnknownEventError` for an unknown event and `SchemaError` for what is no Avro record.
    """
    loads(schema_json)
    file = next((file for file in topics.files() if file.event == event), None)
    released = _released(event)
    return _problems(event, [*released, ("candidate", schema_json)], file)


def plan(topic_names: Sequence[str] | None = None) -> tuple[Registration, ...]:
    """What to register for these topics; by default for every live topic in its first generation."""
    names = topic_names or [spec.name for spec in topics.catalogue() if topics.base(spec.name) == spec.name]
    return tuple(step for name in names for step in _steps(topics.spec(name)))


async def register_all(
    registry: SchemaRegistry, topic_names: Sequence[str] | None = None
) -> list[tuple[Registration, int]]:
    """Carry out `plan`: each subject's level first, then its versions in order. Safe to repeat.

    Refuses with `SchemaError` before the first call when `check_all` finds a problem; the registry's own errors pass.
    """
    if problems := check_all():
        raise SchemaError(f"nothing was registered: {problems[0]}")
    done: list[tuple[Registration, int]] = []
    for step in plan(topic_names):
        if step.version == bundled.versions(step.event)[0]:
            await registry.set_compatibility(step.subject, step.compatibility)
        done.append((step, await registry.register(step.subject, step.schema_json)))
    return done


def _steps(spec: topics.TopicSpec) -> Iterator[Registration]:
    for version in bundled.versions(spec.event):
        text = bundled.schema_text(spec.event, version)
        yield Registration(bundled.subject(spec.name), spec.event, version, text, spec.compatibility)


def _released(event: str) -> list[tuple[str, str]]:
    return [(f"v{version}", bundled.schema_text(event, version)) for version in bundled.versions(event)]


def _problems(event: str, named: list[tuple[str, str]], file: topics.TopicFile | None) -> list[Problem]:
    """Full: every version reads every other. Backward: a version reads those before it."""
    if file is None:
        return [Problem(event, named[-1][0], "nobody", "the event is not in the topic catalogue")]
    pairs = permutations(range(len(named)), 2)
    wanted = [(r, w) for r, w in pairs if file.compatibility == "FULL_TRANSITIVE" or w < r]
    return [
        Problem(event, named[r][0], named[w][0], message)
        for r, w in wanted
        for message in incompatibilities(named[r][1], named[w][1])
    ]


def incompatibilities(reader: str, writer: str) -> list[str]:
    """Why `reader` cannot read what `writer` wrote; empty when it can. Raises `SchemaError` for a broken schema."""
    try:
        parsed = avro.schema.parse(reader), avro.schema.parse(writer)
    except (avro.errors.AvroException, RecursionError, TypeError, AttributeError, KeyError, ValueError) as error:
        # avro checks some members only by using them: a list for a name is a TypeError
        raise SchemaError(f"not a valid Avro schema: {error}") from error
    checker = ReaderWriterCompatibilityChecker()  # type: ignore[no-untyped-call]
    result = checker.get_compatibility(*parsed)
    if result.compatibility is SchemaCompatibilityType.compatible:
        return []
    kinds = ", ".join(sorted({str(kind).replace("_", " ") for kind in result.incompatibilities}))
    return [f"{kinds}: {'; '.join(sorted(map(str, result.messages)))} at {', '.join(sorted(result.locations))}"]
