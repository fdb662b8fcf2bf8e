"""Live views: what counts, what is read again, who may ask, and that nothing exact asks."""

from __future__ import annotations

import ast
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import roggia_auditor
from pydantic import SecretStr
from roggia_auditor.errors import UsageError
from roggia_auditor.live.api import PATH, LiveApi
from roggia_auditor.live.counting import hits
from roggia_auditor.live.intake import Intake
from roggia_auditor.live.views import Views
from roggia_auditor.live.windows import Key
from roggia_runtime.errors import UnavailableError
from roggia_runtime.records import Record
from roggia_schemas.events import InferenceOutcome, PromptUse
from starlette.applications import Starlette
from starlette.testclient import TestClient

from tests.support.auditing import NOON, TOPIC, attempt, inference, record, usage
from tests.support.popularity import codec

ACME = Key("acme", "openai", "example-4", "", "", "")
TOKEN = SecretStr("a-token-of-sixteen")


class Topic:
    """The log of partition 0, which may be away for some tries."""

    def __init__(self, records: Sequence[Record] = (), away: int = 0) -> None:
        self.records, self.away, self.asked = list(records), away, 0

    async def read(self, partition: int) -> AsyncGenerator[Record]:
        """All of it."""
        self.asked += 1
        if self.asked <= self.away:
            raise UnavailableError("Kafka is away")
        for one in self.records:
            if one.partition == partition:
                yield one


def requests(views: Views, at: int = NOON) -> int:
    """In the hour before a moment, of everybody."""
    return sum(cells[-1].requests for cells in views.read(at).values())


def client(views: Views, *, token: SecretStr | None = None, host: str = "127.0.0.1", now: int = NOON) -> TestClient:
    """What asks the API."""
    return TestClient(Starlette(routes=LiveApi(views, lambda: now, token, host).routes()))


def test_a_request_counts_once_and_every_attempt_brings_its_tokens() -> None:
    """A retry with another model: its tokens are its own, request, error and latency are the last one's."""
    first = attempt(usage(input=7), model="small")
    event = inference(
        attempts=(first, attempt(usage(input=100, cache_read=40, output=10))),
        prompt=PromptUse(name="answer", version="2", variant="b"),
        outcome=InferenceOutcome.ERROR,
        latency_ms=12.5,
    )
    one, other = hits(event, NOON)

    assert (one.key.model, one.requests, one.errors, one.tokens, one.latency_ms) == ("small", 0, 0, 7, None)
    assert other.key == Key("acme", "openai", "example-4", "answer", "2", "b")
    assert (other.requests, other.errors, other.tokens, other.latency_ms) == (1, 1, 110, 12.5)


def test_an_answer_from_the_cache_is_a_request_without_a_model() -> None:
    """It has no attempt; it is counted all the same."""
    (only,) = hits(inference(attempts=()), NOON)
    assert (only.key.provider, only.key.model, only.requests, only.tokens) == ("", "", 1, 0)


@pytest.mark.parametrize("outcome", [InferenceOutcome.OK, InferenceOutcome.ABORTED, InferenceOutcome.REFUSED])
def test_what_a_client_or_a_policy_ended_is_no_error(outcome: InferenceOutcome) -> None:
    """Errors are what failed, or was lost."""
    assert hits(inference(outcome=outcome), NOON)[-1].errors == 0
    assert hits(inference(outcome=InferenceOutcome.LOST), NOON)[-1].errors == 1


def test_a_clock_that_is_ahead_does_not_reach_into_the_future() -> None:
    """The time of arrival counts then; what is late counts where it belongs."""
    assert hits(inference(), NOON - 5)[0].at == NOON - 5
    assert hits(inference(), NOON + 5)[0].at == NOON


def test_counts_that_cannot_be_are_refused() -> None:
    """As the exact sums refuse them."""
    with pytest.raises(UsageError):
        hits(inference(attempts=(attempt(usage(input=-1)),)), NOON)


async def test_a_new_partition_is_read_again_before_it_is_followed() -> None:
    """From the log's last hour; what is handed on of that afterwards counts nothing."""
    log = [record(inference(n), n) for n in range(5)]
    views, topic = Views(100), Topic(log)
    intake = Intake(views, codec(), topic)
    intake.assigned([0])
    await intake.take(log[2])
    assert requests(views) == 5
    await intake.take(log[4])
    await intake.take(record(inference(6), 6))
    assert requests(views) == 6
    assert [one[:2] for one in views.as_of()] == [(0, 7)]
    intake.assigned([0, 1])
    assert (requests(views), topic.asked) == (6, 1), "what it held before stays"
    intake.assigned([1])
    assert requests(views) == 0


async def test_after_a_session_that_failed_nothing_is_missing() -> None:
    """The group begins at the end then: what came meanwhile is in the history, which is read again."""
    log = [record(inference(n), n) for n in range(3)]
    views, topic = Views(100), Topic(log)
    intake = Intake(views, codec(), topic)
    intake.assigned([0])
    await intake.take(log[2])
    topic.records += [record(inference(n), n) for n in range(3, 8)]
    intake.begin_anew()
    assert requests(views) == 3, "what is known is shown until it is known better"
    intake.assigned([0])
    await intake.take(record(inference(8), 8))
    assert (requests(views), topic.asked) == (9, 2)


async def test_kafka_that_is_away_is_waited_for() -> None:
    """The record in hand is not lost, and health says why nothing is shown."""
    views, topic = Views(100), Topic([record(inference(1), 0)], away=2)
    intake = Intake(views, codec(), topic)
    intake.assigned([0])
    assert "being read again" in intake.health()[0]
    await intake.take(record(inference(2), 1))
    assert (requests(views), topic.asked, intake.health()) == (2, 3, [])


async def test_what_is_not_a_tenants_own_use_is_left_out_and_nothing_stops() -> None:
    """Shadow traffic, replays, what is unreadable, nulls, foreign keys, impossible counts: each moves the offset."""
    good = record(inference(1), 0)
    bad = [
        record(inference(2, origin="SHADOW"), 1),
        record(inference(3, origin="REPLAY"), 2),
        replace(good, offset=3, value=b"\x00\x00\x00\x00\x07rubbish"),
        replace(good, offset=4, value=None),
        replace(good, offset=5, key=b"beta"),
        record(inference(6, attempts=(attempt(usage(input=-1)),)), 6),
    ]
    views = Views(100)
    intake = Intake(views, codec(), Topic())
    intake.assigned([0])
    for one in (good, *bad):
        await intake.take(one)
    assert requests(views) == 1
    assert views.as_of()[0].offset == 7


def test_the_answer_says_what_it_is_worth() -> None:
    """Approximate, as of which offsets, with which error; windows of 1, 5 and 60 minutes, per key and together."""
    views = Views(100)
    views.begin(3)
    for number, (tenant, ago) in enumerate((("acme", 0), ("acme", 120_000), ("beta", 3_000_000))):
        event = inference(number, tenant_id=tenant, occurred_at=NOON - ago, latency_ms=100.0 * (number + 1))
        views.take(3, number, NOON - 3_000_000 + number, hits(event, NOON))
    body: dict[str, Any] = client(views).get(PATH).json()

    assert body["approximate"] is True
    assert "ledger" in body["why"]
    assert body["as_of"] == [{"partition": 3, "offset": 3, "appended_at": NOON - 2_999_998}]
    assert (body["at"], body["relative_error"], body["windows_minutes"]) == (NOON, 0.01, [1, 5, 60])
    assert [body["total"][window]["requests"] for window in ("1", "5", "60")] == [1, 2, 3]
    acme = client(views).get(PATH, params={"tenant": "acme"}).json()
    (row,) = acme["series"]
    assert (row["tenant"], row["model"], row["windows"]["60"]["tokens"]) == ("acme", "example-4", 220)
    assert row["windows"]["1"]["p95_ms"] == pytest.approx(100, rel=0.01)
    assert client(views).get(PATH, params={"limit": "1"}).json()["keys"] == 2


@pytest.mark.parametrize(
    ("query", "status", "said"),
    [("?day=1", 400, "day"), ("?limit=0", 400, "limit"), ("?limit=x", 400, "limit"), ("?tenant=nobody", 200, "")],
)
def test_a_filter_that_does_not_exist_is_refused(query: str, status: int, said: str) -> None:
    """Else a misspelt one would show everybody."""
    answer = client(Views(10)).get(PATH + query)
    assert answer.status_code == status
    assert answer.json().get("error", {"field": ""})["field"] == said


def test_who_may_ask() -> None:
    """On loopback everybody without a token; elsewhere nobody without one, and where there is one, nobody else."""
    assert client(Views(10)).get(PATH).status_code == 200
    assert client(Views(10), host="0.0.0.0").get(PATH).status_code == 403
    held = client(Views(10), host="0.0.0.0", token=TOKEN)
    assert held.get(PATH).status_code == 401
    assert held.get(PATH, headers={"authorization": "Bearer wrong"}).status_code == 401
    assert held.get(PATH, headers={"authorization": f"Bearer {TOKEN.get_secret_value()}"}).status_code == 200
    assert client(Views(10), token=TOKEN).get(PATH).status_code == 401


def test_memory_is_bounded_by_time_and_by_keys() -> None:
    """Keys that nobody used for an hour are forgotten; of many thousand names at once, no more than the limit stay."""
    views = Views(50)
    views.begin(0)
    for number in range(5_000):
        event = inference(number, attempts=(attempt(model=f"m{number}"),))
        views.take(0, number, NOON, hits(event, NOON))
    assert len(views) == 51
    assert views.folded == 4_950
    later = NOON + 3_700_000
    views.take(0, 5_000, later, hits(inference(1, occurred_at=later), later))
    assert len(views) == 1


def test_nothing_outside_imports_the_live_views() -> None:
    """Exact figures never come from them: no other module of the auditor knows them, whatever is added later."""
    root = Path(roggia_auditor.__file__).parent
    others = [path for path in root.rglob("*.py") if path.parent.name != "live"]
    assert len(others) > 30
    assert [path for path in others if any(name.startswith("roggia_auditor.live") for name in _imports(path))] == []


def _imports(path: Path) -> list[str]:
    tree = ast.parse(path.read_text())
    froms = [
        f"{node.module}.{one.name}" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for one in node.names
    ]
    return froms + [one.name for node in ast.walk(tree) if isinstance(node, ast.Import) for one in node.names]


def test_the_topic_is_the_one_that_is_audited() -> None:
    """The views read what the ledger reads."""
    from roggia_auditor.live.app import READING

    assert READING.topic == TOPIC
