"""Tables of the ledger in SQLite."""

from __future__ import annotations

from roggia_auditor.adapters import columns
from roggia_auditor.reports import LOOKED_UP

STREAM = "topic = ? AND topic_id = ? AND partition = ?"
NUMBER = f"(SELECT id FROM streams WHERE {STREAM})"
_SUMS = ", ".join(
    f"{name} INTEGER NOT NULL" + f" CHECK ({name} >= 0)" * (name not in columns.SIGNED) for name in columns.USAGE_SUMS
)
CREATE = (
    """CREATE TABLE IF NOT EXISTS streams (
    id INTEGER PRIMARY KEY, topic TEXT NOT NULL, topic_id TEXT NOT NULL, partition INTEGER NOT NULL,
    next_offset INTEGER NOT NULL, size INTEGER NOT NULL, peaks BLOB NOT NULL,
    UNIQUE (topic, topic_id, partition)) STRICT""",
    f"""CREATE TABLE IF NOT EXISTS records (
    stream INTEGER NOT NULL, leaf_index INTEGER NOT NULL, event_id TEXT NOT NULL,
    tenant TEXT NOT NULL, tenant_seq INTEGER NOT NULL, status INTEGER NOT NULL,
    booked TEXT NOT NULL, day TEXT NOT NULL, occurred_at INTEGER NOT NULL,
    {", ".join(f"{name} TEXT NOT NULL" for name in columns.LOOKUPS)},
    cost_pico INTEGER, entry BLOB NOT NULL, leaf_hash BLOB NOT NULL, value BLOB NOT NULL,
    PRIMARY KEY (stream, leaf_index)) STRICT""",
    "CREATE UNIQUE INDEX IF NOT EXISTS records_event ON records (event_id) WHERE status <> 4",
    "CREATE INDEX IF NOT EXISTS records_tenant ON records (tenant, occurred_at)",
    "CREATE INDEX IF NOT EXISTS records_number ON records (stream, tenant, tenant_seq)",
    *(f"CREATE INDEX IF NOT EXISTS records_{name} ON records ({name}) WHERE {name} <> ''" for name in LOOKED_UP[1:]),
    """CREATE TABLE IF NOT EXISTS tiles (
    stream INTEGER NOT NULL, level INTEGER NOT NULL, hash_index INTEGER NOT NULL, hash BLOB NOT NULL,
    PRIMARY KEY (stream, level, hash_index)) STRICT, WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS sequences (
    stream INTEGER NOT NULL, tenant TEXT NOT NULL, last INTEGER NOT NULL,
    PRIMARY KEY (stream, tenant)) STRICT, WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS duplicates (
    stream INTEGER NOT NULL, "offset" INTEGER NOT NULL, event_id TEXT NOT NULL,
    value_sha256 BLOB NOT NULL, same INTEGER NOT NULL, tenant TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (stream, "offset")) STRICT, WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS months (
    tenant TEXT NOT NULL, period TEXT NOT NULL, tokens INTEGER NOT NULL CHECK (tokens >= 0),
    pico_usd INTEGER NOT NULL, unpriced INTEGER NOT NULL,
    token_limit INTEGER, pico_limit INTEGER, seq INTEGER NOT NULL, told INTEGER NOT NULL,
    PRIMARY KEY (tenant, period)) STRICT, WITHOUT ROWID""",
    "CREATE INDEX IF NOT EXISTS months_untold ON months (tenant) WHERE told < seq",
    """CREATE TABLE IF NOT EXISTS crossings (
    tenant TEXT NOT NULL, period TEXT NOT NULL, limit_name TEXT NOT NULL, percent INTEGER NOT NULL,
    PRIMARY KEY (tenant, period, limit_name, percent)) STRICT, WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS alerts (
    id TEXT PRIMARY KEY, kind TEXT NOT NULL, tenant TEXT NOT NULL, period TEXT NOT NULL, at INTEGER NOT NULL,
    limit_name TEXT NOT NULL, percent INTEGER NOT NULL, used INTEGER NOT NULL, allowed INTEGER NOT NULL,
    provider TEXT NOT NULL, model TEXT NOT NULL,
    topic_state INTEGER NOT NULL DEFAULT 0, webhook_state INTEGER NOT NULL DEFAULT 0) STRICT, WITHOUT ROWID""",
    *(
        f"CREATE INDEX IF NOT EXISTS alerts_{name} ON alerts (at) WHERE {name}_state = 0"
        for name in ("topic", "webhook")
    ),
    """CREATE TABLE IF NOT EXISTS days (
    tenant TEXT NOT NULL, day TEXT NOT NULL, provider TEXT NOT NULL, model TEXT NOT NULL,
    seq INTEGER NOT NULL, told INTEGER NOT NULL,
    PRIMARY KEY (tenant, day, provider, model)) STRICT, WITHOUT ROWID""",
    "CREATE INDEX IF NOT EXISTS days_untold ON days (tenant) WHERE told < seq",
    """CREATE TABLE IF NOT EXISTS told_rows (
    stream INTEGER PRIMARY KEY, until INTEGER NOT NULL) STRICT""",
    """CREATE TABLE IF NOT EXISTS segments (
    stream INTEGER NOT NULL, first_leaf INTEGER NOT NULL, end_leaf INTEGER NOT NULL, month TEXT NOT NULL,
    dropped INTEGER NOT NULL, manifest TEXT NOT NULL, PRIMARY KEY (stream, first_leaf)) STRICT""",
    """CREATE TABLE IF NOT EXISTS moved_leaves (
    stream INTEGER NOT NULL, first_leaf INTEGER NOT NULL, hashes BLOB NOT NULL,
    PRIMARY KEY (stream, first_leaf)) STRICT""",
    """CREATE TABLE IF NOT EXISTS moved_events (
    event BLOB PRIMARY KEY, value_sha256 BLOB NOT NULL, tenant TEXT NOT NULL DEFAULT '') STRICT, WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS corrected (
    event_id TEXT PRIMARY KEY, at INTEGER NOT NULL, pico_usd INTEGER NOT NULL, price_version TEXT NOT NULL
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS head_log (
    leaf_index INTEGER PRIMARY KEY, entry BLOB NOT NULL, peaks BLOB NOT NULL) STRICT""",
    """CREATE TABLE IF NOT EXISTS sealed_logs (
    origin TEXT NOT NULL, head_index INTEGER NOT NULL, size INTEGER NOT NULL, root BLOB NOT NULL,
    next_offset INTEGER NOT NULL, PRIMARY KEY (origin, head_index)) STRICT, WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS notes (
    origin TEXT PRIMARY KEY, size INTEGER NOT NULL, note TEXT NOT NULL) STRICT, WITHOUT ROWID""",
    f"""CREATE TABLE IF NOT EXISTS usage (
    {", ".join(f"{name} TEXT NOT NULL" for name in columns.USAGE_KEY)}, {_SUMS},
    PRIMARY KEY ({", ".join(columns.USAGE_KEY)})) STRICT, WITHOUT ROWID""",
)
UPGRADES = {
    1: (
        "ALTER TABLE duplicates ADD COLUMN tenant TEXT NOT NULL DEFAULT ''",
        (
            "UPDATE duplicates SET tenant = coalesce((SELECT tenant FROM records "
            "WHERE records.event_id = duplicates.event_id AND status <> 4), '')"
        ),
        "ALTER TABLE moved_events ADD COLUMN tenant TEXT NOT NULL DEFAULT ''",
    )
}
"""What makes a file of a version one of the next."""
