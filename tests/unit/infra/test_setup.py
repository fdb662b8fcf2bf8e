"""Set-up: locked versions agree with the ranges that users may have, and torch comes without CUDA where it can."""

from __future__ import annotations

import importlib.util
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[3]


def _tool(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / f"infra/setup/{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


INSTALL, LOCK = _tool("install"), _tool("lock")


def _locked() -> dict[str, str]:
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    return {canonicalize_name(name): version for name, _, version in (line.partition("==") for line in lines)}


def _required() -> Iterator[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for group in (project["dependencies"], *project["optional-dependencies"].values()):
        yield from (Requirement(text) for text in group if not text.startswith("roggia["))


@pytest.mark.parametrize("requirement", sorted(set(_required()), key=str), ids=str)
def test_the_locked_version_lies_within_what_the_project_allows(requirement: Requirement) -> None:
    """Tests run with versions that a user may get: each dependency is locked, inside its range."""
    version = _locked().get(canonicalize_name(requirement.name))

    assert version is not None, f"{requirement.name} is not locked: run `make lock`"
    assert requirement.specifier.contains(version), f"{requirement.name}=={version} is outside {requirement.specifier}"


def test_locking_keeps_versions_and_leaves_out_our_own_project_and_local_builds() -> None:
    """A lock made on one machine must install on another: no paths, no `+cpu`, no editable install."""
    frozen = "# Editable\n-e /somewhere\nzlib-ng==1.0\nroggia==0.1.0\ntorch==2.13.0+cpu\nAuthlib==1.9\n"

    assert LOCK.locked(frozen) == ["Authlib==1.9", "torch==2.13.0", "zlib-ng==1.0"]


class _Pip:
    """Says what installs would bring, and remembers what was installed."""

    def __init__(self, plain: list[str] | None, cpu: list[str] | None) -> None:
        self._plain, self._cpu = plain, cpu
        self.installed: list[tuple[str, ...]] = []

    def would_bring(self, *arguments: str) -> list[str] | None:
        return self._cpu if "--index-url" in arguments else self._plain

    def install(self, *arguments: str) -> None:
        self.installed.append(arguments)


CPU = ("--index-url", INSTALL.CPU_INDEX)


@pytest.mark.parametrize(
    ("variable", "plain", "cpu", "arguments"),
    [
        ("", ["torch", "sympy"], None, ()),
        ("", ["torch", "nvidia-cublas", "triton"], ["torch"], CPU),
        ("", ["torch", "nvidia-cublas"], None, ()),
        ("", None, None, ()),
        ("plain", ["torch", "nvidia-cublas"], ["torch"], ()),
        ("https://mirror/whl/cu130", ["torch"], ["torch"], ("--index-url", "https://mirror/whl/cu130")),
    ],
    ids=["plain is cpu", "cuda avoided", "no cpu index", "pip cannot tell", "plain asked for", "index asked for"],
)
def test_torch_comes_without_cuda_where_a_cpu_build_can_be_had(
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    plain: list[str] | None,
    cpu: list[str] | None,
    arguments: tuple[str, ...],
) -> None:
    """Several gigabytes of CUDA are taken only when nothing else answers or the user asks for them."""
    monkeypatch.setenv("TORCH_INDEX", variable)
    pip = _Pip(plain, cpu)

    INSTALL.install_torch(pip)

    assert pip.installed == [(INSTALL.TORCH, *arguments)]


def test_the_locked_torch_is_the_one_that_set_up_installs() -> None:
    """Otherwise the second step of set-up would replace the CPU build that the first one chose."""
    assert f"torch=={_locked()['torch']}" == INSTALL.TORCH


def test_ci_runs_lint_and_tests_and_names_no_path_of_one_machine() -> None:
    """CI is what a developer runs; a Kafka distribution is used where there is one, found relative to the project."""
    script = (ROOT / ".ci/run").read_text()

    assert "make lint test" in script
    assert "KAFKA_HOME=$(cd ../shared/kafka && pwd)" in script
