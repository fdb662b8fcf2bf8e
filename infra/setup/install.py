"""Make `.venv` hold Roggia and everything its tests need. Called by `make setup`; needs only Python 3.11 or newer.

What it decides that pip alone would not: which build of torch to take. On Linux, PyPI's torch brings several gigabytes
of CUDA libraries. So this asks pip first, installing nothing (`pip install --dry-run --report`), what a plain install
would bring; if that names CUDA packages, it takes torch from PyTorch's CPU index instead, where that answers.
`TORCH_INDEX` names another index (say, `https://download.pytorch.org/whl/cu130` for a GPU); `TORCH_INDEX=plain` takes
what pip takes.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import time
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TORCH = "torch==2.13.0"
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
EXTRAS = "all,lint,onnx,test"
INPUTS = ("pyproject.toml", "constraints.txt", "infra/setup/install.py")
CUDA_PREFIXES = ("nvidia-", "cuda-", "triton")


def say(text: str) -> None:
    """One line of progress."""
    sys.stdout.write(f"setup: {text}\n")
    sys.stdout.flush()


def fingerprint() -> str:
    """What an up-to-date environment was made from: the input files, the interpreter and the torch choice."""
    digest = hashlib.sha256(f"{sys.version_info[:3]} {os.environ.get('TORCH_INDEX', '')}".encode())
    for name in INPUTS:
        digest.update((ROOT / name).read_bytes())
    return digest.hexdigest()


class Pip:
    """pip of one virtual environment, called as a subprocess."""

    def __init__(self, python: Path) -> None:
        self._base = [str(python), "-m", "pip", "--disable-pip-version-check"]

    def install(self, *arguments: str) -> None:
        """Install, showing pip's own progress. Raises `CalledProcessError`."""
        subprocess.run([*self._base, "install", *arguments], check=True, cwd=ROOT)

    def has(self, requirement: str) -> bool:
        """Whether the environment holds `name==version`, any local build of it counting (`2.13.0+cpu`)."""
        name, _, version = requirement.partition("==")
        shown = subprocess.run([*self._base, "show", name], capture_output=True, text=True, check=False)
        found = [line.split()[1] for line in shown.stdout.splitlines() if line.startswith("Version:")]
        return bool(found) and found[0].split("+")[0] == version

    def would_bring(self, *arguments: str) -> list[str] | None:
        """Names that an install would add, nothing installed; None when pip cannot tell (offline, index down)."""
        command = [*self._base, "install", "--dry-run", "--quiet", "--report", "-", *arguments]
        asked = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
        if asked.returncode:
            return None
        return [item["metadata"]["name"].lower() for item in json.loads(asked.stdout)["install"]]


def install_torch(pip: Pip) -> None:
    """Install torch, without CUDA where a CPU build can be had."""
    index = os.environ.get("TORCH_INDEX", "")
    if index and index != "plain":
        say(f"torch from {index}")
        pip.install(TORCH, "--index-url", index)
        return
    if not index and carries_cuda(pip.would_bring(TORCH)):
        say(f"a plain install of {TORCH} would bring CUDA; asking {CPU_INDEX} for the CPU build")
        if pip.would_bring(TORCH, "--index-url", CPU_INDEX) is not None:
            pip.install(TORCH, "--index-url", CPU_INDEX)
            return
        say("the CPU index does not answer: going on with the CUDA build (set TORCH_INDEX to a mirror to avoid it)")
    pip.install(TORCH)


def carries_cuda(names: list[str] | None) -> bool:
    """Whether a list of packages holds CUDA libraries."""
    return any(name.startswith(CUDA_PREFIXES) for name in names or ())


def main() -> int:
    """Create or refresh the environment; return the exit status."""
    parser = argparse.ArgumentParser(description="Install Roggia and its tests' tools into a virtual environment.")
    parser.add_argument("--venv", type=Path, default=ROOT / ".venv", help="where the environment lives")
    where = parser.parse_args().venv
    if sys.version_info < (3, 11):  # noqa: UP036 - whoever runs make with an older Python deserves a sentence
        say(f"Python 3.11 or newer is needed; this is {sys.version.split()[0]}. Try: make PYTHON=python3.11")
        return 2
    stamp, want, began = where / "roggia-setup", fingerprint(), time.monotonic()
    if stamp.exists() and stamp.read_text() == want:
        stamp.touch()
        return 0
    if not (where / "bin" / "python").exists():
        say(f"creating {where}")
        venv.create(where, with_pip=True)
    pip = Pip(where / "bin" / "python")
    if not pip.has(TORCH):
        say(f"installing {TORCH} (the largest part)")
        install_torch(pip)
    say("installing Roggia, its services and its tests' tools")
    pip.install("--constraint", "constraints.txt", "--editable", f".[{EXTRAS}]")
    stamp.write_text(want)
    say(f"done in {time.monotonic() - began:.0f} s; next: make demo")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except subprocess.CalledProcessError as failed:
        say(f"pip failed with status {failed.returncode}; its own message is above")
        sys.exit(1)
