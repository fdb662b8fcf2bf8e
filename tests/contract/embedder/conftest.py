"""Fixtures of the contract suites."""

from tests.support.stores import pair, store

__all__ = ["pair", "store"]
