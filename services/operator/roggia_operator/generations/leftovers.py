"""What of a retired generation may be deleted from a cluster, and what not. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from roggia_operator.generations.values import Remains


@dataclass(frozen=True, slots=True)
class Found:
    """What there is of a generation. `groups`: members of each of its own groups. `topics`: records in each of its own
    topics. `readers`: groups of others that read a topic, or have read it, by topic."""

    groups: Mapping[str, int] = field(default_factory=dict)
    topics: Mapping[str, int] = field(default_factory=dict)
    readers: Mapping[str, Collection[str]] = field(default_factory=dict)


def judged(found: Found, letters: Collection[str], typed: Collection[str], at_ms: int) -> Remains:
    """What may go: groups without members; then topics that no other group reads, and topics of dead letters only when
    they are empty. A topic that was typed goes all the same, but not while the generation itself still works."""
    working = {group: members for group, members in found.groups.items() if members}
    kept = {group: f"{members} of its processes still work" for group, members in sorted(working.items())}
    free = []
    for topic in sorted(found.topics):
        why = _needed(topic, found, letters) if topic not in typed else ""
        if why or working:
            kept[topic] = why or f"{', '.join(sorted(working))} may still use it"
        else:
            free.append(topic)
    return Remains(at_ms, tuple(sorted(found.groups.keys() - working.keys())), tuple(free), kept)


def typed_topics(override: str) -> frozenset[str]:
    """The topics that a wish to retire names as those that may go with all that they hold."""
    return frozenset(part.strip() for part in override.split(",") if part.strip())


def _needed(topic: str, found: Found, letters: Collection[str]) -> str:
    if others := found.readers.get(topic):
        return f"group {', '.join(sorted(others))} reads it"
    count = found.topics[topic]
    if topic in letters and count:
        return f"holds {count:,} dead letters"
    return ""
