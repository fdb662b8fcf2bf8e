"""Probes beside relevance: does a generation show what it must not, and does its index find the true neighbours?"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from roggia_runtime.errors import UnavailableError

from roggia_operator.evaluation.asking import Depth, Failures, bounded, question
from roggia_operator.evaluation.errors import EvaluationError, WrongGenerationError
from roggia_operator.evaluation.golden.model import GoldenQuery
from roggia_operator.evaluation.metrics import DEPTH
from roggia_operator.evaluation.ports import Ask
from roggia_operator.evaluation.scoring import leaked, neighbours


@dataclass(frozen=True, slots=True)
class Leak:
    """A document shown to groups that may not see it."""

    query: str
    groups: tuple[str, ...]
    documents: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Probed:
    """Probes that were answered, those that were not, and what leaked."""

    answered: int
    failed: int
    leaks: tuple[Leak, ...]


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Recall of the approximate index over so many questions, and why it could not be measured, if so."""

    recall: float | None
    asked: int
    trouble: str = ""


async def acl(ask: Ask, queries: Sequence[GoldenQuery], generation: int | None, depth: Depth) -> Probed:
    """Ask every question as each of its forbidden groups. Raises as `asking.ask_all` does when too many fail."""
    probes = [(query, groups) for query in queries for groups in query.forbidden]
    failures = Failures(0, 0)

    async def work(_place: int, probe: tuple[GoldenQuery, tuple[str, ...]]) -> Leak | None:
        query, groups = probe
        try:
            answer = await ask(replace(question(query, generation, depth), groups=groups))
        except WrongGenerationError:
            raise
        except (EvaluationError, UnavailableError) as failed:
            failures.note(failed)
            return None
        shown = leaked(query, answer)
        return Leak(query.id, groups, shown) if shown else None

    found = await bounded(probes, work, depth.concurrency)
    leaks = tuple(leak for leak in found if leak is not None)
    return Probed(len(probes) - failures.count, failures.count, leaks)


async def ann(
    ask: Ask, queries: Sequence[GoldenQuery], generation: int | None, depth: Depth, sample: int
) -> Neighbours:
    """Compare approximate with exact search by meaning for a sample of the questions, chosen by hash."""
    chosen = sorted(queries, key=lambda query: hashlib.sha256(query.id.encode()).digest())[:sample]
    if not chosen:
        return Neighbours(None, 0, "not asked for")

    async def work(_place: int, query: GoldenQuery) -> float:
        asked = replace(question(query, generation, depth), mode="dense", k=DEPTH)
        near, exact = await ask(asked), await ask(replace(asked, exact=True))
        return neighbours([hit.chunk_id for hit in near.hits], [hit.chunk_id for hit in exact.hits])

    try:
        found = await bounded(chosen, work, depth.concurrency)
    except WrongGenerationError:
        raise
    except (EvaluationError, UnavailableError) as failed:
        return Neighbours(None, 0, str(failed))
    return Neighbours(sum(found) / len(found), len(found))
