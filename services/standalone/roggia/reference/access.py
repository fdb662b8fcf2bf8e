"""The page of ACLs, from the catalogue and the roles."""

from __future__ import annotations

from roggia_schemas import topics

from roggia.access import roles
from roggia.cli.topic_plan import grouped

INTRO = """# ACLs

What each role may do on a secured cluster, for the first generation of every topic: what `roggia topics apply` makes
([how](../how-to/secure.md)). A name that ends in `*` is a prefix. Whoever reads or writes may also describe.
"""


def page() -> str:
    """One table for each role, one for the systems around Roggia."""
    specs = topics.catalogue()
    inside = [_table(f"`{role}`", [what for _, what in grouped(roles.acls(role, "", specs))]) for role in roles.ROLES]
    outside = [f"publisher: {what}" for _, what in grouped(roles.publisher(""))]
    outside += [f"consumer: {what}" for _, what in grouped(roles.consumer("", ["TOPIC"], "GROUP"))]
    return "\n".join([INTRO, *inside, _table("Systems around Roggia", outside)])


def _table(title: str, lines: list[str]) -> str:
    rows = [f"| {operations} | `{on}` |" for operations, _, on in (line.partition(" on ") for line in lines)]
    return "\n".join([f"## {title}\n", "| may | on |", "|---|---|", *rows, ""])
