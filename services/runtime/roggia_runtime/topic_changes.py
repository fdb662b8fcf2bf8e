"""What `TopicAdmin.apply` would change: the catalogue against what the brokers have. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

from roggia_schemas.topics.spec import TopicSpec


class Action(Enum):
    """What happens to a topic."""

    CREATE = "create"
    ALTER = "alter"
    CONFLICT = "conflict"
    """Not done by machine: the change would break the order of keys."""


@dataclass(frozen=True, slots=True)
class Existing:
    """A topic as the brokers have it. `own` holds the settings that were set on it, not those it inherits."""

    partitions: int
    config: Mapping[str, str]
    own: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Change:
    """One topic that differs. `config` is complete: what the topic's own settings must be afterwards."""

    action: Action
    topic: str
    detail: str
    config: Mapping[str, str] = field(default_factory=dict)
    partitions: int = 0

    def __str__(self) -> str:
        return f"{self.action.value} {self.topic}: {self.detail}"


def changes(specs: Sequence[TopicSpec], existing: Mapping[str, Existing]) -> Iterator[Change]:
    """Every difference, in the order of `specs`; settings that the catalogue does not name are left as they are."""
    for spec in specs:
        found = existing.get(spec.name)
        if found is None:
            detail = f"{spec.partitions} partitions, {_settings(spec.config)}"
            yield Change(Action.CREATE, spec.name, detail, spec.config, spec.partitions)
            continue
        if found.partitions != spec.partitions:
            detail = (
                f"has {found.partitions} partitions, the catalogue says {spec.partitions}: keys would move between "
                "partitions; make a new topic and replay into it"
            )
            yield Change(Action.CONFLICT, spec.name, detail)
        wrong = {name: value for name, value in spec.config.items() if found.config.get(name) != value}
        if wrong:
            before = {name: found.config.get(name, "unset") for name in wrong}
            detail = ", ".join(f"{name} {before[name]} → {value}" for name, value in sorted(wrong.items()))
            yield Change(Action.ALTER, spec.name, detail, {**found.own, **spec.config})


def _settings(config: Mapping[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in sorted(config.items()))
