"""Documents made by chance but from a seed: Markdown with sections, lists, code, tables, sometimes something odd."""

from __future__ import annotations

import random
from collections.abc import Callable

_TEXT = (
    "river mill water wheel stone grain flour gate channel field lock weir sluice bank ditch flow season harvest "
    "configuration throughput partition the a of and to in is for with on as by from at that it be are or an this"
)
_WORDS = _TEXT.split()
_ODD = (
    "数据流和模型的更新需要保持一致。",
    "Übermäßig",
    "naïve",
    "😀",
    "x" * 150,
    "a.b.c",
    "[MASK]",
    "https://example.org/a-b_c?d=e",
)


class Texts:
    """Makes documents; the same seed makes the same ones."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def document(self, sections: int = 12) -> str:
        """A title and `sections` sections of levels 2 and 3."""
        parts = [f"# {self._words(3)}", self.paragraph()]
        return "\n\n".join([*parts, *(self.section() for _ in range(sections))]) + "\n"

    def section(self) -> str:
        """A heading and one to six blocks."""
        makers: list[Callable[[], str]] = [self.paragraph] * 6 + [self.bullets, self.code, self.table]
        blocks = [self._random.choice(makers)() for _ in range(self._random.randint(1, 6))]
        return "\n\n".join([f"{'#' * self._random.choice((2, 2, 3))} {self._words(3)}", *blocks])

    def paragraph(self) -> str:
        """One to eight sentences, sometimes over several lines."""
        joint = self._random.choice((" ", "\n"))
        return joint.join(self.sentence() for _ in range(self._random.randint(1, 8)))

    def sentence(self) -> str:
        """Four to twenty-five words, rarely an odd one among them."""
        words = self._words(self._random.randint(4, 25))
        odd = f" {self._random.choice(_ODD)}" if self._random.random() < 0.03 else ""
        return f"{words.capitalize()}{odd}."

    def bullets(self) -> str:
        """Two to nine items."""
        return "\n".join(f"- {self.sentence()}" for _ in range(self._random.randint(2, 9)))

    def code(self) -> str:
        """A fence of one to twenty lines."""
        lines = [f"    {self._words(2).replace(' ', '_')} = {n}" for n in range(self._random.randint(1, 20))]
        return "\n".join(["```python", *lines, "```"])

    def table(self) -> str:
        """A table of one to forty rows."""
        rows = [f"| {self._words(2)} | {self._words(6)} |" for _ in range(self._random.randint(1, 40))]
        return "\n".join(["| name | meaning |", "|---|---|", *rows])

    def _words(self, count: int) -> str:
        return " ".join(self._random.choices(_WORDS, k=count))
