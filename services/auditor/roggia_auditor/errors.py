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


class AmountError(AuditorError, ConfigurationError):
    """An amount of money, or an invoice, cannot be read. The message names place, value and remedy."""


class UsageError(AuditorError):
    """Token counts of an event cannot be: negative, absurd, or a part that is larger than its whole. It is parked."""


class ExportError(AuditorError):
    """An export cannot be written as it was asked for."""


class SegmentError(AuditorError):
    """A segment cannot be written or read, or is not what its manifest says. Nothing is dropped on such ground."""


class HeldError(AuditorError):
    """A legal hold is in the way. The message names it; nothing was done."""


class PayloadError(AuditorError):
    """A payload, or a key of one, does not decrypt: another master key, or bytes that were changed."""


class AnchorError(AuditorError):
    """An anchor did not take a checkpoint. The message says whether it is away, or holds another history."""


class OvertakenError(AnchorError):
    """A witness has signed a larger tree of this log already: seal again, and ask it to sign that.

    Where it comes back, the ledger was set back to a former state.
    """


class LedgerError(AuditorError):
    """The ledger holds what this version cannot read, or what must not be. Not transient: the service stops."""


class LedgerUnavailableError(AuditorError, UnavailableError):
    """The ledger's database does not answer now; the loop tries again."""


class LedgerConflictError(AuditorError, UnavailableError):
    """Somebody else wrote meanwhile (a second owner of a partition): nothing was written. Judge the batch again."""


class OverflowingError(LedgerError):
    """A sum left the range of 64 bits. It is never rounded, wrapped or made a float."""


class TokensError(AuditorError, ConfigurationError):
    """The file of the API's tokens breaks a rule, or cannot be read. The message names entry, value and remedy."""


class UndeliveredError(AuditorError):
    """A webhook was not taken. It is tried again; `refused`: for this delivery alone, not because nobody is there."""

    def __init__(self, message: str, *, refused: bool = False) -> None:
        super().__init__(message)
        self.refused = refused
