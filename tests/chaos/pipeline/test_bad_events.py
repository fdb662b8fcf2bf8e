"""Ten thousand bad events through the running service."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.bad_end_to_end import verify_bad_events
from tests.support.kafka import Broker


@pytest.mark.chaos
@pytest.mark.timeout(1800)
async def test_ten_thousand_bad_events(own_broker: Broker, tmp_path: Path) -> None:
    """Each is a dead letter that names its field or a counted drop; a thousand good ones between them all arrive."""
    await verify_bad_events(own_broker, tmp_path / "run", 10_000, settle_s=1200)
