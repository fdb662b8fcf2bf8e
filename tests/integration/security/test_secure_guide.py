"""docs/how-to/secure.md, as it stands: its commands and settings on a Kafka that trusts nobody."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.guides import Guide, call
from tests.support.secured import ADMIN, Secured

GUIDE = Guide("secure.md")
EXPORT = re.compile(r"^export (\w+)=", re.MULTILINE)


@pytest.fixture
def become(monkeypatch: pytest.MonkeyPatch, secured_kafka: Secured, tmp_path: Path) -> Callable[[str], dict[str, str]]:
    """Take a user's environment; the guide's file of principals lies in the working directory."""
    (principals,) = GUIDE.blocks("yaml")
    (tmp_path / "principals.yaml").write_text(principals)
    monkeypatch.chdir(tmp_path)

    def as_user(user: str) -> dict[str, str]:
        environment = secured_kafka.environment(user)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        return environment

    return as_user


@pytest.mark.timeout(240)
def test_the_guides_commands_do_what_it_says(become: Callable[[str], dict[str, str]]) -> None:
    """In the guide's order: a plan that names its principals, applied, then empty, for people too; what prints rights
    changes none. The settings that log in are those that the guide exports."""
    used = become(ADMIN)
    scram, certificates = GUIDE.blocks("bash")
    assert set(EXPORT.findall(scram)) <= set(used)
    assert set(EXPORT.findall(certificates)) - set(EXPORT.findall(scram)) == {
        "ROGGIA_KAFKA_SSL_CERT_FILE",
        "ROGGIA_KAFKA_SSL_KEY_FILE",
    }
    plan, apply, publisher, consumer = GUIDE.commands("topics")
    for principal in ("User:kb-ingest", "User:wiki", "User:billing"):
        assert principal in call(plan, status=6)
    call(f"{apply} --yes")
    assert "nothing to do" in call(plan)
    assert "--allow-principal User:wiki" in call(publisher)
    assert "--allow-principal User:billing" in call(consumer)
    become("roggia-operators")
    assert "nothing to do" in call(plan)
