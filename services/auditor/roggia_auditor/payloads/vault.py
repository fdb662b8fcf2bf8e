"""Prompts and answers under keys of their subjects. No key and no content is kept in memory between two calls."""

from __future__ import annotations

from dataclasses import dataclass

from roggia_auditor.payloads.envelope import MasterKey, decrypted, encrypted
from roggia_auditor.payloads.ports import CiphertextStore, Extent, KeyStore, Place, SubjectKey


@dataclass(frozen=True, slots=True)
class Vault:
    """Keeps payloads of tenants that choose so. What its key is destroyed of is as if it had never been."""

    master: MasterKey
    keys: KeyStore
    ciphertexts: CiphertextStore

    async def start(self) -> None:
        """Connect both stores."""
        await self.keys.start()
        await self.ciphertexts.start()

    async def stop(self) -> None:
        """Disconnect both."""
        await self.keys.stop()
        await self.ciphertexts.stop()

    async def put(self, place: Place, content: bytes, at: int) -> None:
        """Keep a payload; `at` is when it came, milliseconds since 1970. A subject's first one makes its key."""
        tenant, subject, event_id, kind = place
        key = await self.keys.get(tenant, subject)
        if key is None:
            key = await self.keys.add(tenant, subject, self.master.new(tenant, subject))
        body = encrypted(self.master.unwrapped(tenant, subject, key), place, content)
        await self.ciphertexts.put(key.key_id, event_id, kind, body, at)

    async def get(self, place: Place) -> bytes | None:
        """A payload; None where there is none, or its subject was erased. Raises `PayloadError`."""
        tenant, subject, event_id, kind = place
        key = await self.keys.get(tenant, subject)
        body = None if key is None else await self.ciphertexts.get(key.key_id, event_id, kind)
        if key is None or body is None:
            return None
        return decrypted(self.master.unwrapped(tenant, subject, key), place, body)

    async def held(self, tenant: str, subject: str) -> tuple[SubjectKey, Extent] | None:
        """A subject's key, and how much there is under it; None for a subject without one."""
        key = await self.keys.get(tenant, subject)
        return None if key is None else (key, await self.ciphertexts.extent(key.key_id))

    async def forget(self, key_id: str) -> bool:
        """Destroy a key, then what lies under it; whether the key was there. Safe to do again."""
        there = await self.keys.destroy(key_id)
        await self.ciphertexts.delete(key_id)
        return there
