"""HTML: the main content as Markdown, without navigation, scripts or what a reader does not see.

Where the page marks its content (`main`, `article`), that is taken; else trafilatura finds it. Both are bounded: a
page with too many or too deeply nested elements is refused before anything walks it.
"""

from __future__ import annotations

import re
from importlib.metadata import version

from selectolax.lexbor import LexborHTMLParser, LexborNode

from roggia_ingest.errors import ContentError
from roggia_ingest.extract.decoding import decode
from roggia_ingest.extract.extracted import Extracted
from roggia_ingest.extract.markup import MarkdownWriter

MAX_ELEMENTS = 300_000
MAX_DEPTH = 200
MAX_OPEN = 2_000

_META_CHARSET = re.compile(rb"<meta[^>]{0,200}charset\s*=\s*[\"']?\s*([A-Za-z0-9_.:-]{2,40})", re.IGNORECASE)
_TAG = re.compile(r"<(/?)([A-Za-z][A-Za-z0-9-]{0,30})")
_UNCOUNTED = frozenset(
    [
        "area",
        "base",
        "br",
        "col",
        "embed",
        "hr",
        "img",
        "input",
        "link",
        "meta",
        "param",
        "source",
        "track",
        "wbr",
        "p",
        "li",
        "dt",
        "dd",
        "option",
        "optgroup",
        "tr",
        "td",
        "th",
        "thead",
        "tbody",
        "tfoot",
        "colgroup",
        "rp",
        "rt",
        "html",
        "body",
        "head",
    ]
)
_SNIFFED = 2_048
_MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")


def html(content: bytes, charset: str | None) -> Extracted:
    """Main content of a page, title included. Raises `ContentError`."""
    source = decode(content, charset or _declared(content))
    _check_nesting(source)
    tree = LexborHTMLParser(source)
    _check_bounds(tree.root)
    title = _title(tree)
    marked = _marked(tree)
    if marked is not None:
        return Extracted(MarkdownWriter().write(marked), True, f"html/1 selectolax/{version('selectolax')}", title)
    return Extracted(_found(source, tree), True, f"html/1 trafilatura/{version('trafilatura')}", title)


def _declared(content: bytes) -> str | None:
    """The charset of a `meta` element, when the bytes have no byte order mark and are not UTF-8."""
    head = content[:_SNIFFED]
    match = _META_CHARSET.search(head)
    if match is None or head.startswith(_MARKS) or _is_utf8(content):
        return None
    return match[1].decode()


def _is_utf8(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True


def _check_nesting(source: str) -> None:
    """Refuse what would take the parser quadratic time: thousands of elements that are opened and not closed.

    An estimate from the tags alone; elements whose end tag may be left out are not counted.
    """
    depth = 0
    for match in _TAG.finditer(source):
        if match[2].lower() not in _UNCOUNTED:
            depth = max(0, depth - 1) if match[1] else depth + 1
            if depth > MAX_OPEN:
                raise ContentError("content", f"HTML with more than {MAX_OPEN} open elements is refused; close them")


def _check_bounds(root: LexborNode | None) -> None:
    """Count elements and depth without recursion."""
    node, depth, count = root, 0, 0
    while node is not None:
        count += 1
        if count > MAX_ELEMENTS or depth > MAX_DEPTH:
            limit = f"{MAX_DEPTH} elements deep" if depth > MAX_DEPTH else f"{MAX_ELEMENTS} nodes"
            raise ContentError("content", f"HTML of more than {limit} is refused; publish the text itself")
        if (child := node.child) is not None:
            node, depth = child, depth + 1
            continue
        while node is not None and node.next is None:
            node, depth = (node.parent, depth - 1) if depth > 0 else (None, 0)
        node = node.next if node is not None and depth > 0 else None


def _title(tree: LexborHTMLParser) -> str | None:
    for selector in ("title", "h1"):
        found = tree.css_first(selector)
        if found is not None and (text := " ".join(found.text(deep=True).split())):
            return text
    return None


def _marked(tree: LexborHTMLParser) -> LexborNode | None:
    """The element that the page says is its content: `main`, or its only `article`."""
    for selector in ("main", '[role="main"]'):
        found = tree.css_first(selector)
        if found is not None and found.text(deep=True).strip():
            return found
    articles = tree.css("article")
    return articles[0] if len(articles) == 1 else None


def _found(source: str, tree: LexborHTMLParser) -> str:
    import trafilatura

    text = trafilatura.extract(
        source, output_format="markdown", include_comments=False, include_tables=True, include_formatting=True
    )
    if text:
        return str(text)
    return MarkdownWriter().write(tree.body) if tree.body is not None else ""
