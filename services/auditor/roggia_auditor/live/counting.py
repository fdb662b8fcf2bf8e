"""What an inference adds to the live views. Pure; tokens are counted as the exact sums count them."""

from __future__ import annotations

from roggia_schemas.events import InferenceCompleted, InferenceOrigin, InferenceOutcome

from roggia_auditor.live.windows import Hit, Key
from roggia_auditor.pricing.classes import counted, tokens

OWN = frozenset({InferenceOrigin.LIVE, InferenceOrigin.CANARY})
"""What is a tenant's own use; shadow traffic and replays are not in the views."""
FAILED = frozenset({InferenceOutcome.ERROR, InferenceOutcome.LOST})
"""What counts as an error: not what a client gave up, nor what a policy refused."""


def hits(event: InferenceCompleted, appended_at: int) -> list[Hit]:
    """One hit for each attempt; the last one is the request itself. Raises `UsageError` for counts that cannot be.

    The time is that of the event, or of its arrival where the publisher's clock is ahead of the broker's.
    """
    at = min(event.occurred_at, appended_at)
    failed = int(event.outcome in FAILED)
    found = [
        Hit(_key(event, one.provider, one.model), at, 0, 0, tokens(counted(one.usage)), None) for one in event.attempts
    ]
    last = found.pop() if found else Hit(_key(event, "", ""), at, 0, 0, 0, None)
    return [*found, Hit(last.key, at, 1, failed, last.tokens, event.latency_ms)]


def _key(event: InferenceCompleted, provider: str, model: str) -> Key:
    prompt = event.prompt
    if prompt is None:
        return Key(event.tenant_id, provider, model, "", "", "")
    return Key(event.tenant_id, provider, model, prompt.name, prompt.version, prompt.variant)
