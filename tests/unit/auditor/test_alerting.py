"""Alerts: their ids, their bodies, their signatures, and who gets them how often."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from pydantic import ValidationError
from roggia_auditor.adapters.sqlite_ledger import SqliteLedger
from roggia_auditor.alerting import events, signing
from roggia_auditor.alerting.alerter import Alerter, Rules
from roggia_auditor.errors import UndeliveredError
from roggia_auditor.ledger.alerts import Alert, AlertKind, Channel, Told
from roggia_auditor.ledger.judging import Rules as Judging
from roggia_auditor.ledger.judging import judge
from roggia_auditor.ledger.model import Limits
from roggia_auditor.ports import Ledger
from roggia_auditor.settings import WebhookOptions
from roggia_runtime.records import Output
from roggia_schemas.codec import Codec
from roggia_schemas.events import AlertKind as EventKind
from roggia_schemas.events import AuditAlert

from tests.support.auditing import BOOK, NOON, STREAM, attempt, inference, read, reads
from tests.support.popularity import codec

SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()
BUDGET = Alert(AlertKind.BUDGET, "acme", "2025-01", NOON, "tokens", 80, 880, 1000)
HOUR = 3_600_000


class Receiver:
    """A hook that answers what it is told to, and remembers what it was sent."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, bytes]] = []
        self.away = False
        self.refuses: set[str] = set()

    async def send(self, delivery_id: str, body: bytes) -> None:
        """Take it, or not."""
        self.sent.append((delivery_id, body))
        if self.away:
            raise UndeliveredError("nobody is there")
        if delivery_id in self.refuses:
            raise UndeliveredError("no", refused=True)


class Writer:
    """A fenced writer that keeps what it is given."""

    def __init__(self) -> None:
        self.written: list[Output] = []

    async def write(self, outputs: Sequence[Output]) -> None:
        """Take them."""
        self.written += outputs


class Bench:
    """A ledger, somebody who tells its alerts, and who is told. `now` is the time by which is waited."""

    def __init__(self, ledger: Ledger, *, hooked: bool = True, at_once: int = 500) -> None:
        self.ledger, self.receiver, self.writer, self.now = ledger, Receiver(), Writer(), NOON
        self._hooked, self._at_once = hooked, at_once
        self.begin()

    def begin(self) -> None:
        """A new process: it remembers nothing."""
        self.alerter = Alerter(
            self.ledger,
            codec(),
            self.receiver if self._hooked else None,
            Rules(retry_s=(1.0, 8.0)),
            lambda: self.now,
            at_once=self._at_once,
        )

    async def once(self) -> int:
        """One look."""
        return await self.alerter.once(self.writer)  # type: ignore[arg-type]  # what it asks of a writer

    async def enter(self, number: int, limit: int, **fields: object) -> None:
        """An inference of 110 tokens, of a tenant with a limit."""
        found = await self.ledger.before({STREAM: ["acme"]}, [])
        rules = Judging(BOOK, {}, {"acme": Limits(tokens=limit)})
        await self.ledger.append(
            [judge(STREAM, [read(inference(number, **fields), number)], found.streams[STREAM], {}, rules)]
        )

    @property
    def ids(self) -> list[str]:
        """What the receiver was sent, in order."""
        return [one for one, _ in self.receiver.sent]


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    """An empty one."""
    made = SqliteLedger(tmp_path / "ledger.sqlite3")
    await made.start()
    yield made
    await made.stop()


def test_an_id_says_what_it_is_about_and_not_when_it_was_noticed() -> None:
    """The same share of the same limit has one id for ever; another share, tenant, month, limit or model another."""
    assert BUDGET._replace(at=1, used=999, allowed=5).id == BUDGET.id
    others = [
        BUDGET._replace(percent=100),
        BUDGET._replace(tenant="beta"),
        BUDGET._replace(period="2025-02"),
        BUDGET._replace(limit="pico_usd"),
        BUDGET._replace(kind=AlertKind.UNPRICED),
        Alert(AlertKind.UNPRICED, "acme", "2025-01", NOON, provider="a", model="b/c"),
        Alert(AlertKind.UNPRICED, "acme", "2025-01", NOON, provider="a/b", model="c"),
    ]
    assert len({BUDGET.id, *(one.id for one in others)}) == len(others) + 1


def test_a_foreign_signature_is_ours() -> None:
    """The example of Standard Webhooks' own libraries, byte for byte."""
    (key,) = signing.secrets_of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    made = signing.headers([key], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, b'{"test": 2432232314}')
    assert made == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_while_a_secret_is_replaced_both_sign() -> None:
    """Two signatures, by a space, as the specification has it for rotation."""
    keys = signing.secrets_of(f"{SECRET} whsec_{base64.b64encode(b'n' * 24).decode()}")
    both = signing.headers(keys, "id", 1, b"x")[signing.SIGNATURE].split(" ")
    assert both == [signing.headers([key], "id", 1, b"x")[signing.SIGNATURE] for key in keys]


@pytest.mark.parametrize("wrong", ["", "secret", "whsec_", "whsec_c2hvcnQ=", "whsec_" + "A" * 100, "whsec_?" * 9])
def test_a_secret_that_is_none_is_refused_without_being_said(wrong: str) -> None:
    """Too short, too long, no base64, without its prefix."""
    with pytest.raises(ValueError, match="whsec_ and 24 to 64 bytes") as refused:
        signing.secrets_of(wrong)
    assert wrong in ("", "secret", "whsec_") or wrong not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        "https://alerts.example.com/x",
        "http://127.0.0.1:8080/x",
        "http://[::1]/",
        "http://localhost/",
        "https://10.0.0.1",
    ],
)
def test_where_alerts_may_be_posted(url: str) -> None:
    """Anywhere by https; by http to this machine alone."""
    assert WebhookOptions(url=url, secret=SECRET).url is not None  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "url",
    [
        "http://alerts.example.com/",
        "http://10.0.0.1/",
        "http://169.254.169.254/latest",
        "http://127.0.0.1.example.com/",
        "https://user:word@example.com/",
        "https:///x",
        "ftp://example.com/",
        "file:///etc/passwd",
        "https://example.com/#x",
        "https://[::1/",
        "example.com",
    ],
)
def test_where_alerts_are_never_posted(url: str) -> None:
    """Refused at the start, in words that do not repeat the address: it may hold a secret."""
    with pytest.raises(ValidationError) as refused:
        WebhookOptions(url=url, secret=SECRET)  # type: ignore[arg-type]
    assert url not in str(refused.value)


def test_a_webhook_without_a_secret_is_refused() -> None:
    """Nothing is sent unsigned."""
    with pytest.raises(ValidationError, match="go together"):
        WebhookOptions(url="https://example.com/")  # type: ignore[arg-type]


def test_event_and_body_say_the_same() -> None:
    """One id on both ways; amounts are strings in JSON; the same alert makes the same bytes."""
    found = json.loads(events.body(BUDGET))
    assert found["type"] == "audit.alert.budget"
    assert found["timestamp"] == "2025-01-01T12:00:00.000Z"
    assert found["data"] == {
        "id": BUDGET.id,
        "tenant_id": "acme",
        "period": "2025-01",
        "limit": "tokens",
        "percent": 80,
        "used": "880",
        "allowed": "1000",
    }
    assert events.event(BUDGET).event_id == found["data"]["id"]
    assert events.body(BUDGET) == events.body(BUDGET)


async def test_each_crossing_and_each_unpriced_model_is_told_once_on_each_way(ledger: Ledger) -> None:
    """80 and 100 per cent as they are reached, a model without a price once; nothing more comes of later use."""
    bench = Bench(ledger)
    await bench.enter(0, 1_000, attempts=(attempt(model="unheard-of"),))
    for number in range(1, 12):
        await bench.enter(number, 1_000)
        await bench.once()
    told = [Codec().decode(AuditAlert, one.value or b"") for one in bench.writer.written]
    assert [(one.kind, one.percent, one.model) for one in told] == [
        (EventKind.UNPRICED, 0, "unheard-of"),
        (EventKind.BUDGET, 80, ""),
        (EventKind.BUDGET, 100, ""),
    ]
    assert [(one.used, one.allowed) for one in told if one.percent] == [(880, 1_000), (1_100, 1_000)]
    assert bench.ids == [one.event_id for one in told]
    assert await bench.once() == 0


async def test_a_receiver_that_is_away_gets_it_later_and_nobody_is_hammered(ledger: Ledger) -> None:
    """Waits grow, and hold for everything; the topic does not wait; once it is back, everything comes, in order."""
    bench = Bench(ledger)
    bench.receiver.away = True
    await bench.enter(0, 100)
    await bench.once()
    assert (len(bench.ids), len(bench.writer.written)) == (1, 2)
    for _ in range(60):
        bench.now += 1_000
        await bench.once()
    assert 8 <= len(bench.ids) <= 20, "in a minute, waits of 1 to 8 s"
    bench.receiver.away = False
    bench.receiver.sent.clear()
    bench.now += 8_000
    assert await bench.once() == 2
    assert await bench.ledger.alerts(Channel.WEBHOOK, 10) == []


async def test_one_that_is_refused_does_not_keep_the_others_back(ledger: Ledger) -> None:
    """A receiver that chokes on one alert still hears of the rest, and of that one again later."""
    bench = Bench(ledger)
    await bench.enter(0, 100)
    first, second = await ledger.alerts(Channel.WEBHOOK, 10)
    bench.receiver.refuses.add(first.id)
    await bench.once()
    assert bench.ids == [first.id, second.id]
    assert [one.id for one in await ledger.alerts(Channel.WEBHOOK, 10)] == [first.id]
    bench.receiver.refuses.clear()
    bench.now += 1_000
    await bench.once()
    assert bench.ids == [first.id, second.id, first.id]


async def test_what_a_crash_leaves_untold_is_told_by_the_next_with_the_same_bytes(ledger: Ledger) -> None:
    """The mark is set after delivery: it may come twice, with one id, and is never lost."""
    bench = Bench(ledger)
    await bench.enter(0, 100)
    crashed = SqliteLedger.alerted
    SqliteLedger.alerted = _nothing  # type: ignore[method-assign,assignment]
    try:
        await bench.once()
    finally:
        SqliteLedger.alerted = crashed  # type: ignore[method-assign]
    bench.begin()
    await bench.once()
    assert bench.ids[:2] == bench.ids[2:]
    assert bench.receiver.sent[:2] == bench.receiver.sent[2:]
    assert len({one.value for one in bench.writer.written}) == 2


async def test_after_the_stated_time_a_delivery_is_given_up(ledger: Ledger) -> None:
    """The webhook hears no more of it, also when it comes back; the topic has it."""
    bench = Bench(ledger)
    bench.receiver.away = True
    await bench.enter(0, 100)
    await bench.once()
    bench.receiver.away = False
    bench.receiver.sent.clear()
    bench.now += 73 * HOUR
    await bench.once()
    assert (bench.ids, len(bench.writer.written)) == ([], 2)
    assert await ledger.alerts(Channel.WEBHOOK, 10) == []


async def test_without_a_webhook_alerts_wait_for_one(ledger: Ledger) -> None:
    """They are told on the topic; an operator who names an address later gets those that are not too old."""
    bench = Bench(ledger, hooked=False)
    await bench.enter(0, 100)
    await bench.once()
    assert len(bench.writer.written) == 2
    assert len(await ledger.alerts(Channel.WEBHOOK, 10)) == 2


async def test_shadow_traffic_alerts_nobody(ledger: Ledger) -> None:
    """It is not the tenant's own use."""
    bench = Bench(ledger)
    await bench.enter(0, 100, origin="SHADOW")
    assert await ledger.alerts(Channel.TOPIC, 10) == []


async def test_a_state_is_kept_for_each_way_apart(ledger: Ledger) -> None:
    """What was told on the topic still waits for the webhook."""
    found = await ledger.before({STREAM: ["acme"]}, [])
    rules = Judging(BOOK, {}, {"acme": Limits(tokens=100)})
    await ledger.append([judge(STREAM, reads(1), found.streams[STREAM], {}, rules)])
    ids = [one.id for one in await ledger.alerts(Channel.TOPIC, 10)]
    await ledger.alerted(Channel.TOPIC, ids, Told.DONE)
    assert await ledger.alerts(Channel.TOPIC, 10) == []
    assert [one.id for one in await ledger.alerts(Channel.WEBHOOK, 10)] == ids


async def _nothing(*_: object) -> None:
    """A process that dies before it can mark anything."""


async def test_refused_alerts_do_not_stand_before_all_others(ledger: Ledger) -> None:
    """As many as are looked at in one go are refused for good: those behind them are delivered all the same."""
    bench = Bench(ledger, at_once=2)
    await bench.enter(0, 100)
    bench.receiver.refuses |= {one.id for one in await ledger.alerts(Channel.WEBHOOK, 10)}
    for number in range(1, 4):
        await bench.enter(number, 0, attempts=(attempt(model=f"unheard-of-{number}"),))
    for _ in range(3):
        await bench.once()
    left = {one.id for one in await ledger.alerts(Channel.WEBHOOK, 10)}
    assert (left, len(bench.ids)) == (bench.receiver.refuses, 5)
