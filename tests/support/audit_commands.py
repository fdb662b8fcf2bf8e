"""The command line and the verifier of one file, as people run them."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from roggia.cli.app import app
from roggia.errors import exit_code
from roggia_auditor import verify_export
from typer.testing import CliRunner


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


def here(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The same in this process, because a new one costs seconds. Not while an event loop runs: see `there`."""
    ran = CliRunner().invoke(app, arguments, env={**environment, "COLUMNS": "200", "NO_COLOR": "1"})
    failed = ran.exception if isinstance(ran.exception, Exception) else None
    status = ran.exit_code if failed is None else exit_code(failed)
    return subprocess.CompletedProcess(arguments, status, ran.stdout, f"{ran.stderr}{failed or ''}")


async def there(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """`here`, for tests within an event loop."""
    return await asyncio.to_thread(here, *arguments, **environment)
