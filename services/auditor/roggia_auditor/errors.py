"""Everything the auditor raises. All of it derives from the runtime's `RoggiaError`."""

from __future__ import annotations

from roggia_runtime.errors import ConfigurationError, RoggiaError, UnavailableError


class AuditorError(RoggiaError):
    """Root of the auditor's own errors."""


class TreeError(AuditorError):
    """A Merkle tree was asked for what it does not hold, or its parts do not fit together."""


class ProofError(AuditorError):
    """A proof, a signature or a record does not hold. Whoever verifies reports it; nobody goes on as if it held."""


class NoteError(ProofError):
    """A signed note cannot be read, or no key that is trusted has signed it."""


class KeyFileError(AuditorError, ConfigurationError):
    """A key cannot be read."""


class PriceError(AuditorError, ConfigurationError):
    """A price book breaks a rule. The message names entry, field, value and remedy."""


class UsageError(AuditorError):
    """Token counts of an event cannot be: negative, absurd, or a part that is larger than its whole. It is parked."""


class ExportError(AuditorError):
    """An export cannot be written as it was asked for."""


class LedgerError(AuditorError):
    """The ledger holds what this version cannot read, or what must not be. Not transient: the service stops."""


class LedgerUnavailableError(AuditorError, UnavailableError):
    """The ledger's database does not answer now; the loop tries again."""


class LedgerConflictError(AuditorError, UnavailableError):
    """Somebody else wrote meanwhile (a second owner of a partition): nothing was written. Judge the batch again."""


class OverflowingError(LedgerError):
    """A sum left the range of 64 bits. It is never rounded, wrapped or made a float."""


class UndeliveredError(AuditorError):
    """A webhook was not taken. It is tried again; `refused`: for this delivery alone, not because nobody is there."""

    def __init__(self, message: str, *, refused: bool = False) -> None:
        super().__init__(message)
        self.refused = refused
