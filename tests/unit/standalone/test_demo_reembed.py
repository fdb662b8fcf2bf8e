"""The demo of a second model: its model, its documents and its checks, without a stack."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from roggia.demo import corpus, reembed, second_model, story
from roggia.errors import StandaloneError, UsageError
from roggia.publishing.events import Source, Target
from roggia.query_client import Question
from roggia_operator.generations.client import GenerationClient
from roggia_operator.generations.table import GenerationTable
from roggia_operator.models.values import Draft
from roggia_schemas.events import GenerationState

from tests.support.generation_cases import state
from tests.support.models import FakeModelRegistry, embedder

FIRST, SECOND = "m@1", "m@2"
TEXT = "# Title\n\n" + "\n\n".join(f"Paragraph {number}. " + "words " * 60 for number in range(12))


def _tensors(**tensors: tuple[str, bytes]) -> bytes:
    header, data = {"__metadata__": {"format": "pt"}}, b""
    for name, (dtype, raw) in tensors.items():
        header[name] = {"dtype": dtype, "shape": [1], "data_offsets": [len(data), len(data) + len(raw)]}  # type: ignore[dict-item]
        data += raw
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def test_weights_are_rounded_to_the_nearest_bfloat16_and_nothing_else_is_touched() -> None:
    """As torch rounds, ties to even; other types, the header and the length stay."""
    exact = np.array([1.0, -2.5, 0.0], "<f4")
    between = np.array([0x3F808000, 0x3F818000, 0x3F808001, 0xBF80FFFF], "<u4")
    made = bytes(
        second_model.rounded(_tensors(a=("F32", exact.tobytes()), b=("F32", between.tobytes()), c=("I64", b"12345678")))
    )
    nearest = np.array([0x3F800000, 0x3F820000, 0x3F810000, 0xBF810000], "<u4")
    assert made == _tensors(a=("F32", exact.tobytes()), b=("F32", nearest.tobytes()), c=("I64", b"12345678"))


def test_the_second_model_is_the_first_ones_folder_with_other_weights(tmp_path: Path) -> None:
    """Everything else of the folder is the same, so that it loads in the same way."""
    first = tmp_path / "first"
    (first / "1_Pooling").mkdir(parents=True)
    (first / "1_Pooling" / "config.json").write_text("{}")
    (first / "model.safetensors").write_bytes(_tensors(a=("F32", np.array([0.1], "<f4").tobytes())))
    made = second_model.second_model(first, tmp_path)
    assert (made / "1_Pooling" / "config.json").read_text() == "{}"
    assert (made / "model.safetensors").read_bytes() != (first / "model.safetensors").read_bytes()


def test_sections_hold_the_text_and_are_enough_for_a_gate() -> None:
    """Cut between paragraphs, each a document of its own; the demo's text gives the hundreds that a gate needs."""
    document = Source("a/b.md", "text/markdown", TEXT.encode(), "shown", "Title")
    made = corpus.sections([document])
    assert [one.doc_id for one in made[:2]] == ["a/b/1.md", "a/b/2.md"]
    assert "\n\n".join(one.content.decode() for one in made) == TEXT
    assert all(len(one.content) <= corpus.SECTION_CHARS * 1.5 for one in made)


class _Query:
    """A query service with two generations: what each holds, by sentence, and which one serves."""

    def __init__(self) -> None:
        self.serves, self.models = 1, {1: FIRST, 2: SECOND}
        self.held: dict[int, dict[str, str]] = {1: {}, 2: {}}
        self.loading = 0

    async def search(self, question: Question) -> dict[str, Any]:
        if self.loading:
            self.loading -= 1
            raise StandaloneError("start a query role with that model")
        held = self.held[question.generation or self.serves]
        return {"results": [{"doc_id": doc_id, "text": text} for doc_id, text in held.items()]}

    async def ask(self, _question: Question) -> dict[str, Any]:
        return {
            "answer": "x",
            "citations": [{"doc_id": "a"}],
            "generation": self.serves,
            "model": self.models[self.serves],
        }


class _Job:
    """Publishes into the generations that follow."""

    target = Target("demo", "docs", ("*",))

    def __init__(self, query: _Query, *follow: int) -> None:
        self._query, self._follow = query, follow

    async def publish(self, documents: list[Source], _watch: object) -> None:
        for number in self._follow:
            self._query.held[number] |= {one.doc_id: one.content.decode() for one in documents}

    async def delete(self, ids: list[str], _watch: object) -> None:
        for number in self._follow:
            for doc_id in ids:
                self._query.held[number].pop(doc_id, None)


class _Client:
    """Generations as they stand."""

    baseline = 1

    def __init__(self, status: GenerationState) -> None:
        self._table = GenerationTable()
        self._table.put(state(2, status, counts={"offsets": 8, "done": 2}))

    async def table(self) -> GenerationTable:
        return self._table

    async def get(self, number: int) -> object:
        return self._table.get(number)


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reembed, "FOUND_S", 0.2)
    monkeypatch.setattr(reembed, "LOOK_S", 0.01)


def _told(query: _Query, *follow: int, status: GenerationState = GenerationState.FILLING) -> reembed.Migration:
    registry = FakeModelRegistry()
    registry.register(Draft(name="emb", ref=embedder(SECOND)))
    job = story.Story(cast("Any", _Job(query, *follow)), cast("Any", query), lambda *_: None)
    return reembed.Migration(job, cast("GenerationClient", _Client(status)), registry, "emb")


A = Source("a.md", "text/markdown", b"one\n\ntwo\n\nthree", "a")
B = Source("b.md", "text/markdown", b"quite another text", "b")


async def test_changes_while_it_fills_reach_readers_and_the_filled_one() -> None:
    """Both hold: how far filling was when readers saw it, and that the new generation has caught up."""
    query = _Query()
    query.held[1] |= {"b.md": "quite another text"}
    told = _told(query, 1, 2)
    edited, deleted = await told.edit(A, 2), await told.delete(B, 2)
    assert (edited.state, edited.done, deleted.doc_id) == (GenerationState.FILLING, 0.25, "b.md")
    query.loading = 3
    await told.caught_up(A, B, 2)


@pytest.mark.parametrize(
    ("claim", "step"),
    [
        ("a.md is found in generation 2", lambda told: told.caught_up(A, B, 2)),
        ("generation 2 answers, but generation 1", lambda told: told.served(told.logged(FIRST), 2)),
        ("fingerprint of its own, but both", lambda told: asyncio.to_thread(told.logged, SECOND)),
        ("generation 2 was rolled back, but", lambda told: told.back(A, 2)),
        ("a.md is found in generation 2", lambda told: told.edit_later(A, 2)),
    ],
)
async def test_the_demo_fails_where_a_claim_does_not_hold(claim: str, step: Callable[[reembed.Migration], Any]) -> None:
    """A generation that does not follow, readers that were not switched, a model that is the same, no rollback."""
    with pytest.raises(story.DemoFailedError, match=claim):
        await step(_told(_Query(), 1))


async def test_a_query_by_the_wrong_model_is_seen() -> None:
    """The right generation is not enough: the question has to be encoded by its model."""
    query = _Query()
    query.serves, query.models = 2, {2: FIRST}
    told = _told(query, 1, 2)
    with pytest.raises(story.DemoFailedError, match="its own model encodes the question, but it was m@1"):
        await told.served(told.logged(FIRST), 2)


async def test_after_a_rollback_the_old_one_answers_with_what_came_meanwhile() -> None:
    """An edit that only the new generation held would be lost by going back."""
    query = _Query()
    query.serves = 2
    await _told(query, 1, 2).edit_later(A, 2)
    query.serves = 1
    told = _told(query, 1, 2, status=GenerationState.ROLLED_BACK)
    assert (await told.back(A, 2))["generation"] == 1
    query.held[1].clear()
    with pytest.raises(story.DemoFailedError, match=r"a\.md is found in what serves"):
        await told.back(A, 2)


def test_what_is_changed_is_not_what_the_answer_cites() -> None:
    """So that the same question has the same answer afterwards; too little text is said so."""
    others = [
        replace(A, doc_id=f"{name}.md", content=name.encode() * size) for name, size in (("x", 9), ("y", 5), ("z", 7))
    ]
    first, second = reembed.chosen([A, *others], ["a.md"])
    assert (first.doc_id, second.doc_id) == ("x.md", "z.md")
    with pytest.raises(UsageError, match="--chars: too little text"):
        reembed.chosen([A], [])
