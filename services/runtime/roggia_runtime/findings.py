"""What a verification of an index says over HTTP: requests, findings, progress, a summary. One JSON object per line.

The process that holds the store writes them, clients (the command line, replay, the console) read them. The lines of
one answer: any number of `Progress` and `Finding`, then exactly one `Summary` or `Failure`. An answer that ends without
either was cut off.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, TypeAlias

import msgspec

VERIFY_PATH: Final = "/v1/verify"
"""POST a `VerifyRequest` here, on the address of the query role."""
MEDIA_TYPE: Final = "application/x-ndjson"
MAX_POINTS_PER_S: Final = 10_000_000


class Kind(StrEnum):
    """What is wrong with a document, a passage or a head (the point that names a document's current version)."""

    MISSING = "missing"
    """The log has it, the index has not."""
    ORPHAN = "orphan"
    """The index has it, the log has not: an unknown or deleted document, a chunk outside the set, a former domain."""
    STALE = "stale"
    """The index holds an older version than the log."""
    AHEAD = "ahead"
    """The index holds a newer version than the log."""
    WRONG_PAYLOAD = "wrong_payload"
    """Same version, but tenant, domain, access, title or another attribute differs; `detail` names which."""
    WRONG_TEXT = "wrong_text"
    """The passage's text is not the one that its id is derived from."""
    WRONG_MODEL = "wrong_model"
    """The vector is stamped with another model than the collection's."""
    WRONG_VECTOR = "wrong_vector"
    """No vector, one of another dimension, or numbers that are none."""
    WRONG_HEAD = "wrong_head"
    """The head is at the right version but says something else about it, or was never marked as indexed."""
    TOMBSTONE = "tombstone"
    """The head says deleted and the log says living, or the other way round."""


class Repair(StrEnum):
    """How a finding is mended through the ordinary stream."""

    RENEW = "renew"
    """Replay the document's `doc.changed` with mode renew."""
    DELETE = "delete"
    """Send a deletion through the lane of `doc.chunked`, above every version that the collection holds of it."""
    NONE = "none"
    """The stream cannot mend it; `remedy` says what can."""


class Mark(msgspec.Struct, frozen=True, array_like=True):
    """A version: (revision, epoch)."""

    revision: int
    epoch: int = 0


class VerifyRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to check; empty fields ask for everything. `collection` is a physical name, of any suffix.

    `doc_ids` narrows to these documents of `tenant`. `points_per_s` limits reading of the index; 0 is the server's own.
    `generation` is the index generation to check; 0 is the one that the server's settings name.
    """

    tenant: str = ""
    domain: str = ""
    collection: str = ""
    doc_ids: tuple[str, ...] = ()
    points_per_s: float = 0.0
    generation: int = 0


class Finding(msgspec.Struct, frozen=True, kw_only=True, tag="finding", tag_field="type"):
    """One thing that is wrong, seen twice with no change of the document in between.

    `point_id` is the passage's or the head's; `head` tells which. `expected` is the log's newest version (None: the log
    does not know the document), `found` the point's (None: it is missing). `delete_at` is the version of a deletion
    that ends the document in this collection.
    """

    kind: Kind
    tenant: str
    domain: str
    doc_id: str
    collection: str
    point_id: str
    head: bool = False
    expected: Mark | None = None
    found: Mark | None = None
    delete_at: Mark | None = None
    detail: str = ""
    repair: Repair = Repair.NONE
    remedy: str = ""


class Progress(msgspec.Struct, frozen=True, kw_only=True, tag="progress", tag_field="type"):
    """How far a phase is: `log` (records), `index` (points), `compare` (slices), `recheck` (suspected documents)."""

    phase: str
    done: int
    total: int


class Summary(msgspec.Struct, frozen=True, kw_only=True, tag="summary", tag_field="type"):
    """The end of a run. `clean` means: no finding, and nothing that could not be judged.

    `pending` counts documents whose newest version was still on its way, or that changed at every look. `unreadable`
    counts records of the log that no version could be read from. `suspects` were looked at again. `chunked` is the
    topic that was compared with, `generation` the server's index generation.
    """

    documents: int
    chunks: int
    points: int
    findings: dict[str, int]
    suspects: int
    pending: int
    unreadable: int
    seconds: float
    collections: tuple[str, ...] = ()
    chunked: str = ""
    generation: int = 0

    @property
    def clean(self) -> bool:
        """Whether the index is exactly what the log says."""
        return not self.findings and not self.pending


class Failure(msgspec.Struct, frozen=True, kw_only=True, tag="error", tag_field="type"):
    """The run ended early; what was found until then stands."""

    message: str


Message: TypeAlias = Progress | Finding | Summary | Failure

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Finding | Progress | Summary | Failure)


def line(message: Message) -> bytes:
    """One message as a line of JSON."""
    return _encoder.encode(message) + b"\n"


def message(text: bytes) -> Message:
    """The message in a line. Raises `msgspec.DecodeError`."""
    read: Message = _decoder.decode(text)
    return read
