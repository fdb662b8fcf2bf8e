"""Structured logs: readable on a terminal, JSON lines elsewhere, with service name and trace ids."""

from __future__ import annotations

import io
import logging
import sys
from typing import Any, TextIO

import structlog
from opentelemetry import trace

from roggia_runtime.settings import TelemetrySettings


class _Stderr(io.TextIOBase):
    """Standard error as it is when a line is written: loggers live longer than a redirection of it."""

    def write(self, text: str) -> int:
        """Write to the present standard error."""
        return sys.stderr.write(text)

    def flush(self) -> None:
        """Flush the present standard error."""
        sys.stderr.flush()

    def isatty(self) -> bool:
        """Whether the present standard error is a terminal."""
        return sys.stderr.isatty()


def configure(service: str, settings: TelemetrySettings, stream: TextIO | None = None) -> None:
    """Set up structlog and the standard library's logging for this process. Call it once, before anything logs."""
    out: Any = stream or _Stderr()
    console = settings.log_format == "console" or (settings.log_format == "auto" and out.isatty())
    level = getattr(logging, settings.log_level.upper())
    render: Any = _console() if console else structlog.processors.JSONRenderer()
    shared = _shared(service, console)
    structlog.configure(
        processors=[*shared, render],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(out),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(processor=render, foreign_pre_chain=shared))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for noisy in ("aiokafka", "uvicorn", "asyncio", "opentelemetry"):
        structlog.stdlib.get_logger(noisy)
        logging.Logger.manager.getLogger(noisy).setLevel(max(level, logging.WARNING))


def _console() -> Any:
    # Left to itself it shows every local variable of a traceback: documents, passwords.
    return structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)


def _shared(service: str, console: bool) -> list[Any]:
    def name(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        event.setdefault("service", service)
        return event

    processors: list[Any] = [
        structlog.contextvars.merge_contextvars,
        name,
        _trace_ids,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    return processors if console else [*processors, structlog.processors.format_exc_info]


def _trace_ids(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        event["trace_id"] = f"{context.trace_id:032x}"
        event["span_id"] = f"{context.span_id:016x}"
    return event
