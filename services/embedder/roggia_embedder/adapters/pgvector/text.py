"""Text as PostgreSQL takes it: it has no U+0000, which a title or a metadata value may hold.

U+E000, a private character, stands before what it stands for, so that everything comes back as it was written.
"""

from __future__ import annotations

import re
from typing import TypeVar

S = TypeVar("S", str, str | None)

_MARK = "\ue000"
_SAID = {_MARK: f"{_MARK}1", "\0": f"{_MARK}0"}
_MEANT = {said: meant for meant, said in _SAID.items()}
_TO_SAY = re.compile(f"[\0{_MARK}]")
_TO_MEAN = re.compile(f"{_MARK}[01]")


def stored(text: S) -> S:
    """What to write, and what to compare with. Equal texts stay equal, different ones different."""
    return text if text is None else _TO_SAY.sub(lambda found: _SAID[found[0]], text)


def meant(text: S) -> S:
    """What `stored` was given."""
    return text if text is None else _TO_MEAN.sub(lambda found: _MEANT[found[0]], text)
