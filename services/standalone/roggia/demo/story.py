"""What the demo shows, step by step, and the check behind every sentence it prints. Needs a running stack."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from roggia_schemas.events import DocUpserted

from roggia.errors import StandaloneError
from roggia.publishing.events import Source
from roggia.publishing.job import Job, Progress
from roggia.query_client import QueryClient, Question

QUESTION = "When is the else clause of a try statement executed?"
MARK = "The heron of the demo watches the sluice at dawn and counts every fish that passes the mill."
MARK_QUESTION = "What does the heron watch at dawn?"


class DemoFailedError(StandaloneError):
    """A step of the demo did not hold. The message says which claim, and what was seen instead."""


@dataclass(frozen=True, slots=True)
class Indexed:
    """What publishing the corpus came to."""

    documents: int
    chunks: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Edited:
    """What one edit cost: `embedded` of `chunks` vectors were computed anew."""

    doc_id: str
    chunks: int
    embedded: int
    kept: int


@dataclass(frozen=True, slots=True)
class Story:
    """The steps, on one tenant's domain. Each returns what it claims, or raises `DemoFailedError`."""

    job: Job
    query: QueryClient
    silent: Progress

    async def index(self, corpus: Sequence[Source], watch: Progress) -> tuple[Indexed, dict[str, DocUpserted]]:
        """Publish the corpus and wait until every document is searchable."""
        began = time.monotonic()
        tracker = await self.job.publish(corpus, watch)
        if tracker.failed:
            first = tracker.failed[0]
            raise DemoFailedError(f"{len(tracker.failed)} documents were refused, first {first.doc_id}: {first.reason}")
        check(len(tracker.indexed) == len(corpus), "every document is searchable", f"{len(tracker.indexed)} are")
        return Indexed(len(corpus), tracker.chunks, time.monotonic() - began), tracker.indexed

    async def ask(self, text: str = QUESTION) -> dict[str, Any]:
        """A cited answer."""
        reply = await self.query.ask(self.question(text))
        check(bool(reply["answer"] and reply["citations"]), "the answer cites documents", "no citation came")
        return reply

    def question(self, text: str) -> Question:
        """A question to the demo's domain."""
        return Question(self.job.target.tenant, self.job.target.domain, text, k=6)

    async def edit(self, document: Source) -> Edited:
        """Insert one sentence into the middle of a document; find it; count what was embedded again."""
        tracker = await self.job.publish([insert(document, MARK)], self.silent)
        event = tracker.indexed.get(document.doc_id)
        if event is None:
            raise DemoFailedError(f"the edited {document.doc_id} was refused: {tracker.failed[0].reason}")
        check(
            0 < event.embedded < event.chunks,
            "an edit embeds some chunks, not all",
            f"{event.embedded} of {event.chunks} were",
        )
        found = await self.query.search(self.question(MARK_QUESTION))
        texts = [hit["text"] for hit in found["results"] if hit["doc_id"] == document.doc_id]
        check(any(MARK in " ".join(text.split()) for text in texts), "the new sentence is found", "it is not")
        return Edited(document.doc_id, event.chunks, event.embedded, event.kept)

    async def delete(self, doc_id: str) -> dict[str, Any]:
        """Delete a document and ask again: nothing of it may be cited or found."""
        tracker = await self.job.delete([doc_id], self.silent)
        event = tracker.indexed.get(doc_id)
        check(bool(event and event.deleted), "the deletion reached the index", "no confirmation came")
        question = self.question(QUESTION)
        answer, found = await self.query.ask(question), await self.query.search(replace(question, k=50))
        seen = [hit["doc_id"] for hit in (*answer["citations"], *found["results"])]
        check(doc_id not in seen, "a deleted document is never found", f"{doc_id} is")
        return answer


def insert(document: Source, sentence: str) -> Source:
    """The document with a paragraph of its own near the middle, between two paragraphs."""
    paragraphs = document.content.decode(errors="replace").split("\n\n")
    half = max(1, len(paragraphs) // 2)
    text = "\n\n".join([*paragraphs[:half], sentence, *paragraphs[half:]])
    return replace(document, content=text.encode())


def to_edit(corpus: Sequence[Source], indexed: dict[str, DocUpserted], spared: str) -> Source:
    """The document with most chunks, so that the saving can be seen; not the one that will be deleted."""
    others = [document for document in corpus if document.doc_id != spared]
    return max(others, key=lambda document: (indexed[document.doc_id].chunks, document.doc_id))


def check(holds: bool, claim: str, seen: str) -> None:
    """Raises `DemoFailedError`, with the claim and what was seen instead, unless it holds."""
    if not holds:
        raise DemoFailedError(f"the demo failed: it should hold that {claim}, but {seen}")
