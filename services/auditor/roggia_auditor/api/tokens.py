"""Who may read what: tokens, kept as hashes in a YAML file that is read again when it changes."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import yaml
from roggia_schemas.errors import InvalidNameError
from roggia_schemas.names import check_slug

from roggia_auditor.errors import TokensError

PREFIX = "roggia_audit_"
"""What every token begins with, so that a leaked one is found by those who scan for secrets."""
_BYTES = 32
_SHA256 = 64


class Scope(StrEnum):
    """What a token is good for."""

    READ = "read"
    """Look-ups, usage, budgets, proofs, and who read."""
    EXPORT = "export"
    """Whole exports."""


@dataclass(frozen=True, slots=True)
class Grant:
    """One token. `tenants` None: every tenant."""

    name: str
    sha256: str
    tenants: frozenset[str] | None
    scopes: frozenset[Scope]

    def sees(self, tenant: str) -> bool:
        """Whether it is good for this tenant."""
        return self.tenants is None or tenant in self.tenants


class Tokens:
    """The file's tokens. A file that cannot be read is an error for every request, not an older state."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: tuple[int, int, int] | None = None
        self._grants: Mapping[str, Grant] = {}

    def load(self) -> None:
        """Read the file if it has changed. Raises `TokensError`, which names entry, value and remedy."""
        try:
            found = self._path.stat()
            stamp = (found.st_mtime_ns, found.st_size, found.st_ino)
            if stamp == self._stamp:
                return
            grants = parse(self._path.read_text(), str(self._path))
        except (OSError, UnicodeDecodeError) as error:
            raise TokensError(
                f"{self._path}: the tokens cannot be read ({error}); make one with `roggia audit token`"
            ) from error
        self._grants = {one.sha256: one for one in grants}
        self._stamp = stamp

    def problem(self) -> list[str]:
        """What is wrong with the file, in words. One that is not there is a choice: nobody may ask yet."""
        try:
            self.load()
        except TokensError as error:
            return [str(error)] if self._path.exists() else []
        return []

    def grant(self, token: str) -> Grant | None:
        """What a token is good for; None for one that the file does not hold. Raises `TokensError`."""
        self.load()
        # Looked up by its hash: how long that takes says nothing of the token.
        return self._grants.get(digest(token))


def generate() -> str:
    """A new token: 256 random bits, so that a plain hash of it hides it."""
    return PREFIX + secrets.token_urlsafe(_BYTES)


def digest(token: str) -> str:
    """What is kept of a token."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()


def entry(name: str, token: str, tenants: Sequence[str], scopes: Sequence[Scope]) -> str:
    """The YAML that grants a token; `tenants` empty: every tenant."""
    made = {
        "name": name,
        "sha256": digest(token),
        "tenants": list(tenants) or "*",
        "scopes": [one.value for one in scopes],
    }
    return yaml.safe_dump([made], sort_keys=False)


def parse(text: str, where: str = "tokens") -> Sequence[Grant]:
    """The grants in YAML. Raises `TokensError`."""
    try:
        found = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)  # its words would quote the file, and so perhaps a token
        at = "" if mark is None else f", line {mark.line + 1}"
        raise TokensError(f"{where}{at}: no YAML") from None
    if found is None:
        return ()
    if not isinstance(found, list):
        raise TokensError(f"{where}: a list of tokens is wanted (- name: …), not {type(found).__name__}")
    grants = [_grant(one, f"{where}, entry {number}") for number, one in enumerate(found, 1)]
    for kind in ("name", "sha256"):
        values = [getattr(one, kind) for one in grants]
        if twice := sorted({value for value in values if values.count(value) > 1}):
            raise TokensError(f"{where}: {kind} {twice[0]!r} is there twice; every token has its own")
    return grants


def _grant(given: object, where: str) -> Grant:
    if not isinstance(given, dict) or set(given) != {"name", "sha256", "tenants", "scopes"}:
        raise TokensError(f"{where}: an entry has name, sha256, tenants and scopes; make one with `roggia audit token`")
    name, hashed = given["name"], given["sha256"]
    if not isinstance(name, str) or not name.strip() or not name.isprintable():
        raise TokensError(f"{where}: name: {name!r} is no name; write a short text")
    if not isinstance(hashed, str) or len(hashed) != _SHA256 or set(hashed) - set("0123456789abcdef"):
        raise TokensError(f"{where}: sha256: it is no SHA-256 in hexadecimal (64 digits, quoted)")
    return Grant(name, hashed, _tenants(given["tenants"], where), _scopes(given["scopes"], where))


def _tenants(given: object, where: str) -> frozenset[str] | None:
    if given == "*":
        return None
    if not isinstance(given, list) or not given:
        raise TokensError(f"{where}: tenants: {given!r}: name them in a list, or write '*' for all")
    try:
        return frozenset(check_slug("tenants", str(one)) for one in given)
    except InvalidNameError as error:
        raise TokensError(f"{where}: {error}") from error


def _scopes(given: object, where: str) -> frozenset[Scope]:
    known = [one.value for one in Scope]
    if not isinstance(given, list) or not given or not set(map(str, given)) <= set(known):
        raise TokensError(f"{where}: scopes: {given!r}: a list of {', '.join(known)} is wanted")
    return frozenset(Scope(str(one)) for one in given)
