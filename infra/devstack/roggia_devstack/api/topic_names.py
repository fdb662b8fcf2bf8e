"""Which names a topic may have."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

_LONGEST: Final = 249
_LEGAL: Final = re.compile(r"[a-zA-Z0-9._-]+")


def problem(name: str) -> str | None:
    """Why `name` is no topic name by Kafka's rules, or None when it is one."""
    if len(name) > _LONGEST:
        return f"topic name has {len(name)} characters; at most {_LONGEST} are allowed"
    if name in {"", ".", ".."}:
        return f"topic name {name!r} is not allowed"
    if not _LEGAL.fullmatch(name):
        return f"topic name {name!r} may hold only ASCII letters, digits, '.', '_' and '-'"
    return None


def colliding(name: str, others: Iterable[str]) -> str | None:
    """The topic that `name` cannot be told from in metric names, where Kafka writes '.' as '_'; or None."""
    seen = name.replace(".", "_")
    return next((other for other in others if other.replace(".", "_") == seen), None)
