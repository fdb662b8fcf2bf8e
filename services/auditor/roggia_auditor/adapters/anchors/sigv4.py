"""Signatures for S3: AWS Signature Version 4, for a request whose path and headers need no further encoding.

Source: "Authenticating Requests (AWS Signature Version 4)" in the reference of the Amazon S3 API. Its examples are
the vectors of the tests.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

_ALGORITHM, _SERVICE, _END = "AWS4-HMAC-SHA256", "s3", "aws4_request"


@dataclass(frozen=True, slots=True, repr=False)
class Credentials:
    """Who signs, for which region. The secret is in no `repr`."""

    access_key: str
    secret_key: str
    region: str

    def __repr__(self) -> str:
        return f"Credentials({self.access_key!r}, region={self.region!r})"


def signed(
    method: str, url: str, headers: Mapping[str, str], body: bytes, credentials: Credentials, at: datetime
) -> dict[str, str]:
    """The headers with those that authenticate the request. `at` is in UTC; `url` has no query."""
    parts, stamp = urlsplit(url), at.strftime("%Y%m%dT%H%M%SZ")
    digest = hashlib.sha256(body).hexdigest()
    every = {**headers, "x-amz-content-sha256": digest, "x-amz-date": stamp}
    named = {name.lower(): value.strip() for name, value in (*every.items(), ("host", parts.netloc))}
    names = ";".join(sorted(named))
    lines = [method, parts.path or "/", parts.query, *(f"{name}:{named[name]}" for name in sorted(named))]
    canonical = "\n".join([*lines, "", names, digest])
    scope = f"{stamp[:8]}/{credentials.region}/{_SERVICE}/{_END}"
    told = "\n".join([_ALGORITHM, stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    signature = hmac.new(_key(credentials, stamp[:8]), told.encode(), hashlib.sha256).hexdigest()
    every["Authorization"] = (
        f"{_ALGORITHM} Credential={credentials.access_key}/{scope},SignedHeaders={names},Signature={signature}"
    )
    return every


def _key(credentials: Credentials, day: str) -> bytes:
    found = f"AWS4{credentials.secret_key}".encode()
    for part in (day, credentials.region, _SERVICE, _END):
        found = hmac.new(found, part.encode(), hashlib.sha256).digest()
    return found
