"""Verifies any generation that is followed, each against its own log and with its own groups."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Callable

import msgspec
from roggia_runtime.findings import Message, VerifyRequest

from roggia_embedder.generations.hosted import Hosted, View
from roggia_embedder.verify.errors import BadRequestError
from roggia_embedder.verify.verifier import Runs, Verifier

_SUFFIX = re.compile(r"__g([1-9]\d{0,9})\Z")


class Verifiers:
    """Picks the verifier of a request. One run at a time, whatever its generation: they share store and disk."""

    def __init__(self, view: View, make: Callable[[Hosted, Runs], Verifier]) -> None:
        self._view, self._make = view, make
        self._runs = Runs()

    def begin(self, request: VerifyRequest) -> AsyncGenerator[Message]:
        """See `Verifier`. A request that names no generation means its collection's, or else the baseline. Raises
        `BadRequestError` for a generation that does not follow the log: it cannot equal it."""
        followed = self._view.followed()
        number = request.generation or _of_collection(request.collection) or self._view.baseline
        if number not in followed:
            known = ", ".join(map(str, followed)) or "none"
            raise BadRequestError("generation", f"{number} does not follow the log; those that do: {known}")
        for gone in self._runs.last.keys() - followed.keys():
            del self._runs.last[gone]
        verifier = self._make(followed[number], self._runs)
        return verifier.begin(msgspec.structs.replace(request, generation=number))


def _of_collection(name: str) -> int:
    found = _SUFFIX.search(name)
    return int(found[1]) if found else 0
