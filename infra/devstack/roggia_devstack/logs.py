"""Log lines of the stand-in servers: JSON on standard output, or readable text on a terminal."""

from __future__ import annotations

import sys

import structlog


def configure() -> None:
    """Set structlog up; called once by a process's entry point, never by tests."""
    terminal = sys.stdout.isatty()
    # Left to itself the console shows every local variable of a traceback: clients' records.
    console = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    renderer = console if terminal else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *([] if terminal else [structlog.processors.format_exc_info]),
            renderer,
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stdout),
    )
