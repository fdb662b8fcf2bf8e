"""Text that any machine with Python has: the language reference and the standard library's and packages' own words.

Nothing is downloaded and nothing is shipped with Roggia. The choice is stable on one machine: sorted, largest sources
in turn, up to a budget of characters (about 1,700 make a chunk).
"""

from __future__ import annotations

import importlib
import inspect
import re
import sysconfig
from collections.abc import Iterable, Iterator
from email import message_from_string
from importlib import metadata
from itertools import islice, zip_longest
from pathlib import Path

from roggia.publishing.events import Source

MAX_DOCUMENT_CHARS = 24_000
MIN_DOCUMENT_CHARS = 1_200
SECTION_CHARS, MIN_SECTION_CHARS = 1_000, 300
ASKED_ABOUT = ("try", "compound")
"""Topics that answer the demo's question; they come first, whatever the budget."""

_UNDERLINED = re.compile(r"^(?P<title>\S[^\n]{0,120})\n(?P<rule>([*=~^#+-])\3{2,})[ \t]*$", re.MULTILINE)
_LEVELS = {"*": 1, "=": 1, "#": 1, "-": 2, "~": 3, "^": 3, "+": 3}


def gather(budget_chars: int) -> list[Source]:
    """Documents of up to `budget_chars` characters in all, taken from the three kinds in turn."""
    chosen, used = [], 0
    for group in zip_longest(language_reference(), package_readmes(), module_docstrings()):
        for document in filter(None, group):
            size = len(document.content)
            if used + size <= budget_chars:
                chosen.append(document)
                used += size
    return chosen


def sections(documents: Iterable[Source], most_chars: int = SECTION_CHARS) -> list[Source]:
    """The same text as shorter documents, cut between paragraphs: a gate needs hundreds of documents to ask for."""
    return [section for document in documents for section in _sections(document, most_chars)]


def _sections(document: Source, most_chars: int) -> Iterator[Source]:
    pieces: list[str] = []
    for paragraph in document.content.decode(errors="replace").split("\n\n"):
        if pieces and len(pieces[-1]) + len(paragraph) < most_chars:
            pieces[-1] += f"\n\n{paragraph}"
        else:
            pieces.append(paragraph)
    for number, text in enumerate(pieces, 1):
        if len(text) >= MIN_SECTION_CHARS:
            doc_id = f"{document.doc_id.removesuffix('.md')}/{number}.md"
            yield Source(doc_id, document.content_type, text.encode(errors="replace"), document.shown_as)


def language_reference() -> Iterator[Source]:
    """Topics of Python's language reference, which `help()` shows."""
    try:
        topics: dict[str, str] = importlib.import_module("pydoc_data.topics").topics
    except ImportError:  # some distributions leave it out
        return

    def order(item: tuple[str, str]) -> tuple[bool, int, str]:
        name, text = item
        return name not in ASKED_ABOUT, -min(len(text), MAX_DOCUMENT_CHARS), name

    for name, text in sorted(topics.items(), key=order):
        yield from _document(f"python/language/{name}.md", text, f"pydoc {name}")


def module_docstrings() -> Iterator[Source]:
    """What the standard library's modules say about themselves; parsed, never imported."""
    library = Path(sysconfig.get_paths()["stdlib"])
    for path in sorted(library.glob("*.py")) + sorted(library.glob("[a-z]*/__init__.py")):
        name = path.parent.name if path.name == "__init__.py" else path.stem
        if name.startswith("_") or name in ("site-packages", "test", "this"):
            continue
        try:
            text = _docstring(path)
        except (SyntaxError, ValueError, OSError):
            continue
        yield from _document(f"python/library/{name}.md", text, f"pydoc {name}", f"The module {name}")


def _docstring(path: Path) -> str:
    """A module's docstring. Compiled instead of parsed: building syntax trees raises SystemError on some Pythons 3.11
    when garbage is collected meanwhile (CPython issue 106905)."""
    code = compile(path.read_bytes(), path.name, "exec", dont_inherit=True)
    first = code.co_consts[0] if code.co_names[:1] == ("__doc__",) else None
    return inspect.cleandoc(first) if isinstance(first, str) else ""


def package_readmes() -> Iterator[Source]:
    """The READMEs that installed packages carry in their metadata."""
    found = {dist.name.lower(): dist for dist in metadata.distributions() if dist.metadata["Name"]}
    for name, dist in sorted(found.items()):
        if name == "roggia":
            continue
        described = message_from_string(dist.read_text("METADATA") or "")
        text = str(described.get_payload() or described["Description"] or "")
        title = f"{dist.name} {dist.version}"
        yield from _document(f"packages/{name}.md", text, f"https://pypi.org/project/{name}/", title)


def _document(doc_id: str, text: str, shown_as: str, title: str | None = None) -> Iterator[Source]:
    if len(text) < MIN_DOCUMENT_CHARS:
        return
    body = as_markdown(text)
    cut = body if len(body) <= MAX_DOCUMENT_CHARS else body[:MAX_DOCUMENT_CHARS].rsplit("\n\n", 1)[0]
    yield Source(doc_id, "text/markdown", cut.encode(errors="replace"), shown_as, title or _first_heading(cut))


def as_markdown(text: str) -> str:
    """Underlined headings, as reStructuredText has them, become Markdown's: so that chunks know their section."""
    return _UNDERLINED.sub(lambda found: f"{'#' * _LEVELS[found['rule'][0]]} {found['title'].strip()}", text)


def _first_heading(text: str) -> str | None:
    headings = (line.lstrip("# ").strip() for line in text.splitlines() if line.startswith("#"))
    return next(islice(headings, 1), None)
