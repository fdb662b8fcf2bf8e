"""Scores of answers by the judgements of their questions. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from roggia_operator.evaluation import metrics
from roggia_operator.evaluation.golden.model import GoldenQuery
from roggia_operator.evaluation.ports import Answer


class Scores(msgspec.Struct, frozen=True, kw_only=True):
    """What one answer is worth, 0 to 1 each. `empty`: nothing was found.

    `precision`: of the first `PROBED` places, or as many as there are relevant ones, the share that is relevant.
    """

    mrr: float
    ndcg: float
    recall: tuple[float, ...]
    precision: float
    empty: bool

    @property
    def measures(self) -> dict[str, float]:
        """The scores under the names that reports use."""
        recalls = {f"recall@{k}": value for k, value in zip(metrics.RECALL_DEPTHS, self.recall, strict=True)}
        rest = {f"precision@{metrics.PROBED}": self.precision, "zero results": float(self.empty)}
        return {"mrr@10": self.mrr, "ndcg@10": self.ndcg} | recalls | rest


def ranking(query: GoldenQuery, answer: Answer) -> tuple[str, ...]:
    """What was found, as the question is judged: passages, or documents by their best passage."""
    keys = ((hit.chunk_id if query.by_chunk else hit.doc_id) for hit in answer.hits)
    return tuple(dict.fromkeys(keys))


def score(query: GoldenQuery, answer: Answer) -> Scores:
    """Scores of one answer."""
    found, grades = ranking(query, answer), query.grades
    return Scores(
        mrr=metrics.reciprocal_rank(found, grades),
        ndcg=metrics.ndcg(found, grades),
        recall=tuple(metrics.recall(found, grades, k) for k in metrics.RECALL_DEPTHS),
        precision=metrics.precision(found, grades),
        empty=not found,
    )


def leaked(query: GoldenQuery, answer: Answer) -> tuple[str, ...]:
    """Relevant documents that an answer shows, for an answer to groups that may see none of them."""
    secret = {one.doc_id for one in query.relevant}
    return tuple(dict.fromkeys(hit.doc_id for hit in answer.hits if hit.doc_id in secret))


def neighbours(approximate: Sequence[str], exact: Sequence[str], k: int = metrics.DEPTH) -> float:
    """Recall of the approximate index: the share of the true first `k` that it found; 1 when there are none."""
    wanted = set(exact[:k])
    return len(wanted.intersection(approximate[:k])) / len(wanted) if wanted else 1.0
