"""The head log and the newest checkpoints: leaves, root, signatures, and that they speak of these logs."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from roggia_auditor.checking.report import Report
from roggia_auditor.errors import ProofError
from roggia_auditor.heads import rotation
from roggia_auditor.heads.seal import header_of
from roggia_auditor.heads.sealing import state_of
from roggia_auditor.ports import Ledger, State
from roggia_auditor.tlog import checkpoint, hashes, note
from roggia_auditor.tlog.checkpoint import Checkpoint
from roggia_auditor.tlog.frontier import Frontier
from roggia_auditor.tlog.keys import VerifierKey

PAGE = 1_000
_TENANTS = slice(3, 5)
"""Lines of a head log's entry: how many tenants, and their root."""


class HeadCheck:
    """The check of the head log of `origin`; without keys, signatures are not looked at, and the report says so.

    `marks` are more sizes than its checkpoint's at which `roots` and `leaves` (the last ones) are wanted, after `run`.
    """

    def __init__(
        self, ledger: Ledger, origin: str, keys: Sequence[VerifierKey], report: Report, marks: Collection[int] = ()
    ) -> None:
        self._ledger, self._origin, self._keys, self._report = ledger, origin, keys, report
        self._head, self._marks = f"{origin}/head", frozenset(marks)
        self.roots: dict[int, bytes] = {0: Frontier().root()}
        self.leaves: dict[int, bytes] = {}

    async def run(self, state: State, roots: Mapping[str, tuple[int, bytes | None]]) -> None:
        """`roots` are, by origin of each log, the size that its checkpoint speaks of and the root found there."""
        if not self._keys:
            self._report.note("signatures were not checked: no public key of the head log was given")
        sealed = state.notes.get(self._head, (0, ""))[0]
        grown, newest, last = await self._leaves(state.head_log.size, self._marks | {sealed})
        if grown is not None and grown != state.head_log:
            self._report.add(self._head, f"the root of its {state.head_log.size} leaves is not that of its entries")
        if grown is not None and grown.size > sealed and last == newest:
            self._report.add(f"{self._head} leaf {grown.size - 1}", "it is under no checkpoint")
        found = dict(roots) | {self._head: (sealed, self.roots.get(sealed))}
        for origin, (size, text) in sorted(state.notes.items()):
            self._note(origin, size, text, found.get(origin))
        self._speaks_of(state, newest)

    async def _leaves(self, size: int, marks: Collection[int]) -> tuple[Frontier | None, bytes, bytes]:
        """The edge that the leaves make (None where one is missing), the newest state, and the last leaf."""
        frontier, newest, last, told = Frontier(), b"", b"", False
        while frontier.size < size:
            page = await self._ledger.head_entries(frontier.size, min(PAGE, size - frontier.size))
            for one in page:
                if one.index != frontier.size:
                    break
                last = one.entry
                if header_of(one.entry):
                    newest = one.entry
                elif not _names_keys(one.entry):
                    self._report.add(f"{self._head} leaf {one.index}", "entry: it is of another kind")
                frontier, _ = frontier.grown([hashes.leaf(one.entry)])
                if frontier != one.after and not told:
                    self._report.add(f"{self._head} leaf {one.index}", "it does not lead to the right edge beside it")
                    told = True
                if frontier.size in marks:
                    self.roots[frontier.size], self.leaves[frontier.size] = frontier.root(), one.entry
            if not page or page[-1].index != frontier.size - 1:
                self._report.add(f"{self._head} leaf {frontier.size}", "missing")
                return None, b"", b""
        return frontier, newest, last

    def _note(self, origin: str, size: int, text: str, found: tuple[int, bytes | None] | None) -> None:
        place = f"{origin} checkpoint"
        try:
            signed = note.parse(text)
            if self._keys:
                signed.verified(self._keys)
            said = checkpoint.of(signed)
        except ProofError as error:
            self._report.add(place, str(error))
            return
        if found is None or found[1] is None:
            self._report.add(place, f"it speaks of {size} leaves, which the ledger does not hold")
        elif said != Checkpoint(origin, size, found[1]):
            self._report.add(place, f"it does not speak of the {size} leaves of the ledger")

    def _speaks_of(self, state: State, newest: bytes) -> None:
        """The newest leaf against what the ledger holds, unless something was entered since."""
        sizes = {stream.origin(self._origin): head.frontier.size for stream, head in state.heads.items()}
        sealed = {origin: size for origin, (size, _) in state.notes.items() if origin != self._head}
        if not newest or sizes != sealed:
            self._report.note("the newest leaf of the head log was not compared: something was entered since it")
            return
        due, said = (
            entry.decode(errors="replace").split("\n") for entry in (self._due(state, header_of(newest)), newest)
        )
        if due[_TENANTS] != said[_TENANTS]:
            self._report.add(self._head, "its newest leaf does not speak of these tenants and their last numbers")
        elif due != said:
            self._report.note("the logs in the newest leaf of the head log were not compared: offsets have moved since")

    def _due(self, state: State, header: str) -> bytes:
        return state_of(state, self._origin).head(header).encoded()


def _names_keys(entry: bytes) -> bool:
    try:
        return rotation.decoded(entry) is not None
    except ProofError:
        return False
