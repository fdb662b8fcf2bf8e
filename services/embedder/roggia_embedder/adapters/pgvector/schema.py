"""Tables. One schema holds all; each collection has four tables of its own, so that dropping it gives its space back.

`collections`, `aliases` and `migrations` are shared. A collection's tables carry its number, because a PostgreSQL
identifier has 63 bytes and a collection's name may have more:

- `heads_<n>`: a row per document.
- `points_<n>`: what a bump or a narrowing changes, and what a search filters by.
- `bodies_<n>`: text and vector. A bump leaves this table alone, and with it the vector index, in which PostgreSQL would
  otherwise insert the row's new version.
- `terms_<n>`: BM25's postings, a row per term and passage. PostgreSQL's own full text cannot serve here: the port asks
  by term numbers, stemmed by each passage's language, and `ts_rank` knows no document frequency.
"""

from __future__ import annotations

from typing import Final

SCHEMA: Final = "roggia_index"

MIGRATIONS: Final = (
    f"""
    CREATE TABLE {SCHEMA}.collections (
        number integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        name text NOT NULL UNIQUE, generation integer NOT NULL, model text NOT NULL, dimension integer NOT NULL,
        ann text, ann_points bigint NOT NULL DEFAULT 0);
    CREATE TABLE {SCHEMA}.aliases (
        alias text PRIMARY KEY, collection integer NOT NULL REFERENCES {SCHEMA}.collections ON DELETE CASCADE);
    """,
)
"""Version n is reached by the first n steps. A step that was released is never changed; a new one is appended."""

_INLINE_DIMENSIONS = 1_900
"""Vectors up to here stay in their row (4 bytes a number, a page has 8 kB): reading them costs no second look."""


def creation(number: int, dimension: int) -> str:
    """The tables of one collection. `ann` indexes come later: see `indexes`."""
    storage = "PLAIN" if dimension <= _INLINE_DIMENSIONS else "EXTERNAL"
    return f"""
    CREATE TABLE {SCHEMA}.heads_{number} (
        id uuid PRIMARY KEY, tenant_id text NOT NULL, domain text NOT NULL, doc_id text NOT NULL,
        revision bigint NOT NULL, epoch integer NOT NULL,
        total integer NOT NULL, digest text NOT NULL, before integer NOT NULL,
        written_at bigint NOT NULL, deleted_at bigint, indexed_at bigint, parts jsonb NOT NULL) WITH (fillfactor = 80);
    CREATE INDEX ON {SCHEMA}.heads_{number} (doc_id);
    CREATE TABLE {SCHEMA}.points_{number} (
        number bigint GENERATED ALWAYS AS IDENTITY UNIQUE, chunk_id uuid PRIMARY KEY,
        tenant_id text NOT NULL, domain text NOT NULL, doc_id text NOT NULL,
        revision bigint NOT NULL, epoch integer NOT NULL, since_revision bigint NOT NULL, since_epoch integer NOT NULL,
        acl text[] NOT NULL, heading_path text[] NOT NULL, title text, source text, lang text,
        created_at bigint, expires_at bigint, metadata jsonb NOT NULL, labels text[] NOT NULL) WITH (fillfactor = 80);
    CREATE INDEX ON {SCHEMA}.points_{number} (doc_id);
    CREATE INDEX ON {SCHEMA}.points_{number} (source) WHERE source IS NOT NULL;
    CREATE INDEX ON {SCHEMA}.points_{number} USING gin (acl, labels);
    CREATE TABLE {SCHEMA}.bodies_{number} (
        number bigint PRIMARY KEY, model text NOT NULL, text text NOT NULL, dense vector({dimension}) NOT NULL);
    ALTER TABLE {SCHEMA}.bodies_{number} ALTER COLUMN dense SET STORAGE {storage};
    CREATE TABLE {SCHEMA}.terms_{number} (
        number bigint NOT NULL, term integer NOT NULL, weight real NOT NULL,
        PRIMARY KEY (term, number) INCLUDE (weight));
    CREATE INDEX ON {SCHEMA}.terms_{number} (number);
    """


def removal(number: int) -> str:
    """Drop what `creation` made."""
    names = ", ".join(f"{SCHEMA}.{kind}_{number}" for kind in ("heads", "points", "bodies", "terms"))
    return f"DROP TABLE IF EXISTS {names}"
