"""Does retrieval still keep its objective? Precision at k, as feedback or probes with known answers measured it."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from roggia_operator.evaluation.drift.trigger import Kind, Trigger
from roggia_operator.evaluation.errors import EvaluationError
from roggia_operator.evaluation.statistics import bootstrap

ALPHA = 0.01


def precision(found: ArrayLike, objective: float, *, alpha: float = ALPHA, seed: int = bootstrap.SEED) -> Trigger:
    """Compare precisions of single questions (0..1) with the objective of their mean; `value` is the mean.

    Fires when the mean's upper bound lies below the objective: it is shown to be missed, whatever the number of
    questions. Raises `EvaluationError` for no question, or a precision outside 0..1.
    """
    values = np.asarray(found, dtype=np.float64)
    if values.ndim != 1 or not len(values) or not np.all((values >= 0) & (values <= 1)):
        raise EvaluationError("precision: give one number in 0..1 for each question, and at least one question")
    column = values[:, None]
    high = float(bootstrap.resample(column, np.ones_like(column), seed=seed).high(alpha)[0])
    evidence = {"upper bound": high, "questions": float(len(values))}
    return Trigger(
        kind=Kind.PRECISION,
        fired=high < objective,
        value=float(values.mean()),
        threshold=objective,
        evidence=evidence,
    )
