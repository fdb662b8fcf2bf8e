"""Everything that a run left behind, against what its log demands. Differences in words; none is the promise."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path

from roggia_runtime.codec import EventCodec
from roggia_runtime.records import Record
from roggia_schemas.events import DocChunked, DocUpserted
from roggia_schemas.names import Version, parse_document_key

from tests.support.storm import model, points
from tests.support.storm.model import Bytes, Expected, Key


async def chunked(expected: Expected, records: Sequence[Record], codec: EventCodec) -> list[str]:
    """`doc.chunked` under read_committed: every accepted version once, in order, and nothing else.

    A version may stand there again, with the same bytes, as often as a lane asked for it, and once more where an expiry
    was cut off between the log and the catalogue. Of a document that a lane renewed, the epochs are the lane's.
    """
    seen: dict[Key, list[Version]] = defaultdict(list)
    first: dict[tuple[Key, Version], bytes | None] = {}
    wrong = []
    repeats: Counter[tuple[Key, Version]] = Counter()
    for record in records:
        key, event = parse_document_key(record.key), await codec.decode(DocChunked, record)
        version = Version(event.revision, event.epoch)
        if (key, version) not in first:
            first[key, version] = record.value
            seen[key].append(version)
        elif first[key, version] != record.value:
            wrong.append(f"{key} {version}: two contents under one version")
        else:
            repeats[key, version] += 1
    for key in sorted({*seen, *expected.accepted}):
        wrong += _sequence(expected, key, seen[key])
        if seen[key]:
            model.seen(expected, key, max(seen[key]))
    return [*wrong, *_repeated(expected, repeats)]


def _sequence(expected: Expected, key: Key, seen: Sequence[Version]) -> Iterator[str]:
    """Versions of one document, each where it stood first."""
    want = expected.accepted[key]
    if expected.renewed[key]:
        there, want = list(dict.fromkeys(v.revision for v in seen)), list(dict.fromkeys(v.revision for v in want))
        if there != want or list(seen) != sorted(seen):
            yield f"{key}: doc.chunked has {_brief(seen)}, the log demands revisions {want}, rising"
        return
    there = [version for version in seen if version in want or version not in expected.perhaps[key]]
    if there != want:
        yield f"{key}: doc.chunked has {_brief(seen)}, the log demands {_brief(want)}"


def _repeated(expected: Expected, repeats: Mapping[tuple[Key, Version], int]) -> Iterator[str]:
    for (key, version), count in repeats.items():
        allowed = expected.asked[key, version.revision] + expected.asked[key, None] + (1 if version.epoch else 0)
        if count > allowed:
            yield f"{key} {version}: {count + 1} times on doc.chunked"


async def upserted(expected: Expected, records: Sequence[Record], codec: EventCodec) -> list[str]:
    """`doc.upserted`: the newest version of every document was announced, and no version that was never accepted."""
    seen: dict[Key, set[Version]] = defaultdict(set)
    for record in records:
        event = await codec.decode(DocUpserted, record)
        seen[event.tenant_id, event.doc_id].add(Version(event.revision, event.epoch))
    return [*_unannounced(expected, seen), *_invented(expected, seen)]


def _unannounced(expected: Expected, seen: Mapping[Key, set[Version]]) -> Iterator[str]:
    for key, state in expected.final.items():
        if state.version not in seen.get(key, ()):
            yield f"{key}: {state.version} was never announced on doc.upserted"


def _invented(expected: Expected, seen: Mapping[Key, set[Version]]) -> Iterator[str]:
    for key, versions in seen.items():
        made = {*expected.accepted[key], *expected.perhaps[key]}
        renewed = {version for version in versions if expected.renewed[key] and Version(version.revision) in made}
        for version in sorted(versions - made - renewed):
            yield f"{key}: doc.upserted announces {version}, which the log never made"


def letters(want: Counter[Bytes], records: Sequence[Record]) -> list[str]:
    """Dead letters of doc.changed or of its lane: every bad record exactly once, with its bytes."""
    found = Counter((record.key, record.value) for record in records)
    missing, extra = want - found, found - want
    return [
        *(f"dead letter missing {count} times: {pair[0]!r}" for pair, count in missing.items()),
        *(f"dead letter too many {count} times: {pair[0]!r}" for pair, count in extra.items()),
    ]


async def index(expected: Expected, folder: Path) -> list[str]:
    """The index, point by point: passages with their vectors, and heads."""
    want, got = points.demanded(expected), await points.held(folder)
    return [
        *(f"missing in the index: {_short(point)}" for point in sorted(want - got, key=str)),
        *(f"too much in the index: {_short(point)}" for point in sorted(got - want, key=str)),
    ]


def catalogue(expected: Expected, path: Path) -> list[str]:
    """Ingest's catalogue: the newest state of every document."""
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT tenant_id, doc_id, current FROM documents").fetchall()
    got = {(tenant, doc): _state(json.loads(current)) for tenant, doc, current in rows}
    want = {
        key: (state.version, state.deleted, state.domain, sorted(state.left)) for key, state in expected.final.items()
    }
    return [
        f"catalogue: {key} is {got.get(key)}, must be {want.get(key)}"
        for key in sorted({*want, *got})
        if want.get(key) != got.get(key)
    ]


def cache(expected: Expected, path: Path) -> list[str]:
    """The vector cache: each document uses the texts of its newest version, and no vector is there without a user."""
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT tenant_id, doc_id, hash FROM uses JOIN scopes USING (scope)").fetchall()
        kept = connection.execute("SELECT tenant_id, hash FROM vectors JOIN scopes USING (scope)").fetchall()
    got: dict[Key, set[str]] = defaultdict(set)
    for tenant, doc, text_hash in rows:
        got[tenant, doc].add(text_hash.hex())
    want = {key: texts for key, state in expected.final.items() if (texts := points.text_hashes(key, state))}
    used = {(key[0], text_hash) for key, texts in got.items() for text_hash in texts}
    vectors = {(tenant, text_hash.hex()) for tenant, text_hash in kept}
    return [
        *(
            f"vector cache: {key} uses {len(got[key])} texts, not the {len(want.get(key, ()))} of its newest version"
            for key in sorted({*want, *got})
            if got[key] != want.get(key, set())
        ),
        *(f"vector cache: the vector of a used text is gone: {pair}" for pair in sorted(used - vectors)),
        *(f"vector cache: a vector that nobody uses: {pair}" for pair in sorted(vectors - used)),
    ]


def _state(row: dict[str, object]) -> tuple[object, ...]:
    version = Version(int(str(row["revision"])), int(str(row["epoch"])))
    return version, bool(row["deleted"]), row["domain"], sorted(row.get("left_domains", ()))  # type: ignore[call-overload]


def _brief(versions: Sequence[Version]) -> list[tuple[int, int]]:
    return [tuple(version) for version in versions]


def _short(point: points.Point | points.HeadPoint) -> tuple[object, ...]:
    return tuple(part[:40] if isinstance(part, str) else part for part in point)
