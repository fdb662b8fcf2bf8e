"""The command line and the verifier of one file, as people run them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from roggia_auditor import verify_export


def roggia(*arguments: str, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command line."""
    return subprocess.run(
        [sys.executable, "-m", "roggia", *arguments],
        input=stdin, capture_output=True, text=True, timeout=60, check=False, env={**os.environ, **environment},
    )  # fmt: skip


def alone(folder: Path, key: str, place: Path) -> Any:
    """What the one file says, taken out of the package and run without anybody's paths."""
    file = shutil.copy(verify_export.__file__, place / "verify.py")
    command = [sys.executable, "-I", str(file), str(folder), "--key", key]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    report = json.loads(done.stdout)
    assert done.returncode == (0 if report["holds"] else 1)
    return report
