"""`python -m roggia_auditor.live`: run the live views in the foreground."""

from __future__ import annotations

import sys

from roggia_runtime.service import run_service
from roggia_runtime.settings import load

from roggia_auditor.live.app import NAME, build
from roggia_auditor.live.settings import LiveSettings


def main() -> int:
    """Run until stopped; return the exit status."""
    return run_service(NAME, lambda: build(load(LiveSettings)))


if __name__ == "__main__":
    sys.exit(main())
