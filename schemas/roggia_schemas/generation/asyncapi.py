"""AsyncAPI 3 out of the topic catalogue."""

from __future__ import annotations


def asyncapi_document() -> str:
    """The document."""
    return ""
