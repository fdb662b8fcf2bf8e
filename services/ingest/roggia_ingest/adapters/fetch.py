"""Fetches content by reference: from allowed hosts over HTTP(S), or from files in allowed folders."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, unquote, urljoin, urlsplit

import aiohttp
from roggia_schemas.events import ContentRef

from roggia_ingest.adapters.addresses import GuardedResolver, PrivateAddressError, refuse_private_literal
from roggia_ingest.errors import ContentError, ContentUnavailableError, PolicyError

URI = "content_ref.uri"
_PORTS = {"http": 80, "https": 443}
_REDIRECTS = (301, 302, 303, 307, 308)
_MAX_REDIRECTS = 3
_TRANSIENT = (408, 425, 429)
_PIECE = 1 << 16


@dataclass(frozen=True, slots=True)
class FetchPolicy:
    """What may be fetched. `hosts` are `host` (the scheme's own port) or `host:port`; `roots` are folders."""

    schemes: Collection[str]
    hosts: Collection[str]
    roots: Collection[Path]
    private: bool
    timeout_s: float
    at_once: int = 4


class ContentFetcher:
    """`roggia_ingest.ports.ContentSource`. At most `policy.at_once` fetches run at a time."""

    def __init__(self, policy: FetchPolicy) -> None:
        self._policy = policy
        self._roots = tuple(root.resolve() for root in policy.roots)
        self._slots = asyncio.Semaphore(policy.at_once)
        self._session: aiohttp.ClientSession | None = None

    async def stop(self) -> None:
        """Close connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def fetch(self, ref: ContentRef) -> bytes:
        """See the port. The size is checked before and while reading, the hash after."""
        uri = self._allowed(ref.uri)
        async with self._slots:
            content = await (self._file(uri, ref.size) if uri.scheme == "file" else self._http(uri, ref.size))
        digest = hashlib.sha256(content).hexdigest()
        if digest != ref.sha256:
            raise ContentError("content_ref.sha256", f"the content's SHA-256 is {digest}, not {ref.sha256}")
        return content

    def _allowed(self, uri: str) -> SplitResult:
        try:
            parts = urlsplit(uri)
            port = parts.port
        except ValueError as error:
            raise ContentError(URI, f"{uri[:200]!r} is not a URI: {error}") from None
        if parts.scheme not in self._policy.schemes:
            raise PolicyError(
                URI, f"scheme {parts.scheme[:40]!r} is not allowed; allowed: {_listed(self._policy.schemes)}"
            )
        if parts.username is not None or parts.password is not None:
            raise PolicyError(URI, "holds a user name or password; leave credentials out of events")
        if parts.scheme != "file":
            self._check_host(parts, port)
        return parts

    def _check_host(self, parts: SplitResult, port: int | None) -> None:
        host, own = (parts.hostname or "").rstrip("."), _PORTS[parts.scheme]
        name = host if port in (None, own) else f"{host}:{port}"
        if name not in self._policy.hosts:
            raise PolicyError(URI, f"host {name[:200]!r} is not allowed; allowed: {_listed(self._policy.hosts)}")
        if not self._policy.private:
            refuse_private_literal(host)

    async def _file(self, uri: SplitResult, size: int) -> bytes:
        if uri.netloc not in ("", "localhost"):
            raise PolicyError(URI, f"file on host {uri.netloc[:80]!r}; only local files can be read")
        return await asyncio.to_thread(self._read_file, Path(unquote(uri.path)), size)

    def _read_file(self, path: Path, size: int) -> bytes:
        try:
            real = path.resolve()
            if not any(real.is_relative_to(root) for root in self._roots):
                raise PolicyError(URI, f"{str(path)[:200]!r} is outside the allowed folders (content_root)")
            if not real.is_file():
                raise ContentError(URI, f"{str(path)[:200]!r} is not a file")
            with real.open("rb") as file:
                content = file.read(size + 1)
        except (OSError, ValueError, RuntimeError) as error:
            raise ContentError(URI, f"{str(path)[:200]!r} cannot be read: {error}") from None
        return _sized(content, size)

    async def _http(self, uri: SplitResult, size: int) -> bytes:
        try:
            async with asyncio.timeout(self._policy.timeout_s):
                return await self._follow(uri, size)
        except TimeoutError:
            raise ContentUnavailableError(f"{URI}: {uri.hostname} took more than {self._policy.timeout_s} s") from None
        except aiohttp.InvalidURL as error:
            raise ContentError(URI, f"{uri.geturl()[:200]!r} is not a URL: {error}") from None
        except (aiohttp.ClientError, OSError) as error:
            if isinstance(error.__cause__, PrivateAddressError):
                raise PolicyError(URI, str(error.__cause__)) from None
            raise ContentUnavailableError(f"{URI}: {uri.hostname} does not answer: {error}") from error

    async def _follow(self, uri: SplitResult, size: int) -> bytes:
        for _ in range(_MAX_REDIRECTS + 1):
            async with self._client().get(uri.geturl(), allow_redirects=False) as response:
                if response.status not in _REDIRECTS:
                    _check_status(response.status, uri)
                    return await _body(response, size)
                uri = self._redirected(uri, response.headers.get("location", ""))
        raise ContentError(URI, f"more than {_MAX_REDIRECTS} redirects at {uri.hostname}")

    def _redirected(self, uri: SplitResult, location: str) -> SplitResult:
        target = self._allowed(urljoin(uri.geturl(), location))
        if (target.scheme, target.netloc) != (uri.scheme, uri.netloc):
            raise PolicyError(
                URI, f"redirects from {uri.netloc} to {target.netloc[:200]!r}; only the same host is followed"
            )
        return target

    def _client(self) -> aiohttp.ClientSession:
        if self._session is None:
            resolver = aiohttp.ThreadedResolver()
            guarded = resolver if self._policy.private else GuardedResolver(resolver)
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(resolver=guarded, limit=self._policy.at_once),
                headers={"Accept-Encoding": "identity"},
                auto_decompress=False,
                trust_env=False,
            )
        return self._session


def _check_status(status: int, uri: SplitResult) -> None:
    if status >= 500 or status in _TRANSIENT:
        raise ContentUnavailableError(f"{URI}: {uri.hostname} answers {status}")
    if status != 200:
        raise ContentError(URI, f"{uri.hostname} answers {status} for {uri.path[:200]!r}")


async def _body(response: aiohttp.ClientResponse, size: int) -> bytes:
    if response.content_length is not None and response.content_length != size:
        raise ContentError("content_ref.size", f"the server has {response.content_length} bytes, the event says {size}")
    pieces, held = [], 0
    async for piece in response.content.iter_chunked(_PIECE):
        pieces.append(piece)
        held += len(piece)
        if held > size:
            break
    return _sized(b"".join(pieces), size)


def _sized(content: bytes, size: int) -> bytes:
    if len(content) != size:
        found = f"more than {size}" if len(content) > size else str(len(content))
        raise ContentError("content_ref.size", f"the content has {found} bytes, the event says {size}")
    return content


def _listed(names: Collection[str]) -> str:
    return ", ".join(sorted(names)) or "none"
