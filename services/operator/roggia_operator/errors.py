"""Everything the operator raises. All of it derives from the runtime's `RoggiaError`."""

from __future__ import annotations

from roggia_runtime.errors import RoggiaError


class OperatorError(RoggiaError):
    """Root of the operator's own errors."""


class SelectionError(OperatorError):
    """A selection or a request is wrong: the message names the field, the value and the remedy."""


class JobError(OperatorError):
    """A job cannot do what is asked of it: it is unknown, it has ended, or its state forbids it."""
