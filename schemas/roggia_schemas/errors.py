"""Everything this package raises. Catch `SchemasError` for all of it."""

from __future__ import annotations


class SchemasError(Exception):
    """Root of the package's errors."""


class InvalidNameError(SchemasError, ValueError):
    """A name or number on the wire breaks its rule. Says which field, which value, and what to do."""

    def __init__(self, field: str, value: str, remedy: str) -> None:
        super().__init__(f"{field}: {value[:128]!r} is not valid; {remedy}")
        self.field = field
        self.value = value
        self.remedy = remedy
