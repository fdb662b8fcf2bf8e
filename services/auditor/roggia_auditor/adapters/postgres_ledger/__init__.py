"""The ledger in PostgreSQL."""

from roggia_auditor.adapters.postgres_ledger.ledger import PostgresLedger

__all__ = ["PostgresLedger"]
