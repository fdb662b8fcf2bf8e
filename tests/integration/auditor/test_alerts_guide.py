"""The guide to alerts, as it stands: its settings are taken, its receiver believes what is sent, and nothing else."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from roggia_auditor.adapters.webhook import Webhook
from roggia_auditor.alerting.events import body
from roggia_auditor.alerting.signing import secrets_of
from roggia_auditor.app import webhook_of
from roggia_auditor.ledger.alerts import Alert, AlertKind
from roggia_auditor.settings import AuditorOptions, WebhookOptions
from roggia_runtime.settings import load

from tests.support.guides import Guide
from tests.support.receiving import SECRET, receiver

GUIDE = Guide("alerts.md")
ALERT = Alert(AlertKind.BUDGET, "acme", "2025-01", 1_735_732_800_000, "tokens", 80, 880, 1000)


def is_ours() -> Callable[[Any, bytes, str], bool]:
    """The guide's own function."""
    (program,) = GUIDE.blocks("python")
    held: dict[str, Any] = {}
    exec(compile(program, "alerts.md", "exec"), held)
    found: Callable[[Any, bytes, str], bool] = held["is_ours"]
    return found


def test_the_guides_settings_are_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a shell sets them: a webhook is made of them, and its secret has the right length."""
    (script,) = GUIDE.blocks("bash")
    ran = subprocess.run(["bash", "-euc", f"{script}\nenv"], capture_output=True, text=True, check=True)
    for line in ran.stdout.splitlines():
        name, _, value = line.partition("=")
        if name.startswith("ROGGIA_AUDITOR_"):
            monkeypatch.setenv(name, value)
    options = load(AuditorOptions)
    assert options.webhook.secret is not None
    assert [len(one) for one in secrets_of(options.webhook.secret.get_secret_value())] == [32]
    assert webhook_of(options.webhook) is not None
    assert webhook_of(WebhookOptions()) is None
    assert {name for name in os.environ if name.startswith("ROGGIA_AUDITOR_WEBHOOK")} == {
        "ROGGIA_AUDITOR_WEBHOOK__URL",
        "ROGGIA_AUDITOR_WEBHOOK__SECRET",
    }


async def test_the_guides_receiver_believes_what_is_sent_and_nothing_else() -> None:
    """A delivery holds; another body, another id, another secret or an old one does not."""
    check = is_ours()
    with receiver() as received:
        hook = Webhook(received.url, secrets_of(SECRET), 5.0)
        await hook.start()
        await hook.send(ALERT.id, body(ALERT))
        await hook.stop()
        old = Webhook(received.url, secrets_of(SECRET), 5.0, lambda: 1_000_000_000)
        await old.start()
        await old.send(ALERT.id, body(ALERT))
        await old.stop()
    new, aged = received.deliveries
    assert check(new.headers, new.body, SECRET)
    assert not check(new.headers, new.body + b" ", SECRET)
    assert not check({**new.headers, "webhook-id": "another"}, new.body, SECRET)
    assert not check(new.headers, new.body, "whsec_" + "QQ" * 20)
    assert not check(aged.headers, aged.body, SECRET)
