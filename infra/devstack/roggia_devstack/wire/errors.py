"""What can be wrong with bytes from the network."""


class WireError(Exception):
    """Root of this package's errors."""


class MalformedError(WireError):
    """Bytes that are no valid message; the connection they came from is closed and nothing else happens."""


class UnsupportedApiError(WireError):
    """An API key or version that is not spoken here; the connection is closed (but ApiVersions is answered)."""
