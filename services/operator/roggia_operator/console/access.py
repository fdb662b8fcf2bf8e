"""Who may do what in the console: hosts, token, session, and proof that a form was ours.

Reading is open to whoever reaches the port, which is loopback unless a token is set. Changing anything needs the
token, once per session. No cookie or form survives a change of the token: everything is signed with a key made of it.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from roggia_runtime.hosts import LOOPBACK, name_of

COOKIE = "roggia_console"
SESSION_S = 8 * 3600
PLAN_S = 600
"""Seconds for which a plan that was shown can be confirmed."""
MAX_FAILURES = 10
"""Wrong tokens within a minute after which every token is refused for the rest of it."""
_MINUTE_S = 60.0


@dataclass(frozen=True, slots=True)
class Access:
    """What the settings allow. `token` empty: nothing can be changed. `private`: reading needs the token too."""

    token: str = ""
    private: bool = False
    hosts: frozenset[str] = LOOPBACK


class Guard:
    """Decides, for one process. `now` is seconds since the epoch."""

    def __init__(self, access: Access, now: Callable[[], float] = time.time) -> None:
        self.access = access
        self._now = now
        self._key = hashlib.sha256(b"roggia console\0" + access.token.encode()).digest()
        self._failures: deque[float] = deque()
        self._spent: dict[str, int] = {}

    def known_host(self, host: str) -> bool:
        """Whether a Host header names us: a page that rebinds its own name to this address does not."""
        return name_of(host) in self.access.hosts

    def login(self, token: str) -> str | None:
        """A session for the right token; None for a wrong one, and for any while too many were wrong."""
        while self._failures and self._failures[0] < self._now() - _MINUTE_S:
            self._failures.popleft()
        right = hmac.compare_digest(token.encode(), self.access.token.encode())
        if not self.access.token or len(self._failures) >= MAX_FAILURES or not right:
            self._failures.append(self._now())
            return None
        return self._sealed("session", f"{int(self._now()) + SESSION_S}.{secrets.token_hex(8)}")

    def session(self, cookie: str) -> str | None:
        """The session in a cookie, or None when it is not ours or over."""
        told = self._opened("session", cookie)
        return cookie if told is not None and int(told.split(".")[0]) > self._now() else None

    def form_token(self, session: str) -> str:
        """What a form of this session carries: another site cannot know it."""
        return self._sign("form", session)

    def is_form(self, session: str, token: str) -> bool:
        """Whether a form was ours."""
        return hmac.compare_digest(self.form_token(session).encode(), token.encode())

    def seal_plan(self, kind: str, payload: str) -> str:
        """Proof that this plan was shown, good for ten minutes."""
        until = int(self._now()) + PLAN_S
        once = secrets.token_hex(8)
        return f"{until}.{once}.{self._sign('plan', f'{until}|{once}|{kind}|{payload}')}"

    def is_plan(self, kind: str, payload: str, seal: str) -> bool:
        """Whether exactly this plan was shown a short while ago, and nobody has confirmed it yet."""
        until, _, rest = seal.partition(".")
        once, _, signature = rest.partition(".")
        right = self._sign("plan", f"{until}|{once}|{kind}|{payload}")
        if not hmac.compare_digest(right.encode(), signature.encode()):
            return False
        return int(until) >= self._now() and seal not in self._spent

    def spend(self, seal: str) -> None:
        """A right seal is used: a form that is sent twice starts one job."""
        self._spent = {used: until for used, until in self._spent.items() if until >= self._now()}
        self._spent[seal] = int(seal.partition(".")[0])

    def give_back(self, seal: str) -> None:
        """What was confirmed could not be started: it may be confirmed again."""
        self._spent.pop(seal, None)

    def _sealed(self, use: str, text: str) -> str:
        return f"{text}.{self._sign(use, text)}"

    def _opened(self, use: str, sealed: str) -> str | None:
        text, _, signature = sealed.rpartition(".")
        return text if text and hmac.compare_digest(self._sign(use, text).encode(), signature.encode()) else None

    def _sign(self, use: str, text: str) -> str:
        return hmac.new(self._key, f"{use}\0{text}".encode(), hashlib.sha256).hexdigest()
