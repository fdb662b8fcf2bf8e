"""Verifies any generation that is followed, each against its own log and with its own groups."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable

import msgspec
from roggia_runtime.findings import Message, VerifyRequest

from roggia_embedder.errors import UnknownStoreError
from roggia_embedder.generations.aliases import generation_of
from roggia_embedder.generations.hosted import Hosted, View
from roggia_embedder.verify.errors import BadRequestError
from roggia_embedder.verify.verifier import Runs, Verifier


class Verifiers:
    """Picks the verifier of a request. One run at a time, whatever its generation: they share store and disk."""

    def __init__(self, view: View, make: Callable[[Hosted, Runs], Verifier]) -> None:
        self._view, self._make = view, make
        self._runs = Runs()

    def begin(self, request: VerifyRequest) -> AsyncGenerator[Message]:
        """See `Verifier`. A request that names no generation means its collection's, or else the baseline. Raises
        `BadRequestError` for a generation that does not follow the log (it cannot equal it), or whose store this
        process does not have."""
        followed = self._view.followed()
        number = request.generation or generation_of(request.collection) or self._view.baseline
        if number not in followed:
            known = ", ".join(map(str, followed)) or "none"
            raise BadRequestError("generation", f"{number} does not follow the log; those that do: {known}")
        for gone in self._runs.last.keys() - followed.keys():
            del self._runs.last[gone]
        try:
            verifier = self._make(followed[number], self._runs)
        except UnknownStoreError as unknown:
            raise BadRequestError("generation", f"{number} cannot be read here: {unknown}") from unknown
        return verifier.begin(msgspec.structs.replace(request, generation=number))
