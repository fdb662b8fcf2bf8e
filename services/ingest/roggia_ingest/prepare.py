"""From content to passages: the whole of ingest's computing, as a pure function that runs in any process."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

import msgspec

from roggia_ingest.chunk import Chunker, Passage
from roggia_ingest.extract import extract
from roggia_ingest.language import Languages
from roggia_ingest.normalize import NORMALIZER, normalize, one_line


class Job(msgspec.Struct, frozen=True):
    """Content to prepare. `media_type` is lower case without parameters; `language` and `title` are the publisher's."""

    content: bytes
    media_type: str
    charset: str | None = None
    language: str | None = None
    title: str | None = None


class Prepared(msgspec.Struct, frozen=True):
    """What came of it. `normalizer` names everything that decided the text."""

    content_sha256: str
    normalizer: str
    title: str | None
    language: str | None
    passages: list[Passage]


@dataclass(frozen=True, slots=True)
class Preparation:
    """Prepares content with one chunker. Not for the event loop's thread unless the content is small."""

    chunker: Chunker
    languages: Languages

    def prepare(self, job: Job) -> Prepared:
        """Extract, normalise, detect the language, chunk. Raises `ContentError`."""
        extracted = extract(job.content, job.media_type, job.charset)
        text = normalize(extracted.text)
        return Prepared(
            content_sha256=sha256(job.content).hexdigest(),
            normalizer=f"{NORMALIZER};{extracted.extractor}",
            title=one_line(job.title or extracted.title or ""),
            language=job.language or self.languages.detect(text),
            passages=self.chunker.chunk(text, markdown=extracted.markdown),
        )
