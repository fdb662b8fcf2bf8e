"""Ingest's settings: read from the environment, refused in one clear line."""

from __future__ import annotations

from pathlib import Path

import pytest
from roggia_ingest.app import build
from roggia_ingest.settings import IngestSettings
from roggia_runtime.errors import ConfigurationError
from roggia_runtime.settings import load


def test_defaults_are_safe_and_complete() -> None:
    """No content host is allowed, private addresses are not; the chunk sizes are those of the default model."""
    options = load(IngestSettings).ingest
    assert (options.content_hosts, options.content_roots, options.content_private) == ((), (), False)
    assert (options.max_chunk_tokens, options.min_chunk_tokens, options.generation) == (510, 128, 1)


def test_lists_are_written_with_commas_and_folders_as_in_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """`ROGGIA_INGEST_CONTENT_HOSTS=a, b:81` and `ROGGIA_INGEST_CONTENT_ROOT=/x:/y`."""
    monkeypatch.setenv("ROGGIA_INGEST_CONTENT_HOSTS", "A.example, b.example:81")
    monkeypatch.setenv("ROGGIA_INGEST_CONTENT_ROOT", "/x:/y")
    monkeypatch.setenv("ROGGIA_INGEST_BATCH__MAX_RECORDS", "7")
    options = load(IngestSettings).ingest
    assert options.content_hosts == ("a.example", "b.example:81")
    assert options.content_roots == (Path("/x"), Path("/y"))
    assert options.batch.max_records == 7


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CATALOGUE", "mysql://here"),
        ("CONTENT_SCHEMES", "https,gopher"),
        ("MIN_CHUNK_TOKENS", "400"),
        ("MAX_CHUNK_TOKENS", "100"),
        ("GENERATION", "0"),
    ],
)
def test_a_wrong_value_is_one_line_that_names_the_variable(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """Which variable, and what is wrong with it."""
    monkeypatch.setenv(f"ROGGIA_INGEST_{name}", value)
    with pytest.raises(ConfigurationError) as caught:
        load(IngestSettings)
    assert "ROGGIA_INGEST_" in str(caught.value)
    assert "\n" not in str(caught.value)


async def test_a_tokenizer_that_does_not_add_up_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Counts by prefix sums hold for tokenizers that cut at white space; others are named at the start."""
    path = tmp_path / "tokenizer.json"
    path.write_text('{"pre_tokenizer": {"type": "Metaspace"}}')
    monkeypatch.setenv("ROGGIA_INGEST_TOKENIZER", str(path))
    with pytest.raises(ConfigurationError, match="Metaspace"):
        build(load(IngestSettings))
