"""Asking whoever sits at the terminal: who they are, and whether a plan may be carried out."""

from __future__ import annotations

import getpass
import os
import socket
import sys
from collections.abc import Callable

import typer

from roggia.errors import StandaloneError, UsageError


def somebody() -> str:
    """Who asks, as jobs and tenants record it: `user@host`; a number for a user without a name, as containers have."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"


def at_terminal(otherwise: str) -> None:
    """Raise `UsageError` with `otherwise` (it names the option to give) when nobody is there to answer."""
    if not sys.stdin.isatty():
        raise UsageError(otherwise)


def agreed(question: str | Callable[[], bool], *, otherwise: str, refused: str) -> None:
    """Return once the answer is yes. `question` is asked as yes or no, or asks by itself.

    Raises `UsageError` with `otherwise` when nobody is there, and `StandaloneError` with `refused` for a no.
    """
    at_terminal(otherwise)
    if not (typer.confirm(question, err=True) if isinstance(question, str) else question()):
        raise StandaloneError(refused)
