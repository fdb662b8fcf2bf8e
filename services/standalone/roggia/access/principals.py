"""Who is who: the principals of Roggia's roles and of the systems around it, by default or from a YAML file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
import yaml
from roggia_runtime.acls import Acl
from roggia_schemas.topics import TopicSpec

from roggia.access import roles
from roggia.errors import UsageError


class Consumer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A system that reads topics, in groups whose names begin with `group`."""

    principal: str
    topics: tuple[str, ...]
    group: str


class Principals(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`services` maps a role to its principal; null for a role that does not run here. Roles not named keep theirs."""

    services: dict[str, str | None] = {}
    publishers: tuple[str, ...] = ()
    consumers: tuple[Consumer, ...] = ()

    def of(self, role: str) -> str | None:
        """Principal of a role: `User:roggia-<role>` unless the file says otherwise."""
        return self.services.get(role, f"User:roggia-{role}")

    def managed(self) -> set[str]:
        """Principals whose ACLs are wholly described here, so that one more than that is a surplus."""
        outside = {*self.publishers, *(one.principal for one in self.consumers)}
        return outside | {one for role in roles.ROLES if (one := self.of(role)) is not None}

    def acls(self, specs: Sequence[TopicSpec]) -> set[Acl]:
        """Every ACL that should be there."""
        wanted: set[Acl] = set()
        for role in roles.ROLES:
            if (principal := self.of(role)) is not None:
                wanted |= roles.acls(role, principal, specs)
        for principal in self.publishers:
            wanted |= roles.publisher(principal)
        for one in self.consumers:
            wanted |= roles.consumer(one.principal, one.topics, one.group)
        return wanted


def load(path: Path | None) -> Principals:
    """Read a file; none gives the defaults. Raises `UsageError` naming what is wrong."""
    if path is None:
        return Principals()
    try:
        found = msgspec.convert(yaml.safe_load(path.read_text("utf-8")) or {}, Principals)
    except OSError as error:
        raise UsageError(f"--principals: {path}: {error.strerror}") from None
    except (ValueError, yaml.YAMLError) as error:  # msgspec's errors are ValueErrors
        raise UsageError(f"--principals: {path}: {' '.join(str(error).split())}") from None
    _check(found, path)
    return found


def _check(found: Principals, path: Path) -> None:
    for role in found.services:
        if role not in roles.ROLES:
            raise UsageError(f"--principals: {path}: no role {role!r}; there are {', '.join(roles.ROLES)}")
    for principal in found.managed():
        check_principal(f"--principals: {path}", principal)


def check_principal(where: str, principal: str) -> None:
    """Raises `UsageError` unless it is `User:NAME`, of one user. `where` names the option that holds it."""
    kind, _, name = principal.partition(":")
    if kind != "User" or name in ("", "*"):
        raise UsageError(f"{where}: {principal!r} is no principal; write User:NAME")
