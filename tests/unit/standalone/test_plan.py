"""The stack's plan agrees with the services that it starts, and the reference pages with the code."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

import pytest
from roggia.reference.__main__ import pages, stale
from roggia.reference.settings import rows
from roggia.stack import plan
from roggia.stack.data import DataDirectory
from roggia_auditor.api import tokens
from roggia_auditor.live.settings import LiveSettings
from roggia_auditor.settings import AuditorSettings
from roggia_embedder.settings import EmbedderSettings
from roggia_ingest.settings import IngestSettings
from roggia_operator.settings import OperatorSettings
from roggia_runtime.settings import load

ROOT = Path(__file__).resolve().parents[3]


def test_every_setting_that_the_stack_gives_a_service_is_one_that_it_reads(tmp_path: Path) -> None:
    """A misspelt variable would be ignored in silence, and a service would write outside the data directory."""
    every = (IngestSettings, EmbedderSettings, OperatorSettings, AuditorSettings, LiveSettings)
    known = {row.variable for cls in every for row in rows(cls)}
    data, ports = DataDirectory(tmp_path), plan.Ports()
    specs = [*plan.services(data, ports, "t" * 16, "u"), *plan.companions(ports), *plan.auditing(data, ports)]

    assert {name for spec in specs for name in spec.environment} <= known
    assert all(find_spec(spec.arguments[0]) for spec in specs)


@pytest.mark.parametrize(
    ("name", "cls"),
    [
        ("ingest", IngestSettings),
        ("embed", EmbedderSettings),
        ("index", EmbedderSettings),
        ("operator", OperatorSettings),
        ("auditor", AuditorSettings),
        ("audit-api", AuditorSettings),
    ],
)
def test_what_the_stack_gives_a_service_is_valid_and_inside_the_data_directory(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    name: str,
    cls: type[IngestSettings | EmbedderSettings | OperatorSettings | AuditorSettings],
) -> None:
    """The settings load as given, and every path among them lies in the one directory that `up` shows."""
    data = DataDirectory(tmp_path)
    every = [*plan.services(data, plan.Ports(), "t" * 16), *plan.auditing(data, plan.Ports())]
    (spec,) = [one for one in every if one.name == name]
    for variable, value in spec.environment.items():
        monkeypatch.setenv(variable, value)

    assert load(cls).kafka.bootstrap == plan.Ports().addresses().kafka
    paths = [
        value.removeprefix("sqlite:///") for value in spec.environment.values() if "/" in value and "://1" not in value
    ]
    assert paths or name == "operator", "the operator keeps nothing on disk"
    assert all(Path(path).is_relative_to(data.root) for path in paths)


def test_the_reference_pages_are_what_the_code_says(tmp_path: Path) -> None:
    """A page that differs is named, so that `make lint` can say which; a missing one counts as different."""
    assert stale(ROOT / "docs/reference") == []
    assert stale(tmp_path) == list(pages())


def test_the_reference_names_settings_with_default_unit_and_no_secret() -> None:
    """One row per variable; what may be a password shows no default."""
    page = pages()["settings.md"]

    assert "| `ROGGIA_KAFKA_BOOTSTRAP` | `127.0.0.1:19092` |" in page
    assert "| `ROGGIA_KAFKA_SASL_PASSWORD` | – |" in page
    assert page.count("`ROGGIA_KAFKA_BOOTSTRAP`") == 1


def test_the_console_token_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    """A token of 48 hexadecimal digits, kept over restarts, in a file that nobody else can read."""
    data = DataDirectory(tmp_path)
    token = data.console_token()
    assert re.fullmatch("[0-9a-f]{48}", token)
    assert data.console_token() == token
    assert (tmp_path / "console.token").stat().st_mode & 0o077 == 0


def test_what_the_audit_needs_is_made_once_and_never_overwritten(tmp_path: Path) -> None:
    """A key, a token that its file grants, for their owner alone; what somebody changed in the file stays."""
    files = DataDirectory(tmp_path).audit
    token = files.prepared()
    (grant,) = tokens.parse(files.tokens.read_text())
    assert (grant.sha256, grant.name) == (tokens.digest(token), "console")
    key = files.head_key.read_text()
    files.tokens.write_text("")
    assert files.prepared() == token
    assert (files.head_key.read_text(), files.tokens.read_text()) == (key, "")
    assert all(one.stat().st_mode & 0o077 == 0 for one in (files.head_key, tmp_path / "audit/console.token"))
