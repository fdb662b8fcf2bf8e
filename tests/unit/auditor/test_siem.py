"""Records for security monitoring: what they say, in which form, and where a reader goes on."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from roggia_auditor.adapters.sqlite_ledger import SqliteLedger
from roggia_auditor.api.access_log import Access, AccessLog
from roggia_auditor.errors import ExportError
from roggia_auditor.ledger.judging import Before, Read, Rules, judge
from roggia_auditor.ledger.model import READINGS, Head, Row
from roggia_auditor.ports import Ledger
from roggia_auditor.siem import cef, ocsf
from roggia_auditor.siem.facts import Facts, Severity
from roggia_auditor.siem.output import Output, continued, positions, save
from roggia_auditor.siem.stream import Asked, Format, SiemStream
from roggia_schemas.events import (
    InferenceCompleted,
    InferenceOperation,
    InferenceOrigin,
    InferenceOutcome,
    PromptUse,
    Redaction,
    RedactionStatus,
    RetrievalUse,
    ToolCall,
)

from tests.support import ocsf as schema
from tests.support.auditing import BOOK, STREAM, attempt, inference, read, reads, record, usage
from tests.support.cef import parsed
from tests.support.popularity import codec

ORIGIN = "audit.example.com"
LOG = STREAM.origin(ORIGIN)
TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=20) | st.text("ab =|\\\n\r", max_size=8)


def row_of(event: InferenceCompleted) -> Row:
    """The record as the ledger holds it."""
    return judge(STREAM, [read(event, 0)], Before(Head(), {}), {}, Rules(BOOK, {})).rows[0]


def facts(*, pseudonym: bool = False, **fields: object) -> Facts:
    """Of an inference; with its pseudonym."""
    event = inference(**fields)
    return Facts(LOG, row_of(event), event, pseudonym)


def unreadable() -> Facts:
    """Of a record that nobody can read."""
    broken = replace(record(inference(), 0), value=b"?")
    draft = judge(STREAM, [Read(broken, None, "no such schema")], Before(Head(), {}), {}, Rules(BOOK, {}))
    return Facts(LOG, draft.rows[0], None)


WHOLE: dict[str, object] = {
    "response_id": "resp-1",
    "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
    "key_id": "k-1",
    "subject": "9d5ed678fe57bcca",
    "finish_reason": "stop",
    "latency_ms": 1902.4,
    "attempts": (attempt(usage(input=100, cache_read=40, output=10, reasoning=4), model_version="x-1", status=200),),
    "prompt": PromptUse(name="answer", version="2", variant="b"),
    "retrieval": RetrievalUse(domain="kb", collection="kb_acme_kb__g1", generation=1),
    "tools": (ToolCall(name="search"),),
    "redaction": Redaction(
        status=RedactionStatus.REDACTED, policy_version="3", detectors_version="7", counts={"email": 2}
    ),
}


def test_an_event_of_ocsf_says_what_happened() -> None:
    """Who called what, how it ended, what it used; the amount and the record's place in the log beside it."""
    found = ocsf.event(facts(**WHOLE), "0.1.0")

    assert schema.broken(found) == []
    assert (found["type_uid"], found["status_id"], found["severity_id"]) == (600301, 1, 1)
    assert found["ai_model"] == {"ai_provider": "openai", "name": "example-4", "version": "x-1"}
    context = found["message_context"]
    assert (context["prompt_tokens"], context["completion_tokens"], context["total_tokens"]) == (100, 10, 110)
    assert found["metadata"]["profiles"] == ["ai_operation", "trace"]
    assert (found["metadata"]["tenant_uid"], found["metadata"]["sequence"]) == ("acme", 1)
    assert (found["actor"], found["trace"]) == ({"app_uid": "k-1"}, {"uid": WHOLE["trace_id"]})
    assert (found["end_time"] - found["start_time"], found["duration"]) == (1902, 1902)
    unmapped = found["unmapped"]["roggia"]
    assert (unmapped["log_index"], unmapped["cost_pico_usd"]) == ("0", None), "cache_read and reasoning have no price"
    assert unmapped["prompt"] == {"name": "answer", "version": "2", "variant": "b"}


def test_the_checker_of_ocsf_finds_what_is_wrong() -> None:
    """Else the tests beside this one could not fail."""
    good = ocsf.event(facts(**WHOLE), "0.1.0")
    wrong: list[dict[str, Any]] = [
        {name: value for name, value in good.items() if name != "actor"},
        {**good, "risk": 1},
        {**good, "status_id": 7},
        {**good, "time": "now"},
        {**good, "api": {}},
        {**good, "actor": {}},
        {**good, "type_uid": 1},
        {**good, "metadata": {**good["metadata"], "version": "1.9.0"}},
    ]
    assert [bool(schema.broken(one)) for one in wrong] == [True] * len(wrong)


@given(
    st.sampled_from(InferenceOutcome),
    st.sampled_from(InferenceOperation),
    st.sampled_from([one for one in InferenceOrigin if one is not InferenceOrigin.UNKNOWN]),
    st.lists(st.builds(attempt, st.builds(usage, input=st.integers(-1, 10**9))), max_size=2),
    st.tuples(TEXTS, TEXTS, TEXTS, TEXTS),
    st.sampled_from([None, *RedactionStatus]),
    st.booleans(),
)
def test_whatever_was_recorded_is_an_event_and_a_line(
    outcome: InferenceOutcome,
    operation: InferenceOperation,
    origin: InferenceOrigin,
    attempts: list[Any],
    texts: tuple[str, str, str, str],
    redacted: RedactionStatus | None,
    pseudonym: bool,
) -> None:
    """Every outcome, counts that cannot be, no attempt, texts of any kind: the schema holds, the line reads back."""
    trace, key, request, model = texts
    one = facts(
        pseudonym=pseudonym,
        outcome=outcome,
        operation=operation,
        origin=origin,
        attempts=tuple(attempts),
        trace_id=trace,
        key_id=key,
        request_id=request,
        subject="9d5ed678fe57bcca",
        prompt=PromptUse(name=model, version=request),
        redaction=redacted and Redaction(status=redacted, policy_version="1", detectors_version="1"),
    )

    assert schema.broken(json.loads(json.dumps(ocsf.event(one, "0.1.0")))) == []
    found = parsed(cef.line(one, "0.1.0"))
    assert found.pairs["externalId"] == one.row.leaf.event_id
    assert found.pairs["cs6"] == f"{LOG}#0"
    assert ("suid" in found.pairs) == pseudonym


@given(TEXTS, TEXTS)
def test_no_text_breaks_out_of_a_cef_line(request: str, key: str) -> None:
    """Pipes, equals signs, backslashes, line ends: they stay within their own value, or are a blank."""
    found = parsed(cef.line(facts(request_id=request, key_id=key), "0|1\\2\n3"))
    plain = {code: " " for code in (*range(0x20), 0x7F, 0x85, 0x2028, 0x2029) if chr(code) not in "\n\r"}

    assert found.fields[:3] == ("Roggia", "auditor", "0|1\\2 3")
    if request:
        assert found.pairs["cs4"] == request.translate(plain)
    if key:
        assert found.pairs["sourceServiceName"] == key.translate(plain)
    assert {"rt", "end", "act", "cs1", "cn1", "cs6"} <= set(found.pairs)


def test_a_cef_line_byte_by_byte() -> None:
    """What a SIEM's parser was set up for does not change unseen."""
    assert cef.line(facts(**WHOLE), "0.1.0") == (
        "CEF:0|Roggia|auditor|0.1.0|inference.chat|Inference ok|1|rt=1735732800000 end=1735732800000 cat=inference "
        "act=chat outcome=success reason=no price: openai/example-4: cache_read, reasoning "
        "externalId=01941f2a-0000-7000-8000-000000000001 sourceServiceName=k-1 destinationServiceName=openai "
        "cs1Label=tenant cs1=acme cs2Label=model cs2=example-4 cs3Label=prompt cs3=answer@2/b "
        "cs4Label=requestId cs4=req-1 cs5Label=traceId cs5=4bf92f3577b34da6a3ce929d0e0e4736 "
        f"cs6Label=logPosition cs6={LOG}#0 cn1Label=inputTokens cn1=100 cn2Label=outputTokens cn2=10 "
        "cn3Label=tenantSequence cn3=1 flexString1Label=priceVersion flexString1=v1 "
        "flexString2Label=auditStatus flexString2=UNPRICED"
    )


def test_what_cannot_be_read_is_told_too() -> None:
    """A gap in what a SIEM sees would be a place to hide."""
    found = ocsf.event(unreadable(), "0.1.0")
    assert schema.broken(found) == []
    assert (found["type_uid"], found["status_code"], found["severity_id"]) == (600300, "UNREADABLE", 3)
    line = parsed(cef.line(unreadable(), "0.1.0"))
    assert (line.fields[3], line.fields[5], line.pairs["reason"]) == ("inference.unknown", "6", "no such schema")


@pytest.mark.parametrize(
    ("fields", "severity"),
    [
        ({}, Severity.INFORMATIONAL),
        ({"outcome": InferenceOutcome.ABORTED}, Severity.INFORMATIONAL),
        ({"outcome": InferenceOutcome.ERROR}, Severity.LOW),
        ({"outcome": InferenceOutcome.REFUSED}, Severity.MEDIUM),
        ({"attempts": (attempt(usage(input=-1)),)}, Severity.MEDIUM),
        (
            {"redaction": Redaction(status=RedactionStatus.BLOCKED, policy_version="1", detectors_version="1")},
            Severity.MEDIUM,
        ),
    ],
)
def test_severities(fields: dict[str, object], severity: Severity) -> None:
    """What was stopped, or cannot be used, asks for attention; a failure for less; an ordinary inference for none."""
    assert facts(**fields).severity is severity


def test_no_pseudonym_unless_it_is_asked_for() -> None:
    """It stands for a person; ids of events, requests and keys do not."""
    without, both = facts(**WHOLE), facts(pseudonym=True, **WHOLE)
    assert "9d5ed678fe57bcca" not in json.dumps(ocsf.event(without, "1")) + cef.line(without, "1")
    assert ocsf.event(both, "1")["actor"]["user"]["uid"] == "9d5ed678fe57bcca"
    assert parsed(cef.line(both, "1")).pairs["suid"] == "9d5ed678fe57bcca"


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    """Forty records of two tenants in one log."""
    made = SqliteLedger(tmp_path / "ledger.sqlite3")
    await made.start()
    await enter(made, 40)
    yield made
    await made.stop()


async def enter(ledger: Ledger, count: int, start: int = 0) -> None:
    """More records of both."""
    found = await ledger.before({STREAM: ["acme", "beta"]}, [])
    batch = reads(count, start=start, tenants=("acme", "beta"))
    await ledger.append([judge(STREAM, batch, found.streams[STREAM], {}, Rules(BOOK, {}))])


def stream(ledger: Ledger, tenant: str = "") -> SiemStream:
    """Of OCSF events."""
    return SiemStream(ledger, codec(), ORIGIN, Asked(Format.OCSF, "0.1.0", tenant))


async def test_a_reader_goes_on_where_it_stopped(ledger: Ledger) -> None:
    """Every record once, in the log's order, over several runs; of one tenant alone when asked."""
    (first,) = [page async for page in stream(ledger).pages({})]
    await enter(ledger, 10, 40)
    (second,) = [page async for page in stream(ledger).pages(first.after)]
    found = [json.loads(one)["unmapped"]["roggia"]["log_index"] for one in (*first.lines, *second.lines)]
    assert found == [str(n) for n in range(50)]
    assert second.after == {LOG: 50}
    assert [page async for page in stream(ledger).pages(second.after)] == []
    (beta,) = [page async for page in stream(ledger, "beta").pages({})]
    assert {json.loads(one)["metadata"]["tenant_uid"] for one in beta.lines} == {"beta"}
    assert (len(beta.lines), beta.after) == (25, {LOG: 50})
    uids = {json.loads(one)["metadata"]["uid"] for one in (*first.lines, *second.lines)}
    assert len(uids) == 50


async def test_what_the_ledger_itself_logs_is_no_inference(ledger: Ledger) -> None:
    """Who read the log makes no line: it would look like an inference that nobody can read."""

    async def knows(_tenant: str) -> bool:
        return True

    await AccessLog(ledger, knows).enter(Access(actor="a", action="records", tenant="acme"))
    pages = [page async for page in stream(ledger).pages({})]
    assert {one for page in pages for one in page.after} == {LOG}
    assert not [one for page in pages for one in page.lines if READINGS.topic in one]


def test_positions_are_kept_whole(tmp_path: Path) -> None:
    """Written and read back; none is an empty beginning; something else is refused with its name."""
    path = tmp_path / "state"
    assert positions(None) == positions(path) == {}
    save(path, {LOG: 2**60, "other": 0})
    assert positions(path) == {LOG: 2**60, "other": 0}
    save(None, {})
    for text in ("{}", "[]", "no json", '{"format": "other/1", "next": {}}', '{"format": "roggia-siem-state/1"}'):
        path.write_text(text)
        with pytest.raises(ExportError, match="state"):
            positions(path)


def test_a_file_is_continued_behind_its_last_whole_line(tmp_path: Path) -> None:
    """What a crash has left half written goes; what is whole stays, however long it is."""
    path = tmp_path / "out.jsonl"
    with continued(path) as file:
        Output(file, durable=True).write(["one", "x" * 200_000])
    with path.open("ab") as file:
        file.write(b"half a line" * 20_000)
    with continued(path) as file:
        Output(file, durable=True).write(["three"])
    assert path.read_text().split("\n") == ["one", "x" * 200_000, "three", ""]
    path.write_bytes(b"never a whole line")
    with continued(path) as file:
        Output(file, durable=True).write(["first"])
    assert path.read_text() == "first\n"
    with pytest.raises(ExportError, match="cannot be written"):
        continued(tmp_path)
