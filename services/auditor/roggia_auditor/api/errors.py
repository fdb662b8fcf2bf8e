"""Refusals of the API. Each knows its HTTP status, a stable code, the parameter and a remedy."""

from __future__ import annotations

from roggia_auditor.errors import AuditorError


class ApiError(AuditorError):
    """Root of the API's refusals; the HTTP layer turns it into a status and an error body."""

    status = 500
    code = "internal"

    def __init__(self, message: str, field: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.field = field


class BadRequestError(ApiError):
    """The request breaks a rule. The message names the parameter, the value and what to send instead."""

    status = 400
    code = "invalid_request"


class UnauthorizedError(ApiError):
    """No token, or one that is not known."""

    status = 401
    code = "unauthorized"


class ForbiddenError(ApiError):
    """The token is not good for this tenant or this operation."""

    status = 403
    code = "forbidden"


class NotFoundError(ApiError):
    """There is no such thing among what the token may see; whether it is there at all is not told."""

    status = 404
    code = "not_found"


class NotSealedError(ApiError):
    """The record is in the ledger, and no checkpoint speaks of it yet."""

    status = 409
    code = "not_sealed"


class BusyError(ApiError):
    """There are as many exports as may be."""

    status = 409
    code = "busy"


class BodyTooLargeError(ApiError):
    """The body is larger than the server reads."""

    status = 413
    code = "body_too_large"


class UnavailableError(ApiError):
    """The ledger, or what the answer needs beside it, does not answer now."""

    status = 503
    code = "unavailable"
