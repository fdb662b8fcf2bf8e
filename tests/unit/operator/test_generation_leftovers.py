"""What a retired generation leaves behind: what may be deleted, what stays and why, and who deletes it when."""

from __future__ import annotations

from typing import Any

import pytest
from roggia_operator.generations.adapters.kafka_leftovers import own_topics, readers
from roggia_operator.generations.leftovers import Found, judged, typed_topics
from roggia_operator.generations.moves import decide
from roggia_operator.generations.values import Evidence, Need, Remains
from roggia_schemas.events import GenerationState, GenerationWish

from tests.support.generation_cases import NOW, RULES, case, state, wanted

EMBED, UPSERT = "roggia.embed.g2", "roggia.upsert.g2"
TOPIC, LETTERS = "doc.embedded.g2", "doc.embedded.g2.dlq"
OWN = {TOPIC: 100, LETTERS: 0}
RETIRE = {"wish": GenerationWish.RETIRE}


def found(**facts: Any) -> Found:
    """A generation that nobody works for any more."""
    return Found(**{"groups": {EMBED: 0, UPSERT: 0}, "topics": OWN} | facts)


def test_what_nobody_needs_goes() -> None:
    """Groups without members, the topic between them with its records, and dead letters that there are none of."""
    remains = judged(found(), [LETTERS], (), NOW)
    assert (remains.groups, remains.topics, remains.kept) == ((EMBED, UPSERT), (TOPIC, LETTERS), {})


def test_a_group_that_works_keeps_every_topic() -> None:
    """A process that has not heard of the retirement still writes: nothing is taken away under it, typed or not."""
    remains = judged(found(groups={EMBED: 0, UPSERT: 2}), [LETTERS], [LETTERS], NOW)
    assert remains.free == (EMBED,)
    assert remains.kept[UPSERT] == "2 of its processes still work"
    assert remains.kept[TOPIC] == remains.kept[LETTERS] == f"{UPSERT} may still use it"


def test_a_topic_that_another_group_reads_stays() -> None:
    """It may be somebody's source; its name has to be typed."""
    read = found(readers={TOPIC: ["analytics"]})
    assert judged(read, [LETTERS], (), NOW).kept == {TOPIC: "group analytics reads it"}
    assert judged(read, [LETTERS], [TOPIC], NOW).topics == (TOPIC, LETTERS)


def test_dead_letters_stay_until_their_topic_is_typed() -> None:
    """What nobody has looked at is not deleted by a retirement, nor by a slip: only by its whole name."""
    held = found(topics={TOPIC: 100, LETTERS: 3})
    assert judged(held, [LETTERS], (), NOW).kept == {LETTERS: "holds 3 dead letters"}
    assert judged(held, [LETTERS], ["doc.embedded.g2.dl"], NOW).kept == {LETTERS: "holds 3 dead letters"}
    assert judged(held, [LETTERS], typed_topics(f" {LETTERS},"), NOW).topics == (TOPIC, LETTERS)


def test_the_catalogues_topics_are_nobodys_own() -> None:
    """Those of the first generation would be made again by the next `roggia topics apply`."""
    assert own_topics(1) == []
    assert set(own_topics(2)) == {TOPIC, LETTERS, f"{TOPIC}.replay", f"{TOPIC}.replay.dlq"}


def test_who_reads_what() -> None:
    """By topic, and only topics that are asked about."""
    assert readers([TOPIC], {"a": {TOPIC, "x"}, "b": {"x"}}) == {TOPIC: {"a"}}


@pytest.mark.parametrize(
    ("remains", "message", "needs", "frees"),
    [
        (None, "retired", True, False),
        (Remains(NOW, (EMBED,), (TOPIC,), {LETTERS: "x"}), f"retired; deletes {EMBED}, {TOPIC}", False, True),
        (Remains(NOW), "retired; nothing of it is left", False, False),
        (Remains(NOW, kept={LETTERS: "holds 3"}), f"retired; left: {LETTERS}: holds 3", False, False),
        (Remains(NOW - RULES.again_ms - 1, kept={LETTERS: "holds 3"}), f"retired; left: {LETTERS}", True, False),
        (Remains(NOW, kept={LETTERS: "holds 3"}, typed="before"), "retired", True, False),
    ],
)
def test_a_retired_generation_says_what_is_left(
    remains: Remains | None, message: str, needs: bool, frees: bool
) -> None:
    """Looked at, deleted, looked at again; what stays is looked for again later, and at once when a name is typed."""
    own = state(2, GenerationState.RETIRED, **RETIRE)
    decision = decide(case(wanted(**RETIRE), own, evidence=Evidence(remains=remains)))
    assert decision.message.startswith(message)
    assert decision.needs == ({(Need.REMAINS, 2)} if needs else frozenset())
    assert (decision.frees is not None, decision.move) == (frees, None)
