"""Packages that only a test's own process has, in a folder of their own: dependencies of nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def installed(requirement: str, folder: Path, timeout_s: float) -> str:
    """Install a package into a folder; what is missing where it cannot be had."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(folder), requirement]
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False)
    return "" if done.returncode == 0 else (done.stderr.strip().splitlines() or ["pip"])[-1]
