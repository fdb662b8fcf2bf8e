"""What a worker process and its pool say to each other: frames of four length bytes and MessagePack."""

from __future__ import annotations

import msgspec

from roggia_ingest.prepare import Job, Prepared

HEADER_BYTES = 4


class Setup(msgspec.Struct, frozen=True):
    """The first frame to a worker: how to chunk, and its own limit."""

    tokenizer: str
    max_tokens: int
    min_tokens: int
    memory_bytes: int


class Refusal(msgspec.Struct, frozen=True, tag=True):
    """The content cannot be processed, and why: a `RefusedError`."""

    kind: str
    field: str
    message: str


class Broken(msgspec.Struct, frozen=True, tag=True):
    """The worker lacks a library: the fault of the installation, not of the content."""

    message: str


class Result(msgspec.Struct, frozen=True, tag=True):
    """The content as passages."""

    prepared: Prepared


Answer = Result | Refusal | Broken

_encoder = msgspec.msgpack.Encoder()
_jobs = msgspec.msgpack.Decoder(Job)
_setups = msgspec.msgpack.Decoder(Setup)
_answers: msgspec.msgpack.Decoder[Answer] = msgspec.msgpack.Decoder(Answer)


def frame(message: Setup | Job | Answer) -> bytes:
    """One message, ready to send."""
    body = _encoder.encode(message)
    return len(body).to_bytes(HEADER_BYTES, "big") + body


def setup(body: bytes) -> Setup:
    """The setup in a frame's body."""
    return _setups.decode(body)


def job(body: bytes) -> Job:
    """The job in a frame's body."""
    return _jobs.decode(body)


def answer(body: bytes) -> Answer:
    """The answer in a frame's body."""
    return _answers.decode(body)
