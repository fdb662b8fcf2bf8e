"""What differs between the catalogue and Kafka, and which of it could lose data."""

from __future__ import annotations

from dataclasses import replace

import pytest
from roggia_runtime.topic_changes import Action, Existing, by_hand, changes
from roggia_runtime.topic_risks import danger
from roggia_schemas import topics

SPEC = topics.spec(topics.DOC_CHANGED)


def existing(partitions: int = SPEC.partitions, **changed: str) -> Existing:
    """The topic as the catalogue has it, with settings changed (`_` stands for `.`)."""
    config = dict(SPEC.config) | {name.replace("_", "."): value for name, value in changed.items()}
    return Existing(partitions, config, config)


@pytest.mark.parametrize(
    ("setting", "before", "after"),
    [
        ("cleanup.policy", "compact", "delete"),
        ("cleanup.policy", "compact", "compact,delete"),
        ("cleanup.policy", "delete", "compact"),
        ("retention.ms", "1000", "999"),
        ("retention.ms", "-1", "604800000"),
        ("retention.bytes", "-1", "1"),
        ("max.message.bytes", "2000", "1000"),
        ("delete.retention.ms", "2000", "1000"),
        ("min.compaction.lag.ms", "2000", "0"),
        ("max.compaction.lag.ms", "9223372036854775807", "2592000000"),
        ("min.insync.replicas", "2", "1"),
        ("unclean.leader.election.enable", "false", "true"),
    ],
)
def test_what_can_lose_data_says_so(setting: str, before: str, after: str) -> None:
    """A setting that shrinks what is kept, or who may write, is dangerous in that direction."""
    assert danger(setting, before, after)


@pytest.mark.parametrize(
    ("setting", "before", "after"),
    [
        ("cleanup.policy", "compact,delete", "compact"),
        ("cleanup.policy", "delete,compact", "compact, delete"),
        ("retention.ms", "999", "1000"),
        ("retention.ms", "604800000", "-1"),
        ("max.message.bytes", "1000", "2000"),
        ("segment.ms", "2000", "1000"),
        ("unclean.leader.election.enable", "true", "false"),
        ("retention.ms", "1000", "1000"),
    ],
)
def test_what_keeps_at_least_as_much_is_safe(setting: str, before: str, after: str) -> None:
    """The other directions need nobody's confirmation."""
    assert danger(setting, before, after) == ""


def test_safe_and_dangerous_settings_are_changes_of_their_own() -> None:
    """So that one can be done at once and the other waits for the topic's name."""
    found = list(changes([SPEC], {SPEC.name: existing(segment_ms="1", max_message_bytes="99999999")}))
    assert [(one.action, dict(one.config)) for one in found] == [
        (Action.ALTER, {"segment.ms": SPEC.config["segment.ms"]}),
        (Action.ALTER, {"max.message.bytes": SPEC.config["max.message.bytes"]}),
    ]
    assert [one.allowed(()) for one in found] == [True, False]
    assert all(one.allowed({SPEC.name}) for one in found)


def test_growing_needs_the_name_and_shrinking_is_impossible() -> None:
    """More partitions move keys; fewer do not exist in Kafka, whatever is typed."""
    (grow,) = changes([SPEC], {SPEC.name: existing(SPEC.partitions - 1)})
    (shrink,) = changes([SPEC], {SPEC.name: existing(SPEC.partitions + 1)})
    assert (grow.action, grow.partitions) == (Action.GROW, SPEC.partitions)
    assert "keys" in grow.danger
    assert [grow.allowed(()), grow.allowed({SPEC.name})] == [False, True]
    assert shrink.action is Action.CONFLICT
    assert not shrink.allowed({SPEC.name})


def test_what_the_catalogue_does_not_name_is_told_and_not_changed() -> None:
    """A setting made by hand is no difference."""
    found = {SPEC.name: existing(min_insync_replicas="2")}
    assert list(changes([SPEC], found)) == []
    assert by_hand([SPEC, replace(SPEC, name="other")], found) == {SPEC.name: {"min.insync.replicas": "2"}}
