"""Everything the operator raises. All of it derives from the runtime's `RoggiaError`."""

from __future__ import annotations

from roggia_runtime.errors import RoggiaError


class OperatorError(RoggiaError):
    """Root of the operator's own errors."""


class SelectionError(OperatorError):
    """A selection or a request is wrong, or names what does not exist: the message says field, value and remedy."""


class JobError(OperatorError):
    """A job cannot do what is asked of it: it has ended, or its state forbids it. An unknown one: `SelectionError`."""


class GenerationError(OperatorError):
    """A generation cannot do what is asked of it, as its state is. An unknown one: `SelectionError`."""
