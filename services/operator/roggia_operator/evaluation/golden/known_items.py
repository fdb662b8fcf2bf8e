"""Known-item questions from the corpus itself: a document's title or first sentence must find the document.

Known-item search as a test collection without judges goes back to Azzopardi, de Rijke and Balog (SIGIR 2007). The words
of the question stand in the document, which search by words finds trivially. Two remedies: every question carries the
share of its words that are copied, and those above `MUCH` a tag, so that both kinds are seen apart; and `Plan.rare`
takes the words out that few documents hold, which leaves what a search by meaning has to work with.
"""

from __future__ import annotations

import hashlib
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from roggia_operator.evaluation.corpus.documents import Document
from roggia_operator.evaluation.golden.model import GoldenQuery, Judged
from roggia_operator.evaluation.golden.words import copied, words

EVERYBODY = "*"
MUCH = 0.8
VERBATIM, TITLE, SENTENCE = "verbatim", "title", "sentence"


@dataclass(frozen=True, slots=True)
class Plan:
    """What to make: at most `most` questions per knowledge base, chosen by a hash with `seed`.

    Each has `least_words` to `most_chars`: a model's window refuses questions that are longer still. `rare`: words that
    at most so many documents of the knowledge base hold are taken out of the question; 0: none are.
    """

    most: int = 1_000
    least_words: int = 3
    most_chars: int = 400
    rare: int = 0
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Made:
    """Questions, and how many documents gave none, by reason."""

    queries: tuple[GoldenQuery, ...]
    skipped: Counter[str] = field(default_factory=Counter)


def make(documents: Iterable[Document], plan: Plan | None = None) -> Made:
    """Questions from living documents. Deterministic: the same corpus and plan give the same questions."""
    plan, skipped = plan or Plan(), Counter[str]()
    bases: dict[tuple[str, str], list[Document]] = {}
    for document in documents:
        bases.setdefault((document.tenant, document.domain), []).append(document)
    queries: list[GoldenQuery] = []
    for base in bases.values():
        queries += _of_base(base, plan, skipped)
    return Made(tuple(queries), skipped)


def _of_base(base: Sequence[Document], plan: Plan, skipped: Counter[str]) -> list[GoldenQuery]:
    giveaways = _rare_words(base, plan.rare)
    groups = sorted({group for document in base for group in document.acl} - {EVERYBODY})
    asked = {document.doc_id: _question(document, giveaways, plan) for document in base}
    often = Counter(text for text, _ in asked.values())
    made: list[GoldenQuery] = []
    for document in sorted(base, key=lambda one: _place(one, plan.seed)):
        text, kind = asked[document.doc_id]
        if not text:
            skipped["too few words, or too many"] += 1
        elif often[text] > 1:
            skipped["another document asks the same"] += 1
        elif len(made) == plan.most:
            skipped["enough of its knowledge base"] += 1
        else:
            made.append(_query(document, text, kind, groups))
    return made


def _question(document: Document, giveaways: frozenset[int], plan: Plan) -> tuple[str, str]:
    """Text and kind; an empty text where neither title nor sentence will do."""
    for text, kind in ((document.title, TITLE), (document.sentence, SENTENCE)):
        kept = _without(text, giveaways) if giveaways else " ".join(text.split())
        if len(kept) <= plan.most_chars and len(words(kept)) >= plan.least_words:
            return kept, kind
    return "", ""


def _query(document: Document, text: str, kind: str, groups: Sequence[str]) -> GoldenQuery:
    share = copied(text, document.words)
    open_ = EVERYBODY in document.acl
    return GoldenQuery(
        query=text,
        tenant=document.tenant,
        domain=document.domain,
        groups=() if open_ else document.acl[:1],
        language=document.language or None,
        relevant=(Judged(doc_id=document.doc_id),),
        forbidden=() if open_ else _forbidden(document, groups),
        tags=(f"known-{kind}", VERBATIM) if share >= MUCH else (f"known-{kind}",),
        copied=round(share, 3),
    )


def _forbidden(document: Document, groups: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """Nobody's groups, and all groups of the knowledge base that the document does not name."""
    others = tuple(group for group in groups if group not in document.acl)
    return ((), others) if others else ((),)


def _rare_words(base: Sequence[Document], most: int) -> frozenset[int]:
    if most < 1 or not base:
        return frozenset()
    found, counts = np.unique(np.concatenate([document.words for document in base]), return_counts=True)
    return frozenset(found[counts <= most].tolist())


def _without(text: str, giveaways: frozenset[int]) -> str:
    return " ".join(word for word in words(text) if zlib.crc32(word.encode()) not in giveaways)


def _place(document: Document, seed: int) -> bytes:
    return hashlib.sha256(f"{seed}/{document.tenant}/{document.doc_id}".encode()).digest()
