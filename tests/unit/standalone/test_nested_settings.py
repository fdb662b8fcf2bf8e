"""Settings within settings: one variable changes one value, and the reference says what the others are."""

from __future__ import annotations

import pytest
from roggia.reference.settings import rows
from roggia_auditor.settings import AuditorOptions, AuditorSettings
from roggia_embedder.settings import EmbedderOptions


def test_one_variable_changes_one_value(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever makes a batch shorter does not unknowingly make it smaller as well."""
    auditor, embedder = AuditorOptions().batch, EmbedderOptions().embed_batch
    monkeypatch.setenv("ROGGIA_AUDITOR_BATCH__MAX_WAIT_MS", "7")
    monkeypatch.setenv("ROGGIA_EMBEDDER_EMBED_BATCH__MAX_RECORDS", "8")
    assert AuditorOptions().batch == auditor.model_copy(update={"max_wait_ms": 7})
    assert EmbedderOptions().embed_batch == embedder.model_copy(update={"max_records": 8})


def test_the_reference_shows_the_defaults_that_hold() -> None:
    """Where a field's default is not that of its class, the field's is shown."""
    shown = {row.variable: row.default for row in rows(AuditorSettings)}
    assert shown["ROGGIA_AUDITOR_BATCH__MAX_RECORDS"] == f"`{AuditorOptions().batch.max_records}`" != "`200`"
