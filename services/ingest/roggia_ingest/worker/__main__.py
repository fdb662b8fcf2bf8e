"""A worker process: reads jobs on standard input, answers on standard output, ends when its input does."""

from __future__ import annotations

import logging
import os
import resource
import sys
from pathlib import Path
from typing import BinaryIO

from roggia_ingest.chunk import Chunker, ChunkSizes, TokenCounter
from roggia_ingest.errors import RefusedError
from roggia_ingest.language import Languages
from roggia_ingest.prepare import Job, Preparation
from roggia_ingest.worker import wire


def main() -> int:
    """Work until the input ends. A job that needs more memory than the limit is refused, not fatal."""
    source, answers = sys.stdin.buffer, _claim_output()
    logging.disable(logging.CRITICAL)
    first = _read(source)
    if first is None:
        return 0
    preparation = _prepare_for(wire.setup(first))
    while (body := _read(source)) is not None:
        answers.write(wire.frame(_answer(preparation, wire.job(body))))
        answers.flush()
    return 0


def _claim_output() -> BinaryIO:
    """Keep the pipe for answers, and send whatever libraries print elsewhere."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return answers


def _prepare_for(setup: wire.Setup) -> Preparation:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_AS, (setup.memory_bytes, setup.memory_bytes))
    chunker = Chunker(TokenCounter(Path(setup.tokenizer)), ChunkSizes(setup.max_tokens, setup.min_tokens))
    return Preparation(chunker, Languages())


def _answer(preparation: Preparation, job: Job) -> wire.Answer:
    try:
        return wire.Result(preparation.prepare(job))
    except RefusedError as error:
        return wire.Refusal(error.kind, error.field, error.message)
    except ImportError as error:
        return wire.Broken(" ".join(str(error).split()))
    except MemoryError:
        return wire.Refusal(
            "content", "content", "needs more memory than worker_memory_bytes allows; split the document"
        )


def _read(source: BinaryIO) -> bytes | None:
    header = source.read(wire.HEADER_BYTES)
    if len(header) < wire.HEADER_BYTES:
        return None
    size = int.from_bytes(header, "big")
    body = source.read(size)
    return body if len(body) == size else None


if __name__ == "__main__":
    sys.exit(main())
