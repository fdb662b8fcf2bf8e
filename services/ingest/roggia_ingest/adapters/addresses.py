"""Keeps fetches away from private addresses, whatever a name resolves to (server-side request forgery)."""

from __future__ import annotations

import ipaddress
import socket

from aiohttp.abc import AbstractResolver, ResolveResult

from roggia_ingest.errors import PolicyError


class PrivateAddressError(OSError):
    """A name resolves to an address that is not on the public Internet."""


class GuardedResolver(AbstractResolver):
    """Resolves through another resolver and refuses the answer if any address in it is private.

    The check is made on the very addresses that are connected to, so a second DNS answer cannot slip past it.
    """

    def __init__(self, resolver: AbstractResolver) -> None:
        self._resolver = resolver

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Addresses of `host`. Raises `PrivateAddressError`."""
        found = await self._resolver.resolve(host, port, family)
        for entry in found:
            if not is_public(entry["host"]):
                raise PrivateAddressError(f"host {host!r} is at {entry['host']}, which is private (content_private)")
        return found

    async def close(self) -> None:
        """Close the resolver behind."""
        await self._resolver.close()


def is_public(address: str) -> bool:
    """Whether an IP address is on the public Internet; a mapped IPv4 address counts as itself."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(parsed, "ipv4_mapped", None) or getattr(parsed, "sixtofour", None)
    return (mapped or parsed).is_global and not parsed.is_multicast


def refuse_private_literal(host: str) -> None:
    """Raise `PolicyError` when `host` is itself a private address; names are checked when they are resolved."""
    try:
        public = is_public(host)
    except ValueError:
        return
    if not public:
        raise PolicyError("content_ref.uri", f"address {host} is private; allow it with content_private")
