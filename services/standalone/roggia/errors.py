"""Everything that the command line raises on purpose. Each message is one line: what is wrong, with what, what to do.

StandaloneError        exit 1
├── UsageError         exit 2: an option or argument is wrong, or names what does not exist
├── AlreadyRunningError exit 3: another `roggia up` holds the data directory
├── NotRunningError    exit 4: nothing answers where the command looks, or no operator takes the job
└── StackFailedError   exit 5: a process of the stack keeps dying, or never became ready
"""

from __future__ import annotations

from roggia_operator.errors import SelectionError
from roggia_runtime.errors import ConfigurationError, RoggiaError, UnavailableError
from roggia_schemas.errors import InvalidNameError


class StandaloneError(RoggiaError):
    """Root of the package's errors. `exit_code` is what the process ends with."""

    exit_code = 1


class UsageError(StandaloneError):
    """An option or argument is wrong; the message names it, its value and the remedy."""

    exit_code = 2


class AlreadyRunningError(StandaloneError):
    """Another `roggia up` holds this data directory."""

    exit_code = 3


class NotRunningError(StandaloneError):
    """Nothing answers at the address that the command uses."""

    exit_code = 4


class StackFailedError(StandaloneError):
    """A process of the stack died too often, or never became ready."""

    exit_code = 5


def exit_code(error: Exception) -> int:
    """The exit status for an error of ours or of the packages below: usage and configuration 2, unreachable 4."""
    if isinstance(error, StandaloneError):
        return error.exit_code
    if isinstance(error, ConfigurationError | InvalidNameError | SelectionError):
        return UsageError.exit_code
    return NotRunningError.exit_code if isinstance(error, UnavailableError) else StandaloneError.exit_code
