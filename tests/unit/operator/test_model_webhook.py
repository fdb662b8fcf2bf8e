"""The webhook: only MLflow's own, new deliveries wake the poller."""

from __future__ import annotations

import time

import httpx
import pytest
from roggia_operator.models import webhook
from roggia_operator.models.webhook import DELIVERY, MAX_BODY, PATH, SIGNATURE, TIMESTAMP, TOLERANCE_S
from starlette.applications import Starlette

from tests.support.webhooks import signed_headers

SECRET = "a secret of some length"
BODY = '{"entity": "model_version_alias", "action": "created", "data": {"name": "è", "alias": "champion"}}'


class Door:
    """The route, and how often it woke somebody."""

    def __init__(self) -> None:
        self.woken = 0
        app = Starlette(routes=webhook.routes(SECRET, self._wake))
        self.client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://operator")

    def _wake(self) -> None:
        self.woken += 1

    async def post(self, headers: dict[str, str], body: str | bytes = BODY) -> int:
        content = body.encode() if isinstance(body, str) else body
        return (await self.client.post(PATH, headers=headers, content=content)).status_code


@pytest.fixture
def door() -> Door:
    """A route that nobody has knocked at."""
    return Door()


def headers(delivery: str = "d1", at: int | None = None, body: str = BODY, secret: str = SECRET) -> dict[str, str]:
    """What MLflow sends."""
    return signed_headers(secret, delivery, body, at)


async def test_a_right_delivery_wakes(door: Door) -> None:
    """200, and the poller is woken once."""
    assert await door.post(headers()) == 200
    assert door.woken == 1


async def test_mlflows_own_signature_is_taken(door: Door) -> None:
    """What MLflow's code signs is what is accepted, header names included."""
    delivery = pytest.importorskip("mlflow.webhooks.delivery")
    constants = pytest.importorskip("mlflow.webhooks.constants")
    moment = str(int(time.time()))
    told = {
        constants.WEBHOOK_DELIVERY_ID_HEADER: "id-1",
        constants.WEBHOOK_TIMESTAMP_HEADER: moment,
        constants.WEBHOOK_SIGNATURE_HEADER: delivery._generate_hmac_signature(SECRET, "id-1", moment, BODY),
    }
    assert await door.post(told) == 200
    assert door.woken == 1


async def test_a_repeated_delivery_does_not_wake_again(door: Door) -> None:
    """MLflow tries again when it did not hear our answer: it gets one, and nothing happens twice."""
    told = headers()
    assert [await door.post(told) for _ in range(3)] == [200, 200, 200]
    assert await door.post(headers("d2")) == 200
    assert door.woken == 2


@pytest.mark.parametrize(
    "changed",
    [
        {SIGNATURE: ""},
        {SIGNATURE: "v1,AAAA"},
        {SIGNATURE: "v1,è".encode().decode("latin-1")},
        {DELIVERY: "another"},
        {DELIVERY: ""},
        {DELIVERY: "x" * 201},
        {TIMESTAMP: str(int(time.time()) + 1)},
        {TIMESTAMP: "now"},
        {TIMESTAMP: "-5"},
        {TIMESTAMP: "9" * 400},
        {TIMESTAMP: ""},
    ],
)
async def test_what_was_changed_is_refused(door: Door, changed: dict[str, str]) -> None:
    """Any header that is not the signed one: 401, nobody is woken."""
    told = {name: value.encode("latin-1") for name, value in (headers(at=int(time.time()) - 1) | changed).items()}
    assert await door.post(told) == 401  # type: ignore[arg-type]
    assert door.woken == 0


async def test_a_changed_body_or_another_secret_is_refused(door: Door) -> None:
    """The signature covers the body, and is made with this webhook's secret."""
    assert await door.post(headers(), BODY + " ") == 401
    assert await door.post(headers(secret="another secret here")) == 401
    assert await door.post({}) == 401
    assert door.woken == 0


@pytest.mark.parametrize("off", [-TOLERANCE_S - 5, TOLERANCE_S + 5])
async def test_an_old_delivery_is_refused(door: Door, off: int) -> None:
    """One that was recorded and is played again later, or comes from the future: 401."""
    assert await door.post(headers(at=int(time.time()) + off)) == 401
    assert door.woken == 0


async def test_a_time_beyond_all_bounds_is_refused(door: Door) -> None:
    """Signed as it may be: a number that Python would not even read is no fault of the server."""
    assert await door.post(headers(at="9" * 5000)) == 401  # type: ignore[arg-type]
    assert door.woken == 0


async def test_a_large_body_is_refused_before_it_is_read_whole(door: Door) -> None:
    """413, whatever its signature."""
    large = "x" * (MAX_BODY + 1)
    assert await door.post(headers(body=large), large) == 413
    assert door.woken == 0


async def test_only_post_is_answered(door: Door) -> None:
    """Looking at the address does nothing."""
    assert (await door.client.get(PATH)).status_code == 405
    assert door.woken == 0


def test_a_replay_is_known_as_long_as_it_could_be_taken() -> None:
    """An id is remembered for longer than its delivery stays within the tolerance, and no longer than that twice."""
    clock = [1_000_000.0]
    checking = webhook.Checking(SECRET, lambda: clock[0])

    def delivery(name: str, at: int) -> webhook.Delivery:
        told = headers(name, at)
        return webhook.Delivery(name, told[TIMESTAMP], told[SIGNATURE], BODY.encode())

    early = delivery("d", 1_000_000 + TOLERANCE_S)
    assert checking.is_new(early)
    clock[0] += 2 * TOLERANCE_S
    assert not checking.is_new(early)
    clock[0] += 1
    with pytest.raises(webhook.RefusedDeliveryError, match="from this machine's clock"):
        checking.is_new(early)
