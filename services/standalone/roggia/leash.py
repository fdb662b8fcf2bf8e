"""Run a module as `python -m` would, and stop with the process that started it, however that one ends.

`roggia up` starts its children as `python -m roggia.leash MODULE ARG…` with a pipe as standard input that it never
writes to. When the supervisor is gone, even by kill -9, the pipe closes: the child sends itself SIGTERM, so that it
stops as it would for anybody, and after `GRACE_S` ends in any case. Works on every POSIX system, without prctl.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading
import time

GRACE_S = 15.0


def main() -> None:
    """Watch standard input from a thread, then become the module named by the first argument."""
    if len(sys.argv) < 2:
        sys.exit("usage: python -m roggia.leash MODULE [ARG...]")
    threading.Thread(target=_watch, daemon=True, name="leash").start()
    module = sys.argv[1]
    sys.argv = sys.argv[1:]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _watch() -> None:
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_S)
    os._exit(1)


if __name__ == "__main__":
    main()
