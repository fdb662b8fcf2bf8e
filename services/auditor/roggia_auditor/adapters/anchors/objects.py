"""Checkpoints in an object store, one object for each, that nobody may write over or delete for a while.

With S3 Object Lock in compliance mode nobody can shorten that while, not even the account's owner. Whatever takes an
HTTP PUT and refuses a second one under `If-None-Match: *` will do.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from roggia_auditor.adapters.anchors.naming import path_of
from roggia_auditor.adapters.anchors.requests import Http
from roggia_auditor.adapters.anchors.sigv4 import Credentials, signed
from roggia_auditor.errors import AnchorError, NoteError
from roggia_auditor.tlog import checkpoint as checkpoints
from roggia_auditor.tlog import note as notes
from roggia_auditor.tlog.note import Note, Signature

_DONE = (200, 201, 204)
_THERE = (409, 412)
"""An object of that name is there, or just being written."""


@dataclass(frozen=True, slots=True, repr=False)
class Place:
    """`url` is what objects' names come behind. `retain_days` of 0 asks for no lock: the bucket's own default holds.

    `credentials` sign as S3 wants it; `authorization` is sent as it is, to whatever else takes a PUT.
    """

    url: str
    retain_days: int = 0
    credentials: Credentials | None = None
    authorization: str = ""


def _now() -> datetime:
    return datetime.now(UTC)


class ObjectAnchor:
    """See `roggia_auditor.heads.anchoring.Anchor`. Any number of auditors may share the place."""

    def __init__(self, place: Place, now: Callable[[], datetime] = _now) -> None:
        self._place, self._now, self._http = place, now, Http()

    async def publish(self, checkpoint: Note) -> Sequence[Signature]:
        """Put it. One that is there already must say the same. Raises `AnchorError`, and what aiohttp raises."""
        size, body = checkpoints.of(checkpoint).size, str(checkpoint).encode()
        url = f"{self._place.url.rstrip('/')}/{path_of(size)}"
        put = await self._http.send("PUT", url, body, self._headers("PUT", url, body, self._lock(body)))
        if put.status in _THERE:
            await self._compare(url, checkpoint)
        elif put.status not in _DONE:
            raise AnchorError(f"{url} is refused: {put.said()}")
        return ()

    async def close(self) -> None:
        """Close connections."""
        await self._http.close()

    async def _compare(self, url: str, checkpoint: Note) -> None:
        got = await self._http.send("GET", url, b"", self._headers("GET", url, b"", {}))
        if got.status not in _DONE:
            raise AnchorError(f"{url} is there, and cannot be read: {got.said()}")
        try:
            held = notes.parse(got.text).text
        except NoteError as error:
            raise AnchorError(f"{url} is there, and is no checkpoint: {error}") from error
        if held != checkpoint.text:
            raise AnchorError(f"{url} is another checkpoint of that size: the head log has two histories")

    def _lock(self, body: bytes) -> Mapping[str, str]:
        """S3 demands a checksum of whatever is to be locked, and that its algorithm be named as SDKs do."""
        found = {"content-type": "text/plain; charset=utf-8", "if-none-match": "*"}
        found["x-amz-checksum-sha256"] = base64.b64encode(hashlib.sha256(body).digest()).decode()
        found["x-amz-sdk-checksum-algorithm"] = "SHA256"
        if self._place.retain_days:
            until = self._now() + timedelta(days=self._place.retain_days)
            found["x-amz-object-lock-mode"] = "COMPLIANCE"
            found["x-amz-object-lock-retain-until-date"] = until.strftime("%Y-%m-%dT%H:%M:%SZ")
        return found

    def _headers(self, method: str, url: str, body: bytes, headers: Mapping[str, str]) -> Mapping[str, str]:
        if self._place.credentials is not None:
            return signed(method, url, headers, body, self._place.credentials, self._now())
        return {**headers, "Authorization": self._place.authorization} if self._place.authorization else headers
