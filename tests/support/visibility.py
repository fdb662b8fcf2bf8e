"""Random corpora with tenants, ACLs, expiry and deletions; random searches; and, told apart, who may see what."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hypothesis import strategies as st
from roggia_embedder.indexing.writer import Delivery
from roggia_embedder.ports import Document, PartTally
from roggia_embedder.query import api
from roggia_schemas.names import Version

from tests.support.index import chunk_id
from tests.support.query import WordsModel, passage

NOW = 1_700_000_000_000
MODEL = WordsModel(dimension=32)
WORDS = ("alpha", "delta", "gamma", "kilo", "lima", "sigma")
TENANTS = ("acme", "umbrella", "empty")
GROUPS = ("staff", "board", "ops")


@dataclass(frozen=True)
class Said:
    """What one version of a document says, and to whom."""

    texts: tuple[str, ...]
    acl: tuple[str, ...]
    language: str | None = None
    source: str | None = None
    metadata: tuple[tuple[str, str], ...] = ()
    expires_at: int | None = None
    deleted: bool = False


@dataclass(frozen=True)
class Corpus:
    """Every version of every document, and the order in which they are delivered, replays included."""

    versions: dict[Document, dict[Version, Said]]
    order: tuple[tuple[Document, Version], ...]

    def deliveries(self) -> list[Delivery]:
        """What the writer is given, in order."""
        return [delivery(doc, version, self.versions[doc][version]) for doc, version in self.order]

    def renamed(self, suffix: str) -> Corpus:
        """The same corpus, its tenants' names extended."""
        names = {document: document._replace(tenant_id=document.tenant_id + suffix) for document in self.versions}
        versions = {names[document]: held for document, held in self.versions.items()}
        return Corpus(versions, tuple((names[document], version) for document, version in self.order))

    def newest(self) -> Iterator[tuple[Document, Said]]:
        """What each document says in the end."""
        for document, held in self.versions.items():
            yield document, held[max(held)]

    def visible(self, request: api.SearchRequest) -> set[str]:
        """Ids of all chunks that the request may be answered with, whatever its words."""
        return {
            chunk_id(document, text)
            for document, said in self.newest()
            if _allowed(document, said, request)
            for text in said.texts
        }

    def matching(self, request: api.SearchRequest) -> set[str]:
        """Those among them that share a word with the query."""
        asked = set(request.query.split())
        return {
            chunk_id(document, text)
            for document, said in self.newest()
            if _allowed(document, said, request)
            for text in said.texts
            if asked & set(text.split())
        }


def delivery(document: Document, version: Version, said: Said) -> Delivery:
    """One version as one part."""
    made = tuple(
        passage(
            MODEL,
            chunk_id(document, text),
            text,
            document=document,
            version=version,
            acl=said.acl,
            language=said.language,
            source=said.source,
            metadata=dict(said.metadata),
            expires_at=said.expires_at,
        )
        for text in said.texts
    )
    tally = PartTally(len(made), 0)
    return Delivery(document, version, said.deleted, len(made), repr(said), said.acl, 0, tally, made)


def _allowed(document: Document, said: Said, request: api.SearchRequest) -> bool:
    wanted = request.filters
    return (
        not said.deleted
        and document.tenant_id == request.tenant
        and ("*" in said.acl or bool(set(request.groups) & set(said.acl)))
        and (said.expires_at is None or said.expires_at > NOW)
        and wanted.language in {None, said.language}
        and wanted.source in {None, said.source}
        and set(wanted.metadata.items()) <= set(said.metadata)
    )


_text = st.lists(st.sampled_from(WORDS), min_size=1, max_size=4).map(" ".join)
_acl = st.sampled_from([("*",), ("staff",), ("board",), ("staff", "ops"), ("board", "*")])
_said = st.builds(
    Said,
    texts=st.lists(_text, unique=True, max_size=3).map(tuple),
    acl=_acl,
    language=st.sampled_from([None, "en", "de"]),
    source=st.sampled_from([None, "wiki", "mail"]),
    metadata=st.sampled_from([(), (("team", "core"),), (("team", "core"), ("year", "2026"))]),
    expires_at=st.sampled_from([None, None, NOW - 1, NOW, NOW + 1, 0]),
) | st.just(Said(texts=(), acl=(), deleted=True))
_history = st.dictionaries(st.builds(Version, st.integers(0, 3), st.integers(0, 1)), _said, min_size=1, max_size=3)


@st.composite
def corpora(draw: st.DrawFn, tenants: Sequence[str] = TENANTS[:2]) -> Corpus:
    """Up to three documents for each of two tenants, versions delivered in any order, some of them twice."""
    names = draw(st.lists(st.tuples(st.sampled_from(tenants), st.sampled_from("abc")), unique=True, min_size=1))
    versions = {Document(tenant, "docs", name): draw(_history) for tenant, name in names}
    every = [(document, version) for document, held in versions.items() for version in held]
    again = draw(st.lists(st.sampled_from(every), max_size=3))
    return Corpus(versions, tuple(draw(st.permutations(every + again))))


requests = st.builds(
    api.SearchRequest,
    tenant=st.sampled_from(TENANTS),
    domain=st.just("docs"),
    query=st.lists(st.sampled_from(WORDS), min_size=1, max_size=3).map(" ".join),
    groups=st.lists(st.sampled_from(GROUPS), unique=True, max_size=2).map(tuple),
    k=st.sampled_from([1, 2, 100]),
    mode=st.sampled_from(list(api.Mode)),
    filters=st.builds(
        api.Filters,
        language=st.sampled_from([None, None, "en", "fr"]),
        source=st.sampled_from([None, None, "wiki", "nowhere"]),
        metadata=st.sampled_from([{}, {}, {"team": "core"}, {"team": "core", "year": "2026"}, {"team": "x"}]),
    ),
)
