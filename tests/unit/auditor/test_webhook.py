"""Deliveries over HTTP: signed, to the one address alone, and nothing of the address in what is said."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from roggia_auditor.adapters.webhook import Webhook
from roggia_auditor.errors import UndeliveredError

from tests.support.processes import free_port
from tests.support.receiving import KEY, Received, receiver


@pytest.fixture
async def both() -> AsyncIterator[tuple[Webhook, Received]]:
    """A receiver, and a webhook that posts to it."""
    with receiver() as received:
        made = Webhook(received.url, [KEY], 5.0, lambda: 1_735_732_800.9)
        await made.start()
        yield made, received
        await made.stop()


async def test_a_delivery_is_signed(both: tuple[Webhook, Received]) -> None:
    """Body as given, id, Unix time in seconds, and a signature that the receiver makes by itself."""
    hook, received = both
    await hook.send("id-1", b'{"a":1}')
    (one,) = received.deliveries
    assert (one.path, one.body, one.id) == ("/alerts", b'{"a":1}', "id-1")
    assert (one.headers["webhook-timestamp"], one.headers["content-type"]) == ("1735732800", "application/json")
    assert one.signed()
    assert not one._replace(body=b'{"a":2}').signed()


@pytest.mark.parametrize(
    ("status", "refused"),
    [(400, True), (401, True), (410, True), (408, False), (429, False), (500, False), (503, False), (302, True)],
)
async def test_what_is_not_taken_is_said(both: tuple[Webhook, Received], status: int, refused: bool) -> None:
    """A refusal is of this delivery alone; a receiver that is busy or broken is left alone for a while."""
    hook, received = both
    received.status = status
    with pytest.raises(UndeliveredError, match=str(status)) as error:
        await hook.send("id-1", b"{}")
    assert error.value.refused is refused


async def test_no_redirect_is_followed(both: tuple[Webhook, Received]) -> None:
    """Else whoever answers chooses an address within the operator's network."""
    hook, received = both
    with receiver() as other:
        received.status, received.elsewhere = 307, other.url
        with pytest.raises(UndeliveredError):
            await hook.send("id-1", b"{}")
        assert other.deliveries == []


async def test_nobody_there_is_said_without_the_address() -> None:
    """The address may hold a secret: it is in no error, and so in no log."""
    hook = Webhook(f"http://127.0.0.1:{free_port()}/secret-path", [KEY], 5.0)
    with pytest.raises(UndeliveredError, match="not started"):
        await hook.send("id-1", b"{}")
    await hook.start()
    with pytest.raises(UndeliveredError, match="does not answer") as error:
        await hook.send("id-1", b"{}")
    assert "127.0.0.1" not in str(error.value)
    assert "secret-path" not in str(error.value)
    assert not error.value.refused
    await hook.stop()
    await hook.stop()
