"""A record as a line of the Common Event Format, version 0. Pure.

ArcSight's CEF implementation standard: seven header fields behind `CEF:`, separated by pipes, where backslash and pipe
are escaped; then key=value pairs, where backslash and equals sign are escaped, and a line's end is written \\n or \\r.
Keys are those of its dictionary; what that has no key for is in the custom fields, each with its label.
"""

from __future__ import annotations

from collections.abc import Iterator

from roggia_auditor.siem.facts import Facts, Severity

_SEVERITY = {Severity.INFORMATIONAL: 1, Severity.LOW: 4, Severity.MEDIUM: 6}
"""On CEF's scale of 0 to 10: low up to 3, medium from 4, high from 7."""
_CONTROL = dict.fromkeys((*range(0x20), 0x7F, 0x85, 0x2028, 0x2029), " ")
"""What would end a line for some reader."""
_HEADER = str.maketrans({**_CONTROL, ord("\\"): "\\\\", ord("|"): "\\|"})
_VALUE = str.maketrans({**_CONTROL, ord("\\"): "\\\\", ord("="): "\\=", ord("\n"): "\\n", ord("\r"): "\\r"})


def line(facts: Facts, product_version: str) -> str:
    """The line, without its end."""
    head = (
        "Roggia",
        "auditor",
        product_version,
        f"inference.{facts.operation}",
        f"Inference {facts.outcome.lower()}",
        str(_SEVERITY[facts.severity]),
    )
    pairs = " ".join(f"{key}={value.translate(_VALUE)}" for key, value in _pairs(facts) if value)
    return "|".join(("CEF:0", *(text.translate(_HEADER) for text in head), pairs))


def _pairs(facts: Facts) -> Iterator[tuple[str, str]]:
    """Keys and values, in a fixed order; empty ones are left out by the caller."""
    row, leaf, event = facts.row, facts.row.leaf, facts.event
    yield "rt", str(leaf.appended_at)
    yield "end", str(row.occurred_at)
    yield "cat", "inference"
    yield "act", facts.operation
    yield "outcome", "success" if facts.outcome == "OK" else "failure"
    yield "reason", facts.reason
    yield "externalId", "" if event is None else leaf.event_id
    yield "suid", facts.subject
    yield "sourceServiceName", "" if event is None else event.key_id
    yield "destinationServiceName", "" if facts.last is None else facts.last.provider
    yield from _labelled("cs1", "tenant", leaf.tenant)
    yield from _labelled("cs2", "model", "" if facts.last is None else facts.last.model)
    yield from _labelled("cs3", "prompt", _prompt(facts))
    yield from _labelled("cs4", "requestId", "" if event is None else event.request_id)
    yield from _labelled("cs5", "traceId", "" if event is None else event.trace_id)
    yield from _labelled("cs6", "logPosition", f"{facts.log}#{row.index}")
    into, out = facts.tokens or (0, 0)
    yield from _labelled("cn1", "inputTokens", str(into))
    yield from _labelled("cn2", "outputTokens", str(out))
    yield from _labelled("cn3", "tenantSequence", str(leaf.tenant_seq) if leaf.tenant else "")
    yield from _labelled("flexNumber1", "costPicoUsd", "" if leaf.cost_pico is None else str(leaf.cost_pico))
    yield from _labelled("flexString1", "priceVersion", leaf.price_version)
    yield from _labelled("flexString2", "auditStatus", leaf.status.name)


def _labelled(key: str, label: str, value: str) -> Iterator[tuple[str, str]]:
    if value:
        yield f"{key}Label", label
        yield key, value


def _prompt(facts: Facts) -> str:
    prompt = None if facts.event is None else facts.event.prompt
    if prompt is None:
        return ""
    return f"{prompt.name}@{prompt.version}" + (f"/{prompt.variant}" if prompt.variant else "")
