"""What the embedded stack's audit log needs beside its ledger: a key, tokens, a place for exports."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

ORIGIN = "roggia.invalid/audit"
"""The setting's default: a log of one machine, that nobody else has to tell from others."""
_CONSOLE = "console"


class AuditFiles:
    """Paths below one folder. Creates nothing until asked."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.head_key = root / "head.key"
        self.tokens = root / "tokens.yaml"
        self.exports = root / "exports"
        self._token = root / "console.token"

    def prepared(self) -> str:
        """Key, tokens and the console's own token, each made on first use; returns that token. Never overwrites."""
        # Only a stack that audits needs what these import.
        from roggia_auditor.api import tokens
        from roggia_auditor.tlog.keys import SignerKey

        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        _make(self.head_key, lambda: SignerKey.generate(f"{ORIGIN}/head").text() + "\n")
        _make(self._token, lambda: tokens.generate() + "\n")
        token = self._token.read_text().strip()
        _make(self.tokens, lambda: tokens.entry(_CONSOLE, token, [], [tokens.Scope.READ]))
        return token


def _make(file: Path, text: Callable[[], str]) -> None:
    """Write a file for its owner alone, unless it is there."""
    if file.exists():
        return
    new = file.with_name(file.name + ".new")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as written:
        written.write(text())
    new.replace(file)
