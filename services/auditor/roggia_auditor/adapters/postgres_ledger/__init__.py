"""The ledger in PostgreSQL."""

from roggia_auditor.adapters.postgres_ledger.ledger import PostgresLedger
from roggia_auditor.adapters.postgres_ledger.reports import PostgresReports

__all__ = ["PostgresLedger", "PostgresReports"]
