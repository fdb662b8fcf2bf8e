"""What a verification raises on purpose, besides `UnavailableError` of store and log."""

from __future__ import annotations

from roggia_embedder.errors import EmbedderError


class BadRequestError(EmbedderError):
    """A request cannot be understood: `field` and the message say what to change."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field


class BusyError(EmbedderError):
    """Another run goes on in this process; there is one at a time."""
