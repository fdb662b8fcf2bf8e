"""`roggia audit prove`, `consistency`, `log` and `key --witness` as people use them: exit status, reports, files."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from roggia_auditor.adapters.sqlite_ledger import SqliteLedger
from roggia_auditor.heads.sealing import Sealer
from roggia_auditor.tlog import hashes, proof_file
from roggia_auditor.tlog.keys import Kind, SignerKey, VerifierKey

from tests.support.anchoring import HEAD, KEY, NEXT_KEY, ORIGIN, WITNESS, WitnessProcess, enter, grow
from tests.support.audit_commands import alone, here, there
from tests.support.auditing import STREAM, inference, read

PUBLIC = str(KEY.verifier())


@pytest.fixture
async def settings(tmp_path: Path) -> dict[str, str]:
    """A ledger with 300 records of two tenants and one with a trace, and a key."""
    ledger = SqliteLedger(tmp_path / "ledger.sqlite3")
    await ledger.start()
    await grow(ledger, 300)
    await enter(ledger, [read(inference(301, trace_id="4bf9", response_id="resp"), 300)])
    await enter(ledger, [read(inference(302, trace_id="4bf9"), 301)])
    await ledger.stop()
    (tmp_path / "head.key").write_text(KEY.text())
    return {
        "ROGGIA_AUDITOR_LEDGER": f"sqlite:///{tmp_path / 'ledger.sqlite3'}",
        "ROGGIA_AUDITOR_ORIGIN": ORIGIN,
        "ROGGIA_AUDITOR_SIGNING_KEY": str(tmp_path / "head.key"),
    }


@pytest.fixture
def witness(tmp_path: Path) -> Iterator[WitnessProcess]:
    """A witness of the log."""
    made = WitnessProcess(tmp_path / "witness", KEY)
    made.start()
    yield made
    made.stop()


def flip_extra(file: Path, *names: str) -> None:
    """One bit of the entry that lies at these names in the line that no C2SP verifier looks into."""
    lines = file.read_text().split("\n")
    more = json.loads(base64.b64decode(lines[1].removeprefix("extra ")))
    part: Any = more
    for name in names[:-1]:
        part = part[name]
    raw = bytearray(base64.b64decode(part[names[-1]]))
    raw[-1] ^= 1
    part[names[-1]] = base64.b64encode(bytes(raw)).decode()
    lines[1] = f"extra {base64.b64encode(json.dumps(more).encode()).decode()}"
    file.write_text("\n".join(lines))


def test_one_record_is_proven_in_one_file(settings: dict[str, str], witness: WitnessProcess, tmp_path: Path) -> None:
    """Asked for by its response id, witnessed, verified by the command line and by the one file alone; any C2SP
    verifier proves the entry under the log's checkpoint. Whatever is changed in it is found."""
    file = tmp_path / "record.tlog-proof"
    pair = f"{WITNESS.verifier()} {witness.url}"
    made = here(
        "audit", "prove", str(file), "--response", "resp", "--json",
        **settings, ROGGIA_AUDITOR_ANCHOR__WITNESSES=pair,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    assert json.loads(made.stdout)["index"] == 300
    keys = ("--key", PUBLIC, "--witness", str(WITNESS.verifier()))
    verified = here("audit", "verify", str(file), *keys, "--json")
    assert verified.returncode == 0, verified.stderr
    report = json.loads(verified.stdout)
    assert (report["event_id"], report["tenant"], report["log"]) == (
        inference(301).event_id,
        "acme",
        STREAM.origin(ORIGIN),
    )
    assert alone(file, PUBLIC, tmp_path)["holds"]
    found = proof_file.parse(file.read_text())
    entry = base64.b64decode(json.loads(found.extra)["entry"])
    assert found.check(hashes.leaf(entry), STREAM.origin(ORIGIN), [KEY.verifier()]).size == 302
    whole = file.read_text()
    for names in (("entry",), ("value",), ("log", "entry"), ("head", "entry")):
        flip_extra(file, *names)
        assert here("audit", "verify", str(file), *keys).returncode == 1, names
        assert not alone(file, PUBLIC, tmp_path)["holds"]
        file.write_text(whole)
    file.write_text(whole.replace("index 300", "index 299"))
    assert here("audit", "verify", str(file), *keys).returncode == 1


def test_which_record_must_be_clear(settings: dict[str, str], tmp_path: Path) -> None:
    """None, two, no name at all, two names, a file that is there: exit status 2, and what to do instead."""
    file = tmp_path / "record.tlog-proof"
    for arguments, said in (
        (("--trace", "4bf9"), f"2 records have '4bf9'; name one by --event: {inference(301).event_id}"),
        (("--request", "none"), "has no record with 'none'"),
        ((), "name the record by one of them"),
        (("--request", "req-1", "--trace", "4bf9"), "name the record by one of them"),
    ):
        done = here("audit", "prove", str(file), *arguments, **settings)
        assert (done.returncode, said in done.stderr) == (2, True), done.stderr
    file.write_text("")
    done = here("audit", "prove", str(file), "--request", "req-1", **settings)
    assert (done.returncode, "there already" in done.stderr) == (2, True), done.stderr
    assert here("audit", "verify", str(file), "--key", PUBLIC).returncode == 2


def test_a_witness_that_is_away_is_said_and_the_proof_is_there(settings: dict[str, str], tmp_path: Path) -> None:
    """It verifies under the log's key, and not where the witness is wanted."""
    file = tmp_path / "record.tlog-proof"
    settings["ROGGIA_AUDITOR_ANCHOR__WITNESSES"] = f"{WITNESS.verifier()} http://127.0.0.1:9"
    done = here("audit", "prove", str(file), "--request", "req-7", **settings)
    assert (done.returncode, "not anchored" in done.stderr) == (0, True), done.stderr
    assert here("audit", "verify", str(file), "--key", PUBLIC).returncode == 0
    wanted = here("audit", "verify", str(file), "--key", PUBLIC, "--witness", str(WITNESS.verifier()))
    assert (wanted.returncode, "not signed by the witness" in wanted.stdout) == (1, True)


async def test_a_log_goes_on_from_checkpoint_to_checkpoint(settings: dict[str, str], tmp_path: Path) -> None:
    """Head log and a partition's log, from the ledger, then offline with the proof that was written; across a change
    of keys with both keys. A log that was set back, or rewritten, does not hold."""
    ledger = SqliteLedger(tmp_path / "ledger.sqlite3")
    await ledger.start()
    files = dict[str, Path]()
    for name, keys in (("old", (KEY,)), ("mid", (NEXT_KEY, KEY)), ("new", (NEXT_KEY,))):
        await grow(ledger, 40)
        sealed = await Sealer(ledger, ORIGIN, *keys).seal()
        for kind, signed in (("head", sealed.checkpoint), ("log", sealed.logs[STREAM.origin(ORIGIN)])):
            files[f"{kind}-{name}"] = tmp_path / f"{kind}-{name}.checkpoint"
            files[f"{kind}-{name}"].write_text(str(signed))
    await ledger.stop()
    both = ("--key", PUBLIC, "--key", str(NEXT_KEY.verifier()), "--json")
    for kind, sizes in (("head", (1, 5)), ("log", (342, 422))):
        pair = ("--old", str(files[f"{kind}-old"]), "--new", str(files[f"{kind}-new"]))
        proof = tmp_path / f"{kind}.proof"
        done = await there("audit", "consistency", *pair, *both, "--write", str(proof), **settings)
        assert done.returncode == 0, done.stderr + done.stdout
        assert (json.loads(done.stdout)["old"], json.loads(done.stdout)["new"]) == sizes
        assert (await there("audit", "consistency", *pair, *both, "--proof", str(proof))).returncode == 0
        back = ("--old", str(files[f"{kind}-new"]), "--new", str(files[f"{kind}-old"]))
        done = await there("audit", "consistency", *back, *both, "--proof", str(proof))
        assert (done.returncode, "set back" in json.loads(done.stdout)["why"]) == (1, True)
        proof.write_text("".join(proof.read_text().splitlines(keepends=True)[1:]))
        assert (await there("audit", "consistency", *pair, *both, "--proof", str(proof))).returncode == 1
    pair = ("--old", str(files["head-old"]), "--new", str(files["head-new"]))
    one = await there("audit", "consistency", *pair, "--key", PUBLIC, "--json", **settings)
    assert (one.returncode, "not trusted" in json.loads(one.stdout)["why"]) == (1, True)
    mixed = await there("audit", "consistency", "--old", str(files["head-old"]), "--new", str(files["log-new"]), *both)
    assert (mixed.returncode, "the new one of" in json.loads(mixed.stdout)["why"]) == (1, True)
    unread = await there("audit", "consistency", "--old", str(tmp_path / "none"), "--new", str(files["log-new"]), *both)
    assert unread.returncode == 2


async def test_a_ledger_that_was_made_anew_does_not_go_on(settings: dict[str, str], tmp_path: Path) -> None:
    """With the real key: the checkpoint that somebody kept is not what the new ledger's head log begins with."""
    files = [tmp_path / "old.checkpoint", tmp_path / "new.checkpoint"]
    for number, (file, count) in enumerate(zip(files, (3, 2), strict=True)):
        ledger = SqliteLedger(tmp_path / f"made-{number}.sqlite3")
        await ledger.start()
        for _ in range(number + 1):
            await grow(ledger, count)
            sealed = await Sealer(ledger, ORIGIN, KEY).seal()
        file.write_text(str(sealed.checkpoint))
        await ledger.stop()
    settings["ROGGIA_AUDITOR_LEDGER"] = f"sqlite:///{tmp_path / 'made-1.sqlite3'}"
    pair = ("--old", str(files[0]), "--new", str(files[1]))
    done = await there("audit", "consistency", *pair, "--key", PUBLIC, "--json", **settings)
    assert (done.returncode, "does not begin with" in json.loads(done.stdout)["why"]) == (1, True), done.stdout


async def test_the_head_log_is_shown(settings: dict[str, str], tmp_path: Path) -> None:
    """Size, who signed, how large the logs are and what is not sealed yet, the last leaves and the keys they name; the
    checkpoint is written to a file. A ledger that was never sealed says so."""
    empty = await there("audit", "log", **settings)
    assert (empty.returncode, f"{HEAD}: 0 leaves" in empty.stdout) == (0, True), empty.stderr
    file = tmp_path / "newest.checkpoint"
    assert (await there("audit", "log", "--checkpoint", str(file), **settings)).returncode == 2
    ledger = SqliteLedger(tmp_path / "ledger.sqlite3")
    await ledger.start()
    await Sealer(ledger, ORIGIN, KEY).seal()
    sealed = await Sealer(ledger, ORIGIN, NEXT_KEY, KEY).seal()
    await grow(ledger, 3)
    await ledger.stop()
    done = await there("audit", "log", "--json", "--leaves", "2", "--checkpoint", str(file), **settings)
    report = json.loads(done.stdout)
    assert (report["origin"], report["size"]) == (HEAD, 3)
    assert report["signed_by"] == [f"{HEAD}+{key.verifier().id.hex()}" for key in (NEXT_KEY, KEY)]
    (log,) = report["logs"]
    assert (log["origin"], log["records"], log["records_now"]) == (STREAM.origin(ORIGIN), 302, 305)
    keys, state = report["leaves"]
    assert keys == {"index": 1, "keys": sorted([PUBLIC, str(NEXT_KEY.verifier())])}
    assert state == {"index": 2, "logs": "1", "tenants": "2"}
    assert file.read_text() == str(sealed.checkpoint)
    assert "leaf 1: keys" in (await there("audit", "log", **settings)).stdout


def test_all_logs_are_exported_as_tiles(settings: dict[str, str], tmp_path: Path) -> None:
    """Their sizes are told; a tenant as well as all, or neither, is refused."""
    done = here("audit", "export", str(tmp_path / "tiles"), "--tiles", "--json", **settings)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {HEAD: 1, STREAM.origin(ORIGIN): 302}
    assert (tmp_path / "tiles" / "head" / "tile" / "entries" / "000.p" / "1").exists()
    for arguments in (("--tiles", "--tenant", "acme"), ()):
        done = here("audit", "export", str(tmp_path / "more"), *arguments, **settings)
        assert (done.returncode, "name the tenant, or ask for all logs" in done.stderr) == (2, True), done.stderr


def test_a_witness_s_key_is_made(tmp_path: Path) -> None:
    """Under its own name and of its own kind: the witness takes it, and refuses a log's."""
    file = tmp_path / "witness.key"
    done = here("audit", "key", str(file), "--witness", "--origin", "witness.example.com/w1")
    assert done.returncode == 0, done.stderr
    made = VerifierKey.parse(done.stdout.strip())
    assert (made.name, made.kind) == ("witness.example.com/w1", Kind.WITNESS)
    assert SignerKey.parse(file.read_text()).verifier() == made
    running = WitnessProcess(tmp_path / "good", KEY, key=SignerKey.parse(file.read_text()))
    running.start()
    running.stop()
    refused = WitnessProcess(tmp_path / "bad", KEY, key=KEY)
    with pytest.raises(RuntimeError, match="roggia audit key --witness"):
        refused.start()
