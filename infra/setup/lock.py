"""Rewrite constraints.txt from the environment at hand. `make lock` calls it, after an upgrade that passes tests."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

TARGET = Path(__file__).resolve().parents[2] / "constraints.txt"


def locked(frozen: str) -> list[str]:
    """`name==version` lines of a `pip freeze`, without our own project and without local build labels (`+cpu`)."""
    lines = [line.split("+")[0] for line in frozen.splitlines() if "==" in line and not line.startswith(("#", "-"))]
    return sorted((line for line in lines if not line.startswith("roggia==")), key=str.lower)


def main() -> None:
    """Keep the file's comment, replace its versions."""
    frozen = subprocess.run([sys.executable, "-m", "pip", "freeze"], capture_output=True, text=True, check=True).stdout
    comment = [line for line in TARGET.read_text().splitlines() if line.startswith("#")]
    TARGET.write_text("\n".join([*comment, *locked(frozen)]) + "\n")


if __name__ == "__main__":
    main()
