"""Anchors alone: the folder, S3's signatures, where checkpoints lie, and what settings say."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import ValidationError
from roggia_auditor import app
from roggia_auditor.adapters.anchors.folder import FolderAnchor
from roggia_auditor.adapters.anchors.kafka import event
from roggia_auditor.adapters.anchors.naming import path_of, size_of
from roggia_auditor.adapters.anchors.sigv4 import Credentials, signed
from roggia_auditor.adapters.sqlite_ledger import SqliteLedger
from roggia_auditor.anchor_settings import AnchorOptions
from roggia_auditor.errors import AnchorError, KeyFileError
from roggia_auditor.settings import AuditorOptions
from roggia_auditor.tlog import hashes, note
from roggia_auditor.tlog.checkpoint import Checkpoint
from roggia_auditor.tlog.note import Note

from tests.support.anchoring import HEAD, KEY, NEXT_KEY, ORIGIN, WITNESS

EXAMPLE = Credentials("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "us-east-1")
MAY_24 = datetime(2013, 5, 24, tzinfo=UTC)
HOST = "https://examplebucket.s3.amazonaws.com"


def checkpoint(size: int, tree: str = "one") -> Note:
    """A signed checkpoint."""
    return Checkpoint(HEAD, size, hashes.leaf(f"{tree} {size}".encode())).signed(KEY)


@pytest.mark.parametrize(
    ("method", "url", "headers", "body", "signature"),
    [
        ("GET", f"{HOST}/test.txt", {"range": "bytes=0-9"}, b"",
         "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"),
        ("PUT", f"{HOST}/test%24file.text",
         {"date": "Fri, 24 May 2013 00:00:00 GMT", "x-amz-storage-class": "REDUCED_REDUNDANCY"},
         b"Welcome to Amazon S3.", "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"),
    ],
)  # fmt: skip
def test_requests_are_signed_as_s3_documents_it(
    method: str, url: str, headers: dict[str, str], body: bytes, signature: str
) -> None:
    """The examples of the S3 reference, with its keys, come to its signatures."""
    made = signed(method, url, headers, body, EXAMPLE, MAY_24)
    assert made["Authorization"].endswith(f"Signature={signature}")
    assert "wJalr" not in repr(EXAMPLE) + repr(made)


def test_names_sort_as_sizes_do() -> None:
    """No folder holds more than a thousand, and the size can be read off the name."""
    sizes = [0, 1, 42, 999, 1000, 1_234_067, 10**12]
    names = [path_of(size) for size in sizes]
    assert sorted(names) == names
    assert [size_of(name) for name in names] == sizes
    assert path_of(1_042) == "000/000/000/000/001/042.checkpoint"


async def test_a_folder_keeps_every_checkpoint_and_changes_none(tmp_path: Path) -> None:
    """Each in a file of its own, as it was signed; the same again changes nothing, also with a later signature."""
    anchor, folder = FolderAnchor(tmp_path / "new"), tmp_path / "new"
    for size in (1, 2, 1_042):
        await anchor.publish(checkpoint(size))
    again = checkpoint(1_042)
    await FolderAnchor(folder).publish(again.signed_by([note.cosign(again.text, WITNESS, 1)]))
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    assert [str(path.relative_to(folder)) for path in files] == [path_of(size) for size in (1, 2, 1_042)]
    assert [path.read_text() for path in files] == [str(checkpoint(size)) for size in (1, 2, 1_042)]


async def test_a_folder_takes_no_smaller_tree_and_no_second_one(tmp_path: Path) -> None:
    """A ledger that was set back, and a history that was rewritten: both are refused, and said."""
    anchor = FolderAnchor(tmp_path)
    await anchor.publish(checkpoint(7))
    with pytest.raises(AnchorError, match="set back"):
        await anchor.publish(checkpoint(6))
    with pytest.raises(AnchorError, match="two histories"):
        await anchor.publish(checkpoint(7, "another"))
    (tmp_path / path_of(9)).write_text("rubbish")
    with pytest.raises(AnchorError, match="no checkpoint"):
        await anchor.publish(checkpoint(9))
    assert (tmp_path / path_of(7)).read_text() == str(checkpoint(7))


async def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    """A file in its place: the error names it."""
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        await FolderAnchor(tmp_path / "file").publish(checkpoint(1))


def test_the_event_of_a_checkpoint_is_the_same_every_time() -> None:
    """Its id comes from log and size; the note is in it byte for byte."""
    one, other = event(checkpoint(3), 1), event(checkpoint(3), 2)
    assert (one.event_id, one.log, one.size, one.note) == (other.event_id, HEAD, 3, str(checkpoint(3)))
    assert event(checkpoint(4), 1).event_id != one.event_id


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"url": "s3://bucket/prefix"}, "https://HOST/PREFIX"),
        ({"url": "https://host/prefix?sig=1"}, "without a query"),
        ({"access_key": "AKIA"}, "name both"),
        ({"access_key": "AKIA", "secret_key": "x", "authorization": "Bearer x"}, "one of them"),
        ({"witnesses": str(WITNESS.verifier())}, "a URL for each witness"),
        ({"witnesses": f"{KEY.verifier()} https://w"}, "a log's key"),
        ({"witnesses": f"{WITNESS.verifier()} w.example.com"}, "https://HOST/PREFIX"),
        ({"witnesses": f"{WITNESS.verifier()} https://a {WITNESS.verifier()} https://b"}, "named twice"),
        ({"witnesses": "rubbish https://w"}, "cannot be read"),
    ],
)
def test_settings_that_cannot_be_are_refused(given: dict[str, str], said: str) -> None:
    """At the start, with what to write instead."""
    with pytest.raises(ValidationError, match=said):
        AnchorOptions(**given)  # type: ignore[arg-type]


def test_secrets_are_not_shown() -> None:
    """Settings that are printed hold neither the secret key nor the header."""
    options = AnchorOptions(access_key="AKIA", secret_key="hidden-one")  # type: ignore[arg-type]
    assert "hidden" not in repr(options) + repr(AnchorOptions(authorization="hidden-two"))  # type: ignore[arg-type]


def test_both_keys_of_a_rotation_are_read(tmp_path: Path) -> None:
    """Each by its setting's name; one of another log is refused."""
    (tmp_path / "new.key").write_text(NEXT_KEY.text())
    (tmp_path / "old.key").write_text(KEY.text())
    options = AuditorOptions(origin=ORIGIN, signing_key=tmp_path / "new.key", retiring_key=tmp_path / "old.key")
    sealer = app.sealer_of(options, SqliteLedger(tmp_path / "ledger"))
    assert sealer._keys == (NEXT_KEY, KEY)
    with pytest.raises(KeyFileError, match="RETIRING_KEY"):
        app.sealer_of(options.model_copy(update={"retiring_key": tmp_path / "none"}), SqliteLedger(tmp_path / "ledger"))
    with pytest.raises(KeyFileError, match=r"SIGNING_KEY.*is of audit\.example\.com/head"):
        app.sealer_of(options.model_copy(update={"origin": "other.example.com"}), SqliteLedger(tmp_path / "ledger"))
