"""Witness and object store over real HTTP: what is asked, what is answered, and what somebody cannot do to them."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import aiohttp
import pytest
from roggia_auditor import verify_export
from roggia_auditor.adapters.anchors.naming import path_of
from roggia_auditor.adapters.anchors.objects import ObjectAnchor, Place
from roggia_auditor.adapters.anchors.sigv4 import Credentials
from roggia_auditor.adapters.anchors.witness import WitnessAnchor
from roggia_auditor.adapters.sqlite_ledger import SqliteLedger
from roggia_auditor.errors import AnchorError, OvertakenError
from roggia_auditor.export.tenant import TenantExport
from roggia_auditor.heads.anchoring import Anchoring
from roggia_auditor.heads.continuing import consistency
from roggia_auditor.heads.sealing import Sealed, Sealer, sealed_and_witnessed
from roggia_auditor.tlog import hashes, note
from roggia_auditor.tlog.keys import Kind, SignerKey
from roggia_auditor.witness.judging import MAX_BODY, SIZE_TYPE, body_of

from tests.support.anchoring import HEAD, KEY, NEXT_KEY, ORIGIN, WITNESS, Bucket, WitnessProcess, grow
from tests.support.auditing import STREAM
from tests.support.processes import free_port

MAY_24 = datetime(2013, 5, 24, tzinfo=UTC)


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[SqliteLedger]:
    """Three records of two tenants."""
    made = SqliteLedger(tmp_path / "ledger.sqlite3")
    await made.start()
    await grow(made)
    yield made
    await made.stop()


@pytest.fixture
def witness(tmp_path: Path) -> Iterator[WitnessProcess]:
    """A witness of the log, as a process."""
    made = WitnessProcess(tmp_path / "witness", KEY)
    made.start()
    yield made
    made.stop()


def client(witness: WitnessProcess, ledger: SqliteLedger) -> WitnessAnchor:
    """Asks it for signatures."""
    return WitnessAnchor(witness.url, WITNESS.verifier(), partial(consistency, ledger))


async def seals(ledger: SqliteLedger, count: int = 1) -> list[Sealed]:
    """Seals, with new records before each."""
    made = []
    for _ in range(count):
        await grow(ledger)
        made.append(await Sealer(ledger, ORIGIN, KEY).seal())
    return made


async def test_the_witness_signs_a_log_that_goes_on(witness: WitnessProcess, ledger: SqliteLedger) -> None:
    """Checkpoint by checkpoint, also over several at once, also by a client that has forgotten where it was."""
    known = client(witness, ledger)
    first, _, third, fourth = await seals(ledger, 4)
    for asked, sealed in ((known, first), (known, third), (client(witness, ledger), fourth), (known, fourth)):
        (made,) = await asked.publish(sealed.checkpoint)
        sealed.checkpoint.signed_by([made]).verified([WITNESS.verifier()])
        await asked.close()
    assert await known.publish(fourth.checkpoint.signed_by([made])) == ()


async def test_an_older_checkpoint_is_overtaken(witness: WitnessProcess, ledger: SqliteLedger) -> None:
    """A witness signs none behind its newest: whoever asks is told that it is ahead."""
    first, second = await seals(ledger, 2)
    asked = client(witness, ledger)
    await asked.publish(second.checkpoint)
    with pytest.raises(OvertakenError, match="has signed 2 leaves, this is a checkpoint of 1"):
        await asked.publish(first.checkpoint)
    await asked.close()


@pytest.mark.parametrize("size", [3, 5])
async def test_history_that_is_rewritten_with_the_log_s_own_key_is_not_signed(
    witness: WitnessProcess, ledger: SqliteLedger, tmp_path: Path, size: int
) -> None:
    """The operator makes the ledger anew, with a record less, and signs it with the real key: at the size that was
    witnessed and at a larger one the witness refuses, also after it was restarted, and no export holds under it."""
    asked = client(witness, ledger)
    for sealed in await seals(ledger, 3):
        await asked.publish(sealed.checkpoint)
    forged = SqliteLedger(tmp_path / "forged.sqlite3")
    await forged.start()
    await grow(forged, 2)
    *_, last = await seals(forged, size)
    anchors = Anchoring(forged, HEAD, {"w": client(witness, forged)})
    for _ in range(2):
        assert await anchors.bring(last.checkpoint) == last.checkpoint
        assert "two histories" in anchors.notes()[0] or "does not see" in anchors.notes()[0]
        witness.restart()
    streams = {STREAM.origin(ORIGIN): STREAM}
    await TenantExport(forged, last, streams).write("acme", tmp_path / "export")
    verify_export.check(tmp_path / "export", str(KEY.verifier()), [])
    with pytest.raises(verify_export.WrongError, match="not signed by the witness"):
        verify_export.check(tmp_path / "export", str(KEY.verifier()), [str(WITNESS.verifier())])
    await anchors.close()
    await asked.close()
    await forged.stop()


async def test_an_export_satisfies_whoever_wants_the_witness(
    witness: WitnessProcess, ledger: SqliteLedger, tmp_path: Path
) -> None:
    """The witness's signature stands in the export and is kept in the ledger."""
    anchors = Anchoring(ledger, HEAD, {"w": client(witness, ledger)})
    sealed = await sealed_and_witnessed(Sealer(ledger, ORIGIN, KEY), anchors)
    await anchors.close()
    await TenantExport(ledger, sealed, {STREAM.origin(ORIGIN): STREAM}).write("acme", tmp_path / "export")
    report = verify_export.check(tmp_path / "export", str(KEY.verifier()), [str(WITNESS.verifier())])
    assert report["records"] == 2
    kept = await ledger.kept(HEAD)
    assert kept == (1, str(sealed.checkpoint))
    another = SignerKey("witness.example.com/w2", Kind.WITNESS, bytes(32))
    with pytest.raises(verify_export.WrongError, match="not signed by the witness witness"):
        verify_export.check(tmp_path / "export", str(KEY.verifier()), [str(another.verifier())])


async def test_a_witness_follows_a_log_from_key_to_key(ledger: SqliteLedger, tmp_path: Path) -> None:
    """One that knows both keys signs before, during and after; one that knows the old alone signs during, not after."""
    both, old = WitnessProcess(tmp_path / "both", KEY, NEXT_KEY), WitnessProcess(tmp_path / "old", KEY)
    both.start()
    old.start()
    trusting, strict = client(both, ledger), client(old, ledger)
    for keys in ((KEY,), (NEXT_KEY, KEY)):
        sealed = await Sealer(ledger, ORIGIN, *keys).seal()
        assert await trusting.publish(sealed.checkpoint)
        assert await strict.publish(sealed.checkpoint)
    after = await Sealer(ledger, ORIGIN, NEXT_KEY).seal()
    assert await trusting.publish(after.checkpoint)
    with pytest.raises(AnchorError, match="403"):
        await strict.publish(after.checkpoint)
    for one in (trusting, strict):
        await one.close()
    both.stop()
    old.stop()


async def test_what_is_no_witness_is_not_believed(ledger: SqliteLedger) -> None:
    """A server that says yes without a signature of its key, one that answers nonsense, and none at all."""
    (sealed,) = await seals(ledger)
    bucket = Bucket()
    async with bucket.served() as url:
        asked = WitnessAnchor(url, WITNESS.verifier(), partial(consistency, ledger))
        for status, said in ((200, "without a signature"), (409, "answers 409"), (500, "answers 500"), (302, "302")):
            bucket.refuses = status
            with pytest.raises(AnchorError, match=said):
                await asked.publish(sealed.checkpoint)
        await asked.close()
    asked = WitnessAnchor(f"http://127.0.0.1:{free_port()}", WITNESS.verifier(), partial(consistency, ledger))
    with pytest.raises(aiohttp.ClientError):
        await asked.publish(sealed.checkpoint)
    await asked.close()


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        (b"", 400, "text/plain; charset=utf-8"),
        (b"x" * (MAX_BODY + 1), 413, "text/plain; charset=utf-8"),
        (
            b"old 1\n\nother.example.com\n1\n" + base64.b64encode(bytes(32)) + b"\n\n\xe2\x80\x94 a YWFhYWFh\n",
            404,
            None,
        ),
    ],
)
async def test_the_front_answers_as_the_protocol_says(
    witness: WitnessProcess, body: bytes, status: int, kind: str | None
) -> None:
    """Bodies that are none, too long, of another log; only POST, only this path."""
    async with aiohttp.ClientSession(witness.url) as session:
        async with session.post("/add-checkpoint", data=body) as answer:
            assert answer.status == status
            assert kind is None or answer.headers["Content-Type"] == kind
        async with session.get("/add-checkpoint") as answer:
            assert answer.status == 405
        async with session.post("/other") as answer:
            assert answer.status == 404


async def test_the_front_tells_a_size_in_its_own_type(witness: WitnessProcess, ledger: SqliteLedger) -> None:
    """C2SP: 409, the size in decimal, text/x.tlog.size; and a good answer is signature lines alone."""
    first, second = await seals(ledger, 2)
    async with aiohttp.ClientSession(witness.url) as session:
        async with session.post("/add-checkpoint", data=body_of(0, [], first.checkpoint)) as answer:
            (made,) = note.signatures(await answer.text())
            assert (answer.status, made.name) == (200, WITNESS.name)
        async with session.post("/add-checkpoint", data=body_of(0, [], second.checkpoint)) as answer:
            assert (answer.status, await answer.text()) == (409, "1\n")
            assert answer.headers["Content-Type"].split(";")[0] == SIZE_TYPE


async def test_objects_are_locked_and_never_written_over(ledger: SqliteLedger) -> None:
    """Each PUT asks that nothing be there, carries its checksum and, where told, a lock until a day; its signature
    covers all of that. The same checkpoint again is fine, another one of that size is not."""
    (sealed,) = await seals(ledger)
    bucket = Bucket()
    async with bucket.served() as url:
        place = Place(f"{url}/audit/", 400, Credentials("AKIAEXAMPLE", "secret", "eu-south-1"))
        anchor = ObjectAnchor(place, lambda: MAY_24)
        await anchor.publish(sealed.checkpoint)
        await anchor.publish(sealed.checkpoint.signed_by([note.cosign(sealed.checkpoint.text, WITNESS, 1)]))
        body = str(sealed.checkpoint).encode()
        assert bucket.objects == {f"/audit/{path_of(1)}": body}
        _, _, headers = bucket.requests[0]
        assert headers["if-none-match"] == "*"
        assert headers["x-amz-object-lock-mode"] == "COMPLIANCE"
        assert headers["x-amz-object-lock-retain-until-date"] == "2014-06-28T00:00:00Z"
        assert headers["x-amz-checksum-sha256"] == base64.b64encode(hashlib.sha256(body).digest()).decode()
        for name in ("host", "if-none-match", "x-amz-object-lock-mode", "x-amz-checksum-sha256", "x-amz-date"):
            assert name in headers["authorization"]
        assert "/20130524/eu-south-1/s3/aws4_request" in headers["authorization"]
        bucket.objects[f"/audit/{path_of(1)}"] = body.replace(
            base64.b64encode(sealed.head_log.root()), base64.b64encode(hashes.leaf(b"another"))
        )
        with pytest.raises(AnchorError, match="two histories"):
            await anchor.publish(sealed.checkpoint)
        bucket.objects[f"/audit/{path_of(1)}"] = b"rubbish"
        with pytest.raises(AnchorError, match="no checkpoint"):
            await anchor.publish(sealed.checkpoint)
        await anchor.close()


async def test_a_store_that_refuses_is_said_without_a_secret(ledger: SqliteLedger) -> None:
    """Its status and its first line; the header that lets us in is sent as it is, and shown nowhere."""
    (sealed,) = await seals(ledger)
    bucket = Bucket()
    async with bucket.served() as url:
        anchor = ObjectAnchor(Place(url, authorization="Bearer hidden"))
        await anchor.publish(sealed.checkpoint)
        assert bucket.requests[0][2]["authorization"] == "Bearer hidden"
        assert "x-amz-object-lock-mode" not in bucket.requests[0][2]
        bucket.refuses = 403
        with pytest.raises(AnchorError, match="403 <Code>AccessDenied") as refused:
            await anchor.publish(sealed.checkpoint)
        assert "hidden" not in str(refused.value) + repr(Place(url, authorization="Bearer hidden"))
        await anchor.close()
