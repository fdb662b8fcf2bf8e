"""`python -m roggia_ingest`: run the service in the foreground."""

from __future__ import annotations

import sys

from roggia_runtime.service import run_service
from roggia_runtime.settings import load

from roggia_ingest.app import NAME, build
from roggia_ingest.settings import IngestSettings


def main() -> int:
    """Run until stopped; return the exit status."""
    return run_service(NAME, lambda: build(load(IngestSettings)))


if __name__ == "__main__":
    sys.exit(main())
