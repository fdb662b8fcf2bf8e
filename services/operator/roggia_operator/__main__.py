"""`python -m roggia_operator`: run the service in the foreground."""

from __future__ import annotations

import sys

from roggia_runtime.service import run_service
from roggia_runtime.settings import load

from roggia_operator.app import NAME, build
from roggia_operator.settings import OperatorSettings


def main() -> int:
    """Run until stopped; return the exit status."""
    return run_service(NAME, lambda: build(load(OperatorSettings)))


if __name__ == "__main__":
    sys.exit(main())
