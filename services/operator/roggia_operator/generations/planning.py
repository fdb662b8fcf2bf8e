"""What a plan of a generation says, checked before it is asked for: every fault names field, value and remedy. Pure."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable
from types import MappingProxyType

from roggia_schemas import topics
from roggia_schemas.errors import InvalidNameError
from roggia_schemas.events import GenerationModel
from roggia_schemas.names import check_slug

from roggia_operator.errors import SelectionError
from roggia_operator.generations.bases import ALL, check_selection

_SCHEMES = MappingProxyType(
    {
        "bundled:NAME": re.compile(r"bundled:[A-Za-z0-9][A-Za-z0-9._-]*"),
        "file:///PATH": re.compile(r"file:///\S+"),
        "models:/NAME/VERSION": re.compile(r"models:/[^/\s]+/[1-9]\d*"),
        "https://HOST/v1": re.compile(r"https?://[^\s/]+(/\S*)?"),
        "tei+https://HOST": re.compile(r"tei\+https?://[^\s/]+(/\S*)?"),
        "stub:SEED": re.compile(r"stub:\S+"),
    }
)
_REMOTE = ("http://", "https://", "tei+")


def check_model(model: GenerationModel) -> GenerationModel:
    """The model. Raises `InvalidNameError` for a URI of no known kind, and for what its kind needs and lacks."""
    if not any(pattern.fullmatch(model.uri) for pattern in _SCHEMES.values()):
        raise InvalidNameError("model", model.uri, f"write one of {', '.join(_SCHEMES)}")
    if model.uri.startswith(_REMOTE) and not (model.name and model.version):
        missing = "name" if not model.name else "version"
        raise InvalidNameError(missing, "", "a model on a server needs its name there, and a version of its weights")
    if model.window < 1:
        raise InvalidNameError("window", str(model.window), "give the most tokens of one text, special tokens included")
    return model


def check_bases(entries: Iterable[str], known: Collection[tuple[str, str]] | None) -> tuple[str, ...]:
    """The selection, sorted. `known` are the knowledge bases that there are; None where nobody could say.

    Raises `InvalidNameError` for what is no selection, `SelectionError` for what does not exist.
    """
    found = check_selection(entries)
    if known is None:
        return found
    tenants = {tenant for tenant, _ in known}
    spelled = {f"{tenant}/{domain}" for tenant, domain in known} | {f"{tenant}/{ALL}" for tenant in tenants}
    for entry in found:
        if entry not in spelled:
            close = difflib.get_close_matches(entry, sorted(spelled), 3) or sorted(spelled)[:3]
            meant = f"; did you mean {', '.join(close)}?" if close else "; the index is empty"
            raise SelectionError(f"select: {entry!r}: there is no such knowledge base{meant}")
    return found


def check_store(name: str, known: Collection[str] | None) -> str:
    """The name of a store. `known` are those of the index service; None where nobody could say.

    Raises `InvalidNameError` for what is no name, `SelectionError` for a store that there is not.
    """
    check_slug("store", name)
    if known is None or name in known:
        return name
    there = ", ".join(known) or "no named ones"
    raise SelectionError(
        f"store: {name!r}: the index service has {there}; name it in ROGGIA_EMBEDDER_STORES of every index process"
    )


def check_chunker(number: int, existing: Collection[str]) -> int:
    """The chunker generation. Raises `SelectionError` when no topic holds what it cut."""
    name = topics.doc_chunked(number)
    if name in existing:
        return number
    prefix = topics.doc_chunked(1).removesuffix("1")
    there = ", ".join(
        sorted(one.removeprefix(prefix) for one in existing if one.startswith(prefix) and topics.base(one) == one)
    )
    raise SelectionError(f"chunker: {number}: there is no topic {name}; there are {there or 'none'}")
