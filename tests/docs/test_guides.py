"""Every guide has a test that runs it, and the map of the tests says which."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROW = re.compile(r"^\| `([a-z-]+\.md)` \| `(\S+\.py)` \|$", re.MULTILINE)
GUIDES = sorted(page.name for page in (ROOT / "docs" / "how-to").glob("*.md"))


def test_every_guide_is_run_by_the_test_that_the_map_names() -> None:
    """A guide without a test, or one whose test no longer reads it, is found here."""
    rows = ROW.findall((ROOT / "tests" / "README.md").read_text("utf-8"))

    assert sorted(guide for guide, _ in rows) == GUIDES
    for guide, test in rows:
        assert f'"{guide}"' in (ROOT / "tests" / test).read_text("utf-8"), f"{test} does not read {guide}"


def test_every_guide_is_on_the_front_pages() -> None:
    """The index of the documentation names every page of docs/how-to; the operators' page every task of theirs."""
    index = (ROOT / "docs" / "index.md").read_text("utf-8")
    operate = (ROOT / "docs" / "how-to" / "operate.md").read_text("utf-8")

    assert [guide for guide in GUIDES if f"(how-to/{guide})" not in index] == []
    publishers = {"audit.md", "publish.md", "operate.md"}
    assert [guide for guide in GUIDES if guide not in publishers and f"]({guide}" not in operate] == []


def test_every_design_page_is_in_the_index_of_design() -> None:
    """A decision that nobody finds is made twice."""
    folder = ROOT / "docs" / "design"
    index = (folder / "index.md").read_text("utf-8")

    assert [
        page.name for page in folder.glob("*.md") if page.name != "index.md" and f"({page.name})" not in index
    ] == []
