"""Tests of the whole repository. Run from its root: `pytest tests/…`."""
