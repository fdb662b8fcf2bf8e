"""The ledger in SQLite."""

from roggia_auditor.adapters.sqlite_ledger.ledger import SqliteLedger

__all__ = ["SqliteLedger"]
