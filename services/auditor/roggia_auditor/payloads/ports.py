"""What payloads need from outside: a store of keys and a store of ciphertexts, apart from each other."""

from __future__ import annotations

from typing import NamedTuple, Protocol


class Place(NamedTuple):
    """Which payload: whose, of which event, and what it is (`prompt`, `answer`)."""

    tenant: str
    subject: str
    event_id: str
    kind: str


class SubjectKey(NamedTuple):
    """A subject's key as it is stored: encrypted under the master key. `key_id` is random, and nobody's name."""

    key_id: str
    wrapped: bytes


class Extent(NamedTuple):
    """What is kept under a key: how many payloads, and when the first and the last came (ms since 1970; 0: none)."""

    payloads: int
    oldest: int
    newest: int


class KeyStore(Protocol):
    """Keys of subjects. Raises `LedgerUnavailableError` when the database does not answer now."""

    async def start(self) -> None:
        """Connect and create what is missing."""
        ...

    async def stop(self) -> None:
        """Let go of the connection. Safe to call twice."""
        ...

    async def get(self, tenant: str, subject: str) -> SubjectKey | None:
        """A subject's key; None where there is none (any more)."""
        ...

    async def add(self, tenant: str, subject: str, key: SubjectKey) -> SubjectKey:
        """Keep a key for a subject that has none; the key that it has then: of two that come at once, the first."""
        ...

    async def destroy(self, key_id: str) -> bool:
        """Remove a key so that the database's file does not hold it either; whether it was there.

        PostgreSQL keeps it until the page is vacuumed, which is asked for; backups keep it as long as they are kept.
        """
        ...


class CiphertextStore(Protocol):
    """Encrypted payloads, by their key's id: no name of a subject is in it."""

    async def start(self) -> None:
        """Connect and create what is missing."""
        ...

    async def stop(self) -> None:
        """Let go of the connection. Safe to call twice."""
        ...

    async def put(self, key_id: str, event_id: str, kind: str, body: bytes, at: int) -> None:
        """Keep one, in place of an earlier one of the same name. `at` is in milliseconds since 1970."""
        ...

    async def get(self, key_id: str, event_id: str, kind: str) -> bytes | None:
        """One of them; None where it is not there."""
        ...

    async def extent(self, key_id: str) -> Extent:
        """What is kept under a key."""
        ...

    async def delete(self, key_id: str) -> int:
        """Remove everything under a key; how many that were."""
        ...
