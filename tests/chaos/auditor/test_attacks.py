"""Ten thousand attacks on an export, and ten thousand on a ledger: none passes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.attacked import attack_exports, attack_ledger

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(1800)]
ATTACKS = 10_000


async def test_no_attack_on_an_export_passes(tmp_path: Path) -> None:
    """Each is found, and the report names the place."""
    await attack_exports(tmp_path, ATTACKS, seed=7)


async def test_no_attack_on_a_ledger_passes(tmp_path: Path) -> None:
    """Each is found, and the report names the place."""
    await attack_ledger(tmp_path / "ledger.sqlite3", ATTACKS, seed=8)
