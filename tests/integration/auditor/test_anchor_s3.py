"""Checkpoints in a bucket of a real S3 server of another maker, with Object Lock and signatures that are checked."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from roggia_auditor.adapters.anchors.naming import path_of
from roggia_auditor.adapters.anchors.objects import ObjectAnchor, Place
from roggia_auditor.adapters.anchors.sigv4 import Credentials
from roggia_auditor.adapters.sqlite_ledger import SqliteLedger
from roggia_auditor.errors import AnchorError
from roggia_auditor.heads.sealing import Sealer

from tests.support.anchoring import KEY, ORIGIN, grow
from tests.support.apart import installed
from tests.support.s3_server import BUCKET, REQUIREMENT, S3Server

REGION = "eu-south-1"
pytestmark = pytest.mark.timeout(400)  # of which an installation may take 180 s


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """moto in `MOTO_HOME`, or installed into a temporary folder; skips where neither can be had."""
    home = Path(os.environ.get("MOTO_HOME") or tmp_path_factory.mktemp("moto"))
    if not os.environ.get("MOTO_HOME") and (missing := installed(REQUIREMENT, home, timeout_s=180)):
        pytest.skip(f"moto cannot be installed ({missing}); set MOTO_HOME to a folder that holds it")
    made = S3Server(home, tmp_path_factory.mktemp("s3"))
    made.start()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def key(server: S3Server) -> Credentials:
    """The key of a user of the account, which has a locked bucket."""
    found = server.owner("setup")
    return Credentials(found["id"], found["secret"], REGION)


@pytest.fixture
async def sealer(tmp_path: Path) -> AsyncIterator[Sealer]:
    """Seals a ledger of three records."""
    ledger = SqliteLedger(tmp_path / "ledger.sqlite3")
    await ledger.start()
    await grow(ledger)
    yield Sealer(ledger, ORIGIN, KEY)
    await ledger.stop()


async def test_a_checkpoint_is_kept_and_cannot_be_deleted(server: S3Server, key: Credentials, sealer: Sealer) -> None:
    """The signature is taken, the lock is compliance mode until the day asked for, a second time adds no version, and
    whoever deletes it is refused."""
    sealed = await sealer.seal()
    anchor = ObjectAnchor(Place(f"{server.url}/{BUCKET}/kept", 400, key))
    looking = ("look", key.access_key, key.secret_key, f"kept/{path_of(sealed.head_log.size)}")
    await anchor.publish(sealed.checkpoint)
    found = server.owner(*looking)
    assert found["body"] == str(sealed.checkpoint)
    assert (found["mode"], found["deleted"]) == ("COMPLIANCE", "AccessDenied")
    assert found["until"] > "2027"
    await anchor.publish(sealed.checkpoint)
    assert server.owner(*looking) == found
    await anchor.close()


async def test_a_history_that_was_rewritten_is_noticed(
    server: S3Server, key: Credentials, sealer: Sealer, tmp_path: Path
) -> None:
    """Another checkpoint of a size that is there stays out, and says why; the first one stays as it was."""
    sealed = await sealer.seal()
    anchor = ObjectAnchor(Place(f"{server.url}/{BUCKET}/rewritten", 400, key))
    await anchor.publish(sealed.checkpoint)
    forged = SqliteLedger(tmp_path / "forged.sqlite3")
    await forged.start()
    await grow(forged, 2)
    with pytest.raises(AnchorError, match="two histories"):
        await anchor.publish((await Sealer(forged, ORIGIN, KEY).seal()).checkpoint)
    await forged.stop()
    held = server.owner("look", key.access_key, key.secret_key, f"rewritten/{path_of(sealed.head_log.size)}")
    assert held["body"] == str(sealed.checkpoint)
    await anchor.close()


async def test_a_wrong_secret_is_refused(server: S3Server, key: Credentials, sealer: Sealer) -> None:
    """The server computes the signature itself."""
    sealed = await sealer.seal()
    anchor = ObjectAnchor(Place(f"{server.url}/{BUCKET}/wrong", 1, Credentials(key.access_key, "another", REGION)))
    with pytest.raises(AnchorError, match="403"):
        await anchor.publish(sealed.checkpoint)
    await anchor.close()
