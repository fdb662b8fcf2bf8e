"""What services share of PostgreSQL's client. For adapters alone: importing it imports asyncpg."""

from __future__ import annotations

import asyncpg

AWAY = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
    asyncpg.TransactionRollbackError,
    asyncpg.CannotConnectNowError,
)
"""What goes by: the server is away, restarting, full, or asks to try the transaction again."""
