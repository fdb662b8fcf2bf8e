"""Every format as text: what is kept, what is left out, what is refused."""

from __future__ import annotations

import io

import pytest
from reportlab.pdfgen.canvas import Canvas
from roggia_ingest.errors import ContentError
from roggia_ingest.extract import MEDIA_TYPES, Extracted, extract

PAGE = """<html><head><title> The  Mill </title><style>p {}</style></head><body>
<nav><a href="/">Home</a> <a href="/x">Other</a></nav>
<main><header><h1>The <em>Mill</em></h1></header>
<p>Water turns<br>the <b>wheel</b>.</p>
<p hidden>Unseen one</p><p style="display: none">Unseen two</p><div aria-hidden="true">Unseen three</div>
<ul><li>gate<ul><li>sluice</li></ul></li><li>stone</li></ul>
<pre><code class="language-python">def turn():
    return `wheel`
</code></pre>
<table><thead><tr><th>part</th><th>a|b</th></tr></thead><tr><td>wheel</td><td><p>1</p><p>2</p></td></tr></table>
<blockquote><p>Quoted.</p></blockquote><script>alert(1)</script>
</main><footer>Imprint</footer></body></html>"""

PAGE_TEXT = """# The Mill

Water turns the wheel.

- gate
  - sluice
- stone

```python
def turn():
    return `wheel`
```

| part | a\\|b |
| --- | --- |
| wheel | 1 2 |

> Quoted."""


def read(content: str | bytes, media_type: str, charset: str | None = None) -> Extracted:
    """Extract from text or bytes."""
    return extract(content.encode() if isinstance(content, str) else content, media_type, charset)


def test_html_becomes_markdown_of_the_main_content() -> None:
    """Structure is kept; navigation, footer, scripts and what a reader does not see are not."""
    got = read(PAGE, "text/html")
    assert (got.text, got.title, got.markdown) == (PAGE_TEXT, "The Mill", True)


def test_html_without_marked_content_is_found_without_boilerplate() -> None:
    """trafilatura finds the article between navigation and footer."""
    links = "".join(f"<li><a href='/{n}'>Link {n}</a></li>" for n in range(40))
    body = "".join(
        f"<p>Paragraph {n} tells at length how the mill works in spring and in autumn.</p>" for n in range(9)
    )
    content = f"<div class='content'><h2>How it works</h2>{body}</div>"
    page = f"<html><body><div class='nav'><ul>{links}</ul></div>{content}</body></html>"
    text = read(page, "text/html").text
    assert all(f"Paragraph {n} tells" in text for n in range(9))
    assert "Link 7" not in text


def test_html_says_its_own_charset_when_nobody_else_does() -> None:
    """A meta element is believed when the bytes are not UTF-8 and the event names no charset."""
    page = "<html><head><meta charset='iso-8859-2'></head><body><main>Žluťoučký kůň</main></body></html>"
    assert read(page.encode("iso-8859-2"), "text/html").text == "Žluťoučký kůň"
    assert read(page.encode(), "text/html").text == "Žluťoučký kůň"


@pytest.mark.parametrize("page", ["<div>" * 100_000, "<main>" + "<div>" * 300, "<p>x" * 310_000])
def test_html_beyond_its_bounds_is_refused(page: str) -> None:
    """Depth and number of elements are bounded before anything walks the tree."""
    with pytest.raises(ContentError, match="refused"):
        read(page, "text/html")


def test_csv_becomes_a_table_whatever_its_delimiter() -> None:
    """Quoted line ends and bars stay in their cell; short rows are filled; empty lines are left out."""
    expected = "| name | meaning |\n| --- | --- |\n| a\\|b | two lines |\n| c |  |"
    for delimiter in ",;\t":
        content = f'name{delimiter}meaning\n"a|b"{delimiter}"two\nlines"\n\nc\n'
        assert read(content, "text/csv").text == expected


def test_pdf_gives_the_text_of_all_pages_and_its_title() -> None:
    """Words broken at a line's end are joined."""
    buffer = io.BytesIO()
    canvas = Canvas(buffer)
    canvas.setTitle("The Mill")
    canvas.drawString(100, 700, "The water-")
    canvas.drawString(100, 685, "wheel turns")
    canvas.showPage()
    canvas.drawString(100, 700, "Second page")
    canvas.save()
    got = read(buffer.getvalue(), "application/pdf")
    assert "The waterwheel turns" in got.text
    assert "Second page" in got.text
    assert got.title == "The Mill"


@pytest.mark.parametrize(
    ("content", "charset"),
    [
        ("Übung macht".encode(), None),
        ("Übung macht".encode("utf-8-sig"), None),
        ("Übung macht".encode("utf-16"), None),
        ("Übung macht".encode("utf-32"), None),
        ("Übung macht".encode("cp1252"), None),
        ("Übung macht".encode("latin-1"), "ISO-8859-1"),
        ("Übung macht".encode("utf-8-sig"), "utf-8"),
    ],
)
def test_encodings(content: bytes, charset: str | None) -> None:
    """The charset parameter, byte order marks, UTF-8, and windows-1252 for a few stray bytes."""
    assert read(content, "text/plain", charset).text == "Übung macht"


def test_a_longer_text_in_an_old_encoding_is_guessed() -> None:
    """Cyrillic in windows-1251, without a word about it."""
    text = "Мельница стоит у реки, и вода крутит колесо. " * 20
    assert read(text.encode("cp1251"), "text/plain").text == text


@pytest.mark.parametrize(
    ("content", "title"),
    [
        ("---\ntitle: 'From front matter'\n---\n# Heading\n", "From front matter"),
        ("Intro.\n\n## The *first* heading ##\n", "The *first* heading"),
        ("# C# and F# #\n", "C# and F#"),
        ("No heading.\n", None),
    ],
)
def test_markdown_titles(content: str, title: str | None) -> None:
    """Front matter, else the first heading."""
    assert read(content, "text/markdown").title == title


def test_plain_text_takes_an_underlined_first_line_as_its_title() -> None:
    """As reStructuredText and many README files do."""
    assert read("The Mill\n========\n\nText.\n", "text/plain").title == "The Mill"
    assert read("The mill.\n\nText.\n", "text/plain").title is None


def test_every_promised_format_has_an_extractor() -> None:
    """The five of the schema's documentation."""
    assert {"text/plain", "text/markdown", "text/html", "application/pdf", "text/csv"} <= MEDIA_TYPES
