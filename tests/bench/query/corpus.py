"""Documents and known-item queries from text that any machine with this project has: the standard library's docstrings
and language topics, and the README metadata of installed packages.

A known item: the first sentence of a section is taken out of the document and becomes the query; what is left of the
section is what a search must find.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.metadata
import re
import sysconfig
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from roggia_embedder.query.sentences import words

MAX_DOC_CHARS = 6_000
MIN_QUERY_WORDS = 6
MIN_TARGET_WORDS = 30
TARGET_CHARS = 700

_SKIPPED = {"site-packages", "test", "tests", "idlelib", "lib2to3", "ensurepip", "turtledemo", "pydoc_data", "tkinter"}
_HEADING = re.compile(r"^(#{1,4} .+)$", re.MULTILINE)
_SENTENCE = re.compile(r"\s*([A-Z][^\n]*?(?:\n[^\n]+?)*?[.:])(?=\s|\Z)")
_RST = re.compile(r"^([^\n]{3,80})\n([=\-~*^\"])\2{2,}\n", re.MULTILINE)


@dataclass(frozen=True)
class Section:
    """A heading (Markdown, may be empty) and what stands below it."""

    heading: str
    body: str


@dataclass(frozen=True)
class Source:
    """A document before queries are taken out."""

    name: str
    sections: tuple[Section, ...]


@dataclass(frozen=True)
class Query:
    """What is asked, and the span (code points) of the document's text that must be found."""

    text: str
    document: str
    start: int
    end: int


@dataclass(frozen=True)
class Corpus:
    """Texts by document name, and the queries."""

    texts: dict[str, str]
    queries: tuple[Query, ...]


def build(chars: int, most_queries: int) -> Corpus:
    """About `chars` characters in equal parts of the three kinds, chosen by a hash of the names, not by order."""
    kinds = [list(_chosen(kind, chars // 3)) for kind in (modules(), readmes(), topics())]
    texts: dict[str, str] = {}
    queries: list[Query] = []
    for source in (s for kind in kinds for s in kind):
        texts[source.name], found = without_queries(source)
        queries += found
    queries.sort(key=lambda q: _hash(q.text))
    return Corpus(texts, tuple(queries[:most_queries]))


def without_queries(source: Source) -> tuple[str, list[Query]]:
    """The document's Markdown with every section's first sentence removed where it makes a query, and the queries."""
    text, queries = "", []
    for heading, part in _parts(source.sections):
        query, body = _split(part)
        text += f"{heading}\n\n" if heading else ""
        start = len(text)
        text += f"{body}\n\n"
        if query:
            queries.append(Query(query, source.name, start, min(start + TARGET_CHARS, start + len(body))))
    return text.rstrip(), queries


def modules(names: Sequence[str] | None = None) -> Iterator[Source]:
    """One document per module of the standard library: its docstrings under the names they belong to."""
    root = Path(sysconfig.get_paths()["stdlib"])
    for path in sorted(root.rglob("*.py")):
        relative = path.relative_to(root)
        name = ".".join(part for part in relative.with_suffix("").parts if part != "__init__")
        if not _SKIPPED & set(relative.parts) and (names is None or name in names):
            sections = tuple(_docstrings(name, ast.parse(path.read_bytes())))
            if sum(len(s.body) for s in sections) > 800:
                yield _capped(f"python/{name}", sections)


def readmes() -> Iterator[Source]:
    """One document per installed package: its long description, cut at headings."""
    for found in sorted(importlib.metadata.distributions(), key=lambda d: d.metadata["Name"]):
        text = found.metadata.get_payload() or found.metadata["Description"] or ""
        if isinstance(text, str) and len(text) > 800:
            yield _capped(f"readme/{found.metadata['Name']}", _markdown_sections(_clean(text)))


def topics() -> Iterator[Source]:
    """One document per topic of Python's built-in help: the language reference, in pieces."""
    from pydoc_data.topics import topics as texts

    for name, text in sorted(texts.items()):
        if len(text) > 800:
            yield _capped(f"topic/{name}", _markdown_sections(_clean(text)))


def _docstrings(name: str, tree: ast.Module) -> Iterator[Section]:
    yield Section(f"# {name}", _clean(ast.get_docstring(tree) or ""))
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            text = ast.get_docstring(node)
            if text and len(text) > 60:
                yield Section(f"## {node.name}", _clean(text))


def _markdown_sections(text: str) -> tuple[Section, ...]:
    text = _RST.sub(lambda m: f"## {m.group(1)}\n", text)
    parts = _HEADING.split(text)
    headed = zip(parts[1::2], parts[2::2], strict=True)
    return (Section("", parts[0].strip()), *(Section(h, body.strip()) for h, body in headed))


def _capped(name: str, sections: Iterable[Section]) -> Source:
    kept, size = [], 0
    for section in sections:
        if section.body and size < MAX_DOC_CHARS:
            body = section.body[: MAX_DOC_CHARS - size]
            kept.append(Section(section.heading, body))
            size += len(body)
    return Source(name, tuple(kept))


def _parts(sections: Iterable[Section]) -> Iterator[tuple[str, str]]:
    """Sections in parts of whole paragraphs, each at least `TARGET_CHARS` long where the section allows it."""
    for section in sections:
        heading, part = section.heading, ""
        for paragraph in section.body.split("\n\n"):
            part = f"{part}\n\n{paragraph}" if part else paragraph
            if len(part) >= TARGET_CHARS:
                yield heading, part
                heading, part = "", ""
        if part:
            yield heading, part


def _split(body: str) -> tuple[str, str]:
    found = _SENTENCE.match(body)
    rest = body[found.end() :].strip() if found else ""
    if not found or len(words(found.group(1))) < MIN_QUERY_WORDS or len(words(rest)) < MIN_TARGET_WORDS:
        return "", body
    query = " ".join(found.group(1).split())
    return (query, rest) if len(query) < 400 else ("", body)


def _chosen(sources: Iterable[Source], chars: int) -> Iterator[Source]:
    size = 0
    for source in sorted(sources, key=lambda s: _hash(s.name)):
        if size >= chars:
            return
        size += sum(len(s.body) for s in source.sections)
        yield source


def _clean(text: str) -> str:
    text = unicodedata.normalize("NFC", text).replace("\r\n", "\n").replace("\t", "    ")
    text = re.sub(r"<[^>\n]{1,200}>|!\[[^]]*\]\([^)]*\)|\[!\[.*?\]\(.*?\)\]\(.*?\)", "", text)
    return re.sub(r"\n{3,}", "\n\n", "\n".join(line.rstrip() for line in text.split("\n"))).strip()


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
