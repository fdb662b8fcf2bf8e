"""The data directory of one embedded stack: where everything lies, who holds it, and what is running."""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from roggia.errors import AlreadyRunningError, NotRunningError
from roggia.stack.audit_files import AuditFiles

DEFAULT = Path("roggia-data")


class ProcessState(msgspec.Struct, frozen=True, kw_only=True):
    """One supervised process as the state file shows it. `status`: starting, ready, restarting or stopped."""

    pid: int
    status: str
    restarts: int
    log: str
    health: str | None = None


class StackState(msgspec.Struct, frozen=True, kw_only=True):
    """What `roggia up` writes to `state.json` and other commands read: addresses and processes."""

    pid: int
    started_at_ms: int
    kafka: str
    registry: str
    query: str
    console: str = ""
    audit: str = ""
    processes: dict[str, ProcessState] = {}


class DataDirectory:
    """Paths below one directory. Creates nothing until asked; a wrong guess at a path must not litter."""

    def __init__(self, root: Path) -> None:
        self.root = root.expanduser().resolve()
        self.broker = self.root / "broker"
        self.registry = self.root / "registry"
        self.index = self.root / "index"
        self.cache = self.root / "vectors.sqlite"
        self.models = self.root / "models"
        self.catalogue = self.root / "catalogue.sqlite"
        self.content = self.root / "content"
        self.registry_file = self.models / "mlflow.sqlite3"
        self.reports = self.root / "reports"
        self.ledger = self.root / "ledger.sqlite3"
        self.audit = AuditFiles(self.root / "audit")
        self.logs = self.root / "logs"
        self._token = self.root / "console.token"
        self._state = self.root / "state.json"
        self._lock = self.root / "lock"

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the directory for one supervisor. Raises `AlreadyRunningError`; the kernel lets go when we die."""
        self.logs.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._lock, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise AlreadyRunningError(self._who()) from None
            yield
        finally:
            os.close(descriptor)

    def _who(self) -> str:
        holder = self.state()
        pid = f" (process {holder.pid})" if holder else ""
        return f"another `roggia up`{pid} is using {self.root}: stop it, or choose another directory with --data"

    def console_token(self) -> str:
        """The token that unlocks the console's actions, made on first use; only its owner can read the file."""
        try:
            descriptor = os.open(self._token, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return self._token.read_text("ascii").strip()
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(24) + "\n")
        return self._token.read_text("ascii").strip()

    def is_held(self) -> bool:
        """Whether a supervisor is alive on this directory."""
        if not self._lock.exists():
            return False
        descriptor = os.open(self._lock, os.O_RDWR)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False

    def state(self) -> StackState | None:
        """The last state written, or None when there is none (or it is torn, which a crash cannot cause)."""
        try:
            return msgspec.json.decode(self._state.read_bytes(), type=StackState)
        except (FileNotFoundError, msgspec.DecodeError):
            return None

    def running(self) -> StackState:
        """The state of the stack that runs here. Raises `NotRunningError`."""
        state = self.state()
        if state is None or not self.is_held():
            raise NotRunningError(f"no stack is running on {self.root}: start one with `roggia up --data {self.root}`")
        return state

    def write(self, state: StackState) -> None:
        """Replace the state file at once: a reader sees the old one or the new one."""
        fresh = self._state.with_suffix(".new")
        fresh.write_bytes(msgspec.json.format(msgspec.json.encode(state)))
        fresh.replace(self._state)

    def clear(self) -> None:
        """Remove the state file after a clean stop."""
        self._state.unlink(missing_ok=True)
