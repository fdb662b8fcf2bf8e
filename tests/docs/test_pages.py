"""The documentation: its links lead somewhere, its snippets run, its quick start is what the Makefile does."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
MARKED = re.compile(r"<!-- runs in tests/docs -->\n```(python|bash)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def _tool(path: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(Path(path).stem, ROOT / path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


LINKS = _tool("infra/docs/links.py")
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
SNIPPETS = [
    pytest.param(kind, code, id=f"{page.relative_to(ROOT)}-{number}")
    for page in PAGES
    for number, (kind, code) in enumerate(MARKED.findall(page.read_text("utf-8")), 1)
]


def test_every_link_leads_to_a_file_and_every_anchor_to_a_heading() -> None:
    """A reader who follows a link arrives."""
    assert [problem for page in LINKS.pages() for problem in LINKS.broken(page)] == []


def test_the_link_check_sees_what_is_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing file and a missing heading are both found; code, other hosts and good links are not."""
    monkeypatch.setattr(LINKS, "ROOT", tmp_path)
    page = tmp_path / "a.md"
    page.write_text(
        "# Two words, `code`\n[good](a.md#two-words-code) [x](gone.md) [y](#nowhere) [z](https://example.org)\n"
        "`[code](gone.md)`\n```\n[fenced](gone.md)\n```\n"
    )

    assert list(LINKS.broken(page)) == ["a.md: gone.md: no such file", "a.md: #nowhere: no such heading"]


@pytest.mark.parametrize(("kind", "code"), SNIPPETS)
def test_marked_snippets_run(kind: str, code: str, tmp_path: Path) -> None:
    """What a guide shows as runnable runs as it stands."""
    command = [sys.executable, "-c", code] if kind == "python" else ["bash", "-euc", code]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)

    assert ran.returncode == 0, ran.stderr


def test_the_quick_start_is_what_the_makefile_offers() -> None:
    """Every `make` command that README or the guides name is a target; the quick start is demo, then test, and each
    of them sets up by itself."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    quick_start = re.search(r"## Quick start.*?```bash\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    named = {name for page in PAGES for name in re.findall(r"`make ([a-z-]+)`", page.read_text("utf-8"))}

    assert quick_start is not None
    assert quick_start[1].splitlines() == ["make demo", "make test"]
    assert {"demo: setup", "demo-reembed: setup", "test: setup"} <= set((ROOT / "Makefile").read_text().splitlines())
    assert {"setup", "demo", "test", "lint", "bench", "chaos", "docs"} <= targets
    assert named <= targets


def test_every_roggia_command_in_the_documentation_exists() -> None:
    """A command that a guide shows is one that the command line has, with the options that it shows."""
    from roggia.cli.app import app
    from typer.main import get_command

    tree = get_command(app)
    shown = [line for page in PAGES for line in _commands(page)]

    assert shown
    for line in shown:
        words = line.split()[1:]
        command = tree
        while words and words[0] in getattr(command, "commands", {}):
            command = command.commands[words.pop(0)]
        assert not hasattr(command, "commands"), f"no such command: {line}"
        options = {name for one in command.params for name in (*one.opts, *one.secondary_opts)}
        given = {word.partition("=")[0] for word in words if re.fullmatch(r"--?[a-z][a-z-]*(=.*)?", word)}
        assert given <= options, f"no such option: {line}"


def _commands(page: Path) -> list[str]:
    text = page.read_text("utf-8")
    consoles = re.findall(r"```console\n(.*?)```", text, re.DOTALL)
    lines = [line.removeprefix("$ ") for block in consoles for line in block.splitlines() if line.startswith("$ ")]
    return [line.split("#")[0].strip() for line in lines if line.startswith(("$ roggia ", "roggia "))]
