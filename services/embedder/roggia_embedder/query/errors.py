"""Refusals of the query role. Each knows its HTTP status, a stable code, the offending field and a remedy."""

from __future__ import annotations

from roggia_embedder.errors import EmbedderError


class QueryError(EmbedderError):
    """Root of the query role's refusals; the HTTP layer turns it into a status and an error body."""

    status = 500
    code = "internal"

    def __init__(self, message: str, field: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.field = field


class BadRequestError(QueryError):
    """The request breaks a rule. The message names the field, the value and what to send instead."""

    status = 400
    code = "invalid_request"


class BodyTooLargeError(QueryError):
    """The body is larger than the server reads."""

    status = 413
    code = "body_too_large"


class QueryTooLongError(BadRequestError):
    """The query has more tokens than the model's window: cutting it silently would answer another question."""

    code = "query_too_long"


class UnknownIndexError(QueryError):
    """No index of this tenant and domain is served."""

    status = 404
    code = "unknown_index"


class UnknownGenerationError(QueryError):
    """The knowledge base has no collection of the generation that the request names."""

    status = 404
    code = "unknown_generation"


class ModelNotLoadedError(QueryError):
    """The index was built by a model that this process has not loaded; no other model may encode its queries."""

    status = 503
    code = "model_not_loaded"


class IndexUnavailableError(QueryError):
    """The vector store or the index catalogue does not answer now."""

    status = 503
    code = "index_unavailable"


class EncoderUnavailableError(QueryError):
    """The model server does not answer now."""

    status = 503
    code = "model_unavailable"


class OverloadedError(QueryError):
    """More queries wait for the encoder than it takes; the client may try again later."""

    status = 503
    code = "overloaded"


class TimedOutError(QueryError):
    """The answer was not complete within the server's deadline."""

    status = 503
    code = "timed_out"
