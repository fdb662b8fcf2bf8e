"""CPU of ingest per chunk, each part apart: reading a format, normalising, language, tokenising, chunking, the handler.

The handler's part is decoding doc.changed, the rules, the catalogue in SQLite, building and encoding doc.chunked: all
that ingest adds to work that every indexer must do. Documents are generated, one process, one thread.

    python -m tests.bench.ingest.bench_chunk
"""

from __future__ import annotations

import asyncio
import io
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from reportlab.pdfgen.canvas import Canvas
from roggia_ingest.adapters.sqlite import SqliteCatalogue
from roggia_ingest.extract import extract
from roggia_ingest.normalize import normalize
from roggia_ingest.prepare import Job, Prepared
from roggia_runtime.records import Done

from tests.support import ingesting
from tests.support.measures import report
from tests.support.texts import Texts

DOCUMENTS = 200
BATCH = 50
ROUNDS = 3


def main() -> None:
    """Measure and print one JSON line per part."""
    texts = [Texts(seed).document(sections=12) for seed in range(DOCUMENTS)]
    preparation = ingesting.preparation()
    preparation.languages.load()
    prepared = [preparation.prepare(Job(text.encode(), "text/markdown")) for text in texts]
    chunks = sum(len(one.passages) for one in prepared)
    report("chunks per document", chunks / DOCUMENTS, note=f"{DOCUMENTS} generated Markdown documents")
    normal = [normalize(text) for text in texts]
    counter, chunker = preparation.chunker.counter, preparation.chunker
    tokenising = per_chunk("tokenising", chunks, lambda: [counter.measure(text) for text in normal])
    both = cpu(lambda: [chunker.chunk(text, markdown=True) for text in normal]) / chunks * 1000
    report("chunking without tokenising", both - tokenising, "ms CPU/chunk")
    report("chunking without tokenising, to tokenising", (both - tokenising) / tokenising, "ratio", at_most=1.0)
    per_chunk("normalising", chunks, lambda: [normalize(text) for text in texts])
    per_chunk("language", chunks, lambda: [preparation.languages.detect(text) for text in normal])
    for media_type, contents in formats(texts).items():
        per_chunk(f"reading {media_type}", chunks, lambda: read(contents, media_type))  # noqa: B023  # called at once
    asyncio.run(handling(texts, prepared, chunks))


def cpu(work: Callable[[], object]) -> float:
    """Least CPU seconds of a few rounds."""
    times = []
    for _ in range(ROUNDS):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


def per_chunk(name: str, chunks: int, work: Callable[[], object]) -> float:
    """Report and return milliseconds per chunk."""
    return report(name, cpu(work) / chunks * 1000, "ms CPU/chunk").value


def read(contents: Sequence[bytes], media_type: str) -> None:
    """Extract all."""
    for content in contents:
        extract(content, media_type, None)


def formats(texts: Sequence[str]) -> dict[str, list[bytes]]:
    """The same words as Markdown, HTML, CSV and PDF."""
    return {
        "text/markdown": [text.encode() for text in texts],
        "text/html": [html(text).encode() for text in texts],
        "text/csv": ["\n".join(f'{n},"{line}"' for n, line in enumerate(text.splitlines())).encode() for text in texts],
        "application/pdf": [pdf(text) for text in texts[:20]] * (len(texts) // 20),
    }


def html(text: str) -> str:
    """Every block as a paragraph, inside `main`, with navigation around it."""
    blocks = "".join(f"<p>{block.replace('<', '&lt;')}</p>" for block in text.split("\n\n"))
    links = "".join(f"<li><a href='/{n}'>{n}</a></li>" for n in range(40))
    return f"<html><head><title>T</title></head><body><nav><ul>{links}</ul></nav><main>{blocks}</main></body></html>"


def pdf(text: str) -> bytes:
    """The lines, sixty to a page."""
    buffer = io.BytesIO()
    canvas = Canvas(buffer)
    lines = text.splitlines()
    for start in range(0, len(lines), 60):
        block = canvas.beginText(50, 800)
        for line in lines[start : start + 60]:
            block.textLine(line[:100])
        canvas.drawText(block)
        canvas.showPage()
    canvas.save()
    return buffer.getvalue()


class Ready:
    """The preparer port with answers that are there already, by content."""

    def __init__(self, answers: dict[bytes, Prepared]) -> None:
        self._answers = answers

    async def prepare(self, job: Job) -> Prepared:
        """The answer."""
        return self._answers[job.content]


async def handling(texts: Sequence[str], prepared: Sequence[Prepared], chunks: int) -> None:
    """The handler over all documents, in batches, with a SQLite catalogue."""
    answers = {text.encode(): one for text, one in zip(texts, prepared, strict=True)}
    with tempfile.TemporaryDirectory() as folder:
        catalogue = SqliteCatalogue(Path(folder) / "catalogue.sqlite3")
        await catalogue.start()
        handler = ingesting.handler(catalogue, preparer=Ready(answers))
        times = []
        for revision in range(1, ROUNDS + 1):
            changes = [ingesting.change(str(n), revision, content=text.encode()) for n, text in enumerate(texts)]
            records = [ingesting.record(event, revision * DOCUMENTS + n) for n, event in enumerate(changes)]
            start = time.process_time()
            for first in range(0, DOCUMENTS, BATCH):
                verdicts = await handler.handle(records[first : first + BATCH])
                assert all(isinstance(verdict, Done) for verdict in verdicts)
            times.append(time.process_time() - start)
        await catalogue.stop()
    report("handler (decode, rules, catalogue, encode)", min(times) / chunks * 1000, "ms CPU/chunk", at_most=0.3)


if __name__ == "__main__":
    main()
