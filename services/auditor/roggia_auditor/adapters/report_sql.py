"""Questions of reports in SQL that both databases take; `?` stands for a value, `{P}` for the tables' prefix."""

from __future__ import annotations

from roggia_auditor.adapters import columns
from roggia_auditor.ledger.model import MAX_INT
from roggia_auditor.reports import DuplicatePlace, Place, Selection

_ROW = ", ".join(f"r.{name}" for name in columns.ROW)
MONTHS = (
    "SELECT tenant, period, tokens, pico_usd, unpriced, token_limit, pico_limit, seq FROM {P}months WHERE tenant = ? "
    "ORDER BY period"
)
CROSSINGS = "SELECT period, limit_name, percent FROM {P}crossings WHERE tenant = ? ORDER BY 1, 2, 3"
TENANTS = "SELECT DISTINCT tenant FROM {P}sequences ORDER BY 1"
KNOWN = "SELECT 1 FROM {P}sequences WHERE tenant = ? LIMIT 1"
NOTE = "SELECT size, note FROM {P}notes WHERE origin = ?"
NOTES = "SELECT origin, size, note FROM {P}notes ORDER BY origin"


def records(wanted: Selection, after: Place | None, limit: int) -> tuple[str, list[object]]:
    """Streams' names and number, then `columns.ROW`."""
    source, named = _source(wanted)
    parts, values = _conditions(wanted)
    if after is not None:
        parts.append("(r.occurred_at, r.stream, r.leaf_index) < (?, ?, ?)")
        values += after
    query = (
        f"SELECT s.topic, s.topic_id, s.partition, r.stream, {_ROW} FROM {source} r "
        f"JOIN {{P}}streams s ON s.id = r.stream WHERE {' AND '.join(parts)} "
        "ORDER BY r.occurred_at DESC, r.stream DESC, r.leaf_index DESC LIMIT ?"
    )
    return query, [*named, *values, limit]


def count(wanted: Selection) -> tuple[str, list[object]]:
    """One number."""
    source, named = _source(wanted)
    parts, values = _conditions(wanted)
    return f"SELECT count(*) FROM {source} r WHERE {' AND '.join(parts)}", [*named, *values]


def duplicates(tenants: frozenset[str] | None, after: DuplicatePlace | None, limit: int) -> tuple[str, list[object]]:
    """Streams' names and number, then what `Duplicate` holds."""
    parts, values = _of_tenants(tenants, "d")
    if after is not None:
        parts.append('(d.stream, d."offset") > (?, ?)')
        values += after
    query = (
        'SELECT s.topic, s.topic_id, s.partition, d.stream, d."offset", d.event_id, d.value_sha256, d.same, d.tenant '
        f"FROM {{P}}duplicates d JOIN {{P}}streams s ON s.id = d.stream WHERE {' AND '.join(parts)} "
        'ORDER BY d.stream, d."offset" LIMIT ?'
    )
    return query, [*values, limit]


def _source(wanted: Selection) -> tuple[str, list[object]]:
    """The records, or those with an id. The limit is none: it keeps both databases from walking all of a tenant's
    records in the order of their times, and looking at each whether it has the id."""
    if not wanted.id_name:
        return "{P}records", []
    inner = f"SELECT * FROM {{P}}records WHERE {columns.looked_up(wanted.id_name)} LIMIT {MAX_INT}"
    return f"({inner})", [wanted.id_value]


def _conditions(wanted: Selection) -> tuple[list[str], list[object]]:
    parts, values = _of_tenants(wanted.tenants)
    statuses = sorted(int(one) for one in wanted.statuses)
    parts.append(f"r.status IN ({_marks(statuses)})")
    values += statuses
    for condition, value in (
        ("r.occurred_at >= ?", wanted.start),
        ("r.occurred_at < ?", wanted.end),
        ("r.day = ?", wanted.day or None),
        ("r.model = ?", wanted.model or None),
        ("r.prompt = ?", wanted.prompt or None),
    ):
        if value is not None:
            parts.append(condition)
            values.append(value)
    if wanted.topic:
        parts.append("r.stream IN (SELECT id FROM {P}streams WHERE topic = ?)")
        values.append(wanted.topic)
    if wanted.late:
        parts.append("r.booked <> substr(r.day, 1, 7)")
    return parts, values


def _of_tenants(tenants: frozenset[str] | None, table: str = "r") -> tuple[list[str], list[object]]:
    if tenants is None:
        return ["1 = 1"], []
    named = sorted(tenants)
    return [f"{table}.tenant IN ({_marks(named)})" if named else "1 = 0"], list(named)


def _marks(values: list[int] | list[str]) -> str:
    return ", ".join("?" * len(values))
