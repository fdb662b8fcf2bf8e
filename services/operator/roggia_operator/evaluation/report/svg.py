"""Small pictures as inline SVG: no script, no font, no host. Colours come from the page, so that it can be dark too.

Each has a title and a description for those who do not see it; the page shows the same numbers in a table.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

WIDTH = 720


@dataclass(frozen=True, slots=True)
class Scale:
    """Numbers from `low` to `high` on pixels from `start` to `end`."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        """The pixel of a number; numbers beyond the scale stop at its ends."""
        share = (min(max(value, self.low), self.high) - self.low) / ((self.high - self.low) or 1.0)
        return round(self.start + share * (self.end - self.start), 1)


def figure(name: str, title: str, description: str, height: float, parts: Iterable[Markup]) -> Markup:
    """The whole picture; `name` is unique in the page."""
    return Markup(
        '<svg viewBox="0 0 {width} {height}" role="img" aria-labelledby="{name}-t {name}-d">'
        '<title id="{name}-t">{title}</title><desc id="{name}-d">{description}</desc>{body}</svg>'
    ).format(width=WIDTH, height=height, name=name, title=title, description=description, body=Markup("").join(parts))


def line(x1: float, y1: float, x2: float, y2: float, kind: str) -> Markup:
    """A line of a class of the page's style."""
    return Markup('<line x1="{}" y1="{}" x2="{}" y2="{}" class="{}"/>').format(x1, y1, x2, y2, kind)


def rect(x: float, y: float, width: float, height: float, kind: str) -> Markup:
    """A filled rectangle."""
    return Markup('<rect x="{}" y="{}" width="{}" height="{}" class="{}"/>').format(
        round(x, 1), round(y, 1), round(width, 1), round(height, 1), kind
    )


def text(x: float, y: float, words: str, kind: str = "", anchor: str = "start") -> Markup:
    """Words; `anchor` is start, middle or end."""
    return Markup('<text x="{}" y="{}" class="{}" text-anchor="{}">{}</text>').format(x, y, kind, anchor, words)


def path(points: Sequence[tuple[float, float]], kind: str) -> Markup:
    """A line through points."""
    steps = " ".join(f"{'L' if at else 'M'}{x} {y}" for at, (x, y) in enumerate(points))
    return Markup('<path d="{}" class="{}"/>').format(steps, kind)


def disc(x: float, y: float, kind: str) -> Markup:
    """A small disc, or a ring, by its class."""
    return Markup('<circle cx="{}" cy="{}" r="5" class="{}"/>').format(_one(x), _one(y), kind)


def mark(x: float, y: float, verdict: str) -> Markup:
    """A verdict's mark, told apart by shape, not by colour alone: a disc passes, a cross fails, a ring is open."""
    if verdict == "fail":
        left, right, top, bottom = _one(x - 5), _one(x + 5), _one(y - 5), _one(y + 5)
        return line(left, top, right, bottom, "mark fail") + line(left, bottom, right, top, "mark fail")
    return Markup('<circle cx="{}" cy="{}" r="5" class="mark {}"/>').format(_one(x), _one(y), verdict)


def _one(value: float) -> float:
    return round(value, 1)
