"""The ledger in SQLite."""

from roggia_auditor.adapters.sqlite_ledger.ledger import SqliteLedger
from roggia_auditor.adapters.sqlite_ledger.reports import SqliteReports

__all__ = ["SqliteLedger", "SqliteReports"]
