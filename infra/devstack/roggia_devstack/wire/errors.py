"""What can be wrong with bytes from the network."""


class WireError(Exception):
    """Root of this package's errors."""


class MalformedError(WireError):
    """Bytes that are no valid message; the connection they came from is closed and nothing else happens."""


class UnsupportedApiError(WireError):
    """An API key or version that this broker does not speak; the connection is closed (ApiVersions is answered instead)."""
