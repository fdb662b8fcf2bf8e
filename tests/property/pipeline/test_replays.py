"""Replay is safe: any range of any topic at any time, with live writes, faults and redeliveries between."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from roggia_runtime.records import Output, Record

from tests.support.ingesting import change, delete, record
from tests.support.lanes import REPLAYABLE, Line

DOCS = ("a", "b", "c")
SECTIONS = ("alpha", "beta", "gamma", "delta")
seeds = st.integers(0, 2**32)
pytestmark = pytest.mark.timeout(600)


def written(chance: random.Random, doc_id: str, revision: int) -> Record:
    """One live event: text, a move, a deletion, a null, or one that is refused."""
    kind = chance.choices(["upsert", "delete", "null", "bad"], [8, 2, 2, 1])[0]
    domain = chance.choice(("docs", "wiki", "blog"))
    if kind == "null":
        return record(None, 0, doc_id=doc_id)
    if kind == "delete":
        return record(delete(doc_id, revision, domain=domain), 0)
    own = random.Random(f"{doc_id} {revision}")
    names = own.sample(SECTIONS, own.randint(1, 3))
    text = "\n\n".join(f"# {name}\n\nAll about {name} of {doc_id}." for name in names)
    acl = () if kind == "bad" else (own.choice(("staff", "*")),)
    return record(change(doc_id, revision, domain=domain, content=text.encode(), acl=acl), 0)


class Story:
    """Live events and replays in the order that chance decides."""

    def __init__(self, chance: random.Random, modes: list[str]) -> None:
        self._chance, self._modes = chance, modes
        self._revisions = dict.fromkeys(DOCS, 0)
        self.live: list[Output] = []

    def write(self, line: Line) -> None:
        """One live event; now and then its revision is old or stands still."""
        doc_id = self._chance.choice(DOCS)
        self._revisions[doc_id] += self._chance.choice((1, 1, 1, 2, 0))
        revision = self._revisions[doc_id] - self._chance.choice((0, 0, 0, 0, 1))
        made = written(self._chance, doc_id, max(1, revision))
        output = Output(made.topic, made.key, made.value, made.headers)
        self.live.append(output)
        line.logs.append(output)

    def replay(self, line: Line) -> None:
        """Any range of any topic."""
        topic = self._chance.choice(REPLAYABLE)
        size = len(line.logs.of(topic))
        start = self._chance.randint(0, size)
        line.logs.replay(topic, start, self._chance.randint(start, size), self._chance.choice(self._modes))


async def told(seed: int, modes: list[str]) -> tuple[Line, Line]:
    """The story with replays and faults, and the same live events without."""
    chance = random.Random(seed)
    line, clean, story = Line(), Line(), Story(chance, modes)
    for _ in range(chance.randint(5, 60)):
        act = chance.choices(["write", "replay", "work"], [3, 1, 8])[0]
        if act == "work":
            await line.disturb(chance)
        else:
            getattr(story, act)(line)
    await line.drain()
    for output in story.live:
        clean.logs.append(output)
    await clean.drain()
    return line, clean


@settings(max_examples=200, deadline=None)
@given(seeds)
async def test_replays_leave_the_index_as_a_clean_run_does(seed: int) -> None:
    """Same versions, epochs too: index, corpus after compaction, and what a consumer that counts by id has counted."""
    line, clean = await told(seed, ["same"])
    assert await line.index(epochs=True) == await clean.index(epochs=True)
    assert line.corpus(epochs=True) == clean.corpus(epochs=True)
    assert line.newest()
    assert line.told() <= clean.told()


@settings(max_examples=200, deadline=None)
@given(seeds)
async def test_renewals_leave_the_index_as_a_clean_run_does_but_for_epochs(seed: int) -> None:
    """Renewals raise epochs and change nothing else; the newest chunk set stays the last."""
    line, clean = await told(seed, ["same", "renew"])
    assert await line.index(epochs=False) == await clean.index(epochs=False)
    assert line.corpus(epochs=False) == clean.corpus(epochs=False)
    assert line.newest()
    assert line.told() <= clean.told()


@settings(max_examples=100, deadline=None)
@given(seeds, st.sampled_from(["same", "renew"]))
async def test_a_replay_costs_no_embedding_when_the_cache_is_warm(seed: int, mode: str) -> None:
    """Whatever was embedded for what is indexed now is used again, and what is overtaken is not embedded at all."""
    line, _ = await told(seed, [mode])
    line.embed.model.encoded.clear()
    chance = random.Random(seed + 1)
    story = Story(chance, [mode])
    for _ in range(4):
        story.replay(line)
    await line.drain()
    assert line.embed.model.encoded == []
    cached = {key[2] for key in line.embed.cache.vectors}
    living = [event for event in line.corpus(epochs=True).values() if not event.deleted]
    assert cached == {chunk.text_sha256 for event in living for chunk in event.chunks}
