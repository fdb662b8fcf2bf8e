"""One record's proof in one file: C2SP tlog-proof, and behind `extra` the way from its log to the head log.

Any verifier of that format proves the record under its log's checkpoint. `verify_export.py` goes on to the head log's
newest leaf, so that the log's checkpoint is the one that everybody sees, and the witnesses have signed.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence

from roggia_auditor.errors import ExportError
from roggia_auditor.export.paths import StreamPaths
from roggia_auditor.heads.sealing import Sealed
from roggia_auditor.ledger.model import Stream
from roggia_auditor.ports import Ledger
from roggia_auditor.tlog.proof_file import ProofFile

FORMAT = "roggia-audit-proof/1"


async def prove(ledger: Ledger, sealed: Sealed, origin: str, stream: Stream, index: int) -> ProofFile:
    """The proof of a record. `origin` is the name of the stream's log.

    Raises `ExportError` for a record that the ledger does not hold, or that came after the seal.
    """
    place, log, log_path = sealed.state.log(origin)
    rows = await ledger.rows(stream, index, 1)
    if not rows or rows[0].index != index or index >= log.size:
        raise ExportError(f"{origin}: record {index} is not under the seal; ask again")
    more = {
        "format": FORMAT,
        "entry": _b64(rows[0].entry),
        "value": _b64(rows[0].value),
        "log": {"index": place, "entry": _b64(log.encoded()), "path": _path(log_path)},
        "head": {
            "index": sealed.head_log.size - 1,
            "entry": _b64(sealed.state.head().encoded()),
            "path": _path(sealed.path),
        },
        "checkpoint": str(sealed.checkpoint),
    }
    path = await StreamPaths(ledger, stream, log.size).path(index)
    return ProofFile(index, tuple(path), sealed.logs[origin], json.dumps(more, separators=(",", ":")).encode())


def _path(found: Sequence[bytes]) -> list[str]:
    return [_b64(one) for one in found]


def _b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
