"""A private PostgreSQL for tests, from the binaries of this machine. Fixture: `postgres_dsn` (a fresh database)."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.processes import free_port

_FAST = ["fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=50", "shared_buffers=32MB"]


def _binaries() -> Path | None:
    folders = [Path(found).resolve().parent for found in [shutil.which("initdb")] if found]
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda bin_: -float(bin_.parent.name))
    return next((folder for folder in folders if (folder / "initdb").exists() and (folder / "pg_ctl").exists()), None)


def _server_user() -> str | None:
    """PostgreSQL refuses root: name the user that runs it, or None for the current one."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    user = next((name for name in ("postgres", "nobody") if name in names), None)
    return user or pytest.skip("PostgreSQL refuses to run as root and neither user postgres nor nobody exists")


@dataclass(frozen=True)
class Postgres:
    """One private server: its binaries, its folder and its port on 127.0.0.1."""

    binaries: Path
    folder: Path
    port: int
    user: str | None

    def run(self, name: str, *arguments: str) -> None:
        """Run one of PostgreSQL's programs; fails with its output."""
        command = [str(self.binaries / name), *arguments]
        out = self.folder / f"{name}.out"
        groups: list[int] | None = [] if self.user else None
        with out.open("wb") as log:
            done = subprocess.run(
                command,
                stdout=log,
                stderr=log,
                user=self.user,
                extra_groups=groups,
                cwd=self.folder,
                timeout=60,
                check=False,
            )
        assert done.returncode == 0, f"{name}: {out.read_text()[-2000:]}"

    def start(self) -> None:
        """Create the cluster and start it."""
        data = str(self.folder / "data")
        self.run("initdb", "-D", data, "-U", "roggia", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
        self._start()

    def crash(self) -> None:
        """End it without a word to its clients or its files, and start it again."""
        self.stop()
        self._start()

    def _start(self) -> None:
        data = str(self.folder / "data")
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories=''"
        options += "".join(f" -c {setting}" for setting in _FAST)
        self.run("pg_ctl", "-D", data, "-w", "-l", str(self.folder / "data" / "server.log"), "-o", options, "start")

    def stop(self) -> None:
        """Stop at once."""
        self.run("pg_ctl", "-D", str(self.folder / "data"), "-m", "immediate", "stop")

    def new_database(self) -> str:
        """Create an empty database and return its DSN."""
        name = f"t{secrets.token_hex(6)}"
        self.run("createdb", "-h", "127.0.0.1", "-p", str(self.port), "-U", "roggia", name)
        return f"postgresql://roggia@127.0.0.1:{self.port}/{name}"


@contextmanager
def running(installation: Path) -> Iterator[Postgres]:
    """A private server from the binaries of a PostgreSQL's folder, stopped and removed afterwards."""
    folder, user = Path(tempfile.mkdtemp(prefix="roggia-pg-")), _server_user()
    if user:
        shutil.chown(folder, user)
    server = Postgres(installation / "bin", folder, free_port(), user)
    server.start()
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A running private server; skips when this machine has no PostgreSQL."""
    binaries = _binaries()
    if binaries is None:
        pytest.skip("PostgreSQL is not installed (no initdb on the PATH or under /usr/lib/postgresql)")
    with running(binaries.parent) as server:
        yield server


@pytest.fixture
def postgres_dsn(postgres: Postgres) -> str:
    """DSN of an empty database of this test alone."""
    return postgres.new_database()
