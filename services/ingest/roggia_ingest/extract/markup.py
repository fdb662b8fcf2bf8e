"""Writes an HTML element as Markdown: headings, paragraphs, lists, code, quotes, tables; no links, no styles."""

from __future__ import annotations

import re

from selectolax.lexbor import LexborNode

from roggia_ingest.extract.tables import gfm

_DROPPED = frozenset(
    [
        "script",
        "style",
        "noscript",
        "template",
        "svg",
        "math",
        "iframe",
        "object",
        "embed",
        "canvas",
        "audio",
        "video",
        "nav",
        "aside",
        "footer",
        "form",
        "button",
        "select",
        "input",
        "textarea",
        "dialog",
        "menu",
        "head",
    ]
)
_HEADINGS = {f"h{level}": "#" * level for level in range(1, 7)}
_INLINE = frozenset(
    [
        "a",
        "abbr",
        "b",
        "bdi",
        "bdo",
        "cite",
        "code",
        "data",
        "del",
        "dfn",
        "em",
        "font",
        "i",
        "img",
        "ins",
        "kbd",
        "label",
        "mark",
        "q",
        "s",
        "samp",
        "small",
        "span",
        "strong",
        "sub",
        "sup",
        "time",
        "tt",
        "u",
        "var",
        "wbr",
    ]
)
_HIDDEN_STYLE = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
_SPACE = re.compile(r"\s+")
_LANGUAGE_CLASS = re.compile(r"(?:language|lang|highlight-source)-([\w+#-]{1,20})")


class MarkdownWriter:
    """Writes one element. Recursion is as deep as the tree, which the caller has bounded."""

    def __init__(self) -> None:
        self._blocks: list[str] = []
        self._line: list[str] = []

    def write(self, node: LexborNode) -> str:
        """Markdown of what is inside `node`."""
        self._children(node)
        self._flush()
        return "\n\n".join(self._blocks)

    def _children(self, node: LexborNode) -> None:
        child = node.child
        while child is not None:
            self._node(child)
            child = child.next

    def _node(self, node: LexborNode) -> None:
        tag = node.tag
        if tag == "-text":
            self._line.append(node.text_content or "")
        elif tag is None or tag.startswith(("-", "_", "!")) or tag in _DROPPED or _is_hidden(node):
            return
        elif tag in _INLINE:
            self._inline(node, tag)
        elif tag == "br":
            self._line.append("\n")
        else:
            self._flush()
            self._block(node, tag)
            self._flush()

    def _inline(self, node: LexborNode, tag: str) -> None:
        if tag == "img":
            self._line.append(node.attributes.get("alt") or "")
        else:
            self._children(node)

    def _block(self, node: LexborNode, tag: str) -> None:
        if tag in _HEADINGS:
            self._heading(node, _HEADINGS[tag])
        elif tag == "pre":
            self._code(node)
        elif tag == "table":
            self._table(node)
        elif tag == "li":
            self._item(node)
        elif tag == "blockquote":
            self._quote(node)
        else:
            self._children(node)

    def _heading(self, node: LexborNode, marks: str) -> None:
        text = _visible(node)
        if text:
            self._blocks.append(f"{marks} {text}")

    def _code(self, node: LexborNode) -> None:
        text = node.text(deep=True).strip("\n")
        fence = "`" * max(3, 1 + max((len(run) for run in re.findall(r"`{3,}", text)), default=0))
        classes = " ".join(filter(None, [node.attributes.get("class"), _class_of_child(node)]))
        language = match[1] if (match := _LANGUAGE_CLASS.search(classes)) else ""
        if text.strip():
            self._blocks.append(f"{fence}{language}\n{text}\n{fence}")

    def _table(self, node: LexborNode) -> None:
        rows = [[_visible(cell) for cell in row.css("th, td")] for row in node.css("tr")]
        if table := gfm([row for row in rows if any(row)]):
            self._blocks.append(table)

    def _item(self, node: LexborNode) -> None:
        """One item; items of one list are kept together, nested ones are indented."""
        nested = MarkdownWriter()
        inner = nested.write(node)
        if not inner:
            return
        first, *rest = inner.split("\n")
        text = "\n".join([f"- {first}", *(f"  {line}" if line else "" for line in rest)])
        text = re.sub(r"\n\n(?= *- )", "\n", text)
        if self._blocks and self._blocks[-1].startswith("- "):
            self._blocks[-1] += f"\n{text}"
        else:
            self._blocks.append(text)

    def _quote(self, node: LexborNode) -> None:
        inner = MarkdownWriter().write(node)
        if inner:
            self._blocks.append("\n".join(f"> {line}".rstrip() for line in inner.split("\n")))

    def _flush(self) -> None:
        text = _collapsed("".join(self._line))
        self._line = []
        if text:
            self._blocks.append(text)


def _visible(node: LexborNode) -> str:
    """Text of an element in one line, without what is dropped or hidden."""
    parts: list[str] = []
    _gather(node, parts)
    return _collapsed(" ".join(parts) if node.tag in ("td", "th") else "".join(parts))


def _gather(node: LexborNode, parts: list[str]) -> None:
    child = node.child
    while child is not None:
        if child.tag == "-text":
            parts.append(child.text_content or "")
        elif child.tag not in _DROPPED and not _is_hidden(child):
            _gather(child, parts)
        child = child.next


def _collapsed(text: str) -> str:
    return _SPACE.sub(" ", text).strip()


def _is_hidden(node: LexborNode) -> bool:
    attributes = node.attributes
    if not attributes:
        return False
    style = attributes.get("style")
    return (
        "hidden" in attributes or attributes.get("aria-hidden") == "true" or bool(style and _HIDDEN_STYLE.search(style))
    )


def _class_of_child(node: LexborNode) -> str | None:
    child = node.css_first("code")
    return child.attributes.get("class") if child is not None else None
