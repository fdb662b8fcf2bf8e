"""What `TopicAdmin.apply` would change: the catalogue against what the brokers have. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

from roggia_schemas.topics.spec import TopicSpec

from roggia_runtime.topic_risks import danger

KEYS_MOVE = (
    "the keys that exist move to other partitions: order per document breaks, and compaction keeps old records; "
    "make a new topic and replay into it instead"
)


class Action(Enum):
    """What happens to a topic."""

    CREATE = "create"
    ALTER = "alter"
    GROW = "grow"
    CONFLICT = "conflict"
    """Cannot be done: Kafka takes no partitions away."""


@dataclass(frozen=True, slots=True)
class Existing:
    """A topic as the brokers have it. `own` holds the settings that were set on it, not those it inherits."""

    partitions: int
    config: Mapping[str, str]
    own: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Change:
    """One difference. `config` holds what must be set, and nothing else; `danger` what could be lost by it.

    A topic whose settings differ has up to two changes: one that is safe, and one that is not.
    """

    action: Action
    topic: str
    detail: str
    config: Mapping[str, str] = field(default_factory=dict)
    partitions: int = 0
    danger: str = ""

    def allowed(self, confirmed: Collection[str]) -> bool:
        """True when it may be done, the topics named in `confirmed` having been typed by the operator."""
        return self.action is not Action.CONFLICT and (not self.danger or self.topic in confirmed)

    def __str__(self) -> str:
        return f"{self.action.value} {self.topic}: {self.detail}"


def changes(specs: Sequence[TopicSpec], existing: Mapping[str, Existing]) -> Iterator[Change]:
    """Every difference, in the order of `specs`; settings that the catalogue does not name are left as they are."""
    for spec in specs:
        found = existing.get(spec.name)
        if found is None:
            detail = f"{spec.partitions} partitions, {settings(spec.config)}"
            yield Change(Action.CREATE, spec.name, detail, spec.config, spec.partitions)
        else:
            yield from _partitions(spec, found)
            yield from _settings(spec, found)


def by_hand(specs: Iterable[TopicSpec], existing: Mapping[str, Existing]) -> dict[str, dict[str, str]]:
    """Settings that somebody made on a topic and that the catalogue does not name: shown, never changed."""
    made = {
        spec.name: {name: value for name, value in existing[spec.name].own.items() if name not in spec.config}
        for spec in specs
        if spec.name in existing
    }
    return {topic: found for topic, found in made.items() if found}


def settings(config: Mapping[str, str]) -> str:
    """Settings in one line."""
    return ", ".join(f"{name}={value}" for name, value in sorted(config.items()))


def _partitions(spec: TopicSpec, found: Existing) -> Iterator[Change]:
    differs = f"has {found.partitions} partitions, the catalogue says {spec.partitions}"
    if found.partitions < spec.partitions:
        yield Change(Action.GROW, spec.name, differs, partitions=spec.partitions, danger=KEYS_MOVE)
    elif found.partitions > spec.partitions:
        detail = f"{differs}: Kafka takes none away; make a new topic and replay into it"
        yield Change(Action.CONFLICT, spec.name, detail)


def _settings(spec: TopicSpec, found: Existing) -> Iterator[Change]:
    wrong = {name: value for name, value in sorted(spec.config.items()) if found.config.get(name) != value}
    dangers = {name: danger(name, found.config.get(name), value) for name, value in wrong.items()}
    safe = [name for name in wrong if not dangers[name]]
    risky = [name for name in wrong if dangers[name]]
    for names, reason in ((safe, ""), (risky, "; ".join(dict.fromkeys(dangers[name] for name in risky)))):
        if names:
            detail = ", ".join(f"{name} {found.config.get(name, 'unset')} → {wrong[name]}" for name in names)
            yield Change(Action.ALTER, spec.name, detail, {name: wrong[name] for name in names}, danger=reason)
