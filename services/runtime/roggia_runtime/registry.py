"""Client of a schema registry: the REST subset that Confluent, Karapace, Apicurio, Redpanda and devstack share."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import aiohttp

from roggia_runtime.errors import ConfigurationError, RegistryError, UnavailableError
from roggia_runtime.settings import RegistrySettings
from roggia_runtime.tls import Context, Files

CONTENT_TYPE = "application/vnd.schemaregistry.v1+json"
MISSING_S = 10.0
"""Seconds for which "there is no such schema" is believed: a publisher may register it any moment."""

MAX_CACHED = 10_000
_DENIED = (401, 403)
_NOT_FOUND = 404
_CONFLICT = 409
_SERVER_FAULT = 500


@dataclass(frozen=True, slots=True)
class Registered:
    """One version of a subject."""

    subject: str
    version: int
    schema_id: int
    schema: str


class RegistryClient:
    """Asks a schema registry. Schemas by id or GUID never change and are kept; absence is believed briefly.

    Every call raises `UnavailableError` when the registry does not answer, `RegistryError` when it refuses a request,
    and `ConfigurationError` when it refuses us, or we its certificate.
    """

    def __init__(self, settings: RegistrySettings, now: Callable[[], float] = time.monotonic) -> None:
        if settings.url is None:
            raise RegistryError("ROGGIA_REGISTRY_URL is not set")
        self._url = settings.url.rstrip("/")
        self._settings = settings
        self._now = now
        self._session: aiohttp.ClientSession | None = None
        self._schemas: dict[str, str] = {}
        self._missing: dict[str, float] = {}

    async def schema_by_id(self, schema_id: int) -> str | None:
        """Schema text of an id, or None when the registry has none."""
        return await self._immutable(f"/schemas/ids/{schema_id}")

    async def schema_by_guid(self, guid: str) -> str | None:
        """Schema text of a GUID, or None when the registry has none (or does not know GUIDs at all)."""
        return await self._immutable(f"/schemas/guids/{quote(guid, safe='')}")

    async def register(self, subject: str, schema: str) -> int:
        """Register a schema and return its id; a known one keeps its id. Incompatible: `RegistryError`."""
        answer = await self._call("POST", f"{_subject(subject)}/versions", {"schema": schema})
        return int(answer["id"])

    async def lookup(self, subject: str, schema: str) -> int | None:
        """Id under which a schema is registered, or None."""
        answer = await self._call("POST", _subject(subject), {"schema": schema}, missing=True)
        return None if answer is None else int(answer["id"])

    async def latest(self, subject: str) -> Registered | None:
        """Newest version of a subject, or None."""
        answer = await self._call("GET", f"{_subject(subject)}/versions/latest", missing=True)
        if answer is None:
            return None
        return Registered(str(answer["subject"]), int(answer["version"]), int(answer["id"]), str(answer["schema"]))

    async def subjects(self) -> list[str]:
        """Names of all subjects."""
        return sorted(map(str, await self._call("GET", "/subjects")))

    async def compatible(self, subject: str, schema: str) -> list[str]:
        """What makes a schema incompatible with the subject's versions: empty when compatible or the first."""
        path = f"/compatibility{_subject(subject)}/versions?verbose=true"
        answer = await self._call("POST", path, {"schema": schema}, missing=True)
        if answer is None or answer.get("is_compatible"):
            return []
        return [str(message) for message in answer.get("messages") or ["the registry does not say why"]]

    async def set_compatibility(self, subject: str, mode: str) -> None:
        """Set a subject's compatibility mode (FULL_TRANSITIVE for public topics)."""
        await self._call("PUT", f"/config/{quote(subject, safe='')}", {"compatibility": mode})

    async def close(self) -> None:
        """Close connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _immutable(self, path: str) -> str | None:
        if path in self._schemas:
            return self._schemas[path]
        if self._missing.get(path, 0.0) > self._now():
            return None
        answer = await self._call("GET", path, missing=True)
        if answer is None:
            self._remember_absence(path)
            return None
        if len(self._schemas) < MAX_CACHED:
            self._schemas[path] = str(answer["schema"])
        return str(answer["schema"])

    def _remember_absence(self, path: str) -> None:
        now = self._now()
        if len(self._missing) >= MAX_CACHED:
            self._missing = {known: until for known, until in self._missing.items() if until > now}
        if len(self._missing) < MAX_CACHED:
            self._missing[path] = now + MISSING_S

    async def _call(self, method: str, path: str, body: dict[str, Any] | None = None, *, missing: bool = False) -> Any:
        try:
            async with self._open().request(method, self._url + path, json=body) as response:
                text = await response.text()
                status = response.status
        except aiohttp.ClientConnectorCertificateError as error:
            reason = getattr(error.certificate_error, "verify_message", error.certificate_error)
            remedy = "correct ROGGIA_REGISTRY_URL, or name who signed it in ROGGIA_REGISTRY_SSL_CA_FILE"
            raise ConfigurationError(f"schema registry {self._url}: wrong certificate ({reason}); {remedy}") from error
        except (aiohttp.ClientError, TimeoutError) as error:
            raise UnavailableError(f"schema registry {self._url} does not answer: {error!r}") from error
        if status in _DENIED:
            who = self._settings.username or "a caller without a name"
            remedy = "correct ROGGIA_REGISTRY_USERNAME and ROGGIA_REGISTRY_PASSWORD, or grant it"
            raise ConfigurationError(f"schema registry {self._url} refuses {who} {method} {path} ({status}); {remedy}")
        if missing and status == _NOT_FOUND:
            return None
        if status >= _SERVER_FAULT:
            raise UnavailableError(f"schema registry {self._url} answers {status} to {method} {path}")
        return _parse(method, path, status, text)

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            settings = self._settings
            auth = None
            if settings.username is not None:
                password = settings.password.get_secret_value() if settings.password else ""
                auth = aiohttp.BasicAuth(settings.username, password)
            ca = settings.ssl_ca_file
            self._session = aiohttp.ClientSession(
                auth=auth,
                connector=aiohttp.TCPConnector(ssl=Context.of(Files("ROGGIA_REGISTRY_", ca)) if ca else True),
                timeout=aiohttp.ClientTimeout(total=settings.timeout_s),
                headers={"Accept": CONTENT_TYPE, "Content-Type": CONTENT_TYPE},
            )
        return self._session


def _subject(subject: str) -> str:
    return f"/subjects/{quote(subject, safe='')}"


def _parse(method: str, path: str, status: int, text: str) -> Any:
    try:
        answer = json.loads(text)
    except ValueError:
        raise RegistryError(f"{method} {path}: status {status}, and the answer is not JSON: {text[:200]!r}") from None
    if status < 300:
        return answer
    message = answer.get("message", text[:200]) if isinstance(answer, dict) else text[:200]
    hint = "; change it so that readers of both versions understand both" if status == _CONFLICT else ""
    raise RegistryError(f"{method} {path}: {message} (status {status}){hint}")
