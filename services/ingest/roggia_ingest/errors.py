"""Everything ingest raises. All of it derives from the runtime's `RoggiaError`."""

from __future__ import annotations

from collections.abc import Sequence

from roggia_runtime.errors import ConfigurationError, RoggiaError, UnavailableError


class IngestError(RoggiaError):
    """Root of ingest's own errors."""


class RefusedError(IngestError):
    """An event can never be processed: it becomes a dead letter of this kind, field and message."""

    is_fault = True
    """See `DeadLetter`."""

    def __init__(self, kind: str, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}" if field else message)
        self.kind = kind
        self.field = field
        self.message = message


class InvalidChangeError(RefusedError):
    """A field of `doc.changed` breaks its rule."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__("invalid", field, message)


class ContentError(RefusedError):
    """The content cannot be turned into text, or is not what its reference says."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__("content", field, message)


class PolicyError(RefusedError):
    """The event asks for something that this installation does not allow (scheme, host, path)."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__("policy", field, message)


class LimitError(RefusedError):
    """A limit of the event's tenant forbids it. One tenant's publishing must not stop the others: no fault."""

    is_fault = False

    def __init__(self, field: str, message: str) -> None:
        super().__init__("limit", field, message)


class OversizeError(RefusedError):
    """The event, the content or the chunk set is larger than its setting."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__("oversize", field, message)


class TokenizerError(IngestError, ConfigurationError):
    """The tokenizer cannot be read, or its counts do not add up."""


class InstallationError(IngestError):
    """A library that extraction needs is missing. No document's fault: the service stops."""


class CatalogueError(IngestError):
    """The catalogue holds what this version cannot read. Not transient: the service stops."""


class FullError(IngestError, UnavailableError):
    """The catalogue wrote nothing: these tenants would have more living documents than they may. Judge it again."""

    def __init__(self, tenants: Sequence[str]) -> None:
        super().__init__(f"no room for every new document of {', '.join(tenants)}: others have taken it meanwhile")
        self.tenants = tuple(tenants)


class CatalogueUnavailableError(IngestError, UnavailableError):
    """The catalogue's database does not answer now; the loop tries again."""


class ContentUnavailableError(IngestError, UnavailableError):
    """The server of a content reference does not answer now; the loop tries again."""
