"""The example programs of docs/examples, built with whatever toolchains this machine has."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "docs" / "examples"
DEBIAN_GO = Path("/usr/share/gocode")
BUILD_S = 420


@dataclass(frozen=True, slots=True)
class Program:
    """How to start a language's publisher and consumer, and what they need in their environment."""

    publish: tuple[str, ...]
    consume: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)

    def run(self, command: tuple[str, ...], *arguments: str, timeout_s: float = 90) -> str:
        """Run to the end; what it printed. Fails with what it said."""
        ran = subprocess.run(
            [*command, *arguments], capture_output=True, text=True, timeout=timeout_s, check=False,
            env=os.environ | self.environment,
        )  # fmt: skip
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout


def python(_work: Path) -> Program:
    """Nothing to build."""
    folder = EXAMPLES / "python"
    return Program((sys.executable, str(folder / "publish.py")), (sys.executable, str(folder / "consume.py")))


def java(work: Path) -> Program:
    """Compiled against the jars of the Kafka distribution in KAFKA_HOME."""
    home = os.environ.get("KAFKA_HOME")
    if home is None or shutil.which("javac") is None:
        pytest.skip("no javac, or no Kafka distribution in KAFKA_HOME")
    jars = f"{home}/libs/*"
    sources = [str(path) for path in sorted((EXAMPLES / "java").glob("*.java"))]
    build(["javac", "-cp", jars, "-d", str(work), *sources])
    start = ("java", "-cp", f"{jars}{os.pathsep}{work}")
    return Program((*start, "Publish"), (*start, "Consume"))


def node(work: Path) -> Program:
    """Dependencies from the npm registry, installed beside a copy."""
    if shutil.which("npm") is None:
        pytest.skip("no Node.js with npm")
    folder = work / "node"
    shutil.copytree(EXAMPLES / "node", folder)
    build(["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts"], folder)
    return Program(("node", str(folder / "publish.mjs")), ("node", str(folder / "consume.mjs")))


def go(work: Path) -> Program:
    """Built without a module proxy, from the sources that Debian packages."""
    goavro = DEBIAN_GO / "src/github.com/linkedin/goavro"
    if shutil.which("go") is None or not goavro.exists() or not (DEBIAN_GO / "src/github.com/confluentinc").exists():
        pytest.skip("no Go with Debian's golang-github-confluentinc-confluent-kafka-go-dev and -linkedin-goavro-dev")
    v2 = work / "path/src/github.com/linkedin/goavro/v2"
    v2.parent.mkdir(parents=True)
    v2.symlink_to(goavro)
    paths = {"GO111MODULE": "off", "GOPATH": f"{work / 'path'}{os.pathsep}{DEBIAN_GO}"}
    for name in ("publish", "consume"):
        build(["go", "build", "-o", str(work / name), "."], EXAMPLES / "go" / name, paths)
    return Program((str(work / "publish"),), (str(work / "consume"),))


LANGUAGES: Mapping[str, Callable[[Path], Program]] = {"python": python, "java": java, "node": node, "go": go}


def build(command: list[str], folder: Path | None = None, environment: Mapping[str, str] | None = None) -> None:
    """Run a compiler or an installer; fails with what it said."""
    ran = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=BUILD_S, check=False,
        env=os.environ | dict(environment or {}),
    )  # fmt: skip
    assert ran.returncode == 0, f"{' '.join(command)}\n{ran.stdout}{ran.stderr}"
