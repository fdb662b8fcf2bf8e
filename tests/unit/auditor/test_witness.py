"""The witness: what C2SP's tlog-witness demands, status by status, and a history that somebody rewrites."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from roggia_auditor.tlog import hashes, note, proofs
from roggia_auditor.tlog.checkpoint import Checkpoint
from roggia_auditor.tlog.keys import Kind, SignerKey
from roggia_auditor.witness.judging import SIZE_TYPE, Answer, Witness, body_of
from roggia_auditor.witness.memory import SqliteMemory

from tests.support.auditing import root_of

LOG = SignerKey("audit.example.com/head", Kind.LOG, bytes(range(32)))
WITNESS = SignerKey("witness.example.com/w1", Kind.WITNESS, bytes(range(1, 33)))
LEAVES = [hashes.leaf(str(n).encode()) for n in range(40)]
NOW = 1_735_689_600


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[SqliteMemory]:
    """What was signed; a file, so that a restart can be played."""
    made = SqliteMemory(tmp_path / "witness.sqlite3")
    yield made
    made.close()


@pytest.fixture
def witness(memory: SqliteMemory) -> Witness:
    """It knows one log."""
    return Witness({LOG.name: [LOG.verifier()]}, WITNESS, memory, lambda: NOW)


def signed(size: int, leaves: Sequence[bytes] = LEAVES, key: SignerKey = LOG, origin: str = LOG.name) -> note.Note:
    """A checkpoint over the first leaves."""
    return Checkpoint(origin, size, root_of(leaves[:size])).signed(key)


def proof(old: int, size: int, leaves: Sequence[bytes] = LEAVES) -> list[bytes]:
    """That the one continues the other."""
    return proofs.consistency(old, size, lambda h, i: root_of(leaves[i << h : (i + 1) << h]))


def ask(witness: Witness, old: int, size: int, leaves: Sequence[bytes] = LEAVES) -> Answer:
    """An honest request for a tree of these leaves."""
    return witness.add_checkpoint(body_of(old, proof(old, size, leaves) if old else [], signed(size, leaves)))


def test_a_log_that_goes_on_is_signed(witness: Witness) -> None:
    """First checkpoint, growth, the same again: each is signed over its text, with the time."""
    for old, size in ((0, 3), (3, 8), (8, 8), (8, 40)):
        answer = ask(witness, old, size)
        assert answer.status == 200, answer
        (made,) = note.signatures(answer.body)
        cosigned = signed(size).signed_by([made])
        assert cosigned.verified([WITNESS.verifier()]) == (WITNESS.verifier(),)
        assert note.witnessed_at(made) == NOW


def test_who_does_not_know_where_the_witness_is_is_told(witness: Witness) -> None:
    """409 with the size in decimal, and the content type of C2SP."""
    ask(witness, 0, 8)
    answer = ask(witness, 0, 40)
    assert (answer.status, answer.body, answer.kind) == (409, "8\n", SIZE_TYPE)


def test_a_rewritten_history_is_not_signed(witness: Witness, memory: SqliteMemory) -> None:
    """With the log's own key, at the same size or a larger one, also after the witness was restarted."""
    ask(witness, 0, 8)
    other = [hashes.leaf(b"rewritten"), *LEAVES[1:]]
    assert ask(witness, 8, 8, other).status == 409
    assert ask(witness, 8, 40, other).status == 422
    again = Witness({LOG.name: [LOG.verifier()]}, WITNESS, memory, lambda: NOW)
    assert ask(again, 8, 40, other).status == 422
    assert ask(again, 8, 40).status == 200


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"old 01\n\n" + str(signed(1)).encode(), 400),
        (b"old 0\nnot base64\n\n" + str(signed(1)).encode(), 400),
        (b"old 9\n\n" + str(signed(3)).encode(), 400),
        (b"old 0\n\n" + str(signed(1, origin="other.example.com")).encode(), 404),
        (b"old 0\n\n" + str(signed(1, key=SignerKey(LOG.name, Kind.LOG, bytes(32)))).encode(), 403),
        (b"old 0\n\n" + str(signed(3)).replace("\n3\n", "\n2\n").encode(), 403),
        (body_of(0, [LEAVES[0]], signed(3)), 422),
        (b"\xff\xfe", 400),
    ],
)
def test_what_is_wrong_has_its_status(witness: Witness, memory: SqliteMemory, body: bytes, status: int) -> None:
    """As tlog-witness says; nothing of it is remembered."""
    assert witness.add_checkpoint(body).status == status
    assert memory.last(LOG.name) is None


def test_of_two_requests_at_once_one_is_told_of_the_other(memory: SqliteMemory) -> None:
    """The race that C2SP warns of: a checkpoint is never rolled back by a slower request."""
    slow, fast = (Witness({LOG.name: [LOG.verifier()]}, WITNESS, memory, lambda: NOW) for _ in range(2))
    assert ask(fast, 0, 3).status == 200
    before = memory.last(LOG.name)
    assert ask(fast, 3, 40).status == 200
    assert before is not None
    assert not memory.advance(LOG.name, before, before._replace(size=8))
    assert ask(slow, 3, 8).body == "40\n"
