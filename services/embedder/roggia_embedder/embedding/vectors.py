"""From texts to vectors through the cache: what is known is read, the rest is encoded once per distinct text."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from roggia_schemas.names import Version

from roggia_embedder.embedding.in_hand import InHand
from roggia_embedder.embedding.metering import Meter, Owner
from roggia_embedder.errors import ChunkTooLongError
from roggia_embedder.ports import CacheUse, EmbeddingModel, Matrix, VectorCache

Encode: TypeAlias = Callable[[Sequence[str]], Awaitable[Matrix]]
"""The model's `encode`, off the event loop."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What one document revision needs: its texts by hash (none for a deletion)."""

    tenant_id: str
    doc_id: str
    version: Version
    texts: Mapping[str, str]
    replayed: bool = False
    """For an operator's replay, not for a change of the tenant's."""


@dataclass(frozen=True, slots=True)
class Supplied:
    """Vectors (1-D) by text hash for one revision, and which of them were computed now."""

    vectors: Mapping[str, Matrix]
    computed: frozenset[str]


class VectorSupply:
    """Answers what a batch of revisions needs. One encoding call per batch, over all tenants and documents.

    `encode` says when and how the model is called: a process with several of them lets one encode at a time. Supplies
    of one model that share `in_hand` never compute the same text at the same time. `meter` is the model that `encode`
    calls, where anybody wants to know what that costs; it is this supply's alone.
    """

    def __init__(
        self,
        model: EmbeddingModel,
        cache: VectorCache,
        encode: Encode | None = None,
        in_hand: InHand | None = None,
        meter: Meter | None = None,
    ) -> None:
        self._meter = meter
        self._model = model
        self._cache = cache
        self._in_hand = in_hand or InHand()
        self._called = encode or (lambda texts: asyncio.to_thread(model.encode, texts))

    async def supply(self, wanted: Sequence[Wanted]) -> list[Supplied | ChunkTooLongError]:
        """Vectors per revision, in order; an error for a revision with a text beyond the model's window.

        The cache then holds what each document's newest version uses. Raises `UnavailableError`.
        """
        async with self._in_hand.holding([(item.tenant_id, text_hash) for item in wanted for text_hash in item.texts]):
            known = await self._known(wanted)
            refused = await self._compute(wanted, known)
            unclaimed = {key for key, (_, computed) in known.items() if computed}
            answers = [_answer(item, known, refused, unclaimed) for item in wanted]
            await self._remember(wanted, answers, known)
        return answers

    async def newest(self, documents: Collection[tuple[str, str]]) -> dict[tuple[str, str], Version]:
        """The newest versions supplied for documents, named by tenant and id. Raises `UnavailableError`."""
        found: dict[tuple[str, str], Version] = {}
        for tenant in {tenant_id for tenant_id, _ in documents}:
            doc_ids = [doc_id for tenant_id, doc_id in documents if tenant_id == tenant]
            noted = await self._cache.versions(tenant, self._model.fingerprint, doc_ids)
            found.update({(tenant, doc_id): version for doc_id, version in noted.items()})
        return found

    async def _known(self, wanted: Sequence[Wanted]) -> dict[tuple[str, str], tuple[Matrix, bool]]:
        known: dict[tuple[str, str], tuple[Matrix, bool]] = {}
        for tenant in {item.tenant_id: None for item in wanted}:
            hashes = list({text_hash: None for item in wanted if item.tenant_id == tenant for text_hash in item.texts})
            found = await self._cache.get(tenant, self._model.fingerprint, hashes)
            known.update({(tenant, text_hash): (vector, False) for text_hash, vector in found.items()})
        return known

    async def _compute(
        self, wanted: Sequence[Wanted], known: dict[tuple[str, str], tuple[Matrix, bool]]
    ) -> dict[tuple[str, str], ChunkTooLongError]:
        """Add what is missing to `known`. Returns texts that do not fit, with the error."""
        missing = {
            (item.tenant_id, text_hash): text
            for item in wanted
            for text_hash, text in item.texts.items()
            if (item.tenant_id, text_hash) not in known
        }
        texts = list(dict.fromkeys(missing.values()))
        if self._meter is not None:
            self._meter.owned(_owners(wanted, missing))
        rows, refused = await self._encode(texts)
        for key, text in missing.items():
            if text in rows:
                known[key] = (rows[text], True)
        return {key: refused[text] for key, text in missing.items() if text in refused}

    async def _encode(self, texts: Sequence[str]) -> tuple[dict[str, Matrix], dict[str, ChunkTooLongError]]:
        if not texts:
            return {}, {}
        try:
            return dict(zip(texts, await self._called(texts), strict=True)), {}
        except ChunkTooLongError as error:
            refused = await asyncio.to_thread(self._too_long, texts, error)
        rows, more = await self._encode([text for text in texts if text not in refused])
        return rows, refused | more

    def _too_long(self, texts: Sequence[str], error: ChunkTooLongError) -> dict[str, ChunkTooLongError]:
        """Which texts do not fit. A server's own refusals count more than numbers, which it may not tell."""
        if error.texts:
            return {texts[index]: error for index in error.texts}
        window = self._model.window
        lengths = dict(zip(texts, self._model.count_tokens(texts), strict=True))
        refused = {text: ChunkTooLongError(n, window) for text, n in lengths.items() if n > window}
        if not refused:
            raise ChunkTooLongError(max(lengths.values()), window)
        return refused

    async def _remember(
        self,
        wanted: Sequence[Wanted],
        answers: Sequence[Supplied | ChunkTooLongError],
        known: Mapping[tuple[str, str], tuple[Matrix, bool]],
    ) -> None:
        bills = self._meter.bills() if self._meter is not None else ()
        for tenant in dict.fromkeys([*(item.tenant_id for item in wanted), *(bill.tenant_id for bill in bills)]):
            uses = [
                CacheUse(item.doc_id, frozenset(item.texts), item.version)
                for item, answer in zip(wanted, answers, strict=True)
                if item.tenant_id == tenant and isinstance(answer, Supplied)
            ]
            fresh = {key[1]: vector for key, (vector, computed) in known.items() if computed and key[0] == tenant}
            owed = [bill for bill in bills if bill.tenant_id == tenant]
            await self._cache.put(tenant, self._model.fingerprint, fresh, uses, owed)
            if self._meter is not None:
                self._meter.kept(owed)


def _owners(wanted: Sequence[Wanted], missing: Mapping[tuple[str, str], str]) -> Mapping[str, Owner]:
    """Whose each text is: of several who need it the first one's, and a tenant's own before a replay's."""
    found: dict[str, Owner] = {}
    for item in sorted(wanted, key=lambda item: item.replayed):
        for text_hash, text in item.texts.items():
            if (item.tenant_id, text_hash) in missing:
                found.setdefault(text, Owner(item.tenant_id, item.replayed))
    return found


def _answer(
    item: Wanted,
    known: Mapping[tuple[str, str], tuple[Matrix, bool]],
    refused: Mapping[tuple[str, str], ChunkTooLongError],
    unclaimed: set[tuple[str, str]],
) -> Supplied | ChunkTooLongError:
    """What one revision gets. A text that several revisions of the batch share counts as computed for the first."""
    keys = {text_hash: (item.tenant_id, text_hash) for text_hash in item.texts}
    for key in keys.values():
        if key in refused:
            return refused[key]
    computed = frozenset(text_hash for text_hash, key in keys.items() if key in unclaimed)
    unclaimed.difference_update(keys.values())
    return Supplied({text_hash: known[key][0] for text_hash, key in keys.items()}, computed)
