"""The audit API: who may see what, what is answered, and that every reading is written down."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import io
import json
import tarfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from roggia_auditor import verify_export
from roggia_auditor.adapters.segment_files import FolderSegments
from roggia_auditor.api.tokens import Scope, entry
from roggia_auditor.errors import LedgerUnavailableError
from roggia_auditor.leaf import Status
from roggia_auditor.ledger.judging import Rules
from roggia_auditor.ledger.model import READINGS as ACCESS
from roggia_auditor.ledger.model import Limits
from roggia_auditor.pricing.entries import PriceBook
from roggia_auditor.tlog import hashes, proof_file, proofs

from tests.support.audit_api import ACME, ALL, BETA, KEY, ORIGIN, READER, Api, bearer, running
from tests.support.auditing import BOOK, NOON, STREAM, attempt, inference, read, reads
from tests.support.retaining import Ground

DAY_MS = 24 * 3_600_000


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    """The API over six records of two tenants."""
    async with running(tmp_path) as made:
        await made.enter(reads(6, tenants=("acme", "beta")))
        yield made


async def readings(api: Api) -> list[dict[str, Any]]:
    """What the access log holds."""
    return [json.loads(row.value) for row in await api.ledger.rows(ACCESS, 0, 1000)]


async def test_a_token_sees_its_own_tenants_and_nothing_says_that_there_are_others(api: Api) -> None:
    """Lists are cut to the token's tenants; another tenant by name is 403, another's event as if it were not there."""
    mine = (await api.get("/records")).json()["records"]
    assert {one["tenant"] for one in mine} == {"acme"}
    assert len(mine) == 3
    assert (await api.get("/records", ALL)).json()["records"][0].keys() == mine[0].keys()
    assert len((await api.get("/records", ALL)).json()["records"]) == 6
    refused = await api.get("/records", tenant="beta")
    assert (refused.status_code, refused.json()["error"]["field"]) == (403, "tenant")
    theirs = (await api.get("/records", BETA)).json()["records"][0]["event_id"]
    for path in (f"/records/{theirs}", f"/records/{theirs}/proof"):
        assert (await api.get(path)).status_code == 404
    assert (await api.get("/records", event_id=theirs)).json()["records"] == []


@pytest.mark.parametrize("header", [{}, {"authorization": "Bearer nobody's"}, {"authorization": f"Basic {ACME}"}])
async def test_without_a_known_token_nothing_is_told_and_nothing_entered(api: Api, header: dict[str, str]) -> None:
    """401 for none, an unknown one, and another kind of authorization."""
    answer = await api.client.get("/v1/records", headers=header)
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert await readings(api) == []


async def test_a_token_is_good_for_its_scopes_and_only_while_the_file_holds_it(api: Api) -> None:
    """A reader cannot export; a token taken out of the file is refused by the next request; a broken file stops all."""
    assert (await api.get("/exports", READER)).status_code == 403
    api.tokens.write_text(entry("new", "another", ["acme"], [Scope.READ]))
    assert (await api.get("/records")).status_code == 401
    assert (await api.get("/records", "another")).status_code == 200
    api.tokens.write_text("- name: new\n")
    broken = await api.get("/records", "another")
    assert (broken.status_code, "- name: new" in broken.text) == (503, False)


async def test_every_reading_is_in_the_log_before_its_answer(api: Api) -> None:
    """Who, what, whose, how much; free words only as a hash; and it is counted among the tenant's own numbers."""
    answer = await api.get("/records", request_id="req-1", limit="5")
    assert answer.status_code == 200
    (one,) = await readings(api)
    assert (one["actor"], one["action"], one["tenant"], one["rows"]) == ("acme's", "records", "acme", 1)
    assert one["bytes"] == len(answer.content)
    assert one["query"]["limit"] == "5"
    assert one["query"]["request_id"].startswith("sha256:")
    (row,) = await api.ledger.rows(ACCESS, 0, 10)
    assert (row.leaf.status, row.leaf.tenant, row.leaf.tenant_seq) == (Status.ACCESS, "acme", 1)
    (listed,) = (await api.get("/readings")).json()["readings"]
    assert (listed["actor"], listed["action"], listed["rows"]) == ("acme's", "records", 1)
    assert "ACCESS" not in {found["status"] for found in (await api.get("/records")).json()["records"]}


async def test_a_list_of_several_tenants_is_a_reading_of_each(api: Api) -> None:
    """A token that sees both reads both: each one's export will say so, with the rows that were its own."""
    await api.get("/records", ALL)
    assert sorted((one["tenant"], one["rows"]) for one in await readings(api)) == [("acme", 3), ("beta", 3)]


async def test_a_nul_is_no_failure_and_no_end(api: Api) -> None:
    """In a parameter it is refused; in an event it is parked, with the field, and the batch goes on."""
    assert (await api.get("/records", request_id="a\0")).json()["error"]["field"] == "request_id"
    await api.enter([read(inference(50, response_id="a\0"), 6), read(inference(51), 7)])
    (parked,) = (await api.get("/records", status="parked")).json()["records"]
    assert parked["reason"].startswith("response_id: a NUL")


async def test_an_export_whose_reading_cannot_be_entered_is_not_begun(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is refused leaves nothing behind."""

    async def away(*_: object) -> None:
        raise LedgerUnavailableError("the database is away")

    monkeypatch.setattr(api.ledger, "append", away)
    begun = await api.client.post("/v1/exports", json={"tenant": "acme"}, headers=bearer(ACME))
    monkeypatch.undo()
    assert begun.status_code == 503
    assert (await api.get("/exports")).json()["exports"] == []


async def test_what_cannot_be_written_down_is_not_told(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ledger that takes no reading: 503, and no record in the answer."""
    await api.get("/records")
    await api.ledger.read(lambda held: held.execute("ALTER TABLE tiles RENAME TO tiles_away").fetchall())
    await api.ledger.read(lambda held: held.execute("ALTER TABLE streams RENAME TO streams_away").fetchall())
    refused = await api.get("/budget")
    assert refused.status_code == 503
    assert "months" not in refused.json()


async def test_readings_at_the_same_time_are_each_entered_once(api: Api) -> None:
    """Forty at once from two tenants: forty leaves, numbers without gaps."""
    answers = await asyncio.gather(*(api.get("/records", (ACME, BETA)[n % 2]) for n in range(40)))
    assert {one.status_code for one in answers} == {200}
    rows = await api.ledger.rows(ACCESS, 0, 100)
    assert len(rows) == 40
    for tenant in ("acme", "beta"):
        assert [row.leaf.tenant_seq for row in rows if row.leaf.tenant == tenant] == list(range(1, 21))


@pytest.mark.parametrize(
    ("path", "parameters", "field"),
    [
        ("/records", {"limit": "0"}, "limit"),
        ("/records", {"limit": "501"}, "limit"),
        ("/records", {"limit": "²"}, "limit"),
        ("/records", {"cursor": "nonsense"}, "cursor"),
        ("/records", {"from": "yesterday"}, "from"),
        ("/records", {"day": "2025-02-30"}, "day"),
        ("/records", {"status": "odd"}, "status"),
        ("/records", {"late": "yes"}, "late"),
        ("/records", {"request_id": "a", "trace_id": "b"}, "trace_id"),
        ("/records", {"tenant": "No/Slug"}, "tenant"),
        ("/records", {"colour": "red"}, "colour"),
        ("/records/nonsense", {}, "event_id"),
        ("/usage", {}, "month"),
        ("/usage", {"month": "2025-13"}, "month"),
        ("/usage", {"from": "2025-01"}, "month"),
        ("/usage", {"from": "2025-01", "to": "2024-12"}, "to"),
        ("/usage", {"month": "2025-01", "group_by": "colour"}, "group_by"),
        ("/usage", {"month": "2025-01", "origin": "odd"}, "origin"),
    ],
)
async def test_a_wrong_parameter_is_named(api: Api, path: str, parameters: dict[str, str], field: str) -> None:
    """400 with the parameter, its value or its rule, and no reading entered."""
    refused = await api.get(path, **parameters)
    assert (refused.status_code, refused.json()["error"]["field"]) == (400, field)
    assert await readings(api) == []


async def test_a_tenant_must_be_named_where_the_token_has_several(api: Api) -> None:
    """Usage and budgets are of one tenant."""
    assert (await api.get("/budget", READER)).json()["error"]["field"] == "tenant"
    assert (await api.get("/budget", READER, tenant="beta")).json()["tenant"] == "beta"


async def test_pages_go_through_everything_once(tmp_path: Path) -> None:
    """Newest first, two at a time, also where moments are equal; the last page has no cursor."""
    async with running(tmp_path) as api:
        await api.enter([read(inference(n, occurred_at=NOON + n // 3), n) for n in range(9)])
        seen, cursor = [], ""
        for _ in range(9):
            page = (await api.get("/records", limit="2", cursor=cursor)).json()
            seen += [one["index"] for one in page["records"]]
            cursor = page["next"]
            if not cursor:
                break
        assert seen == [str(n) for n in range(8, -1, -1)]


async def test_records_are_found_by_what_people_know(tmp_path: Path) -> None:
    """By request, response and trace id, by time, day, model, prompt and status; late ones apart."""
    async with running(tmp_path) as api:
        await api.enter(
            [
                read(inference(1, response_id="resp", trace_id="ab" * 16), 0),
                read(inference(2, occurred_at=NOON - 2 * DAY_MS), 1, at=NOON + 20 * DAY_MS),
                read(inference(3, attempts=(attempt(model="unknown"),)), 2),
                read(inference(4, occurred_at=NOON - 60 * DAY_MS), 3, at=NOON),
            ]
        )

        async def found(**parameters: str) -> list[str]:
            return sorted(one["offset"] for one in (await api.get("/records", **parameters)).json()["records"])

        assert (
            await found(request_id="req-1")
            == await found(response_id="resp")
            == await found(trace_id="ab" * 16)
            == ["0"]
        )
        assert await found(model="openai/unknown") == ["2"]
        assert await found(status="unpriced") == ["2"]
        assert await found(status="parked") == ["3"]
        assert (await api.get("/count", status="parked")).json() == {"count": "1"}
        assert await found(late="true") == ["1"]
        assert await found(day="2025-01-01") == ["0", "2"]
        assert await found(**{"from": "2024-12-30", "to": "2025-01-01"}) == ["1"]
        assert await found(**{"from": "2025-01-01T12:00:00Z"}) == ["0", "2"]


async def test_usage_is_the_sum_of_the_records_by_any_group(tmp_path: Path) -> None:
    """Groups add up to the same total; shadow traffic is apart; numbers are text."""
    async with running(tmp_path) as api:
        await api.enter([*reads(3), read(inference(9, origin="SHADOW"), 3)])
        by_model = (await api.get("/usage", month="2025-01")).json()["rows"]
        (row,) = by_model
        assert (row["by"], row["requests"], row["input"]) == ({"month": "2025-01", "model": "example-4"}, "3", "300")
        assert row["pico_usd"] == str(3 * (100 * 2_500_000 + 10 * 10_000_000))
        by_day = (await api.get("/usage", month="2025-01", group_by="day,origin", origin="all")).json()["rows"]
        assert [(one["by"]["origin"], one["requests"]) for one in by_day] == [("live", "3"), ("shadow", "1")]
        (all_in_one,) = (await api.get("/usage", **{"from": "2024-12", "to": "2025-02", "group_by": ""})).json()["rows"]
        assert all_in_one["requests"] == "3"


async def test_a_budget_names_its_limits_and_what_was_crossed(tmp_path: Path) -> None:
    """Tokens and money of a month, limits, 80 and 100 percent."""
    async with running(tmp_path) as api:
        limited = Rules(BOOK, {}, {"acme": Limits(tokens=400)})
        await api.enter(reads(3), rules=limited)
        (month,) = (await api.get("/budget")).json()["months"]
        assert (month["month"], month["tokens"], month["token_limit"], month["pico_usd_limit"]) == (
            "2025-01", "330", "400", None,
        )  # fmt: skip
        assert month["crossed"] == [{"limit": "tokens", "percent": 80}]


async def test_duplicates_are_listed_with_whose_they_are(api: Api) -> None:
    """A repeated event of acme is in acme's list and in nobody else's."""
    await api.enter([read(inference(1), 6)])
    (one,) = (await api.get("/duplicates")).json()["duplicates"]
    assert (one["offset"], one["tenant"], one["same"]) == ("6", "acme", True)
    assert (await api.get("/duplicates", BETA)).json()["duplicates"] == []


async def test_an_unpriced_record_has_no_amount(tmp_path: Path) -> None:
    """null, not 0, and counted."""
    async with running(tmp_path) as api:
        await api.enter(reads(1), rules=Rules(PriceBook([]), {}))
        (one,) = (await api.get("/records")).json()["records"]
        assert (one["status"], one["pico_usd"]) == ("UNPRICED", None)
        assert (await api.get("/usage", month="2025-01")).json()["rows"][0]["unpriced"] == "1"


async def test_a_record_comes_with_a_proof_that_leads_to_the_signed_root(api: Api) -> None:
    """Before the seal: no proof, 409; after it value → entry → root → signature, in JSON and as .tlog-proof."""
    event = inference(1).event_id
    assert (await api.get(f"/records/{event}")).json()["proof"] is None
    assert (await api.get(f"/records/{event}/proof")).json()["error"]["code"] == "not_sealed"
    await api.sealer.seal()
    answer = (await api.get(f"/records/{event.upper()}")).json()
    assert answer["event"]["request_id"] == "req-1"
    proof = answer["proof"]
    entry_, value = base64.b64decode(proof["entry"]), base64.b64decode(proof["value"])
    assert entry_.endswith(hashlib.sha256(value).digest())
    origin, size, root = proof["checkpoint"].split("\n")[:3]
    path = [base64.b64decode(one) for one in proof["path"]]
    proofs.check_inclusion(hashes.leaf(entry_), int(proof["index"]), int(size), path, base64.b64decode(root))
    text = (await api.get(f"/records/{event}/proof")).text
    checked = proof_file.parse(text).check(hashes.leaf(entry_), STREAM.origin(ORIGIN), [KEY.verifier()])
    assert (checked.origin, str(checked.size)) == (origin, proof["size"])


async def test_a_record_of_a_sealed_month_is_found_by_its_id_with_its_proof(tmp_path: Path) -> None:
    """It has left the tables for a segment: by any id, with event and proof, for its tenant alone."""
    async with running(tmp_path) as api:
        place = tmp_path / "segments"
        ground = Ground(api.ledger, FolderSegments(place), place)
        await ground.month(1, 9)
        await ground.signed()
        assert await ground.seal()
        theirs, mine = inference(2).event_id, inference(1).event_id
        assert (await api.get("/records")).json()["records"] == []
        found = (await api.get(f"/records/{mine}")).json()
        assert (found["event"]["request_id"], found["proof"]["index"]) == ("req-1", "0")
        (one,) = (await api.get("/records", request_id="req-1")).json()["records"]
        assert one["event_id"] == mine
        assert (await api.get(f"/records/{theirs}")).status_code == 404
        assert (await api.get("/records", request_id="req-2")).json()["records"] == []


async def test_logs_are_listed_with_their_checkpoints(api: Api) -> None:
    """The head log and every sealed one."""
    await api.sealer.seal()
    logs = (await api.get("/logs")).json()["logs"]
    assert {one["origin"] for one in logs} >= {f"{ORIGIN}/head", STREAM.origin(ORIGIN)}
    assert all(one["checkpoint"].startswith(one["origin"]) for one in logs)


async def test_an_export_holds_and_holds_the_readings_too(api: Api, tmp_path: Path) -> None:
    """Begun, done, downloaded, verified by the one file: three inferences, and who read before."""
    await api.get("/records")
    begun = await api.client.post("/v1/exports", json={"tenant": "acme"}, headers=bearer(ACME))
    assert begun.status_code == 202, begun.text
    job = begun.json()["id"]
    for _ in range(200):
        found = (await api.get(f"/exports/{job}")).json()
        if found["status"] in ("done", "failed"):
            break
        await asyncio.sleep(0.02)
    assert found["status"] == "done", found
    packed = await api.get(f"/exports/{job}/download")
    with tarfile.open(fileobj=io.BytesIO(packed.content)) as tar:
        tar.extractall(tmp_path / "got", filter="data")
    report = verify_export.check(tmp_path / "got/export", str(KEY.verifier()), [])
    assert report["records"] == int(found["records"]) >= 4
    lines = (tmp_path / "got/export/records.jsonl").read_text()
    assert '"ACCESS"' in lines
    assert "beta" not in lines
    assert (await api.get(f"/exports/{job}", BETA)).status_code == 404
    assert (await api.get("/exports", BETA)).json()["exports"] == []


async def test_an_export_that_cannot_be_made_says_why(api: Api) -> None:
    """Of a tenant without records; with a body that is none; asking about a name makes no tenant of it."""
    nobody = await api.client.post("/v1/exports", json={"tenant": "nobody"}, headers=bearer(ALL))
    assert (nobody.status_code, nobody.json()["error"]["field"]) == (404, "tenant")
    bad = await api.client.post("/v1/exports", content=b"[", headers=bearer(ACME))
    assert (bad.status_code, bad.json()["error"]["field"]) == (400, "body")
    assert (await api.get("/budget", ALL, tenant="nobody")).json()["months"] == []
    assert (await api.get("/tenants", ALL)).json()["tenants"] == ["acme", "beta"]


async def test_without_a_key_there_are_no_exports(tmp_path: Path) -> None:
    """503 with the setting that is missing."""
    async with running(tmp_path, exports=False) as api:
        refused = await api.get("/exports")
        assert (refused.status_code, "ROGGIA_AUDITOR_SIGNING_KEY" in refused.text) == (503, True)


async def test_paths_that_are_not_there_answer_in_json(api: Api) -> None:
    """404 and 405 with a code."""
    assert (await api.get("/nothing")).json()["error"]["code"] == "unknown_path"
    wrong = await api.client.post("/v1/records", headers=bearer(ACME))
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (405, "method_not_allowed")
