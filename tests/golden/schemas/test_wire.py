"""Bytes on the wire, as released: they may never change, and every later version must read them."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import msgspec
import numpy as np
import pytest
from roggia_schemas import bundled
from roggia_schemas.codec import Codec
from roggia_schemas.layout import canonical
from roggia_schemas.wiretypes import Event

from tests.support.events import CLASSES, NAMES

FOLDER = Path(__file__).parent
SAMPLES = sorted(FOLDER.glob("*.hex"))


def test_every_released_version_has_a_sample() -> None:
    """One pair of files per event and version."""
    expected = {f"{name}.v{version}" for name in NAMES for version in bundled.versions(name)}
    assert {path.stem for path in SAMPLES} == expected


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_golden_bytes_are_read(path: Path) -> None:
    """The newest reader reads the bytes of every released version as the event beside them."""
    event = _event(path)
    assert Codec().decode(type(event), _golden(path)) == event


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_golden_bytes_are_written(path: Path) -> None:
    """The newest version of an event is written exactly as the sample says."""
    name, version = path.stem.rsplit(".v", 1)
    if int(version) != bundled.versions(name)[-1]:
        pytest.skip("an older version: read, never written")
    assert Codec().encode(_event(path)).hex() == _golden(path).hex()


def test_released_schemas_do_not_change() -> None:
    """A released version is fixed: its canonical form hashes to what was noted when it was released."""
    noted = json.loads((FOLDER / "released.json").read_text("utf-8"))
    found = {
        f"{name}/v{version}": hashlib.sha256(canonical(bundled.schema(name, version)).encode()).hexdigest()
        for name in NAMES
        for version in bundled.versions(name)
    }
    assert found == noted


def _golden(path: Path) -> bytes:
    return bytes.fromhex(re.sub(r"\s", "", path.read_text("ascii")))


def _event(path: Path) -> Event:
    """The event in the `.json` file beside a sample: bytes in base64, vectors as numbers."""
    fields = json.loads(path.with_suffix(".json").read_text("utf-8"))
    if "vectors" in fields:
        fields["vectors"] = np.array(fields["vectors"], np.float32)
    return msgspec.convert(fields, CLASSES[path.stem.rsplit(".v", 1)[0]])
