"""Check that every relative link in the project's Markdown leads to a file, and every anchor to a heading.

Called by `make lint` and `make docs`. Links to other hosts are not followed: a check must not depend on them.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

ROOT = Path(__file__).resolve().parents[2]
_FENCE = re.compile(r"^```.*?^```\s*$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`[^`\n]*`")
_LINK = re.compile(r"\[[^\]]*\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)")
_HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*\s*$", re.MULTILINE)


def pages() -> list[Path]:
    """Markdown files that git knows or would add."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z", "*.md"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return [ROOT / name for name in sorted(set(listed.split("\0"))) if name and (ROOT / name).exists()]


def broken(page: Path) -> Iterator[str]:
    """What is wrong with each bad link of a page."""
    text = page.read_text("utf-8")
    for link in _LINK.findall(_CODE.sub("", _FENCE.sub("", text))):
        if re.match(r"[a-z][a-z0-9+.-]*:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / unquote(name)).resolve() if name else page
        if not target.exists():
            yield f"{page.relative_to(ROOT)}: {link}: no such file"
        elif anchor and target.suffix == ".md" and anchor not in anchors(target):
            yield f"{page.relative_to(ROOT)}: {link}: no such heading"


def anchors(page: Path) -> set[str]:
    """Anchors that a page's headings have, as code hosts make them."""
    headings = _HEADING.findall(_FENCE.sub("", page.read_text("utf-8")))
    return {slug(heading) for heading in headings}


def slug(heading: str) -> str:
    """A heading's anchor: lower case, punctuation gone, spaces to hyphens."""
    plain = re.sub(r"[`*]|\]\([^)]*\)|\[", "", heading).lower()
    return re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")


def main() -> int:
    """Print every broken link; the exit status is 1 when there is one."""
    found = [problem for page in pages() for problem in broken(page)]
    sys.stderr.writelines(f"{problem}\n" for problem in found)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
