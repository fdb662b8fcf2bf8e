"""Read a golden set. Every complaint names file, line, field and remedy: people write these files by hand."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import msgspec
from roggia_schemas.errors import InvalidNameError
from roggia_schemas.names import check_slug

from roggia_operator.evaluation.errors import GoldenSetError
from roggia_operator.evaluation.golden.model import FORMAT, MOST_GRADE, GoldenQuery, GoldenSet, Header

LONGEST_LINE = 1 << 20
MOST_QUERY_CHARS = 8_192
"""What the query service takes at most."""
_AT = re.compile(r" - at `\$\.?(.*)`\Z")
_NAMED = re.compile(r"field `([^`]*)`")
_ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
_T = TypeVar("_T")


class Complaint(Exception):  # noqa: N818 - never leaves this package: `located` adds file and line
    """What is wrong with a line, without its place."""


def read(path: Path) -> GoldenSet:
    """The set in a file. Raises `GoldenSetError`, and `OSError` for a file that cannot be opened."""
    digest = hashlib.sha256()
    header: Header | None = None
    queries: list[GoldenQuery] = []
    known: dict[object, int] = {}
    for number, line in lines(path):
        digest.update(line)
        with located(path, number):
            if header is None:
                header = _header(line)
            elif line.strip():
                queries.append(_new(checked(parsed(line, GoldenQuery)), number, known))
    if header is None or not queries:
        raise GoldenSetError(f"{path}: holds no question; write a header line and one question a line")
    return GoldenSet(header, tuple(queries), digest.hexdigest())


def lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Numbered lines of a file. Raises `GoldenSetError` for one that is too long to be a line of JSON."""
    with path.open("rb") as file:
        for number, line in enumerate(iter(lambda: file.readline(LONGEST_LINE + 1), b""), 1):
            if len(line) > LONGEST_LINE:
                raise GoldenSetError(f"{path}:{number}: longer than {LONGEST_LINE} bytes; write one JSON object a line")
            yield number, line


@contextmanager
def located(path: Path, number: int) -> Iterator[None]:
    """Give complaints raised inside the block their file and line."""
    try:
        yield
    except Complaint as wrong:
        raise GoldenSetError(f"{path}:{number}: {wrong}") from None


def parsed(line: bytes, kind: type[_T]) -> _T:
    """A line as `kind`. Raises `Complaint`, naming the field."""
    try:
        return msgspec.json.decode(line, type=kind)
    except msgspec.ValidationError as wrong:
        raise Complaint(_shape(str(wrong), kind)) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as wrong:
        raise Complaint(f"not JSON ({wrong}); write one JSON object in UTF-8") from None


def checked(query: GoldenQuery) -> GoldenQuery:
    """`query` if every field keeps its rule. Raises `Complaint`."""
    for name in ("tenant", "domain"):
        slug(name, getattr(query, name))
    if not any(char.isalnum() for char in query.query) or len(query.query) > MOST_QUERY_CHARS:
        raise Complaint(f"query: {query.query[:40]!r} has {len(query.query)} characters; write 1 to {MOST_QUERY_CHARS} "
                        "with a letter or digit")  # fmt: skip
    if query.copied is not None and not 0 <= query.copied <= 1:
        raise Complaint(f"copied: {query.copied}; a share is 0 to 1")
    _check_relevant(query)
    return query


def slug(field: str, value: str) -> None:
    """Raise `Complaint` for a name that is none of a tenant or domain."""
    try:
        check_slug(field, value)
    except InvalidNameError as wrong:
        raise Complaint(str(wrong)) from None


def _header(line: bytes) -> Header:
    header = parsed(line, Header)
    if header.golden != FORMAT:
        raise Complaint(f"golden: {header.golden} is a form that this version does not read; it reads {FORMAT}")
    if not _ID.fullmatch(header.id):
        raise Complaint(f"id: {header.id!r}; write 1 to 63 of a-z, 0-9, dot, hyphen and underscore")
    if header.version < 1:
        raise Complaint(f"version: {header.version}; versions begin at 1")
    return header


def _check_relevant(query: GoldenQuery) -> None:
    for at, one in enumerate(query.relevant):
        if not one.doc_id:
            raise Complaint(f"relevant[{at}].doc_id: is empty; name the document")
        if not 0 <= one.grade <= MOST_GRADE:
            raise Complaint(f"relevant[{at}].grade: {one.grade}; grades are 0 to {MOST_GRADE}")
    if not any(one.grade > 0 for one in query.relevant):
        raise Complaint(
            "relevant: nothing has a grade above 0; name a document that answers, or leave the question out"
        )
    if query.by_chunk and not all(one.chunk for one in query.relevant):
        raise Complaint("relevant.chunk: some have one, some have none; judge passages or documents, not both")
    if len(query.grades) < len(query.relevant):
        raise Complaint("relevant: names something twice; keep one grade for each")


def _new(query: GoldenQuery, number: int, known: dict[object, int]) -> GoldenQuery:
    first = known.setdefault(query.identity, number)
    if first != number:
        raise Complaint(f"query: asked by line {first} already, in the same place by the same groups; keep one of them")
    return query


def _shape(message: str, kind: type) -> str:
    found, what = _AT.search(message), _AT.sub("", message)
    named = _NAMED.search(what)
    parts = [found.group(1) if found else "", named.group(1) if named and "unknown" in what else ""]
    field = ".".join(filter(None, parts)) or (named.group(1) if named else "line")
    return f"{field}: {what}; the fields are {', '.join(_fields(kind))}"


def _fields(kind: type) -> Iterable[str]:
    return tuple(getattr(kind, "__struct_fields__", ()))
