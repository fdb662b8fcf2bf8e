"""What logs may not say."""

from __future__ import annotations

import io
from typing import NoReturn

import pytest
import structlog
from roggia_runtime import logs
from roggia_runtime.settings import TelemetrySettings


@pytest.mark.parametrize("form", ["console", "json"])
def test_a_traceback_holds_no_values(form: str) -> None:
    """A failure is logged with its place and message; local variables (documents, passwords) are not."""
    out = io.StringIO()
    logs.configure("test", TelemetrySettings(log_format=form), out)
    log, secret = structlog.get_logger(), "hsifdr0ws"[::-1]
    try:
        _fail(f"postgresql://user:{secret}@host/db")
    except LookupError:
        log.exception("failed")
    assert "no such place" in out.getvalue()
    assert "_fail" in out.getvalue()
    assert secret not in out.getvalue()


def _fail(dsn: str) -> NoReturn:
    raise LookupError("no such place", len(dsn))
