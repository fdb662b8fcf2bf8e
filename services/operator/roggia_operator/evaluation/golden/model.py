"""A golden set as values. The JSONL form is these structs, one a line: the header, then the questions."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

FORMAT = 1
"""The header's `golden` field: the version of the file's form."""
MOST_GRADE = 4


class Judged(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One judged document, or passage of it. Grade 0 is judged and not relevant, 1 to `MOST_GRADE` ever more so."""

    doc_id: str
    chunk: str | None = None
    grade: int = 1


class GoldenQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One question. `groups` are those of who asks; `forbidden` are lists of groups that may see none of `relevant`.

    `copied` is the share of the question's words that stand in the document as well: a known item with much copied is
    easy for search by words, and says little about meaning.
    """

    query: str
    tenant: str
    domain: str
    groups: tuple[str, ...] = ()
    language: str | None = None
    relevant: tuple[Judged, ...]
    forbidden: tuple[tuple[str, ...], ...] = ()
    tags: tuple[str, ...] = ()
    copied: float | None = None

    @property
    def id(self) -> str:
        """Sixteen hexadecimal digits over what is asked, where and as whom: reports name questions by it."""
        return hashlib.sha256(msgspec.json.encode(self.identity)).hexdigest()[:16]

    @property
    def identity(self) -> tuple[str, str, str, tuple[str, ...]]:
        """What makes two lines the same question."""
        return self.tenant, self.domain, self.query, tuple(sorted(self.groups))

    @property
    def by_chunk(self) -> bool:
        """Whether passages are judged, not documents."""
        return any(one.chunk is not None for one in self.relevant)

    @property
    def grades(self) -> Mapping[str, int]:
        """Grades by chunk id where passages are judged, else by document id."""
        return {(one.chunk or one.doc_id): one.grade for one in self.relevant}


class Header(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The first line. `manifest` is the id of the corpus manifest that the set was made on, or empty."""

    golden: int = FORMAT
    id: str
    version: int = 1
    manifest: str = ""
    created: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True)
class GoldenSet:
    """A set as read. `sha256` is that of the file's bytes, as `sha256sum` shows it: reports name the set by it."""

    header: Header
    queries: tuple[GoldenQuery, ...]
    sha256: str
