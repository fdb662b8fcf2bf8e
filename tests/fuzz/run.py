"""Coverage-guided fuzzing of the embedded broker with atheris. Called by `make fuzz`.

usage: python -m tests.fuzz.run [--seconds N] [TARGET…]      targets: frame, packed, batches, requests

Each target runs in a process of its own, from the corpus in tests/fuzz/corpus; inputs that reach something new are kept
in build/fuzz. The exit status is 1 when a target failed; the input is then in build/fuzz/<target>-crash…: put it into
the corpus beside the fix.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.fuzz.targets import NAMES

ROOT = Path(__file__).resolve().parents[2]
CORPUS = Path(__file__).parent / "corpus"
_LONGEST = 4096
_MEMORY_MIB = 1024


def main(arguments: Sequence[str]) -> int:
    """Run every target for its time."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=60, help="time per target")
    parser.add_argument("targets", nargs="*", default=list(NAMES), help=f"of {', '.join(NAMES)}")
    options = parser.parse_args(arguments)
    failed = [target for target in options.targets if not _run(target, options.seconds)]
    for target in failed:
        sys.stderr.write(f"{target} failed: its input is in {ROOT / 'build/fuzz'}\n")
    return 1 if failed else 0


def _run(target: str, seconds: int) -> bool:
    found, known = ROOT / "build/fuzz" / target, CORPUS / target
    for folder in (found, known):
        folder.mkdir(parents=True, exist_ok=True)
    limits = [f"-max_total_time={seconds}", f"-max_len={_LONGEST}", f"-rss_limit_mb={_MEMORY_MIB}", "-timeout=10"]
    files = [f"-artifact_prefix={found}-crash-", str(found), str(known)]
    command = [sys.executable, "-m", "tests.fuzz.one", target, *limits, *files]
    return subprocess.run(command, cwd=ROOT, check=False).returncode == 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
