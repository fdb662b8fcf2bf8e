"""Everything the runtime raises. Catch `RoggiaError` for all of it; every service's own errors derive from it too."""

from __future__ import annotations


class RoggiaError(Exception):
    """Root of the errors of runtime and services."""


class UnavailableError(RoggiaError):
    """Something that a stage needs (sink, store, model server) does not answer now. The loop waits and tries again."""


class ConfigurationError(RoggiaError):
    """A setting is wrong. The message names the setting, the value and the remedy; the process exits with status 2."""
