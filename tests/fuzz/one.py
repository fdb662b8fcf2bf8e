"""One fuzz target in this process, its code instrumented. Arguments: the target, then libFuzzer's options."""

from __future__ import annotations

import sys

import atheris  # type: ignore[import-not-found, unused-ignore]

with atheris.instrument_imports(include=["roggia_devstack"]):
    from tests.fuzz.targets import make

if __name__ == "__main__":
    name = sys.argv.pop(1)
    atheris.Setup(sys.argv, make(name))
    atheris.Fuzz()
