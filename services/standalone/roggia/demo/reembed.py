"""What the demo shows of another model, and the check behind every sentence that it prints. Needs a running stack."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from roggia_operator.evaluation.report.model import Report
from roggia_operator.evaluation.verdict import Verdict
from roggia_operator.generations.client import GenerationClient
from roggia_operator.models import tags
from roggia_operator.models.ports import ModelRegistry
from roggia_operator.models.values import ModelVersion
from roggia_schemas.events import GenerationState, IndexGeneration

from roggia.demo.story import MARK, MARK_QUESTION, QUESTION, Story, check, insert
from roggia.errors import StandaloneError, UsageError
from roggia.publishing.events import Source

LATER = "The otter of the demo counts the lanterns on the weir after the second model has come."
LATER_QUESTION = "What does the otter count on the weir?"
FOUND_S = 90.0
"""Seconds until a change must be found in a generation that follows the log, whose model may have to be loaded."""
PLANNED_S = 60.0
LOOK_S = 0.2


@dataclass(frozen=True, slots=True)
class Changed:
    """A document that was changed while a generation was in `state`, and how long until it was searchable."""

    doc_id: str
    seconds: float
    state: GenerationState
    done: float


@dataclass(frozen=True, slots=True)
class Migration:
    """The steps, on the demo's knowledge base. Each returns what it claims, or raises `DemoFailedError`."""

    story: Story
    client: GenerationClient
    registry: ModelRegistry
    model: str
    """Name of the registered model that the second model is the first version of."""

    async def before(self) -> dict[str, Any]:
        """A cited answer by the baseline."""
        answer = await self.story.ask()
        _by(answer, self.client.baseline)
        return answer

    def logged(self, first: str) -> ModelVersion:
        """The version that was logged. `first` is the fingerprint of the model that serves. Blocks."""
        version = self.registry.versions(self.model)[0]
        fingerprint = version.ref.fingerprint
        check(bool(fingerprint), "a logged model has a fingerprint", "it has none")
        check(fingerprint != first, "the second model has a fingerprint of its own", f"both have {first}")
        return version

    async def planned(self) -> int:
        """The generation that the alias `candidate` asked for."""
        began = time.monotonic()
        while time.monotonic() - began < PLANNED_S:
            new = [pair.number for pair in await self.client.table() if pair.number > self.client.baseline]
            if new:
                return new[0]
            await asyncio.sleep(LOOK_S)
        check(False, "candidate is filled", f"no generation was planned within {PLANNED_S:g} s")
        raise AssertionError("unreachable")

    async def edit(self, document: Source, number: int) -> Changed:
        """Insert a sentence while a generation fills: it is found at once in the one that serves."""
        began = time.monotonic()
        await self.story.job.publish([insert(document, MARK)], self.story.silent)
        await self.found(document.doc_id, MARK, MARK_QUESTION, self.client.baseline)
        return await self._changed(document.doc_id, number, began)

    async def delete(self, document: Source, number: int) -> Changed:
        """Delete a document while a generation fills: it goes at once from the one that serves."""
        began = time.monotonic()
        asked = words_of(document)
        await self.found(document.doc_id, "", asked, self.client.baseline)
        await self.story.job.delete([document.doc_id], self.story.silent)
        await self.gone(document.doc_id, asked, self.client.baseline)
        return await self._changed(document.doc_id, number, began)

    async def caught_up(self, edited: Source, deleted: Source, number: int) -> None:
        """The filled generation holds the edit, and does not hold what was deleted."""
        await self.found(edited.doc_id, MARK, MARK_QUESTION, number)
        await self.gone(deleted.doc_id, words_of(deleted), number)

    def gated(self, report: Report) -> None:
        """The gate passed, and the registry says so of the version. Blocks."""
        said = f"it said {report.verdict}: {report.reason}"
        check(report.verdict is Verdict.PASS, "the gate lets the second model through", said)
        held = self.registry.versions(self.model)[0].tags
        check(held.get(tags.GATE) == Verdict.PASS.value, "the registry keeps the verdict", f"it holds {held}")

    async def served(self, version: ModelVersion, number: int) -> dict[str, Any]:
        """The same question, answered by the new generation and its model, with citations."""
        answer = await self.story.ask(QUESTION)
        _by(answer, number)
        fingerprint = version.ref.fingerprint
        check(answer["model"] == fingerprint, "its own model encodes the question", f"it was {answer['model']}")
        return answer

    async def edit_later(self, document: Source, number: int) -> None:
        """An edit while the new generation serves: readers find it."""
        await self.story.job.publish([insert(document, LATER)], self.story.silent)
        await self.found(document.doc_id, LATER, LATER_QUESTION, number)

    async def back(self, edited: Source, number: int) -> dict[str, Any]:
        """The old generation answers again, and holds what was written while the new one served."""
        pair = await self.client.get(number)
        check(pair.status is GenerationState.ROLLED_BACK, f"generation {number} was rolled back", f"is {pair.status}")
        answer = await self.before()
        await self.found(edited.doc_id, LATER, LATER_QUESTION, None)
        return answer

    async def found(self, doc_id: str, sentence: str, asked: str, generation: int | None) -> None:
        """A sentence of a document is found soon (an empty one: the document)."""
        claim = f"{doc_id} is found in {_named(generation)} within {FOUND_S:g} s"
        check(await self._soon(asked, doc_id, sentence, generation, there=True), claim, "it is not")

    async def gone(self, doc_id: str, asked: str, generation: int | None) -> None:
        """A document is not found any more, soon."""
        claim = f"deleted {doc_id} is gone from {_named(generation)} within {FOUND_S:g} s"
        check(await self._soon(asked, doc_id, "", generation, there=False), claim, "it is still found")

    async def _soon(self, asked: str, doc_id: str, sentence: str, generation: int | None, *, there: bool) -> bool:
        """Ask until it is as expected. A service that is still loading a generation's model is asked again."""
        question, began = replace(self.story.question(asked), k=50, generation=generation), time.monotonic()
        while True:
            late = time.monotonic() - began > FOUND_S
            try:
                if holds((await self.story.query.search(question))["results"], doc_id, sentence) == there:
                    return True
            except UsageError:
                raise
            except StandaloneError:
                if late:
                    raise
            if late:
                return False
            await asyncio.sleep(LOOK_S)

    async def _changed(self, doc_id: str, number: int, began: float) -> Changed:
        pair = await self.client.get(number)
        return Changed(doc_id, time.monotonic() - began, pair.status, share(pair.side))


def holds(hits: Sequence[dict[str, Any]], doc_id: str, sentence: str) -> bool:
    """Whether hits hold a sentence of a document, however its lines were broken."""
    return any(hit["doc_id"] == doc_id and sentence in " ".join(hit["text"].split()) for hit in hits)


def words_of(document: Source, most: int = 300) -> str:
    """The beginning of a document, as a question that finds it."""
    text = " ".join(document.content.decode(errors="replace").replace("#", " ").split())
    return text if len(text) <= most else text[:most].rsplit(" ", 1)[0]


def share(side: IndexGeneration) -> float:
    """How much of what was there when filling began is filled, 0..1."""
    whole = side.counts.get("offsets", 0)
    return side.counts.get("done", 0) / whole if whole else 0.0


def chosen(corpus: Sequence[Source], cited: Sequence[str]) -> tuple[Source, Source]:
    """A document to edit and one to delete, of those that the answer does not cite: the largest, so that the last one
    can be asked for by its words. Raises `UsageError` when there are too few."""
    others = [document for document in corpus if document.doc_id not in cited]
    if len(others) < 2:
        raise UsageError("--chars: too little text for this demo; give 100000 or more")
    first, second = sorted(others, key=lambda one: (-len(one.content), one.doc_id))[:2]
    return first, second


def _by(answer: dict[str, Any], generation: int) -> None:
    claim = f"generation {generation} answers"
    check(answer["generation"] == generation, claim, f"generation {answer['generation']} did")


def _named(generation: int | None) -> str:
    return "what serves" if generation is None else f"generation {generation}"
