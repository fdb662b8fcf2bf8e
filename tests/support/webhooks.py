"""Deliveries of MLflow's webhook, made as MLflow makes them, and as others might."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time

from roggia_operator.models.webhook import DELIVERY, SIGNATURE, TIMESTAMP


def signed_headers(secret: str, delivery: str, body: str, at: int | None = None) -> dict[str, str]:
    """What MLflow sends, written down independently of the code. `at` is Unix time, by default now."""
    moment = str(int(time.time())) if at is None else str(at)
    digest = hmac.new(secret.encode(), f"{delivery}.{moment}.{body}".encode(), hashlib.sha256).digest()
    return {DELIVERY: delivery, TIMESTAMP: moment, SIGNATURE: "v1," + base64.b64encode(digest).decode()}
