"""The report's page: complete, readable by itself and by everybody, and silent about what people asked."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html.parser import HTMLParser

import msgspec
import pytest
from roggia_operator.evaluation.ports import Question
from roggia_operator.evaluation.report.model import Report, encode
from roggia_operator.evaluation.report.page import page
from roggia_operator.evaluation.running import Wanted, run
from roggia_operator.evaluation.verdict import GateSettings

from tests.support.evaluating import FakeService, asked, golden, wanted_document

VOID = {"meta", "line", "rect", "circle", "path"}


def _old(question: Question) -> Sequence[str]:
    return [wanted_document(question)]


def _new(question: Question) -> Sequence[str]:
    right = wanted_document(question)
    return ["other", right] if right.endswith("3") else [right]


async def _report(against: int | None = 1) -> Report:
    queries = [
        asked(n, query=f"secret words {n}", tags=("<b>&amp;",) if n % 2 else (), language="en" if n % 3 else "de")
        for n in range(120)
    ]
    wanted = Wanted(generation=2, against=against, gate=GateSettings(resamples=200), ann_sample=0)
    return await run(FakeService(g1=_old, g2=_new), golden(queries), wanted, "2026-11-29T00:00:00Z")


class _Page(HTMLParser):
    """Checks nesting, and gathers what the tests ask about."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, tag
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.setdefault(self.open[-1] if self.open else "", []).append(data)


def _parsed(text: str) -> _Page:
    found = _Page()
    found.feed(text)
    assert found.open == []
    return found


@pytest.mark.parametrize("against", [1, None])
async def test_the_page_needs_nothing_else_and_runs_nothing(against: int | None) -> None:
    """No script, no link, no source of another host; a policy that forbids them too; every element is closed."""
    text = page(await _report(against))
    found = _parsed(text)

    assert not {"script", "link", "img", "iframe", "object"} & {tag for tag, _ in found.tags}
    assert not [attrs for _, attrs in found.tags if {"src", "href", "xlink:href", "style", "onload"} & attrs.keys()]
    assert "default-src 'none'" in text
    assert "url(" not in text
    assert "http://" not in text
    assert "https://" not in text


async def test_the_page_can_be_read_without_seeing_it() -> None:
    """A language, one main heading, pictures with title and description, tables with captions and headed cells; the
    numbers of a picture stand in a table as well."""
    report = await _report()
    found = _parsed(page(report))
    tags = [tag for tag, _ in found.tags]
    pictures = [attrs for tag, attrs in found.tags if tag == "svg"]
    ids = [attrs["id"] for _, attrs in found.tags if "id" in attrs]

    assert ("html", {"lang": "en"}) in found.tags
    assert tags.count("h1") == 1
    assert len(pictures) == 4
    for attrs in pictures:
        assert attrs["role"] == "img"
        assert set((attrs["aria-labelledby"] or "").split()) <= set(ids)
    assert len(ids) == len(set(ids))
    assert tags.count("caption") == tags.count("table")
    assert all(attrs.get("scope") in ("col", "row") for tag, attrs in found.tags if tag == "th")
    assert report.gate is not None
    cells = {text.strip() for text in found.texts["td"]}
    assert {f"{one.difference:+.3f}" for one in report.gate.compared} <= cells


async def test_colours_have_contrast_in_light_and_dark() -> None:
    """Every colour of text stands out from its ground by 4.5 to 1 (WCAG 2.2, 1.4.3), in both themes."""
    text = page(await _report())
    themes = [
        dict(re.findall(r"--([a-z]+): (#[0-9a-f]{3,6})", block)) for block in re.findall(r":root \{(.*?)\}", text)
    ]

    assert len(themes) == 2
    for theme in themes:
        for name in ("ink", "soft", "water", "earth", "ok", "bad"):
            for ground in ("ground", "sheet"):
                assert _contrast(theme[name], theme[ground]) >= 4.5, (name, ground, theme)


def _contrast(one: str, other: str) -> float:
    high, low = sorted((_light(one), _light(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def _light(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(digit * 2 for digit in colour[1:])
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


async def test_names_from_outside_are_text_and_never_markup() -> None:
    """A tag of the golden set, or a model's name, cannot open an element, in tables and pictures."""
    report = await _report()
    evil = msgspec.structs.replace(report, reason="<script>alert(1)</script>")
    text = page(evil)

    assert "<script" not in text
    assert "tag=<b>" not in text
    assert "tag=&lt;b&gt;&amp;amp;" in text


async def test_neither_report_nor_page_holds_what_was_asked() -> None:
    """Questions may be personal data: they appear by their ids alone."""
    report = await _report()

    assert "secret words" not in page(report)
    assert b"secret words" not in encode(report)
    assert report.rows[0].query in page(report) or report.rows[3].query in page(report)


async def test_the_reports_id_is_of_its_content() -> None:
    """Two runs with the same result have the same id; any other number gives another one."""
    one, again = await _report(), await _report()

    assert one.id == again.id
    assert msgspec.structs.replace(one, failed=1).id != one.id
