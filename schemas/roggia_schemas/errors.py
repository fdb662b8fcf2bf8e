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


class UnknownSchemaError(SchemasError):
    """The schema that a value was written with is not known here; nothing is wrong with the value itself.

    Exactly one of `schema_id` and `guid` is set. The caller fetches that schema from the registry, hands it to
    `Codec.learn` or `Codec.learn_guid`, and decodes again; a schema that no registry has is a dead letter.
    """

    def __init__(self, *, schema_id: int | None = None, guid: str | None = None) -> None:
        name = f"id {schema_id}" if guid is None else f"GUID {guid}"
        super().__init__(f"schema {name} is not known; look it up in the schema registry that the publisher used")
        self.schema_id = schema_id
        self.guid = guid


class FramingError(SchemasError, ValueError):
    """A value does not start (or a `__value_schema_id` header does not read) as the Confluent wire format says."""


class DecodeError(SchemasError, ValueError):
    """The bytes are not the event they claim to be. `field` is the path of the field, or empty when unknown."""

    def __init__(self, event: str, message: str, field: str = "") -> None:
        super().__init__(f"{event}: {field + ': ' if field else ''}{message}")
        self.event = event
        self.field = field


class EncodeError(SchemasError, ValueError):
    """An event holds a value that its schema does not allow: a bug in the caller. `field` is the path of the field."""

    def __init__(self, event: str, message: str, field: str = "") -> None:
        super().__init__(f"{event}: {field + ': ' if field else ''}{message}")
        self.event = event
        self.field = field


class SchemaError(SchemasError, ValueError):
    """A schema (not a value) cannot be used: not Avro, not the event's, or of a shape that is refused."""


class UnknownEventError(SchemasError, LookupError):
    """No event, version or topic of that name is bundled. The message lists what is."""
