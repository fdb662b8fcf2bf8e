"""Checks of the ledger itself, against what was published of it."""
