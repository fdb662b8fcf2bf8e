"""Fakes for evaluations: query services whose generations answer as told, golden questions, documents."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from roggia_operator.evaluation.corpus.documents import Document
from roggia_operator.evaluation.golden.model import GoldenQuery, GoldenSet, Header, Judged
from roggia_operator.evaluation.golden.words import hashed
from roggia_operator.evaluation.ports import Answer, Hit, Question

Rule = Callable[[Question], Sequence[str]]
"""Documents that a generation finds for a question, best first."""


class FakeService:
    """An `Ask` in memory. `rules`: by generation, what it finds; what they raise is raised. It remembers questions."""

    def __init__(self, **rules: Rule) -> None:
        self._rules = {int(name.removeprefix("g")): rule for name, rule in rules.items()}
        self.asked: list[Question] = []
        self.at_once = self.most_at_once = 0

    async def __call__(self, question: Question) -> Answer:
        """Answer by the rule of the pinned generation."""
        self.asked.append(question)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await asyncio.sleep(0)
            generation = question.generation or 1
            found = self._rules[generation](question)
        finally:
            self.at_once -= 1
        hits = tuple(Hit(doc, f"{doc}#0", 1 / rank) for rank, doc in enumerate(found, 1))
        return Answer(hits, generation, f"kb__g{generation}", f"model-{generation}", 0.01 * generation)


def asked(number: int, **changes: object) -> GoldenQuery:
    """Question number N of tenant acme, whose answer is document `dN`."""
    facts: dict[str, object] = {
        "query": f"what says document {number}",
        "tenant": "acme",
        "domain": "docs",
        "relevant": (Judged(doc_id=f"d{number}"),),
    }
    return GoldenQuery(**(facts | changes))  # type: ignore[arg-type]


def golden(queries: Sequence[GoldenQuery]) -> GoldenSet:
    """A set of questions as if read from a file."""
    return GoldenSet(Header(id="test", manifest="m1"), tuple(queries), "0" * 64)


def wanted_document(question: Question) -> str:
    """The document that a question of `asked` asks for."""
    return f"d{question.query.rsplit(' ', 1)[-1]}"


def document(doc_id: str, text: str = "", **changes: object) -> Document:
    """A document of tenant acme, open to everybody."""
    facts: dict[str, object] = {
        "tenant": "acme",
        "domain": "docs",
        "doc_id": doc_id,
        "revision": 1,
        "epoch": 0,
        "content_sha256": "c" * 64,
        "acl": ("*",),
        "texts": ("a" * 64,),
        "words": hashed([text]),
    }
    return Document(**(facts | changes))  # type: ignore[arg-type]
