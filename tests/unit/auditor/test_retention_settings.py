"""Settings that could cost data: what is half set, or too little, is refused at start with the remedy."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError
from roggia_auditor import app
from roggia_auditor.settings import AuditorOptions

PAYLOADS = {
    "payloads": "sqlite:///payloads.sqlite3",
    "payload_keys": "sqlite:///keys.sqlite3",
    "payload_master_key": "master.key",
}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"drop_after_days": 400}, "segments"),
        ({"seal_after_days": 30}, "segments"),
        ({"segments": "s", "drop_after_days": 4}, "180"),
        ({"segments": "s", "drop_after_days": 200, "seal_after_days": 300}, "less than seal_after_days"),
        ({"payloads": "sqlite:///x"}, "all three"),
        ({**PAYLOADS, "payload_keys": PAYLOADS["payloads"]}, "two databases"),
        ({**PAYLOADS, "payload_keys": "keys.sqlite3"}, "sqlite:///PATH"),
    ],
)
def test_what_could_cost_data_is_refused(given: dict[str, object], said: str) -> None:
    """A folder that is not named, four days for four hundred, keys beside what they encrypt."""
    with pytest.raises(ValidationError, match=said):
        AuditorOptions(**given)  # type: ignore[arg-type]


def test_nothing_is_dropped_or_kept_by_default() -> None:
    """No retention, no payloads, until somebody sets them."""
    options = AuditorOptions()
    assert (options.segments, options.seal_after_days, options.drop_after_days) == (None, None, None)
    assert app.payloads_of(options) is None
    assert app.segments_of(options) is None


def test_what_is_whole_is_taken() -> None:
    """Sealed after a month, dropped after four hundred days."""
    options = AuditorOptions(segments=Path("s"), seal_after_days=30, drop_after_days=400)
    assert app.segments_of(options) is not None
