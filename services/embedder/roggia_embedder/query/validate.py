"""From a request body to a request that every later step may trust. Pure: no index, no model, no network."""

from __future__ import annotations

import re
import unicodedata

import msgspec
from roggia_schemas.errors import InvalidNameError
from roggia_schemas.names import check_slug
from roggia_schemas.topics.names import MAX_GENERATION

from roggia_embedder.query.api import MAX_BODY_BYTES, MAX_K, Filters, SearchRequest
from roggia_embedder.query.errors import BadRequestError, BodyTooLargeError

MAX_QUERY_CHARS = 8_192
MAX_GROUPS = 1_000
MAX_VALUE_CHARS = 1_024
MAX_METADATA_FILTERS = 16

_PATH = re.compile(r" - at `\$\.?(.*)`\Z")
_NAMED = re.compile(r"field `([^`]*)`")
_ELEMENT = re.compile(r"\[[^]]*\]")


def parse(body: bytes) -> SearchRequest:
    """The request in `body`, checked; its query is in NFC, as the index's texts are.

    Raises `BadRequestError` or `BodyTooLargeError`, naming the field, the value and the remedy.
    """
    if len(body) > MAX_BODY_BYTES:
        raise BodyTooLargeError(f"body: {len(body)} bytes; send at most {MAX_BODY_BYTES}", "body")
    return checked(_decoded(body))


def checked(request: SearchRequest) -> SearchRequest:
    """`request` if every field keeps its rule, with its query in NFC. Raises `BadRequestError`."""
    _check_slug("tenant", request.tenant)
    _check_slug("domain", request.domain)
    _check_k(request.k)
    _check_groups(request.groups)
    _check_filters(request.filters)
    _check_generation(request.generation)
    return msgspec.structs.replace(request, query=_checked_query(request.query))


def _decoded(body: bytes) -> SearchRequest:
    try:
        return msgspec.json.decode(body, type=SearchRequest)
    except msgspec.ValidationError as error:
        raise _shape_error(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadRequestError(f"body: not JSON ({error}); send one JSON object in UTF-8", "body") from None


def _shape_error(message: str) -> BadRequestError:
    path = _PATH.search(message)
    what = _PATH.sub("", message)
    parent = _ELEMENT.sub("", path.group(1)) if path else ""
    named = _NAMED.search(what)
    field = ".".join(part for part in (parent, named.group(1) if named else "") if part) or "body"
    known = ", ".join(Filters.__struct_fields__ if parent == "filters" else SearchRequest.__struct_fields__)
    remedy = f"the fields are {known}" if named or field == "body" else "send a value of the expected kind"
    if field == "mode":
        remedy = "use hybrid, dense or lexical"
    return BadRequestError(f"{field}: {what}; {remedy}", field)


def _check_slug(field: str, value: str) -> None:
    try:
        check_slug(field, value)
    except InvalidNameError as error:
        raise BadRequestError(str(error), field) from None


def _check_k(k: int) -> None:
    if not 1 <= k <= MAX_K:
        raise BadRequestError(f"k: {k} is not valid; use 1 to {MAX_K}", "k")


def _check_generation(generation: int | None) -> None:
    if generation is not None and not 1 <= generation <= MAX_GENERATION:
        raise BadRequestError(
            f"generation: {generation} is not valid; use 1 to {MAX_GENERATION}, or leave it out",
            "generation",
        )


def _checked_query(query: str) -> str:
    if len(query) > MAX_QUERY_CHARS:
        raise BadRequestError(f"query: {len(query)} characters; use at most {MAX_QUERY_CHARS}", "query")
    normal = unicodedata.normalize("NFC", query).strip()
    if not any(char.isalnum() for char in normal):
        raise BadRequestError(f"query: {query[:64]!r} holds no letter or digit; send words to search for", "query")
    return normal


def _check_groups(groups: tuple[str, ...]) -> None:
    if len(groups) > MAX_GROUPS:
        raise BadRequestError(f"groups: {len(groups)} names; send at most {MAX_GROUPS}", "groups")
    for group in groups:
        if not 0 < len(group) <= MAX_VALUE_CHARS:
            raise BadRequestError(
                f"groups: {group[:64]!r} is not valid; a group has 1 to {MAX_VALUE_CHARS} characters", "groups"
            )


def _check_filters(filters: Filters) -> None:
    for name in ("language", "source"):
        value = getattr(filters, name)
        if value is not None:
            _check_value(f"filters.{name}", value)
    if len(filters.metadata) > MAX_METADATA_FILTERS:
        raise BadRequestError(
            f"filters.metadata: {len(filters.metadata)} pairs; send at most {MAX_METADATA_FILTERS}", "filters.metadata"
        )
    for key, value in filters.metadata.items():
        _check_value("filters.metadata", key)
        _check_value("filters.metadata", value, least=0)


def _check_value(field: str, value: str, least: int = 1) -> None:
    if not least <= len(value) <= MAX_VALUE_CHARS:
        raise BadRequestError(
            f"{field}: {value[:64]!r} is not valid; use {least} to {MAX_VALUE_CHARS} characters or leave it out", field
        )
