"""Who serves which knowledge base, over all that could exist. Pure.

Selections name tenants and knowledge bases one by one, so a finite number of cases stands for every knowledge base:
each that is named, one unnamed of each tenant that is named, and one of a tenant that nobody names.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from roggia_runtime import generations
from roggia_schemas.errors import InvalidNameError
from roggia_schemas.events import IndexGeneration
from roggia_schemas.names import check_slug

_OTHER = "\0"
"""No tenant or domain can be called so: it stands for every one that is not named."""
ALL = "*"


class Base(NamedTuple):
    """A knowledge base, or all those that nobody names."""

    tenant: str
    domain: str

    def __str__(self) -> str:
        if self.tenant == _OTHER:
            return "every knowledge base that no selection names"
        return f"{self.tenant}/{ALL if self.domain == _OTHER else self.domain}"


def bases(rows: Iterable[IndexGeneration]) -> list[Base]:
    """Every case, by name."""
    entries = {entry.partition("/") for row in rows for entry in row.selection}
    named = {Base(tenant, domain) for tenant, _, domain in entries if domain != ALL}
    return sorted(named | {Base(tenant, _OTHER) for tenant, _, _ in entries} | {Base(_OTHER, _OTHER)})


def servers(rows: Sequence[IndexGeneration], baseline: int) -> dict[Base, int]:
    """The generation that serves each case."""
    return {base: generations.serving(rows, base.tenant, base.domain, baseline) for base in bases(rows)}


def served_by(number: int, rows: Sequence[IndexGeneration], baseline: int) -> list[Base]:
    """The cases that a generation serves."""
    return [base for base, server in servers(rows, baseline).items() if server == number]


def unserved(rows: Sequence[IndexGeneration], baseline: int) -> list[Base]:
    """The cases whose server does not follow the log: there must never be one."""
    following = generations.following(rows, baseline)
    return [base for base, server in servers(rows, baseline).items() if server not in following]


def beneath(row: IndexGeneration, rows: Sequence[IndexGeneration], baseline: int) -> list[int]:
    """The other generations that serve, now, what a generation's selection holds."""
    rows = [one for one in rows if one.generation != row.generation] + [row]
    found = {
        server
        for base, server in servers(rows, baseline).items()
        if generations.holds(row.selection, base.tenant, base.domain)
    }
    return sorted(found - {row.generation})


def check_selection(entries: Iterable[str]) -> tuple[str, ...]:
    """The entries, sorted, each once. Raises `InvalidNameError` for one that is no `tenant/domain` or `tenant/*`, and
    for one that another holds already."""
    found = sorted(set(entries))
    for entry in found:
        tenant, slash, domain = entry.partition("/")
        if not slash:
            raise InvalidNameError("select", entry, f"write tenant/domain, or {entry}/{ALL} for all of a tenant")
        check_slug("select", tenant)
        if domain != ALL:
            check_slug("select", domain)
            if f"{tenant}/{ALL}" in found:
                raise InvalidNameError("select", entry, f"leave it out: {tenant}/{ALL} holds it already")
    return tuple(found)
