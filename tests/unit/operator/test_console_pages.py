"""The console's pages and forms, without a browser and without Kafka."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from roggia_operator.console.access import COOKIE, Access
from roggia_operator.console.app import application
from roggia_operator.console.audit_views import Live
from roggia_runtime.errors import UnavailableError
from starlette.testclient import TestClient

from tests.support.console import HOSTILE, FakeActions, FakeLooking
from tests.support.console_audit import FakeAuditing

TOKEN = "a-token-of-some-length"
PAGES = (
    "/", "/topics", "/topics/doc.changed", "/dead-letters", "/dead-letters/doc.changed.dlq/2:17", "/jobs",
    "/jobs/replay-20251124-101500-1a2b", "/collections", "/generations", "/generations/1", "/generations/2",
    "/generations/3", "/generations/4", "/session", "/costs", "/costs/acme", "/costs/acme/records?day=2026-11-30",
    "/inferences/01941f2a-0000-7000-8000-000000000007",
)  # fmt: skip


class Console:
    """A client of a console on made-up operations."""

    def __init__(self, access: Access | None = None, looking: FakeLooking | None = None) -> None:
        self.actions, self.auditing = FakeActions(), FakeAuditing()
        app = application(looking or FakeLooking(), self.actions, self.auditing, access or Access(TOKEN))
        self.http = TestClient(app, base_url="http://127.0.0.1:7090", follow_redirects=False)

    def unlock(self) -> None:
        """Log in."""
        assert self.http.post("/session", data={"token": TOKEN}).status_code == 303

    def hidden(self, html: str, name: str) -> str:
        """The value of a hidden field."""
        found = re.search(f'name="{name}" value="([^"]*)"', html)
        assert found, f"no field {name}"
        return found[1].replace("&#34;", '"')

    def form_token(self) -> str:
        """The form token of the session."""
        return self.hidden(self.http.get("/dead-letters").text, "form")


class Balanced(HTMLParser):
    """Fails on a tag that is closed without having been opened, or the other way round."""

    VOID = frozenset({"meta", "link", "img", "input", "br", "hr"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag


@pytest.mark.parametrize("unlocked", [False, True])
@pytest.mark.parametrize("path", PAGES)
def test_every_page_is_whole_and_confined(path: str, unlocked: bool) -> None:
    """Each page answers, is well formed, escapes what others wrote, and allows nothing from elsewhere."""
    console = Console()
    if unlocked:
        console.unlock()
    reply = console.http.get(path)
    assert reply.status_code == 200
    parser = Balanced()
    parser.feed(reply.text)
    assert parser.open == []
    assert HOSTILE not in reply.text
    assert "default-src 'none'" in reply.headers["content-security-policy"]
    assert not re.search(r'(?:src|href|action)="(?!/|#)', reply.text)
    assert "style=" not in reply.text
    assert "<h1>" in reply.text


@pytest.mark.parametrize("path", ["/", "/topics", "/dead-letters", "/jobs", "/collections", "/generations"])
def test_an_empty_installation_has_pages_too(path: str) -> None:
    """Nothing published, nothing measured: the pages say so."""
    assert Console(looking=FakeLooking(idle=True)).http.get(path).status_code == 200


def test_without_a_session_no_page_offers_an_action() -> None:
    """Read-only is the default: no page has a form that changes something."""
    console = Console(Access())
    for path in PAGES:
        assert 'method="post"' not in console.http.get(path).text


@pytest.mark.parametrize("path", ["/plan/redrive", "/start/redrive", "/session/end"])
def test_without_a_session_no_form_is_taken(path: str) -> None:
    """A form without a session, or with a session and another form token, does nothing."""
    console = Console()
    data = {"payload": "{}", "seal": "9999999999.aa", "form": "x"}
    assert console.http.post(path, data=data).status_code == 403
    console.unlock()
    assert console.http.post(path, data=data).status_code == 403
    assert console.actions.started == []


def test_a_form_of_another_site_is_refused() -> None:
    """Even with cookie and token, a form that a browser says comes from elsewhere is refused."""
    console = Console()
    console.unlock()
    data = {"form": console.form_token(), "topic": "doc.changed.dlq"}
    headers = {"origin": "http://evil.example"}
    assert console.http.post("/plan/redrive", data=data, headers=headers).status_code == 403


def test_a_plan_is_shown_and_then_carried_out_as_shown() -> None:
    """What is started is byte for byte what was shown, with who and why; a changed payload is refused."""
    console = Console()
    console.unlock()
    form = {"form": console.form_token(), "topic": "doc.changed.dlq", "fingerprint": "0a1b2c3d4e5f"}
    plan = console.http.post("/plan/redrive", data=form)
    assert "128, exactly" in plan.text and "Retention of the lane" in plan.text
    payload, seal = console.hidden(plan.text, "payload"), console.hidden(plan.text, "seal")
    confirmed = {"form": form["form"], "payload": payload, "seal": seal, "reason": " parser mended "}
    changed = console.http.post("/start/redrive", data=confirmed | {"payload": payload.replace("0a1b", "ffff")})
    assert changed.status_code == 409
    done = console.http.post("/start/redrive", data=confirmed)
    assert (done.status_code, done.headers["location"]) == (303, "/jobs/replay-20251124-101500-1a2b")
    assert console.actions.started == [("redrive", payload, "console", "parser mended")]


def test_a_plan_that_is_refused_cannot_be_started() -> None:
    """A plan with nothing to do shows why, and no button."""
    console = Console()
    console.unlock()
    plan = console.http.post("/plan/replay", data={"form": console.form_token(), "tenant": "nobody"})
    assert "Nothing matches." in plan.text
    assert 'name="seal"' not in plan.text


def test_a_wrong_field_is_named() -> None:
    """A selection that is wrong is answered with field, value and remedy."""
    console = Console()
    console.unlock()
    reply = console.http.post("/plan/replay", data={"form": console.form_token(), "tenant": "ACME"})
    assert reply.status_code == 400
    assert "tenant: &#39;ACME&#39; is not valid" in reply.text


def test_what_the_operator_refuses_is_said() -> None:
    """A job that has ended meanwhile: nothing is done and the page says why."""
    console = Console()
    console.unlock()
    form = console.form_token()
    plan = console.http.post("/plan/cancel", data={"form": form, "job": "x"})
    confirmed = {"form": form} | {name: console.hidden(plan.text, name) for name in ("payload", "seal")}
    reply = console.http.post("/start/cancel", data=confirmed)
    assert (reply.status_code, console.actions.started) == (409, [])
    assert "has ended already" in reply.text


def test_unknown_places_are_not_found() -> None:
    """Pages of topics, letters and jobs that do not exist are 404 with a word of help."""
    console = Console()
    for path in (
        "/topics/nope",
        "/dead-letters/doc.changed.dlq/9:9",
        "/jobs/nope",
        "/generations/9",
        "/nope",
        "/static/../app.py",
    ):
        assert console.http.get(path).status_code == 404, path


def test_what_is_down_is_said() -> None:
    """Kafka away: the page says so with 503 instead of failing."""
    reply = Console(looking=FakeLooking(UnavailableError("Kafka at x does not answer"))).http.get("/")
    assert reply.status_code == 503
    assert "Kafka at x does not answer" in reply.text


def test_another_host_is_refused() -> None:
    """A page that rebinds its name to our address reads nothing."""
    assert Console().http.get("/", headers={"host": "evil.example"}).status_code == 421


def test_a_private_console_shows_nothing_without_a_session() -> None:
    """Beyond loopback, reading needs the token too; style and login do not."""
    console = Console(Access(TOKEN, private=True))
    assert console.http.get("/topics/doc.changed").headers["location"] == "/session"
    assert console.http.get("/static/console.css").status_code == 200
    console.unlock()
    assert console.http.get("/topics/doc.changed").status_code == 200


def test_the_session_cookie_is_kept_from_scripts_and_other_sites() -> None:
    """HttpOnly and SameSite=Strict."""
    cookie = Console().http.post("/session", data={"token": TOKEN}).headers["set-cookie"].lower()
    assert cookie.startswith(COOKIE)
    assert "httponly" in cookie and "samesite=strict" in cookie


@pytest.mark.parametrize("body", [b"\xff\xfe", b"a=1" * 200_000, b"&".join([b"a=1"] * 100), b"form=%ff"])
def test_hostile_forms_are_refused(body: bytes) -> None:
    """Too large, too many fields, not text: a refusal, no failure."""
    console = Console()
    console.unlock()
    reply = console.http.post("/plan/redrive", content=body)
    assert reply.status_code in (400, 403)


def test_live_views_stand_beside_the_exact_number_with_their_difference() -> None:
    """Approximate and exact are both said, and by how much they differ; what is away is said, and the page is there."""
    console = Console()
    page = console.http.get("/costs/acme").text
    assert "approximately" in page
    assert "118 records" in page
    assert "120 requests: +2" in page
    console.auditing.live = Live(problem="the live views do not answer")
    page = console.http.get("/costs/acme")
    assert (page.status_code, "the live views do not answer" in page.text) == (200, True)
    console.auditing.live = None
    assert "approximately" not in console.http.get("/costs/acme").text


@pytest.mark.parametrize("path", ["/costs", "/costs/acme", "/costs/acme/records", "/inferences/any"])
def test_pages_of_costs_do_not_refresh_by_themselves(path: str) -> None:
    """Every look at the audit log is a record for ever: nobody's open tab makes one every three seconds."""
    assert "data-live" not in Console().http.get(path).text
