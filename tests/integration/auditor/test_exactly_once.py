"""The auditor on a real broker: the ledger is what the log says, whoever dies, and however often something is sent."""

from __future__ import annotations

from pathlib import Path

from roggia_auditor.ports import Ledger

from tests.support.auditor_storm import Storm, prove
from tests.support.kafka import Broker


async def test_the_ledger_is_what_the_log_says(
    own_broker: Broker, audit_ledger: tuple[str, Ledger], tmp_path: Path
) -> None:
    """Two auditors, kill -9 six times, one record in twenty sent twice: leaves, roots, sums and sequences are those of
    one undisturbed reading, on both brokers and both databases."""
    await prove(own_broker, audit_ledger, tmp_path, Storm(seed=11, count=1_500, kills=6))
