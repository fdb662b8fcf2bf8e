"""`python -m roggia_auditor [ledger|api]`: one role in the foreground; `ledger`, which keeps the log, unless named."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Final

from roggia_runtime.service import MISCONFIGURED, Service, run_service
from roggia_runtime.settings import load

from roggia_auditor.app import API, NAME, build, build_api
from roggia_auditor.settings import AuditorSettings

ROLES: Final[dict[str, tuple[str, Callable[[AuditorSettings], Service]]]] = {
    "ledger": (NAME, build),
    "api": (API, build_api),
}


def main(arguments: Sequence[str]) -> int:
    """Run until stopped; return the exit status."""
    role = arguments[0] if arguments else "ledger"
    if len(arguments) > 1 or role not in ROLES:
        sys.stderr.write(f"usage: python -m roggia_auditor [{'|'.join(ROLES)}]\n")
        return MISCONFIGURED
    name, made = ROLES[role]
    return run_service(name, lambda: made(load(AuditorSettings)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
