"""Typed events, one frozen class per Avro record.

Generated from schemas/roggia_schemas/avro by roggia_schemas.generate: do not edit.
"""

from __future__ import annotations

from enum import Enum
from typing import ClassVar

import msgspec

from roggia_schemas.wiretypes import Event, Int, Long, Millis, Uuid, Vector, no_vector, same_fields


class AlertKind(str, Enum):
    """What it is about."""

    UNKNOWN = "UNKNOWN"
    BUDGET = "BUDGET"
    UNPRICED = "UNPRICED"


class AuditAlert(Event, frozen=True, kw_only=True):
    """Something that an operator or a tenant should know of now: a share of a limit was reached, a model has no price.
    Each happens once; it may be sent more often, always with the same id.
    """

    EVENT: ClassVar[str] = "audit.alert"

    event_id: Uuid
    """UUIDv5 over what the alert is about; also the webhook's id."""
    occurred_at: Millis
    """Append time of the newest record that it rests on, milliseconds since the epoch, UTC."""
    tenant_id: str
    """Tenant; equals the key."""
    kind: AlertKind
    """BUDGET: a share of a monthly limit was reached. UNPRICED: a model was used that has no price, once a month for
    each.
    """
    period: str
    """Month in the tenant's time zone, YYYY-MM."""
    limit: str = ""
    """Of BUDGET: tokens or pico_usd."""
    percent: Int = 0
    """Of BUDGET: share of the limit that was reached, 80 or 100."""
    used: Long = 0
    """Of BUDGET: what was used when it was noticed, tokens or 10^-12 US dollars."""
    allowed: Long = 0
    """Of BUDGET: the limit at that moment, in the same unit."""
    provider: str = ""
    """Of UNPRICED: provider, as the price book would name it."""
    model: str = ""
    """Of UNPRICED: model."""


class AuditCheckpoint(Event, frozen=True, kw_only=True):
    """A signed checkpoint of the audit log's head log. It commits to every record that was entered before it."""

    EVENT: ClassVar[str] = "audit.checkpoint"

    event_id: Uuid
    """UUIDv5 over log and size."""
    occurred_at: Millis
    """When it was published, milliseconds since the epoch, UTC."""
    log: str
    """Origin of the head log; equals the key."""
    size: Long
    """Leaves of the head log."""
    note: str
    """The checkpoint as a signed note (C2SP tlog-checkpoint), byte for byte: written to a file, any verifier reads it.
    """


class AuditStatus(str, Enum):
    """What became of a record."""

    UNKNOWN = "UNKNOWN"
    RATED = "RATED"
    UNPRICED = "UNPRICED"
    PARKED = "PARKED"
    UNREADABLE = "UNREADABLE"


class AuditRecorded(Event, frozen=True, kw_only=True):
    """One record of the log has its place in the tree: what consumers need to find and to check it."""

    EVENT: ClassVar[str] = "audit.recorded"

    event_id: Uuid
    """UUIDv5 over log and index."""
    occurred_at: Millis
    """Of the record, milliseconds since the epoch, UTC."""
    tenant_id: str
    """Tenant; equals the key. Empty where the record could not be read."""
    tenant_seq: Long
    """Number among the tenant's records in this log, from 1, without gaps; 0 where there is no tenant."""
    log: str
    """Origin of the log, as its checkpoints name it."""
    index: Long
    """Index of the leaf."""
    leaf_hash: str
    """RFC 6962 hash of the leaf, hexadecimal."""
    source_event_id: str
    """event_id of what was recorded; empty where it could not be read."""
    partition: Int
    """Partition of inference.completed."""
    offset: Long
    """Its offset there."""
    status: AuditStatus
    """RATED: it has an amount. UNPRICED: some price was missing, no amount. PARKED: not counted, see reason.
    UNREADABLE: no event, its bytes alone are proven.
    """
    reason: str = ""
    """Why it is not rated; empty where it is."""
    late: bool = False
    """Whether it came after its period was closed: counted as an adjustment."""
    cost_pico_usd: Long | None = None
    """Amount in 10^-12 US dollars; null where it has none."""
    price_version: str = ""
    """Version of the price book; empty where not rated."""


class Operation(str, Enum):
    """What happened. UNKNOWN is what an old reader sees of a newer symbol; it is refused, never guessed."""

    UNKNOWN = "UNKNOWN"
    UPSERT = "UPSERT"
    DELETE = "DELETE"


class ContentRef(msgspec.Struct, frozen=True, kw_only=True):
    """Where large content lies (claim check)."""

    uri: str
    """Fetched only from schemes and hosts that ingest allows."""
    sha256: str
    """Lower-case hex SHA-256 of the content; checked after the fetch."""
    size: Long
    """Bytes; checked before and after the fetch."""


class DocChanged(Event, frozen=True, kw_only=True):
    """A document was created, replaced or deleted upstream. Published by upstream systems, consumed by ingest. A Kafka
    null under the same key means the same as DELETE.
    """

    EVENT: ClassVar[str] = "doc.changed"

    event_id: Uuid
    """UUIDv7 chosen by the publisher; a retry repeats it."""
    occurred_at: Millis
    """When the document changed upstream, milliseconds since the epoch, UTC."""
    tenant_id: str
    """Owner of the document: [a-z0-9][a-z0-9-]{0,62}; equals the key up to the first slash."""
    domain: str
    """Knowledge base inside the tenant: [a-z0-9][a-z0-9-]{0,62}."""
    doc_id: str
    """The publisher's own identifier, stable over revisions, 1 to 1,024 UTF-8 bytes without control characters; equals
    the key after the first slash.
    """
    revision: Long
    """Monotonic per document, 0 <= revision < 2^53. The publisher's version counter or a clock in microseconds;
    nanoseconds do not fit.
    """
    operation: Operation
    """UPSERT carries the whole new content, DELETE carries none."""
    content_type: str | None = None
    """Media type with optional charset: text/plain, text/markdown, text/html, application/pdf, text/csv. Needed for
    UPSERT.
    """
    content: bytes | None = None
    """The document itself. Exactly one of content and content_ref for UPSERT."""
    content_ref: ContentRef | None = None
    """Content by reference, for documents above about 256 KiB."""
    title: str | None = None
    """Shown in citations; taken from the content when null."""
    source: str | None = None
    """Where a reader finds the document (URL or path); shown in citations, never fetched."""
    language: str | None = None
    """ISO 639-1 code when the publisher knows it; detected when null."""
    acl: tuple[str, ...] = ()
    """Groups that may see the document; ["*"] is the whole tenant. Empty is refused for UPSERT: nothing becomes public
    by omission.
    """
    created_at: Millis | None = None
    """When the document was first written upstream."""
    expires_at: Millis | None = None
    """From then on the document is never returned and is deleted by ingest's timer."""
    metadata: dict[str, str] = msgspec.field(default_factory=dict)
    """Free labels, copied to the index payload; at most 32 entries of 1 KiB."""


class Chunk(msgspec.Struct, frozen=True, kw_only=True):
    """One passage."""

    chunk_id: Uuid
    """UUIDv5 over tenant, domain, doc_id, text_sha256 and occurrence: unchanged text keeps its id when text above it
    moves.
    """
    ordinal: Int
    """Position in the document, from 0."""
    text: str
    """The passage, normalised, in NFC."""
    text_sha256: str
    """Lower-case hex SHA-256 of text in UTF-8."""
    occurrence: Int = 0
    """How many earlier chunks of the document have the same text."""
    heading_path: tuple[str, ...] = ()
    """Headings above the passage, outermost first."""
    tokens: Int
    """Tokens of text by the chunker's tokenizer, special tokens not counted."""
    start: Long = 0
    """Offset of the first character in the normalised text, in code points."""
    end: Long = 0
    """Offset after the last character."""


class DocChunked(Event, frozen=True, kw_only=True):
    """The whole chunk set of one document revision. Written by ingest alone, in revision order, on a compacted topic:
    the newest record per key is the corpus. deleted=true with no chunks is a deletion.
    """

    EVENT: ClassVar[str] = "doc.chunked"

    event_id: Uuid
    """UUIDv5 over parent event, stage and fingerprint: the same input gives the same bytes."""
    parent_event_id: Uuid
    """event_id of the doc.changed this came from."""
    occurred_at: Millis
    """Copied from doc.changed; for a deletion by expiry, the expiry."""
    tenant_id: str
    """Owner of the document; equals the key up to the first slash."""
    domain: str
    """Knowledge base inside the tenant."""
    doc_id: str
    """The publisher's identifier of the document; equals the key after the first slash."""
    revision: Long
    """The publisher's revision."""
    epoch: Int
    """Raised by ingest when the same revision is processed again (expiry, repair, Kafka null). Order of versions:
    (revision, epoch).
    """
    deleted: bool
    """True: the document is gone; chunks is empty."""
    left_domains: tuple[str, ...] = ()
    """Other domains of this tenant that held earlier revisions: deleted there by this same event."""
    content_type: str | None = None
    """Media type of the content as published; null for a deletion."""
    content_sha256: str | None = None
    """Lower-case hex of the content as received."""
    title: str | None = None
    """Shown in citations; null when the document has none."""
    source: str | None = None
    """Where a reader finds the document (URL or path); shown in citations."""
    language: str | None = None
    """ISO 639-1, given or detected; null when undecided."""
    acl: tuple[str, ...] = ()
    """Groups that may see the document; ["*"] is the whole tenant. Empty only for a deletion."""
    created_at: Millis | None = None
    """When the document was first written upstream; null when unknown."""
    expires_at: Millis | None = None
    """From then on the document is never returned; null: it does not expire."""
    metadata: dict[str, str] = msgspec.field(default_factory=dict)
    """Free labels of the publisher, copied to the index payload."""
    normalizer: str = ""
    """Fingerprint of the normaliser (name and version)."""
    chunker: str = ""
    """Fingerprint of the chunker: name, version, sizes, tokenizer."""
    max_chunk_tokens: Int = 0
    """The chunker's upper bound; a model whose window is smaller refuses the event."""
    total_tokens: Long = 0
    """Sum of tokens over chunks, overlap included."""
    chunks: tuple[Chunk, ...] = ()
    """The passages, in order; empty for a deletion."""


class EmbeddedChunk(msgspec.Struct, frozen=True, kw_only=True):
    """One passage of this part; its vector is the row of the same index in vectors."""

    chunk_id: Uuid
    """Id of the chunk, as in doc.chunked."""
    ordinal: Int
    """Position in the document, from 0."""
    text: str
    """The passage, normalised, in NFC."""
    heading_path: tuple[str, ...] = ()
    """Headings above the passage, outermost first."""
    tokens: Int
    """Tokens of text by the chunker's tokenizer, special tokens not counted."""
    cached: bool = False
    """True: the vector came from the cache, nothing was computed."""


class DocEmbedded(Event, frozen=True, kw_only=True, eq=False):
    """Chunks of one document revision with their vectors, for one index generation. Written by the embed role, consumed
    by the upsert role. A revision may be split in parts.
    """

    EVENT: ClassVar[str] = "doc.embedded"

    event_id: Uuid
    """UUIDv5 over parent event, stage, model fingerprint and part."""
    parent_event_id: Uuid
    """event_id of the doc.chunked this came from."""
    occurred_at: Millis
    """When the document changed upstream, milliseconds since the epoch, UTC."""
    tenant_id: str
    """Owner of the document; equals the key up to the first slash."""
    domain: str
    """Knowledge base inside the tenant."""
    doc_id: str
    """The publisher's identifier of the document; equals the key after the first slash."""
    revision: Long
    """The publisher's revision, 0 <= revision < 2^53."""
    epoch: Int
    """Raised by ingest when the same revision is processed again. Order of versions: (revision, epoch)."""
    deleted: bool
    """True: the document is gone; there are no chunks."""
    left_domains: tuple[str, ...] = ()
    """Other domains of this tenant that held earlier revisions: deleted there by this same event."""
    content_type: str | None = None
    """Media type of the content as published; null for a deletion."""
    title: str | None = None
    """Shown in citations; null when the document has none."""
    source: str | None = None
    """Where a reader finds the document (URL or path); shown in citations."""
    language: str | None = None
    """ISO 639-1, given or detected; null when undecided."""
    acl: tuple[str, ...] = ()
    """Groups that may see the document; ["*"] is the whole tenant. Empty only for a deletion."""
    created_at: Millis | None = None
    """When the document was first written upstream; null when unknown."""
    expires_at: Millis | None = None
    """From then on the document is never returned; null: it does not expire."""
    metadata: dict[str, str] = msgspec.field(default_factory=dict)
    """Free labels of the publisher, copied to the index payload."""
    generation: Int
    """Index generation, from 1."""
    model: str
    """Model fingerprint: name, weights' hash, window, pooling, prefixes, dimension, backend, quantization."""
    chunker: str = ""
    """Fingerprint of the chunker that made the chunks."""
    part: Int = 0
    """Number of this part, from 0."""
    parts: Int = 1
    """Number of parts of this revision."""
    chunk_ids: tuple[Uuid, ...] = ()
    """Ids of all chunks of the revision, in order, repeated in every part."""
    chunks: tuple[EmbeddedChunk, ...] = ()
    """The passages of this part; empty for a deletion."""
    dimension: Int = 0
    """Columns of vectors; 0 for a deletion."""
    vectors: Vector = msgspec.field(default_factory=no_vector)
    """len(chunks) x dimension float32, row by row."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return same_fields(self, other)


class DocPopularity(Event, frozen=True, kw_only=True):
    """How much a document was asked for of late, as a score that halves with time. Approximate and rebuildable: it
    orders work, and nothing correct may rest on it.
    """

    EVENT: ClassVar[str] = "doc.popularity"

    event_id: Uuid
    """UUIDv7 of this record."""
    occurred_at: Millis
    """When this was written, milliseconds since the epoch, UTC."""
    tenant_id: str
    """Tenant of the document. With doc_id it is the key."""
    domain: str
    """Knowledge base in which it was found last."""
    doc_id: str
    """The document."""
    score: float
    """Sum over its requests of weight times 2^-(age/half-life), the age counted up to as_of. At a later time t it is
    worth score times 2^-((t - as_of)/half-life).
    """
    as_of: Millis
    """Time of the newest request in the score, milliseconds since the epoch, UTC."""
    half_life_ms: Long
    """Half-life that the score was made with, milliseconds."""
    requests: Long
    """Answers that held the document since the score began; not decayed."""


class DocUpserted(Event, frozen=True, kw_only=True):
    """A document revision is searchable (or gone) in one index generation, and what that changed."""

    EVENT: ClassVar[str] = "doc.upserted"

    event_id: Uuid
    """UUIDv5 over parent event, stage and collection; a redelivery repeats it."""
    parent_event_id: Uuid
    """event_id of the doc.chunked (not of one part) this came from."""
    occurred_at: Millis
    """When the document changed upstream."""
    indexed_at: Millis
    """When the index had acknowledged the last write of the revision."""
    tenant_id: str
    """Owner of the document; equals the key up to the first slash."""
    domain: str
    """Knowledge base inside the tenant."""
    doc_id: str
    """The publisher's identifier of the document; equals the key after the first slash."""
    revision: Long
    """The publisher's revision, 0 <= revision < 2^53."""
    epoch: Int
    """Raised by ingest when the same revision is processed again. Order of versions: (revision, epoch)."""
    deleted: bool
    """True: the document is gone from the index."""
    generation: Int
    """Index generation, from 1."""
    collection: str
    """Physical collection that was written."""
    model: str
    """Fingerprint of the model whose vectors were written."""
    chunks: Int
    """Chunks of the revision now in the index."""
    added: Int
    """Points inserted."""
    kept: Int
    """Points whose text stayed: only their payload moved to this revision."""
    removed: Int
    """Points deleted."""
    embedded: Int
    """Vectors computed for this revision."""
    cached: Int
    """Vectors taken from the cache."""


class GenerationSide(str, Enum):
    """Which half of a generation a record tells."""

    WANTED = "WANTED"
    STATE = "STATE"


class GenerationModel(msgspec.Struct, frozen=True, kw_only=True):
    """Which model makes the vectors of a generation, and how it is loaded."""

    uri: str
    """Where the model comes from: bundled:<name>, file:///…, models:/<name>/<version>, http(s)://…/v1, tei+http(s)://…,
    or stub:<seed>. Empty: the one that the embedder's own settings name.
    """
    name: str = ""
    """Name of the model in the registry, or of a remote model."""
    version: str = ""
    """Version in the registry, or revision of a remote model's weights."""
    fingerprint: str = ""
    """Fingerprint that the loaded model must have. Empty: not known yet."""
    dimension: Int = 0
    """Dimension of its vectors; 0: not known yet."""
    window: Int = 512
    """Most tokens of one text, special tokens included."""
    passage_prefix: str = ""
    """Put before every passage."""
    query_prefix: str = ""
    """Put before every query."""
    options: dict[str, str] = msgspec.field(default_factory=dict)
    """What else loading needs, by name: precision, backend."""


class GenerationWish(str, Enum):
    """What operators want of a generation now."""

    FILL = "FILL"
    SERVE = "SERVE"
    ROLL_BACK = "ROLL_BACK"
    RETIRE = "RETIRE"


class GenerationState(str, Enum):
    """Where a generation is in its life."""

    PLANNED = "PLANNED"
    FILLING = "FILLING"
    SHADOW = "SHADOW"
    LIVE = "LIVE"
    ROLLED_BACK = "ROLLED_BACK"
    RETIRED = "RETIRED"
    FAILED = "FAILED"


class GenerationMove(msgspec.Struct, frozen=True, kw_only=True):
    """One move of a generation from state to state."""

    at: Millis
    """When."""
    before: str
    """State before."""
    after: str
    """State after."""
    by: str = ""
    """Who wanted it."""
    why: str = ""
    """Why: their words, or the rule that moved it."""
    evidence: dict[str, str] = msgspec.field(default_factory=dict)
    """What it rests on, by name: coverage, report, override."""


class IndexGeneration(Event, frozen=True, kw_only=True):
    """One side of an index generation: what is wanted of it (written by operators and by the registry's reconciler) or
    how it stands (written by the controller alone). Each side has its own key, so neither overwrites the other.
    """

    EVENT: ClassVar[str] = "index.generation"

    event_id: Uuid
    """UUIDv7 of this record."""
    occurred_at: Millis
    """When this was written, milliseconds since the epoch, UTC."""
    generation: Int
    """Number N of the generation, from 1: doc.embedded.g<N>, collections …__g<N>. The key is g<N>/side."""
    side: GenerationSide
    """WANTED: what operators want. STATE: how it stands, and what holds."""
    model: GenerationModel
    """The model."""
    chunker_generation: Int = 1
    """Number K of the chunker generation that is read: doc.chunked.c<K>."""
    selection: tuple[str, ...] = ()
    """Knowledge bases that it holds: tenant/domain, or tenant/* for all of a tenant. Empty: all of them."""
    store: str = ""
    """Vector store that holds its collections, by its name in the embedder's settings; addresses and keys stay there.
    Empty: the one that the embedder's own settings name.
    """
    wish: GenerationWish
    """WANTED: fill and follow, serve, go back, or retire. A STATE repeats the wish that it answers."""
    paused: bool = False
    """WANTED: filling waits."""
    rate: float = 0.0
    """WANTED: chunks per second that filling may embed; 0: no bound."""
    canary: float = 0.0
    """Percent of queries that a generation in SHADOW answers, chosen by a stable hash; 0: none."""
    override: str = ""
    """WANTED: why it may serve without a passed gate, in the words of whoever takes that on. Empty: the gate decides.
    Of a wish to retire: topics that may be deleted with the dead letters that they hold, comma-separated.
    """
    report: str = ""
    """Id of the gate's report that a wish to serve rests on."""
    by: str = ""
    """Who asked: user@host, the console's name for them, or the reconciler."""
    why: str = ""
    """Why, in their words."""
    state: GenerationState
    """STATE: where it is in its life; PLANNED in a WANTED."""
    cutover: Long = 0
    """STATE: 0 until it first served, then higher than that of every earlier cutover. Of the LIVE generations that hold
    a knowledge base the highest serves it.
    """
    message: str = ""
    """STATE: why it stands like that, in one line."""
    counts: dict[str, Long] = msgspec.field(default_factory=dict)
    """STATE: progress by name (offsets, done, documents, chunks)."""
    history: tuple[GenerationMove, ...] = ()
    """STATE: every move so far, oldest first."""


class InferenceOperation(str, Enum):
    """What was asked for."""

    UNKNOWN = "UNKNOWN"
    CHAT = "CHAT"
    TEXT_COMPLETION = "TEXT_COMPLETION"
    EMBEDDINGS = "EMBEDDINGS"


class InferenceOrigin(str, Enum):
    """Why it was asked."""

    UNKNOWN = "UNKNOWN"
    LIVE = "LIVE"
    REPLAY = "REPLAY"
    SHADOW = "SHADOW"
    CANARY = "CANARY"


class InferenceOutcome(str, Enum):
    """How a request ended."""

    UNKNOWN = "UNKNOWN"
    OK = "OK"
    ERROR = "ERROR"
    ABORTED = "ABORTED"
    REFUSED = "REFUSED"
    LOST = "LOST"


class AttemptOutcome(str, Enum):
    """How a call ended."""

    UNKNOWN = "UNKNOWN"
    OK = "OK"
    ERROR = "ERROR"
    TIMEOUT = "TIMEOUT"
    ABORTED = "ABORTED"
    REJECTED = "REJECTED"


class TokenUsage(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens of one attempt by class, as its provider counted them; `input_includes` and `output_includes` say how."""

    input: Long = 0
    """Input tokens."""
    cache_read: Long = 0
    """Input tokens that the provider read from its prompt cache."""
    cache_write_5m: Long = 0
    """Input tokens written to the provider's prompt cache for five minutes."""
    cache_write_1h: Long = 0
    """Input tokens written to the provider's prompt cache for an hour."""
    output: Long = 0
    """Output tokens."""
    reasoning: Long = 0
    """Output tokens that were reasoning."""
    audio_input: Long = 0
    """Input tokens that were audio."""
    audio_output: Long = 0
    """Output tokens that were audio."""
    image: Long = 0
    """Input tokens that were images."""
    input_includes: bool = True
    """Whether `input` holds the cached, written, audio and image tokens as well (as OpenAI counts); false where they
    come on top of it (as Anthropic counts).
    """
    output_includes: bool = True
    """Whether `output` holds the reasoning and audio tokens as well."""


class UsageSource(str, Enum):
    """Where token counts come from."""

    UNKNOWN = "UNKNOWN"
    REPORTED = "REPORTED"
    COUNTED = "COUNTED"
    HELD = "HELD"
    NONE = "NONE"


class InferenceAttempt(msgspec.Struct, frozen=True, kw_only=True):
    """One call of a provider. A request that was tried again has several, and each of them may cost."""

    provider: str
    """Who was called, as the price book names it: openai, anthropic, vllm; roggia for what runs inside Roggia."""
    model: str
    """Model that was called, as the price book names it."""
    model_version: str = ""
    """What the provider answered as the model's exact version; empty where it said nothing."""
    tier: str = ""
    """Service tier that was asked for and granted; empty for the usual one."""
    batch: bool = False
    """Whether it went through the provider's batch interface, which has prices of its own."""
    upstream: str = ""
    """Pool or endpoint by its configured name, never its address."""
    outcome: AttemptOutcome
    """OK: a whole answer. ERROR: the provider failed. TIMEOUT: nothing in time. ABORTED: ended before its end, what was
    generated counts. REJECTED: the provider did not begin (429, 4xx).
    """
    status: Int = 0
    """HTTP status; 0 where there was none."""
    usage: TokenUsage
    """What it used."""
    usage_source: UsageSource
    """REPORTED: by the provider. COUNTED: estimated by counting what was sent and received. HELD: nothing is known, the
    reservation counts. NONE: nothing was used.
    """
    latency_ms: float = 0.0
    """From the call to its end, milliseconds."""
    first_token_ms: float | None = None
    """From the call to the first token, milliseconds; null where nothing was streamed."""


class PromptUse(msgspec.Struct, frozen=True, kw_only=True):
    """The prompt that a request was rendered from."""

    name: str
    """Its name."""
    version: str
    """Its version."""
    variant: str = ""
    """Variant that the request was assigned to; empty without one."""


class UsedPassage(msgspec.Struct, frozen=True, kw_only=True):
    """One passage that was given to the model."""

    doc_id: str
    """Document."""
    chunk_id: Uuid
    """Chunk."""
    score: float
    """Score of the search."""


class RetrievalUse(msgspec.Struct, frozen=True, kw_only=True):
    """What was retrieved for a request."""

    domain: str
    """Knowledge base."""
    collection: str
    """Physical collection."""
    generation: Int
    """Index generation, from 1."""
    passages: tuple[UsedPassage, ...] = ()
    """Best first."""


class ToolCall(msgspec.Struct, frozen=True, kw_only=True):
    """One call of a tool that the answer asked for."""

    name: str
    """Tool."""
    arguments_hash: str = ""
    """HMAC-SHA256 of the arguments under the tenant's key, hexadecimal; empty where not kept."""
    outcome: str = ""
    """ok, error, or empty where it was the client's to call."""
    latency_ms: float | None = None
    """Milliseconds; null where not known."""


class RedactionStatus(str, Enum):
    """What scrubbing came to."""

    UNKNOWN = "UNKNOWN"
    CLEAN = "CLEAN"
    REDACTED = "REDACTED"
    BLOCKED = "BLOCKED"
    FAILED_CLOSED = "FAILED_CLOSED"
    PROVISIONAL = "PROVISIONAL"


class Redaction(msgspec.Struct, frozen=True, kw_only=True):
    """What was scrubbed, never the values."""

    status: RedactionStatus
    """What scrubbing came to."""
    policy_version: str
    """Version of the policy."""
    detectors_version: str
    """Version of the set of detectors."""
    key_version: Int = 0
    """Version of the key that made pseudonyms; 0 without."""
    counts: dict[str, Long] = msgspec.field(default_factory=dict)
    """How often each type was found."""
    latency_ms: float = 0.0
    """Milliseconds that it took."""


class AnswerCache(str, Enum):
    """Whether the answer came from guard's cache."""

    UNKNOWN = "UNKNOWN"
    NONE = "NONE"
    EXACT = "EXACT"
    NEAR = "NEAR"


class InferenceCompleted(Event, frozen=True, kw_only=True):
    """One inference came to its end, well or not. Free of personal data by design: ids, pseudonyms, counts; never text.
    Emitted by guard for every request, by the embedder for the texts that it embeds.
    """

    EVENT: ClassVar[str] = "inference.completed"

    event_id: Uuid
    """UUIDv7, chosen when the intent was written down; a retry repeats it."""
    occurred_at: Millis
    """When it ended, milliseconds since the epoch, UTC; prices and periods go by it."""
    tenant_id: str
    """Tenant that asked; equals the key."""
    request_id: str
    """Correlation id of the request."""
    response_id: str = ""
    """Id of the answer that the client got; empty where it got none."""
    trace_id: str = ""
    """W3C trace id, 32 hexadecimal digits; empty without a trace."""
    key_id: str = ""
    """Id of the API key, never the key."""
    subject: str = ""
    """Pseudonym of the person or program on whose behalf it was asked: a keyed hash, or empty."""
    operation: InferenceOperation
    """What was asked for; the names are those of OpenTelemetry's gen_ai.operation.name."""
    origin: InferenceOrigin
    """SHADOW and REPLAY are never the tenant's cost; they are booked apart."""
    outcome: InferenceOutcome
    """OK: answered. ERROR: no attempt succeeded. ABORTED: the client left. REFUSED: a rail or the policy stopped it.
    LOST: the gateway died between intent and end; its hold counts.
    """
    finish_reason: str = ""
    """As the answer said: stop, length, tool_calls, content_filter; empty without one."""
    streamed: bool = False
    """Whether the answer was streamed."""
    attempts: tuple[InferenceAttempt, ...] = ()
    """Every call that was made, in order; empty for an answer from the cache."""
    prompt: PromptUse | None = None
    """Null for a request that brought its own."""
    retrieval: RetrievalUse | None = None
    """Null without retrieval."""
    tools: tuple[ToolCall, ...] = ()
    """Calls of tools."""
    redaction: Redaction | None = None
    """Null where nothing was scrubbed."""
    hold_id: str = ""
    """Reservation that it settles; empty without one."""
    cache: AnswerCache
    """NONE: it did not."""
    latency_ms: float = 0.0
    """From request to complete answer, milliseconds."""
    first_token_ms: float | None = None
    """From request to the first byte of the answer, milliseconds; null where not streamed."""


class JobSide(str, Enum):
    """Which half of the job a record tells."""

    WANTED = "WANTED"
    STATE = "STATE"


class JobKind(str, Enum):
    """What a job does."""

    REPLAY = "REPLAY"
    REDRIVE = "REDRIVE"
    OFFBOARD = "OFFBOARD"


class JobWish(str, Enum):
    """What operators want of a job now."""

    RUN = "RUN"
    PAUSE = "PAUSE"
    CANCEL = "CANCEL"


class JobStatus(str, Enum):
    """How a job stands."""

    WAITING = "WAITING"
    RUNNING = "RUNNING"
    THROTTLED = "THROTTLED"
    PAUSED = "PAUSED"
    DONE = "DONE"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


class OpsJob(Event, frozen=True, kw_only=True):
    """One side of an operator's job: what is wanted of it (written by operators alone) or how it stands (written by its
    runner alone). Each side has its own key, so neither overwrites the other.
    """

    EVENT: ClassVar[str] = "ops.job"

    event_id: Uuid
    """UUIDv7 of this record."""
    occurred_at: Millis
    """When this was written, milliseconds since the epoch, UTC."""
    job_id: str
    """Identity of the job: lower-case letters, digits and hyphens. The key is job_id/side."""
    side: JobSide
    """WANTED: what operators want. STATE: how far the runner is."""
    kind: JobKind
    """What the job does."""
    requested_by: str = ""
    """Who asked: user@host, or the console's name for them."""
    reason: str = ""
    """Why, in the operator's words."""
    spec: str = "{}"
    """WANTED: the job's immutable specification as JSON; its fields depend on kind."""
    wish: JobWish
    """WANTED: run, pause or cancel. A STATE repeats the wish that it answers."""
    rates: dict[str, float] = msgspec.field(default_factory=dict)
    """WANTED: limits per second by name (records, bytes, tokens); one that is missing is unlimited."""
    status: JobStatus
    """STATE: how the job stands; WAITING in a WANTED."""
    message: str = ""
    """STATE: why it stands like that, in one line."""
    started_at: Millis | None = None
    """STATE: when the runner first took it."""
    ended_at: Millis | None = None
    """STATE: when it was done, failed or cancelled."""
    positions: dict[str, Long] = msgspec.field(default_factory=dict)
    """STATE: next offset to read, by topic/partition: where the job goes on after a crash."""
    ends: dict[str, Long] = msgspec.field(default_factory=dict)
    """STATE: offset at which the job ends, by topic/partition, fixed when it began."""
    counts: dict[str, Long] = msgspec.field(default_factory=dict)
    """STATE: what was done so far, by name (scanned, sent, bytes, tokens, overtaken, failed)."""


class PriceChanged(Event, frozen=True, kw_only=True):
    """One entry of the price book. Entries are never changed: a new one ends what was before it."""

    EVENT: ClassVar[str] = "price.changed"

    event_id: Uuid
    """UUIDv5 over what identifies the entry."""
    occurred_at: Millis
    """When it was entered, milliseconds since the epoch, UTC."""
    provider: str
    """As attempts name it."""
    model: str
    """As attempts name it; equals the key behind the first slash."""
    tier: str = ""
    """Service tier; empty for the usual one."""
    batch: bool = False
    """Whether for the batch interface."""
    band_from: Long = 0
    """Least input tokens, all of them, from which these prices hold (context band); 0 for all."""
    effective_from: Millis
    """Events from then on have these prices, milliseconds since the epoch, UTC."""
    effective_to: Millis | None = None
    """Events from then on do not; null while it holds."""
    pico_usd: dict[str, Long]
    """Price per token, or per request, in 10^-12 US dollars, by class: input, cache_read, cache_write_5m,
    cache_write_1h, output, reasoning, audio_input, audio_output, image, request.
    """
    version: str
    """Version of the price book that brought it."""
    source: str = ""
    """Where the price is published."""
    sha256: str
    """SHA-256 of the price book's file, hexadecimal."""


class RetrievedPassage(msgspec.Struct, frozen=True, kw_only=True):
    """One passage of the answer."""

    doc_id: str
    """Document of the passage."""
    chunk_id: Uuid
    """Chunk that was returned."""
    revision: Long
    """Revision of the document that was returned."""
    score: float
    """Score of the engine in this mode; comparable within one answer only."""


class RetrievalServed(Event, frozen=True, kw_only=True):
    """One search was answered. Document ids and scores; no query text unless the tenant opted in."""

    EVENT: ClassVar[str] = "retrieval.served"

    event_id: Uuid
    """UUIDv7; also the query_id given to the client."""
    occurred_at: Millis
    """When the answer was complete, milliseconds since the epoch, UTC."""
    tenant_id: str
    """Tenant that searched; equals the key."""
    domain: str
    """Knowledge base that was searched."""
    generation: Int
    """Index generation that answered, from 1."""
    collection: str
    """Physical collection that answered."""
    model: str
    """Model fingerprint that encoded the query."""
    mode: str
    """hybrid, dense or lexical."""
    k: Int
    """Results asked for."""
    latency_ms: float
    """From request to complete answer, milliseconds."""
    query_text: str | None = None
    """What was asked; null unless the tenant opted in."""
    results: tuple[RetrievedPassage, ...] = ()
    """What was returned, best first."""


class ShadowedPassage(msgspec.Struct, frozen=True, kw_only=True):
    """One passage of such an answer; its place is its rank."""

    doc_id: str
    """Document of the passage."""
    chunk_id: Uuid
    """The passage."""


class ShadowedAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What one index generation answered."""

    generation: Int
    """Index generation that was asked, from 1."""
    state: str = ""
    """Its state then; empty for one without a record. A generation in FILLING holds a part only."""
    collection: str = ""
    """Physical collection that answered; empty when none did."""
    model: str = ""
    """Model fingerprint that encoded the query; empty when none did."""
    latency_ms: float
    """Time of the search alone, milliseconds: until the passages, or until it failed."""
    error: str = ""
    """Code of why there is no answer; empty when there is one."""
    results: tuple[ShadowedPassage, ...] = ()
    """What was found, best first."""


class RetrievalShadowed(Event, frozen=True, kw_only=True):
    """A sampled search was answered for its user, and asked of another index generation as well, whose answer nobody
    was given. Ids and ranks of both; the query as a hash, its text only where the tenant opted in.
    """

    EVENT: ClassVar[str] = "retrieval.shadowed"

    event_id: Uuid
    """UUIDv7 of this comparison."""
    occurred_at: Millis
    """When the second answer was complete, or had failed, milliseconds since the epoch, UTC."""
    tenant_id: str
    """Tenant that searched; equals the key."""
    domain: str
    """Knowledge base that was searched."""
    query_id: Uuid
    """The answer that the user got: event_id of its retrieval.served."""
    query_hash: str
    """The first 32 hexadecimal digits of SHA-256 over tenant, domain and query: equal questions are equal here. It
    hides a text from readers, not from somebody who guesses it.
    """
    query_text: str | None = None
    """What was asked; null unless the tenant opted in."""
    language: str | None = None
    """Language that the search filtered by, ISO 639-1; null without such a filter."""
    words: Int = 0
    """Words of the query."""
    identifier: bool = False
    """Whether the query names something by its exact form (a code, a version, a function)."""
    mode: str
    """hybrid, dense or lexical."""
    k: Int
    """Results asked for."""
    percent: float
    """Percent of searches that were sampled when this one was."""
    answers: tuple[ShadowedAnswer, ...] = ()
    """The answer that the user got, then that of the generation in the shadow."""
    overlap: float | None = None
    """Share of documents that the first ten of both have in common; null when one has no answer. An alarm, no measure
    of quality.
    """
    rbo: float | None = None
    """Rank-biased overlap of the documents of both (p = 0.9); null when one has no answer. An alarm, no measure of
    quality.
    """


class BudgetAsOf(msgspec.Struct, frozen=True, kw_only=True):
    """How far a partition was counted."""

    partition: Int
    """Partition of inference.completed."""
    offset: Long
    """Next offset: everything before it is counted."""


class TenantBudget(Event, frozen=True, kw_only=True):
    """What a tenant has used in a month. Absolute, with the offsets that are counted: guard takes its own figures from
    it only when they cover what it has itself settled.
    """

    EVENT: ClassVar[str] = "tenant.budget"

    event_id: Uuid
    """UUIDv5 over key and sequence."""
    occurred_at: Millis
    """Time of the newest event that is counted, milliseconds since the epoch, UTC."""
    tenant_id: str
    """Tenant; equals the key up to the first slash."""
    period: str
    """Month in the tenant's time zone, YYYY-MM."""
    time_zone: str
    """That zone."""
    tokens: Long
    """Tokens of all classes in the month."""
    cost_pico_usd: Long
    """Sum of amounts in the month, 10^-12 US dollars."""
    unpriced: Long = 0
    """Attempts in the month that have no amount."""
    token_limit: Long | None = None
    """tokens_per_month of the tenant; null where there is none."""
    cost_limit_pico_usd: Long | None = None
    """Money limit of the tenant; null where there is none."""
    crossed: tuple[Int, ...] = ()
    """Per cents of a limit that were reached in the month: 80, 100; each once."""
    closed: bool = False
    """Whether the month is closed: what comes now is an adjustment of a later one."""
    as_of: tuple[BudgetAsOf, ...]
    """What is counted."""
    seq: Long
    """Grows with every record of this key."""


class TenantStatus(str, Enum):
    """Where a tenant is in its life."""

    ACTIVE = "ACTIVE"
    OFFBOARDING = "OFFBOARDING"
    OFFBOARDED = "OFFBOARDED"


class TenantPlacement(str, Enum):
    """Where a tenant's vectors live."""

    DEDICATED = "DEDICATED"
    SHARED = "SHARED"


class TenantConfig(Event, frozen=True, kw_only=True):
    """What holds for one tenant. The newest record of a tenant is the whole truth; a tenant without one has the
    defaults.
    """

    EVENT: ClassVar[str] = "tenant.config"

    event_id: Uuid
    """UUIDv7 of this record."""
    occurred_at: Millis
    """When it was decided, milliseconds since the epoch, UTC."""
    tenant_id: str
    """Tenant; equals the key."""
    status: TenantStatus
    """OFFBOARDING: its documents are being deleted, new ones are refused. OFFBOARDED: nothing of it is left to delete.
    """
    time_zone: str = "UTC"
    """IANA time zone, in which the tenant's days and months begin."""
    placement: TenantPlacement
    """DEDICATED: collections of its own. SHARED: one collection with other small tenants."""
    retention_days: Int | None = None
    """Days after which a document without an expiry of its own expires, counted from its change; null keeps it."""
    pii_mode: str = ""
    """How personal data is treated; empty takes the installation's mode."""
    limits: dict[str, Long] = msgspec.field(default_factory=dict)
    """Limits by name (domains, documents, requests_per_minute, tokens_per_minute); one that is missing is unlimited."""
    updated_by: str = ""
    """Who decided: user@host."""


class UsageAsOf(msgspec.Struct, frozen=True, kw_only=True):
    """How far a partition was counted."""

    partition: Int
    """Partition of inference.completed."""
    offset: Long
    """Next offset: everything before it is counted."""


class TenantUsage(Event, frozen=True, kw_only=True):
    """What a tenant used on one of its days. Absolute: the newest record of a key is the whole truth, and none is to be
    added to another.
    """

    EVENT: ClassVar[str] = "tenant.usage"

    event_id: Uuid
    """UUIDv5 over key and sequence."""
    occurred_at: Millis
    """Time of the newest event that is counted, milliseconds since the epoch, UTC."""
    tenant_id: str
    """Tenant; equals the key up to the first slash."""
    day: str
    """Day in the tenant's time zone, YYYY-MM-DD."""
    time_zone: str
    """That zone."""
    provider: str
    """Provider."""
    model: str
    """Model."""
    requests: Long = 0
    """Requests."""
    input: Long = 0
    """Input tokens, without those below."""
    cache_read: Long = 0
    """Tokens read from a prompt cache."""
    cache_write_5m: Long = 0
    """Tokens written to it for five minutes."""
    cache_write_1h: Long = 0
    """Tokens written to it for an hour."""
    output: Long = 0
    """Output tokens, without those below."""
    reasoning: Long = 0
    """Reasoning tokens."""
    audio_input: Long = 0
    """Audio tokens, input."""
    audio_output: Long = 0
    """Audio tokens, output."""
    image: Long = 0
    """Image tokens."""
    unpriced: Long = 0
    """Attempts that have no amount because a price is missing."""
    estimated: Long = 0
    """Attempts whose tokens were not reported by the provider."""
    cost_pico_usd: Long
    """Sum of amounts, 10^-12 US dollars."""
    as_of: tuple[UsageAsOf, ...]
    """What is counted."""
    seq: Long
    """Grows with every record of this key."""


class AdjustmentReason(str, Enum):
    """Why something was corrected."""

    UNKNOWN = "UNKNOWN"
    LATE = "LATE"
    RERATED = "RERATED"
    MANUAL = "MANUAL"


class AdjustedPart(msgspec.Struct, frozen=True, kw_only=True):
    """What of a correction falls to one model."""

    provider: str
    """Provider."""
    model: str
    """Model."""
    delta_pico_usd: Long = 0
    """Amount to add, 10^-12 US dollars."""
    delta_unpriced: Long = 0
    """Attempts without an amount to add; 0 where the month that counted them is closed."""


class UsageAdjusted(Event, frozen=True, kw_only=True):
    """An entry that corrects what was booked: a late event, another price. The original stays."""

    EVENT: ClassVar[str] = "usage.adjusted"

    event_id: Uuid
    """UUIDv5 over what identifies the correction."""
    occurred_at: Millis
    """When it was booked, milliseconds since the epoch, UTC."""
    tenant_id: str
    """Tenant; equals the key."""
    ref_event_id: Uuid
    """Inference that it corrects."""
    period: str
    """Month that it is booked in, YYYY-MM."""
    original_period: str
    """Month that the inference belongs to, YYYY-MM."""
    reason: AdjustmentReason
    """LATE: it came after its month was closed. RERATED: another price holds. MANUAL: somebody decided."""
    delta_tokens: Long = 0
    """Tokens to add."""
    delta_pico_usd: Long
    """Amount to add, 10^-12 US dollars."""
    price_version: str = ""
    """Price book that the new amount rests on."""
    by: str = ""
    """Who decided: user@host; empty for LATE."""
    why: str = ""
    """In words."""
    old_pico_usd: Long | None = None
    """Amount of the inference before it, 10^-12 US dollars; null where it had none, and for LATE."""
    new_pico_usd: Long | None = None
    """Amount of the inference since it, 10^-12 US dollars; null where it has none, and for LATE."""
    old_price_version: str = ""
    """Price book that the old amount rested on."""
    parts: tuple[AdjustedPart, ...] = ()
    """By model; empty for LATE."""


EVENTS: tuple[type[Event], ...] = (AuditAlert, AuditCheckpoint, AuditRecorded, DocChanged, DocChunked, DocEmbedded, DocPopularity, DocUpserted, IndexGeneration, InferenceCompleted, OpsJob, PriceChanged, RetrievalServed, RetrievalShadowed, TenantBudget, TenantConfig, TenantUsage, UsageAdjusted)
__all__ = [
    "EVENTS",
    "AdjustedPart",
    "AdjustmentReason",
    "AlertKind",
    "AnswerCache",
    "AttemptOutcome",
    "AuditAlert",
    "AuditCheckpoint",
    "AuditRecorded",
    "AuditStatus",
    "BudgetAsOf",
    "Chunk",
    "ContentRef",
    "DocChanged",
    "DocChunked",
    "DocEmbedded",
    "DocPopularity",
    "DocUpserted",
    "EmbeddedChunk",
    "GenerationModel",
    "GenerationMove",
    "GenerationSide",
    "GenerationState",
    "GenerationWish",
    "IndexGeneration",
    "InferenceAttempt",
    "InferenceCompleted",
    "InferenceOperation",
    "InferenceOrigin",
    "InferenceOutcome",
    "JobKind",
    "JobSide",
    "JobStatus",
    "JobWish",
    "Operation",
    "OpsJob",
    "PriceChanged",
    "PromptUse",
    "Redaction",
    "RedactionStatus",
    "RetrievalServed",
    "RetrievalShadowed",
    "RetrievalUse",
    "RetrievedPassage",
    "ShadowedAnswer",
    "ShadowedPassage",
    "TenantBudget",
    "TenantConfig",
    "TenantPlacement",
    "TenantStatus",
    "TenantUsage",
    "TokenUsage",
    "ToolCall",
    "UsageAdjusted",
    "UsageAsOf",
    "UsageSource",
    "UsedPassage",
]
