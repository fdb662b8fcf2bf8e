"""Tables of the ledger in PostgreSQL. The same as in SQLite, name for name, behind a prefix."""

from __future__ import annotations

from roggia_auditor.adapters import columns
from roggia_auditor.reports import LOOKED_UP

P = "roggia_auditor_"
"""What tables' names begin with."""
_SUMS = ", ".join(
    f"{name} bigint NOT NULL" + f" CHECK ({name} >= 0)" * (name not in columns.SIGNED) for name in columns.USAGE_SUMS
)
_BY_ID = "".join(
    f"CREATE INDEX IF NOT EXISTS {P}records_{name} ON {P}records ({name}) WHERE {name} <> '';\n"
    for name in LOOKED_UP[1:]
)
CREATE = f"""
CREATE TABLE IF NOT EXISTS {P}schema (version integer PRIMARY KEY);
CREATE TABLE IF NOT EXISTS {P}streams (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic text NOT NULL, topic_id text NOT NULL, partition integer NOT NULL,
    next_offset bigint NOT NULL, size bigint NOT NULL, peaks bytea NOT NULL,
    UNIQUE (topic, topic_id, partition));
CREATE TABLE IF NOT EXISTS {P}records (
    stream bigint NOT NULL, leaf_index bigint NOT NULL, event_id text NOT NULL,
    tenant text NOT NULL, tenant_seq bigint NOT NULL, status integer NOT NULL,
    booked text NOT NULL, day text NOT NULL, occurred_at bigint NOT NULL,
    {", ".join(f"{name} text NOT NULL" for name in columns.LOOKUPS)},
    cost_pico bigint, entry bytea NOT NULL, leaf_hash bytea NOT NULL, value bytea NOT NULL,
    PRIMARY KEY (stream, leaf_index));
CREATE UNIQUE INDEX IF NOT EXISTS {P}records_event ON {P}records (event_id) WHERE status <> 4;
CREATE INDEX IF NOT EXISTS {P}records_tenant ON {P}records (tenant, occurred_at);
CREATE INDEX IF NOT EXISTS {P}records_number ON {P}records (stream, tenant, tenant_seq);
{_BY_ID}
CREATE TABLE IF NOT EXISTS {P}tiles (
    stream bigint NOT NULL, level integer NOT NULL, hash_index bigint NOT NULL, hash bytea NOT NULL,
    PRIMARY KEY (stream, level, hash_index));
CREATE TABLE IF NOT EXISTS {P}sequences (
    stream bigint NOT NULL, tenant text NOT NULL, last bigint NOT NULL, PRIMARY KEY (stream, tenant));
CREATE TABLE IF NOT EXISTS {P}duplicates (
    stream bigint NOT NULL, "offset" bigint NOT NULL, event_id text NOT NULL,
    value_sha256 bytea NOT NULL, same boolean NOT NULL, tenant text NOT NULL DEFAULT '',
    PRIMARY KEY (stream, "offset"));
CREATE TABLE IF NOT EXISTS {P}months (
    tenant text NOT NULL, period text NOT NULL, tokens bigint NOT NULL CHECK (tokens >= 0),
    pico_usd bigint NOT NULL, unpriced bigint NOT NULL,
    token_limit bigint, pico_limit bigint, seq bigint NOT NULL, told bigint NOT NULL,
    PRIMARY KEY (tenant, period));
CREATE INDEX IF NOT EXISTS {P}months_untold ON {P}months (tenant) WHERE told < seq;
CREATE TABLE IF NOT EXISTS {P}crossings (
    tenant text NOT NULL, period text NOT NULL, limit_name text NOT NULL, percent integer NOT NULL,
    PRIMARY KEY (tenant, period, limit_name, percent));
CREATE TABLE IF NOT EXISTS {P}alerts (
    id text PRIMARY KEY, kind text NOT NULL, tenant text NOT NULL, period text NOT NULL, at bigint NOT NULL,
    limit_name text NOT NULL, percent integer NOT NULL, used bigint NOT NULL, allowed bigint NOT NULL,
    provider text NOT NULL, model text NOT NULL,
    topic_state integer NOT NULL DEFAULT 0, webhook_state integer NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS {P}alerts_topic ON {P}alerts (at) WHERE topic_state = 0;
CREATE INDEX IF NOT EXISTS {P}alerts_webhook ON {P}alerts (at) WHERE webhook_state = 0;
CREATE TABLE IF NOT EXISTS {P}days (
    tenant text NOT NULL, day text NOT NULL, provider text NOT NULL, model text NOT NULL,
    seq bigint NOT NULL, told bigint NOT NULL, PRIMARY KEY (tenant, day, provider, model));
CREATE INDEX IF NOT EXISTS {P}days_untold ON {P}days (tenant) WHERE told < seq;
CREATE TABLE IF NOT EXISTS {P}told_rows (stream bigint PRIMARY KEY, until bigint NOT NULL);
CREATE TABLE IF NOT EXISTS {P}segments (
    stream bigint NOT NULL, first_leaf bigint NOT NULL, end_leaf bigint NOT NULL, month text NOT NULL,
    dropped boolean NOT NULL, manifest text NOT NULL, PRIMARY KEY (stream, first_leaf));
CREATE TABLE IF NOT EXISTS {P}moved_leaves (
    stream bigint NOT NULL, first_leaf bigint NOT NULL, hashes bytea NOT NULL, PRIMARY KEY (stream, first_leaf));
CREATE TABLE IF NOT EXISTS {P}moved_events (
    event bytea PRIMARY KEY, value_sha256 bytea NOT NULL, tenant text NOT NULL DEFAULT '');
CREATE TABLE IF NOT EXISTS {P}corrected (
    event_id text PRIMARY KEY, at bigint NOT NULL, pico_usd bigint NOT NULL, price_version text NOT NULL);
CREATE TABLE IF NOT EXISTS {P}head_log (
    leaf_index bigint PRIMARY KEY, entry bytea NOT NULL, peaks bytea NOT NULL);
CREATE TABLE IF NOT EXISTS {P}sealed_logs (
    origin text NOT NULL, head_index bigint NOT NULL, size bigint NOT NULL, root bytea NOT NULL,
    next_offset bigint NOT NULL, PRIMARY KEY (origin, head_index));
CREATE TABLE IF NOT EXISTS {P}notes (origin text PRIMARY KEY, size bigint NOT NULL, note text NOT NULL);
CREATE TABLE IF NOT EXISTS {P}usage (
    {", ".join(f"{name} text NOT NULL" for name in columns.USAGE_KEY)}, {_SUMS},
    PRIMARY KEY ({", ".join(columns.USAGE_KEY)}));
"""
STREAM = "topic = $1 AND topic_id = $2 AND partition = $3"
NUMBER = f"(SELECT id FROM {P}streams WHERE {STREAM})"
UPGRADES = {
    1: f"""
ALTER TABLE {P}duplicates ADD COLUMN IF NOT EXISTS tenant text NOT NULL DEFAULT '';
UPDATE {P}duplicates d SET tenant = r.tenant FROM {P}records r WHERE r.event_id = d.event_id AND r.status <> 4;
ALTER TABLE {P}moved_events ADD COLUMN IF NOT EXISTS tenant text NOT NULL DEFAULT '';
"""
}
"""What makes tables of a version those of the next."""
