"""ApiVersions: the first thing that every client asks."""

from __future__ import annotations

from kio.schema.errors import ErrorCode

from roggia_devstack.api.call import Call, Handlers
from roggia_devstack.wire.apis import API_VERSIONS, APIS
from roggia_devstack.wire.decode import Message


def handlers() -> Handlers:
    """Answers ApiVersions. No features are advertised, which keeps clients on the transaction protocol served here."""
    return {API_VERSIONS: _api_versions}


def _api_versions(request: Message, call: Call) -> Message:  # noqa: ARG001 - the answer depends on the version alone
    unsupported = call.version > API_VERSIONS.highest
    return {
        "error_code": ErrorCode.unsupported_version if unsupported else ErrorCode.none,
        "api_keys": [
            {"api_key": api.key, "min_version": api.advertised, "max_version": api.highest} for api in APIS.values()
        ],
    }
