"""Waiting for one of several events, and who has ended a wait."""

from __future__ import annotations

import asyncio


async def either(*events: asyncio.Event, timeout_s: float | None = None) -> bool:
    """Wait until one of the events is set; say whether one was within `timeout_s` seconds."""
    if any(event.is_set() for event in events):
        return True
    waits = {asyncio.ensure_future(event.wait()) for event in events}
    try:
        done, _ = await asyncio.wait(waits, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
    return bool(done)


def cancelled_from_outside() -> bool:
    """Whether the running task itself was cancelled, rather than one that it awaits."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
