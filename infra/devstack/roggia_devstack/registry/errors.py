"""What the registry answers when it refuses: an HTTP status, the error code that clients know, and a message."""

from __future__ import annotations


class RegistryError(Exception):
    """Root of this package's errors. `code` is one of the Schema Registry API's error codes."""

    status = 500
    code = 50001


class SubjectNotFoundError(RegistryError):
    """No such subject."""

    status, code = 404, 40401


class VersionNotFoundError(RegistryError):
    """The subject has no such version."""

    status, code = 404, 40402


class SchemaNotFoundError(RegistryError):
    """No schema with this id or GUID, or the subject does not have this schema."""

    status, code = 404, 40403


class SubjectSoftDeletedError(RegistryError):
    """The subject was deleted already; only `permanent=true` goes further."""

    status, code = 404, 40404


class SubjectNotSoftDeletedError(RegistryError):
    """A subject must be deleted before it can be deleted for good."""

    status, code = 404, 40405


class ConfigNotFoundError(RegistryError):
    """The subject has no compatibility level of its own."""

    status, code = 404, 40408


class IncompatibleSchemaError(RegistryError):
    """The schema breaks the subject's compatibility level."""

    status, code = 409, 409


class InvalidSchemaError(RegistryError):
    """The request holds no Avro schema that this registry takes."""

    status, code = 422, 42201


class InvalidVersionError(RegistryError):
    """A version is neither `latest` nor a whole number from 1."""

    status, code = 422, 42202


class InvalidCompatibilityError(RegistryError):
    """A compatibility level that does not exist."""

    status, code = 422, 42203


class BadRequestError(RegistryError):
    """The request's body is no JSON object or too large."""

    status, code = 400, 400
