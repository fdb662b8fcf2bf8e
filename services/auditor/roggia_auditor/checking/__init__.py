"""Checks of a whole ledger that trust nothing in it: everything that can be derived is derived again and compared."""
