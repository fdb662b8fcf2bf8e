"""MLflow's webhook: checked, then nothing but a knock at the poller's door.

MLflow gives a delivery up after a few tries, forgets what was waiting when its server stops, and sends none for changes
that bypass the server. So nothing is read from a delivery, and none is needed: it only makes the next look come sooner.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from roggia_operator import metrics

PATH = "/v1/models/webhook"
SIGNATURE, TIMESTAMP, DELIVERY = "x-mlflow-signature", "x-mlflow-timestamp", "x-mlflow-delivery-id"
TOLERANCE_S = 300
"""Age, or lead, of a delivery that is still taken: MLflow's own tries are over within a minute."""
MAX_BODY = 64 * 1024
"""A delivery about an alias has some 200 bytes."""
_MAX_ID = 200
_REMEMBERED = 10_000


class RefusedDeliveryError(ValueError):
    """A delivery is not MLflow's, or not of now; the message says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """What a request says of itself."""

    delivery_id: str
    timestamp: str
    signature: str
    body: bytes


class Checking:
    """Decides whether a delivery is MLflow's and new. `now` is Unix time."""

    def __init__(self, secret: str, now: Callable[[], float] = time.time) -> None:
        self._secret = secret.encode()
        self._now = now
        self._seen: OrderedDict[str, float] = OrderedDict()

    def is_new(self, delivery: Delivery) -> bool:
        """Whether this one was not taken before. Raises `RefusedDeliveryError` for one that is not right."""
        if not delivery.delivery_id or len(delivery.delivery_id) > _MAX_ID:
            raise RefusedDeliveryError(f"{DELIVERY}: missing or too long")
        if not (delivery.timestamp.isascii() and delivery.timestamp.isdigit() and len(delivery.timestamp) < 16):
            raise RefusedDeliveryError(f"{TIMESTAMP}: not a Unix time in seconds")
        if not hmac.compare_digest(signed(self._secret, delivery).encode(), delivery.signature.encode()):
            raise RefusedDeliveryError(f"{SIGNATURE}: not signed with this webhook's secret")
        if abs(self._now() - int(delivery.timestamp)) > TOLERANCE_S:
            raise RefusedDeliveryError(f"{TIMESTAMP}: more than {TOLERANCE_S} s from this machine's clock")
        return self._remember(delivery.delivery_id)

    def _remember(self, delivery_id: str) -> bool:
        horizon = self._now() - 2 * TOLERANCE_S
        while self._seen and (len(self._seen) >= _REMEMBERED or next(iter(self._seen.values())) < horizon):
            self._seen.popitem(last=False)
        new = delivery_id not in self._seen
        self._seen.setdefault(delivery_id, self._now())
        return new


def signed(secret: bytes, delivery: Delivery) -> str:
    """The signature that MLflow gives: HMAC-SHA-256 over id, time and body, joined by dots, in Base64 after `v1,`."""
    content = f"{delivery.delivery_id}.{delivery.timestamp}.".encode() + delivery.body
    return "v1," + base64.b64encode(hmac.new(secret, content, hashlib.sha256).digest()).decode()


def routes(secret: str, wake: Callable[[], None]) -> list[Route]:
    """The route that calls `wake` for every new delivery of a webhook with this secret."""
    checking = Checking(secret)

    async def knock(request: Request) -> Response:
        body = await _body(request)
        told, at, sign = (request.headers.get(name, "") for name in (DELIVERY, TIMESTAMP, SIGNATURE))
        try:
            new = checking.is_new(Delivery(told, at, sign, body))
        except RefusedDeliveryError as error:
            _refuse(401, str(error))
        metrics.MODEL_WEBHOOKS.labels("woke" if new else "repeated").inc()
        if new:
            wake()
        return JSONResponse({"status": "ok"})

    return [Route(PATH, knock, methods=["POST"])]


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MAX_BODY:
            _refuse(413, f"body: more than {MAX_BODY} bytes")
    return bytes(body)


def _refuse(status: int, why: str) -> NoReturn:
    metrics.MODEL_WEBHOOKS.labels("refused").inc()
    raise HTTPException(status, why)
