"""A pytest plugin: no garbage collection while tests are collected.

Some builds of CPython 3.11 raise SystemError when garbage is collected while a syntax tree is
built (CPython issue 106905), and pytest builds one for every test module that it has no cached bytecode of.
"""

from __future__ import annotations

import gc

gc.disable()


def pytest_collection_finish() -> None:
    """Tests run as programs do, with garbage collection."""
    gc.enable()
