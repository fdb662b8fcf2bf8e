"""Pictures of a comparison in the shadow: how far answers agree, by slice too, and how many find nothing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup

from roggia_operator.evaluation.judging import FLOOR
from roggia_operator.evaluation.report import svg
from roggia_operator.evaluation.report.svg import WIDTH, Scale
from roggia_operator.evaluation.shadow.model import ShadowSlice

_BINS = 10
_TALL, _FOOT, _ROW = 150, 34, 26
_LEFT, _RIGHT, _SIDE = 250, 20, 40


def agreement(name: str, title: str, values: Sequence[float]) -> Markup:
    """How many questions agree how far, in tenths; 1 has a bar of its own: exactly the same."""
    counts = _tenths(values)
    across, up = Scale(0, _BINS + 1, _SIDE, WIDTH - _RIGHT), Scale(0, max(1, *counts), _TALL, 18)
    parts = [svg.line(across.at(0), _TALL, across.at(_BINS + 1), _TALL, "axis")]
    for at, count in enumerate(counts):
        left, width = across.at(at) + 2, across.at(at + 1) - across.at(at) - 4
        kind = "bar far" if at < FLOOR * _BINS else "bar gain"
        parts.append(svg.rect(left, up.at(count), width, _TALL - up.at(count), kind))
        label = "1" if at == _BINS else f"{at / _BINS:.1f}–"
        parts.append(svg.text(left + width / 2, _TALL + 16, label, "tick", "middle"))
        if count:
            parts.append(svg.text(left + width / 2, up.at(count) - 4, str(count), "tick", "middle"))
    said = f"{counts[-1]} of {len(values)} questions agree wholly, {sum(counts[:5])} by less than half."
    return svg.figure(name, title, said, _TALL + _FOOT, parts)


def by_slice(slices: Sequence[ShadowSlice]) -> Markup:
    """One row a slice: mean overlap (disc) and mean RBO (ring); dashes where an alarm begins."""
    shown = [one for one in slices if one.overlap is not None and one.rbo is not None]
    scale, bottom = Scale(0, 1, _LEFT, WIDTH - _RIGHT), _ROW * len(shown) + 6
    parts = [svg.line(scale.at(FLOOR), 0, scale.at(FLOOR), bottom, "margin")]
    for at, one in enumerate(shown):
        parts += _row(one, scale, _ROW * at + _ROW / 2)
    parts += [svg.text(scale.at(x), bottom + 16, f"{x:g}", "tick", "middle") for x in (0, 0.25, 0.5, 0.75, 1)]
    said = "; ".join(f"{one.slice}: overlap {one.overlap:.2f}, RBO {one.rbo:.2f}" for one in shown)
    return svg.figure("agree-slices", "Mean overlap and RBO by slice", said, bottom + _FOOT, parts)


def nothing_found(slices: Sequence[ShadowSlice], names: tuple[str, str]) -> Markup:
    """One pair of bars a slice: share of questions that find nothing, old above new."""
    tall = _ROW + 8
    most = max([0.01, *(share for one in slices for share in (one.empty.old, one.empty.new))])
    scale, bottom = Scale(0, most, _LEFT, WIDTH - 70), tall * len(slices) + 2
    parts = [svg.line(_LEFT, 0, _LEFT, bottom, "axis")]
    for at, one in enumerate(slices):
        top = tall * at + 4
        parts.append(svg.text(_LEFT - 10, top + 17, f"{one.slice} ({one.queries})", "label", "end"))
        for place, (kind, share) in enumerate((("old", one.empty.old), ("new", one.empty.new))):
            y = top + 13 * place
            parts.append(svg.rect(_LEFT, y, max(1.0, scale.at(share) - _LEFT), 11, f"bar {kind}"))
            parts.append(svg.text(max(_LEFT + 1, scale.at(share)) + 6, y + 10, f"{share:.1%}", "tick"))
    said = "; ".join(f"{one.slice}: {one.empty.old:.1%} and {one.empty.new:.1%}" for one in slices)
    return svg.figure("empty", f"Questions that find nothing, {names[0]} and {names[1]}", said, bottom + 6, parts)


def _tenths(values: Sequence[float]) -> list[int]:
    """Counts of [0, 0.1), … [0.9, 1), and of 1."""
    whole = np.array(values) >= 1 - 1e-9
    rest = np.minimum((np.array(values)[~whole] * _BINS + 1e-9).astype(int), _BINS - 1)
    return [*np.bincount(rest, minlength=_BINS).tolist(), int(whole.sum())]


def _row(one: ShadowSlice, scale: Scale, middle: float) -> list[Markup]:
    overlap, rbo = scale.at(one.overlap or 0.0), scale.at(one.rbo or 0.0)
    return [
        svg.text(_LEFT - 10, middle + 4, f"{one.slice} ({one.compared})", "label", "end"),
        svg.line(scale.at(0), middle, scale.at(1), middle, "rule"),
        svg.disc(rbo, middle, "ring"),
        svg.disc(overlap, middle, "dot"),
    ]
