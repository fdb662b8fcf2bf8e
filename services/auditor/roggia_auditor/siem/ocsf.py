"""A record as an event of the Open Cybersecurity Schema Framework: API Activity (6003), profile `ai_operation`.

Pinned to OCSF 1.8.0 (github.com/ocsf/ocsf-schema, commit 3dcb905d: events/application/api_activity.json,
profiles/ai_operation.json, profiles/trace.json and the objects that these name). What the schema has no name for is in
`unmapped`. Pure.
"""

from __future__ import annotations

from typing import Any

from roggia_runtime.ids import derived
from roggia_schemas.events import InferenceCompleted, InferenceOutcome

from roggia_auditor.siem.facts import Facts

VERSION = "1.8.0"
CATEGORY, CLASS = 6, 6003
_UNKNOWN, _CREATE = 0, 1
"""`activity_id`: an inference is the creation of an answer; of a record that does not read nothing is known."""
_ACTIVITIES = {_UNKNOWN: "Unknown", _CREATE: "Create"}
_SUCCESS, _FAILURE, _OTHER = 1, 2, 99
_STATUS = {InferenceOutcome.OK: _SUCCESS, InferenceOutcome.ABORTED: _OTHER}
_STATUSES = {_SUCCESS: "Success", _FAILURE: "Failure"}
_ASSISTANT, _OTHER_ROLE = 2, 99
_GATEWAY = "roggia"


def event(facts: Facts, product_version: str) -> dict[str, Any]:
    """The event. Numbers that may leave 53 bits are strings."""
    activity = _UNKNOWN if facts.event is None else _CREATE
    found = {
        "activity_id": activity,
        "activity_name": _ACTIVITIES[activity],
        "category_uid": CATEGORY,
        "category_name": "Application Activity",
        "class_uid": CLASS,
        "class_name": "API Activity",
        "type_uid": CLASS * 100 + activity,
        "type_name": f"API Activity: {_ACTIVITIES[activity]}",
        "severity_id": int(facts.severity),
        "severity": facts.severity.name.capitalize(),
        "time": facts.row.occurred_at,
        "message": _message(facts),
        "metadata": _metadata(facts, product_version),
        "actor": _actor(facts),
        "api": _api(facts),
        "src_endpoint": {"svc_name": _GATEWAY},
        **_outcome(facts),
        "unmapped": {"roggia": _unmapped(facts)},
    }
    return found if facts.event is None else found | _inference(facts, facts.event)


def _inference(facts: Facts, event: InferenceCompleted) -> dict[str, Any]:
    """What is known of a record that reads."""
    duration = max(0, round(event.latency_ms))
    found: dict[str, Any] = {
        "duration": duration,
        "start_time": event.occurred_at - duration,
        "end_time": event.occurred_at,
        "message_context": _context(facts, event),
    }
    if facts.last is not None:
        found["dst_endpoint"] = {"svc_name": facts.last.provider}
        found["ai_model"] = {"ai_provider": facts.last.provider, "name": facts.last.model}
        if facts.last.model_version:
            found["ai_model"]["version"] = facts.last.model_version
    if event.trace_id:
        found["trace"] = {"uid": event.trace_id}
    return found


def _metadata(facts: Facts, product_version: str) -> dict[str, Any]:
    leaf, event = facts.row.leaf, facts.event
    found: dict[str, Any] = {
        "version": VERSION,
        "product": {"name": "Roggia", "vendor_name": "Roggia", "version": product_version},
        "profiles": ["ai_operation", "trace"],
        "uid": derived(facts.uid, "siem", f"ocsf/{VERSION}"),
        "log_name": facts.log,
        "logged_time": leaf.appended_at,
    }
    if event is not None:
        found |= {"original_event_uid": leaf.event_id, "correlation_uid": event.request_id}
    if leaf.tenant:
        found |= {"tenant_uid": leaf.tenant, "sequence": leaf.tenant_seq}
    return found


def _actor(facts: Facts) -> dict[str, Any]:
    key = "" if facts.event is None else facts.event.key_id
    found: dict[str, Any] = {"app_uid": key} if key else {"app_name": "unknown"}
    if facts.subject:
        found["user"] = {"uid": facts.subject, "type_id": 0}
    return found


def _api(facts: Facts) -> dict[str, Any]:
    found: dict[str, Any] = {"operation": facts.operation}
    if facts.event is not None and facts.event.request_id:
        found["request"] = {"uid": facts.event.request_id}
    if facts.last is not None:
        found["service"] = {"name": facts.last.provider}
        if facts.last.status:
            found["response"] = {"code": facts.last.status}
    return found


def _outcome(facts: Facts) -> dict[str, Any]:
    status = _FAILURE if facts.event is None else _STATUS.get(facts.event.outcome, _FAILURE)
    found = {
        "status_id": status,
        "status": _STATUSES.get(status, facts.outcome.capitalize()),
        "status_code": facts.outcome,
    }
    return found | ({"status_detail": facts.reason} if facts.reason else {})


def _context(facts: Facts, event: InferenceCompleted) -> dict[str, Any]:
    role = (_OTHER_ROLE, "Embedder") if facts.operation == "embeddings" else (_ASSISTANT, "Assistant")
    found: dict[str, Any] = {
        "uid": event.response_id or event.request_id or event.event_id,
        "ai_role_id": role[0],
        "ai_role": role[1],
        "service": {"name": _GATEWAY if facts.last is None else facts.last.provider},
    }
    if facts.tokens is not None:
        into, out = facts.tokens
        found |= {"prompt_tokens": into, "completion_tokens": out, "total_tokens": into + out}
    return found


def _unmapped(facts: Facts) -> dict[str, Any]:
    """The proof's handle, the amount, and what an inference was made with."""
    leaf, event = facts.row.leaf, facts.event
    found: dict[str, Any] = {
        "log_index": str(facts.row.index),
        "leaf_hash": facts.uid,
        "status": leaf.status.name,
        "booked": leaf.booked,
        "cost_pico_usd": None if leaf.cost_pico is None else str(leaf.cost_pico),
        "price_version": leaf.price_version,
    }
    return found if event is None else found | _made_with(event)


def _made_with(event: InferenceCompleted) -> dict[str, Any]:
    prompt, retrieval, redaction = event.prompt, event.retrieval, event.redaction
    return {
        "origin": event.origin.value,
        "cache": event.cache.value,
        "attempts": len(event.attempts),
        "tools": [one.name for one in event.tools],
        "prompt": None if prompt is None else {one: getattr(prompt, one) for one in ("name", "version", "variant")},
        "collection": None if retrieval is None else retrieval.collection,
        "redaction": None
        if redaction is None
        else {"status": redaction.status.value, "policy_version": redaction.policy_version, "counts": redaction.counts},
    }


def _message(facts: Facts) -> str:
    by = "" if facts.last is None else f" by {facts.last.provider}/{facts.last.model}"
    return f"{facts.operation}{by}: {facts.outcome}"
