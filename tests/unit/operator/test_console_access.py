"""Who may do what in the console."""

from __future__ import annotations

import pytest
from roggia_operator.console.access import MAX_FAILURES, PLAN_S, SESSION_S, Access, Guard

TOKEN = "a-token-of-some-length"


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        """Seconds."""
        return self.now


def test_without_a_token_nobody_gets_a_session() -> None:
    """A console without a token is read-only: even an empty token opens nothing."""
    guard = Guard(Access())
    assert guard.login("") is None
    assert guard.login("anything") is None


def test_a_session_opens_with_the_token_and_ends() -> None:
    """The right token gives a session that holds for its time, and for no other token's console."""
    clock = Clock()
    guard = Guard(Access(TOKEN), clock)
    session = guard.login(TOKEN)
    assert session is not None
    assert guard.session(session) == session
    assert Guard(Access("another-token-of-length"), clock).session(session) is None
    clock.now += SESSION_S + 1
    assert guard.session(session) is None


@pytest.mark.parametrize("forged", ["", ".", "1.2", "9999999999.aa.bb", "9999999999.aa", "x.y.z"])
def test_a_forged_session_is_none(forged: str) -> None:
    """What we did not sign is no session, however far its end."""
    assert Guard(Access(TOKEN)).session(forged) is None


def test_guessing_tokens_is_stopped() -> None:
    """After too many wrong tokens even the right one waits for the minute to end."""
    clock = Clock()
    guard = Guard(Access(TOKEN), clock)
    for _ in range(MAX_FAILURES):
        assert guard.login("wrong") is None
    assert guard.login(TOKEN) is None
    clock.now += 61
    assert guard.login(TOKEN) is not None


def test_a_form_belongs_to_its_session() -> None:
    """A form token of one session is refused with another."""
    guard = Guard(Access(TOKEN))
    one, other = guard.login(TOKEN), guard.login(TOKEN)
    assert one and other and one != other
    assert guard.is_form(one, guard.form_token(one))
    assert not guard.is_form(other, guard.form_token(one))
    assert not guard.is_form(one, "ü")


def test_only_the_plan_that_was_shown_is_confirmed() -> None:
    """Another kind, another payload, another time: not the plan that was shown."""
    clock = Clock()
    guard = Guard(Access(TOKEN), clock)
    seal = guard.seal_plan("redrive", '{"n": 1}')
    assert guard.is_plan("redrive", '{"n": 1}', seal)
    assert not guard.is_plan("drop", '{"n": 1}', seal)
    assert not guard.is_plan("redrive", '{"n": 2}', seal)
    assert not guard.is_plan("redrive", '{"n": 1}', "")
    assert not guard.is_plan("redrive", '{"n": 1}', "９.aa")
    assert not guard.is_plan("redrive", '{"n": 1}', "９.aa.bb")
    clock.now += PLAN_S + 1
    assert not guard.is_plan("redrive", '{"n": 1}', seal)


@pytest.mark.parametrize(
    ("host", "known"),
    [
        ("127.0.0.1:7090", True), ("localhost", True), ("LOCALHOST:1", True), ("[::1]:7090", True), ("[::1]", True),
        ("evil.example:7090", False), ("", False), ("127.0.0.1.evil.example", False),
    ],
)  # fmt: skip
def test_only_known_hosts(host: str, known: bool) -> None:
    """A name that is not ours is refused: it may have been pointed at this address by a page."""
    assert Guard(Access()).known_host(host) is known


def test_a_plan_is_confirmed_once() -> None:
    """A form that is sent twice starts one job; one that could not be started may be sent again."""
    clock = Clock()
    guard = Guard(Access(TOKEN), clock)
    seal, other = guard.seal_plan("replay", "{}"), guard.seal_plan("replay", "{}")
    guard.spend(seal)
    assert not guard.is_plan("replay", "{}", seal)
    assert guard.is_plan("replay", "{}", other)
    guard.give_back(seal)
    assert guard.is_plan("replay", "{}", seal)
