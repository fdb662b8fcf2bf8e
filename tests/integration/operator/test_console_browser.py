"""The console in a real browser: it fits, it can be worked by keyboard, it is readable, it calls nobody else."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from playwright.sync_api import Browser, Page
from roggia_auditor.tlog.keys import SignerKey
from roggia_operator.console.access import Access
from roggia_operator.console.app import application
from roggia_operator.console.audit_views import Inference

from tests.support.browser import chromium, served
from tests.support.console import FakeActions, FakeLooking
from tests.support.console_audit import KEY, FakeAuditing, proven

TOKEN = "a-token-of-some-length"
PAGES = (
    "/", "/topics", "/topics/doc.changed", "/dead-letters", "/dead-letters/doc.changed.dlq/2:17", "/jobs",
    "/jobs/replay-20251124-101500-1a2b", "/collections", "/generations", "/generations/3", "/generations/4", "/session",
    "/costs", "/costs/acme", "/costs/acme/records", "/inferences/01941f2a-0000-7000-8000-000000000007",
    "/nothing-here",
)  # fmt: skip
WIDE, PHONE = (1280, 800), (390, 844)
CONTRAST = """() => {
  const linear = (v) => v / 255 <= 0.03928 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4;
  const lum = (c) => { const f = c.map(linear);
    return 0.2126 * f[0] + 0.7152 * f[1] + 0.0722 * f[2]; };
  const rgba = (text) => { const n = text.match(/[\\d.]+/g).map(Number); return n.length < 4 ? [...n, 1] : n; };
  const ground = (node) => { for (let n = node; n; n = n.parentElement) {
      const c = rgba(getComputedStyle(n).backgroundColor);
      if (c[3] > 0) return c.slice(0, 3); } return [255, 255, 255]; };
  const bad = [];
  for (const node of document.querySelectorAll("body *")) {
    const own = [...node.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!own || !node.getClientRects().length) continue;
    const style = getComputedStyle(node), a = lum(rgba(style.color).slice(0, 3)), b = lum(ground(node));
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) bad.push(`${node.tagName} ${node.textContent.trim().slice(0, 30)} ${ratio.toFixed(2)}`);
  }
  return bad;
}"""
NAMELESS = """() => [...document.querySelectorAll(
    "a, button, input:not([type=hidden]):not([hidden]), select, textarea")]
  .filter((n) => !(n.textContent.trim() || n.getAttribute("aria-label") || n.labels?.length))
  .map((n) => n.outerHTML)"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for the module."""
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def actions() -> FakeActions:
    """What the console's actions noted."""
    return FakeActions()


@pytest.fixture(scope="module")
def auditing() -> FakeAuditing:
    """What the console shows of costs."""
    return FakeAuditing()


@pytest.fixture(scope="module")
def console(actions: FakeActions, auditing: FakeAuditing) -> Iterator[str]:
    """Address of a console on made-up operations."""
    with served(application(FakeLooking(), actions, auditing, Access(TOKEN))) as address:
        yield address


def page_of(browser: Browser, size: tuple[int, int], scheme: str = "light") -> tuple[Page, list[str]]:
    """A page and what went wrong on it: requests to other hosts, script errors, refused resources."""
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]}, color_scheme="dark" if scheme == "dark" else "light"
    )
    page, wrong = context.new_page(), list[str]()
    page.set_default_timeout(15_000)
    page.on("request", lambda request: None if "://127.0.0.1:" in request.url else wrong.append(request.url))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda said: wrong.append(said.text) if "404" not in said.text else None)
    return page, wrong


def unlock(page: Page, console: str) -> None:
    """Log in by keyboard."""
    page.goto(f"{console}/session")
    page.keyboard.type(TOKEN)
    page.keyboard.press("Enter")
    page.wait_for_selector("text=End session")


@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["1280 px", "phone"])
def test_pages_fit_and_call_nobody_else(browser: Browser, console: str, size: tuple[int, int]) -> None:
    """No page is wider than the screen, throws, or asks another host for anything."""
    page, wrong = page_of(browser, size)
    unlock(page, console)
    for path in PAGES:
        page.goto(console + path)
        assert page.evaluate("document.documentElement.scrollWidth") <= size[0], path
    assert wrong == []
    page.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_is_readable(browser: Browser, console: str, scheme: str) -> None:
    """Every text has a contrast of at least 4.5 to 1 (WCAG 2.2, 1.4.3), in the light and in the dark."""
    page, _ = page_of(browser, WIDE, scheme)
    unlock(page, console)
    for path in PAGES:
        page.goto(console + path)
        assert page.evaluate(CONTRAST) == [], path
    page.context.close()


def test_everything_has_a_name(browser: Browser, console: str) -> None:
    """Controls, links and images say what they are to those who cannot see them; one h1, a language, landmarks."""
    page, _ = page_of(browser, WIDE)
    unlock(page, console)
    for path in PAGES:
        page.goto(console + path)
        assert page.evaluate(NAMELESS) == [], path
        assert page.locator("h1").count() == 1
        assert page.locator("html[lang=en] main").count() == 1
        assert page.locator("img:not([alt])").count() == 0
    page.context.close()


def test_an_action_can_be_done_by_keyboard_alone(browser: Browser, console: str, actions: FakeActions) -> None:
    """From the list of causes over the plan to the start, with Tab and Enter; the focus can be seen all the way."""
    page, _ = page_of(browser, WIDE)
    unlock(page, console)
    page.goto(f"{console}/dead-letters")
    _tab_to(page, "Send again …")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=Nothing has been done yet")
    assert actions.started == []
    _tab_to(page, "Redrive 128 records")
    page.keyboard.press("Enter")
    page.wait_for_url("**/jobs/**")
    assert [kind for kind, *_ in actions.started] == ["redrive"]
    page.context.close()


def test_live_parts_refresh_and_leave_the_reader_alone(browser: Browser, console: str) -> None:
    """Live parts are replaced by themselves; what the reader opened stays open, and Hold stops it."""
    page, _ = page_of(browser, WIDE)
    page.clock.install()
    page.goto(f"{console}/topics/doc.changed")
    page.click("#r2-17 summary")
    page.locator("h1").click()
    page.evaluate(
        "document.activeElement.blur(); document.querySelector('#tail').dataset.mark = 'x';"
        "document.querySelector('#r2-17').dataset.old = '1'"
    )
    with page.expect_response("**/topics/doc.changed"):
        page.clock.run_for(3100)
    page.wait_for_selector("#r2-17:not([data-old])")
    assert page.locator("#r2-17[open]").count() == 1
    page.click("text=Hold")
    assert page.locator("text=Go on").count() == 1
    page.context.close()


def test_pages_work_without_scripts(browser: Browser, console: str) -> None:
    """Everything can be read and done with scripts off."""
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{console}/session")
    page.fill("input[name=token]", TOKEN)
    page.click("text=Unlock >> nth=-1")
    page.goto(f"{console}/dead-letters")
    page.click("text=Send again …")
    assert "Nothing has been done yet" in page.content()
    context.close()


def _tab_to(page: Page, label: str) -> None:
    for _ in range(40):
        page.keyboard.press("Tab")
        focus = page.evaluate(
            "(() => { const n = document.activeElement; return [n.textContent.trim(), "
            "getComputedStyle(n).outlineStyle]; })()"
        )
        assert focus[1] != "none", f"the focus on {focus[0]} cannot be seen"
        if focus[0] == label:
            return
    raise AssertionError(f"{label} cannot be reached by Tab")


def test_a_record_is_verified_in_the_browser(browser: Browser, console: str) -> None:
    """With the log's key it holds, and the key is remembered; with another key of the same name it does not."""
    page, wrong = page_of(browser, WIDE)
    page.goto(f"{console}/inferences/any")
    assert verdict(page, str(KEY.verifier())).startswith("It holds: record 7 of acme, leaf 6 of 11")
    page.reload()
    assert page.input_value("input[name=key]") == str(KEY.verifier())
    other = SignerKey.generate(KEY.name)
    assert "not signed" in verdict(page, str(other.verifier()))
    assert wrong == []
    page.context.close()


def forged(place: str, name: str, change: Callable[[str], str]) -> Inference:
    """The proven record with one value changed."""
    found = proven()
    part = dict(getattr(found, place))
    part[name] = change(str(part[name]))
    return replace(found, **{place: part})


@pytest.mark.parametrize(
    ("place", "name", "change"),
    [
        ("record", "pico_usd", lambda text: str(int(text) - 1)),
        ("record", "tenant", lambda _: "beta"),
        ("record", "log", lambda text: text[:-1] + "1"),
        ("proof", "entry", lambda text: _flipped(text, 40)),
        ("proof", "value", lambda text: _flipped(text, 9)),
        ("proof", "index", lambda _: "5"),
        ("proof", "checkpoint", lambda text: text.replace("\n11\n", "\n12\n")),
    ],
)
def test_whatever_is_changed_does_not_hold(
    browser: Browser, console: str, auditing: FakeAuditing, place: str, name: str, change: Callable[[str], str]
) -> None:
    """An amount on the page, the entry, the event, its place, the checkpoint: each is found, in words."""
    auditing.shown = forged(place, name, change)
    page, _ = page_of(browser, WIDE)
    page.goto(f"{console}/inferences/any")
    assert verdict(page, str(KEY.verifier())).startswith("It does not hold: ")
    auditing.shown = None
    page.context.close()


def verdict(page: Page, key: str) -> str:
    """What the page says after "Verify here"."""
    page.evaluate("document.getElementById('verdict').replaceChildren()")
    page.fill("input[name=key]", key)
    page.click("text=Verify here")
    page.wait_for_selector("#verdict .note")
    return page.inner_text("#verdict")


def _flipped(text: str, at: int) -> str:
    """Base64 with one bit of one byte changed."""
    raw = bytearray(base64.b64decode(text))
    raw[at] ^= 1
    return base64.b64encode(raw).decode()
