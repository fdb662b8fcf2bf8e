"""What is wrong with one document, given its newest record on the log and every point that names it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from roggia_runtime.findings import Finding, Kind, Mark
from roggia_schemas.names import Version

from roggia_embedder.ports import Document, head_id
from roggia_embedder.verify.remedies import mended
from roggia_embedder.verify.rows import Chunk, Expected, Fact, identity, named
from roggia_embedder.verify.scope import Place


@dataclass(frozen=True, slots=True)
class Case:
    """One document in one collection: what the log says, and the points there that are about it."""

    expected: Expected
    place: Place
    facts: Sequence[Fact]

    @property
    def own(self) -> bool:
        """The living document belongs here."""
        return self.expected.living and self.home

    @property
    def home(self) -> bool:
        """The collection is that of the document's own domain, whether it lives or not."""
        return (self.place.tenant, self.place.domain) == (self.expected.tenant, self.expected.domain)

    @property
    def end(self) -> Version:
        """Version of a deletion here: above everything held, and not below the log's, which embed would take for
        stale."""
        above = [Version(held.version.revision, held.version.epoch + 1) for held in self.facts]
        return max([*above, self.expected.version])


def judge(expected: Expected, facts: Mapping[int, Sequence[Fact]], places: Mapping[int, Place]) -> list[Finding]:
    """Every finding of a document over `places`, the collections in question (its own among them, there or not)."""
    found: list[Finding] = []
    for number, place in places.items():
        case = Case(expected, place, facts.get(number, ()))
        if case.own or case.facts:
            found += mended(case.expected, case.place, list(_findings(case)), case.facts)
    return found


def _findings(case: Case) -> Iterator[Finding]:
    heads = [fact for fact in case.facts if fact.head]
    passages = [fact for fact in case.facts if not fact.head]
    if case.own:
        yield from _own_heads(case, heads)
        yield from _own_passages(case, passages)
        return
    for fact in heads:
        yield from _foreign_head(case, fact)
    for fact in passages:
        yield _finding(case, _surplus(case, fact), fact, _why(case))


def _own_heads(case: Case, heads: Sequence[Fact]) -> Iterator[Finding]:
    wanted = identity(head_id(case.expected.document))
    right = [fact for fact in heads if fact.point == wanted]
    for fact in right:
        yield from _own_head(case, fact)
    if not right:
        yield _finding(case, Kind.MISSING, None, "no head", wanted, head=True)
    for fact in heads:
        if fact.point != wanted:
            yield _finding(case, _surplus(case, fact), fact, "a second head, under an id that is not its own")


def _own_head(case: Case, fact: Fact) -> Iterator[Finding]:
    expected = case.expected
    if fact.version != expected.version:
        yield _finding(case, _age(case, fact), fact, "head")
    elif fact.whose != expected.document:
        yield _finding(case, Kind.WRONG_PAYLOAD, fact, f"head: names {'/'.join(fact.whose)}")
    elif fact.deleted:
        yield _finding(case, Kind.TOMBSTONE, fact, "the head says deleted, the log says living")
    else:
        wrong = [
            said
            for holds, said in (
                (fact.total == expected.total, f"total {fact.total} instead of {expected.total}"),
                (fact.digest == expected.digest, "digest of other content"),
                (fact.indexed, "never marked as indexed"),
            )
            if not holds
        ]
        if wrong:
            yield _finding(case, Kind.WRONG_HEAD, fact, "; ".join(wrong))


def _own_passages(case: Case, passages: Sequence[Fact]) -> Iterator[Finding]:
    held = {fact.point: fact for fact in passages}
    chunks = {chunk.point: chunk for chunk in case.expected.chunks()}
    for point, chunk in chunks.items():
        if point in held:
            yield from _passage(case, held[point], chunk)
        else:
            yield _finding(case, Kind.MISSING, None, "no passage", point)
    for point, fact in held.items():
        if point not in chunks:
            yield _finding(case, _surplus(case, fact), fact, "no chunk of the newest version")


def _passage(case: Case, fact: Fact, chunk: Chunk) -> Iterator[Finding]:
    expected = case.expected
    if fact.version != expected.version:
        yield _finding(case, _age(case, fact), fact, "passage")
        return
    if fact.attributes != expected.attributes or fact.heading != chunk.heading or not fact.well_formed:
        yield _finding(case, Kind.WRONG_PAYLOAD, fact, _difference(fact, expected, chunk))
    if fact.text != chunk.text:
        yield _finding(case, Kind.WRONG_TEXT, fact, "another text than the one that the id is derived from")
    if not fact.good_model:
        yield _finding(case, Kind.WRONG_MODEL, fact, "the vector is stamped with another model")
    if not fact.good_vector:
        yield _finding(case, Kind.WRONG_VECTOR, fact, "no dense vector of the collection's dimension")


def _difference(fact: Fact, expected: Expected, chunk: Chunk) -> str:
    """Which part of the payload differs, as far as digests tell."""
    own = expected.document
    pairs = zip(("tenant_id", "domain", "doc_id"), fact.whose, own, strict=True)
    wrong = [f"{field} is {has!r}" for field, has, wanted in pairs if has != wanted]
    if not wrong and fact.attributes != expected.attributes:
        wrong.append("acl, title, source, language, times or metadata differ from the event's")
    if fact.heading != chunk.heading:
        wrong.append("heading_path differs")
    if not fact.well_formed:
        wrong.append("kind, chunk_id or labels contradict the rest")
    return "; ".join(wrong)


def _foreign_head(case: Case, fact: Fact) -> Iterator[Finding]:
    expected = case.expected
    deleted_here = expected.deleted and case.home
    if not fact.deleted:
        if deleted_here and fact.version <= expected.version:
            yield _finding(case, Kind.TOMBSTONE, fact, "the head says living, the log says deleted")
        else:
            yield _finding(case, _surplus(case, fact), fact, _why(case))
    elif deleted_here and fact.version < expected.version:
        yield _finding(case, Kind.STALE, fact, "head of an older deletion")


def _surplus(case: Case, fact: Fact) -> Kind:
    """A point that should not be there: an orphan, unless it is newer than anything the log says."""
    known = not case.expected.gone
    return Kind.AHEAD if known and fact.version > case.expected.version else Kind.ORPHAN


def _age(case: Case, fact: Fact) -> Kind:
    return Kind.AHEAD if fact.version > case.expected.version else Kind.STALE


def _why(case: Case) -> str:
    if case.expected.gone:
        return "the log does not know the document"
    if case.expected.deleted:
        return "the document is deleted on the log"
    return f"the document lives in domain {case.expected.domain}"


def _finding(
    case: Case, kind: Kind, fact: Fact | None, detail: str, point: bytes = b"", *, head: bool = False
) -> Finding:
    document = Document(case.expected.tenant, case.place.domain, case.expected.doc_id)
    return Finding(
        kind=kind,
        tenant=document.tenant_id,
        domain=document.domain,
        doc_id=document.doc_id,
        collection=case.place.name,
        point_id=named(fact.point if fact else point),
        head=fact.head if fact else head,
        expected=None if case.expected.gone else Mark(*case.expected.version),
        found=Mark(*fact.version) if fact else None,
        delete_at=None if case.own else Mark(*case.end),
        detail=detail,
    )
