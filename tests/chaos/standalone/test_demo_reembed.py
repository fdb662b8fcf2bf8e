"""`roggia demo --reembed` from start to end, as `make demo-reembed` runs it: the demo itself checks every claim."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.standalone import ENVIRONMENT

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(1800)]
SAID = (
    "It is the bundled model with its weights rounded to 16 bits",
    "seen by readers after",
    "cannot be champion: no gate has judged demo-embedder/1",
    "PASS: not worse than the margin",
    "Generation 2, kb_demo_docs__g2, all-MiniLM-L6-v2-rounded@",
    "g2 rolled back: decided in",
    "Generation 1, kb_demo_docs__g1, all-MiniLM-L6-v2@",
    "All of it held",
)
"""In this order."""


def test_a_second_model_comes_into_service_and_goes_again(tmp_path: Path) -> None:
    """Nothing of another network is needed; the report stays where it says, and nothing else does."""
    command = [
        sys.executable,
        "-m",
        "roggia",
        "demo",
        "--reembed",
        "--chars",
        "150000",
        "--report",
        str(tmp_path / "r"),
    ]
    offline = ENVIRONMENT | {"HF_HUB_OFFLINE": "1", "https_proxy": "http://127.0.0.1:9", "TMPDIR": str(tmp_path)}
    ran = subprocess.run(command, capture_output=True, text=True, env=offline, timeout=1700, check=False)
    assert ran.returncode == 0, f"{ran.stdout}\n{ran.stderr}"
    rest = ran.stdout
    for one in SAID:
        assert one in rest, f"not said, or not then: {one}\n{ran.stdout}"
        rest = rest.partition(one)[2]
    assert {one.name for one in (tmp_path / "r").iterdir()} == {"report.html", "report.json"}
    assert not list(tmp_path.glob("roggia-demo-*"))
