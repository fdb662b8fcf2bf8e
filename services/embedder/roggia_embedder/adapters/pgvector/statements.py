"""The statements, as functions of a collection's tables. Every guard is a condition of the statement that it guards."""

from __future__ import annotations

from typing import Final

from roggia_embedder.adapters.pgvector.database import Held
from roggia_embedder.adapters.pgvector.rows import HEAD_COLUMNS, POINT_COLUMNS

_TYPES: Final = {
    "id": "uuid", "chunk_id": "uuid", "revision": "bigint", "epoch": "integer", "acl": "text[]",
    "heading_path": "text[]", "created_at": "bigint", "expires_at": "bigint", "metadata": "jsonb", "labels": "text[]",
}  # fmt: skip
_STATE = """chunk_id, tenant_id, domain, doc_id, revision, epoch, since_revision, since_epoch, acl, lang"""


def write_head(at: Held) -> str:
    """Parameters: `HEAD_COLUMNS`."""
    changed = _assignments(HEAD_COLUMNS[4:])
    return f"""INSERT INTO {at.table("heads")} AS held ({", ".join(HEAD_COLUMNS)}) VALUES ({_numbered(HEAD_COLUMNS)})
        ON CONFLICT (id) DO UPDATE SET {changed} WHERE {_OLDER_THAN_NEW}"""


def read_heads(at: Held) -> str:
    """Parameter: ids."""
    return f"SELECT * FROM {at.table('heads')} WHERE id = ANY ($1::uuid[])"


def note_part(at: Held) -> str:
    """Parameters: id, revision, epoch, the tally as an object of one key."""
    return f"UPDATE {at.table('heads')} SET parts = parts || $4::jsonb WHERE id = $1 AND (revision, epoch) = ($2, $3)"


def mark_indexed(at: Held) -> str:
    """Parameters: id, revision, epoch, when."""
    return f"""UPDATE {at.table("heads")} SET indexed_at = $4
        WHERE id = $1 AND (revision, epoch) = ($2, $3) AND indexed_at IS NULL"""


def sweep_heads(at: Held) -> str:
    """Parameter: a time. Returns a row for each one deleted."""
    return f"DELETE FROM {at.table('heads')} WHERE deleted_at < $1 AND indexed_at IS NOT NULL RETURNING 1"


def list_points(at: Held) -> str:
    """Parameters: tenants, domains, document ids, side by side."""
    return f"""SELECT {_STATE} FROM {at.table("points")}
        JOIN unnest($1::text[], $2::text[], $3::text[]) AS wanted (tenant_id, domain, doc_id)
        USING (tenant_id, domain, doc_id)"""


def count(at: Held) -> str:
    """Parameters: tenant, domain, document id, revision, epoch."""
    return f"SELECT count(*) FROM {at.table('points')} WHERE {_DOCUMENT} AND (revision, epoch) = ($4, $5)"


def upsert(at: Held) -> str:
    """Parameters: `POINT_COLUMNS`. Returns number and chunk id of a point that was inserted or replaced."""
    columns = (*POINT_COLUMNS, "since_revision", "since_epoch")
    values = f"{_numbered(POINT_COLUMNS)}, $5, $6"
    return f"""INSERT INTO {at.table("points")} AS held ({", ".join(columns)}) VALUES ({values})
        ON CONFLICT (chunk_id) DO UPDATE SET {_assignments(columns[1:])} WHERE {_OLDER_THAN_NEW}
        RETURNING number, chunk_id"""


def write_body(at: Held) -> str:
    """Parameters: number, model, text, vector."""
    return f"""INSERT INTO {at.table("bodies")} VALUES ($1, $2, $3, $4::real[]::vector) ON CONFLICT (number)
        DO UPDATE SET {_assignments(("model", "text", "dense"))}"""


def forget_terms(at: Held) -> str:
    """Parameter: numbers."""
    return f"DELETE FROM {at.table('terms')} WHERE number = ANY ($1::bigint[])"


def bump(at: Held) -> str:
    """Parameters: `POINT_COLUMNS`."""
    places = {name: f"${place}::{_TYPES.get(name, 'text')}" for place, name in enumerate(POINT_COLUMNS, start=1)}
    changed = ", ".join(f"{name} = {places[name]}" for name in POINT_COLUMNS[1:])
    return f"""UPDATE {at.table("points")} SET {changed} WHERE chunk_id = {places["chunk_id"]}
        AND (revision, epoch) < ({places["revision"]}, {places["epoch"]})
        AND lang IS NOT DISTINCT FROM {places["lang"]}"""


def narrow(at: Held) -> str:
    """Parameters: ACL, then chunk ids, revisions, epochs, side by side."""
    return f"""UPDATE {at.table("points")} AS held SET acl = $1
        FROM unnest($2::uuid[], $3::bigint[], $4::integer[]) AS new (chunk_id, revision, epoch)
        WHERE held.chunk_id = new.chunk_id AND (held.revision, held.epoch) < (new.revision, new.epoch)"""


def delete_older(at: Held) -> str:
    """Parameters: tenant, domain, document id, revision, epoch. One statement for all tables of a passage."""
    return f"""WITH gone AS (
            DELETE FROM {at.table("points")} WHERE {_DOCUMENT} AND (revision, epoch) < ($4, $5) RETURNING number),
        bodies AS (DELETE FROM {at.table("bodies")} USING gone WHERE bodies_{at.number}.number = gone.number)
        DELETE FROM {at.table("terms")} USING gone WHERE terms_{at.number}.number = gone.number"""


def page_of_points(at: Held) -> str:
    """Parameters: the last number of the page before, how many."""
    return f"{_whole(at)} WHERE p.number > $1 ORDER BY p.number LIMIT $2"


def page_of_heads(at: Held) -> str:
    """Parameters: the last id of the page before (or null), how many."""
    return f"SELECT * FROM {at.table('heads')} WHERE $1::uuid IS NULL OR id > $1 ORDER BY id LIMIT $2"


def claimed_points(at: Held) -> str:
    """Parameters: document ids, point ids."""
    return f"{_whole(at)} WHERE p.doc_id = ANY ($1::text[]) OR p.chunk_id = ANY ($2::uuid[])"


def claimed_heads(at: Held) -> str:
    """Parameters: document ids, point ids."""
    return f"SELECT * FROM {at.table('heads')} WHERE doc_id = ANY ($1::text[]) OR id = ANY ($2::uuid[])"


def count_all(at: Held) -> str:
    """Heads and passages."""
    return f"SELECT (SELECT count(*) FROM {at.table('heads')}) + (SELECT count(*) FROM {at.table('points')})"


def _whole(at: Held) -> str:
    """Everything of a passage; of one without a body (which only other hands can make) what there is."""
    return f"""SELECT p.*, b.model, b.text, b.dense::real[] AS dense
        FROM {at.table("points")} AS p LEFT JOIN {at.table("bodies")} AS b USING (number)"""


_OLDER_THAN_NEW = "(held.revision, held.epoch) < (excluded.revision, excluded.epoch)"
_DOCUMENT = "tenant_id = $1 AND domain = $2 AND doc_id = $3"


def _numbered(columns: tuple[str, ...]) -> str:
    return ", ".join(f"${number}" for number in range(1, len(columns) + 1))


def _assignments(columns: tuple[str, ...]) -> str:
    return ", ".join(f"{name} = excluded.{name}" for name in columns)
