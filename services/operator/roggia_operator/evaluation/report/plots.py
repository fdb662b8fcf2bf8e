"""The report's pictures: differences by slice with their intervals, their distribution, latency."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup

from roggia_operator.evaluation.report import svg
from roggia_operator.evaluation.report.svg import WIDTH, Scale
from roggia_operator.evaluation.slices import EVERYTHING
from roggia_operator.evaluation.verdict import Compared, GateSettings

_ROW, _LEFT, _RIGHT, _FOOT = 26, 250, 20, 34
_BINS = 20
_TALL = 180


def differences(compared: Sequence[Compared], settings: GateSettings) -> Markup:
    """One row a slice: the mean difference, its interval, 0 and the margin of the row."""
    reach = max([0.05, *(abs(bound) for one in compared for bound in (one.low, one.high, _margin(one, settings)))])
    scale, bottom = Scale(-reach, reach, _LEFT, WIDTH - _RIGHT), _ROW * len(compared) + 6
    parts = [svg.line(scale.at(0), 0, scale.at(0), bottom, "axis")]
    for at, one in enumerate(compared):
        parts += _row(one, scale, _ROW * at + _ROW / 2, scale.at(-_margin(one, settings)))
    for value, label in ((-reach, f"{-reach:.2f}"), (0, "0"), (reach, f"+{reach:.2f}")):
        parts.append(svg.text(scale.at(value), bottom + 16, label, "tick", "middle"))
    said = "; ".join(f"{one.slice} {one.difference:+.3f} ({one.low:+.3f} to {one.high:+.3f})" for one in compared)
    title = f"Difference of {compared[0].measure} by slice, new minus old"
    return svg.figure(f"diff-{compared[0].measure.partition('@')[0]}", title, said, bottom + _FOOT, parts)


def distribution(values: Sequence[float], measure: str) -> Markup:
    """How many questions gain and lose how much; those without a difference are told, not drawn."""
    moved = np.array([value for value in values if value])
    counts, edges = np.histogram(moved, bins=_BINS, range=(-1, 1))
    across, up = Scale(-1, 1, 40, WIDTH - _RIGHT), Scale(0, max(1, int(counts.max())), _TALL, 10)
    parts = [svg.line(across.at(-1), _TALL, across.at(1), _TALL, "axis")]
    for count, low, high in zip(counts.tolist(), edges[:-1], edges[1:], strict=True):
        kind = "bar loss" if high <= 1e-9 else "bar gain"
        left, top = across.at(float(low)), up.at(count)
        parts.append(svg.rect(left + 1, top, across.at(float(high)) - left - 2, _TALL - top, kind))
    parts += [svg.text(across.at(x), _TALL + 16, f"{x:+.1f}", "tick", "middle") for x in (-1, -0.5, 0, 0.5, 1)]
    parts.append(svg.text(36, 14, f"{int(counts.max())}", "tick", "end"))
    gained, lost = int((moved > 0).sum()), int((moved < 0).sum())
    said = f"{gained} questions gain, {lost} lose, {len(values) - len(moved)} do not change."
    return svg.figure("spread", f"Distribution of differences of {measure}", said, _TALL + _FOOT, parts)


def latency(sides: Sequence[tuple[str, Sequence[float]]]) -> Markup:
    """Share of questions answered within a time, one line a side, as far as the slowest side's 99th percentile."""
    longest = max(float(np.quantile(seconds, 0.99)) for _, seconds in sides) or 1.0
    across, up = Scale(0, longest, 40, WIDTH - _RIGHT), Scale(0, 1, _TALL, 10)
    parts = [svg.line(40, up.at(y), WIDTH - _RIGHT, up.at(y), kind) for y, kind in ((0, "axis"), (0.95, "margin"))]
    for at, (name, seconds) in enumerate(sides):
        parts += _curve(at, name, seconds, (across, up))
    for x in (0, longest / 2, longest):
        parts.append(svg.text(across.at(x), _TALL + 16, f"{x * 1000:.0f} ms", "tick", "middle"))
    parts += [svg.text(36, up.at(y) + 4, f"{y:.0%}", "tick", "end") for y in (0, 0.5, 0.95)]
    said = "; ".join(f"{name}: half within {np.median(seconds) * 1000:.0f} ms" for name, seconds in sides)
    return svg.figure("latency", "Share of questions answered within a time", said, _TALL + _FOOT, parts)


def _curve(at: int, name: str, seconds: Sequence[float], scales: tuple[Scale, Scale]) -> list[Markup]:
    levels = np.linspace(0, 0.99, 100)
    across, up = scales
    points = [
        (across.at(x), up.at(y)) for x, y in zip(np.quantile(seconds, levels).tolist(), levels.tolist(), strict=True)
    ]
    key = svg.text(WIDTH - _RIGHT, _TALL - 30 + 18 * at, name, f"key side-{at}", "end")
    return [svg.path(points, f"curve side-{at}"), key]


def _row(one: Compared, scale: Scale, middle: float, margin: float) -> list[Markup]:
    return [
        svg.text(_LEFT - 10, middle + 4, f"{one.slice} ({one.queries})", "label", "end"),
        svg.line(margin, middle - _ROW / 2 + 2, margin, middle + _ROW / 2 - 2, "margin"),
        svg.line(scale.at(one.low), middle, scale.at(one.high), middle, "interval"),
        svg.mark(scale.at(one.difference), middle, one.verdict.value),
    ]


def _margin(one: Compared, settings: GateSettings) -> float:
    return settings.margin if one.slice == EVERYTHING else settings.slice_margin
