"""Everything that the API can be asked, as data: what the routes serve and the OpenAPI page describes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import msgspec

from roggia_auditor.api import asking, messages
from roggia_auditor.api.tokens import Scope


@dataclass(frozen=True, slots=True)
class Operation:
    """One path and method, its parameters, and the scope that it needs. `result` None: `media_type` says what comes."""

    name: str
    path: str
    summary: str
    result: type[msgspec.Struct] | None
    parameters: tuple[str, ...] = ()
    scope: Scope = Scope.READ
    method: str = "GET"
    media_type: str = "application/json"
    status: int = 200
    refusals: tuple[int, ...] = ()
    """Beyond those that every operation has."""


_PAGING = ("tenant", "limit", "cursor")
_USAGE = ("tenant", "month", "from", "to", "group_by", "origin")
COUNTED = tuple(name for name in asking.RECORD_PARAMETERS if name not in ("limit", "cursor"))
OPERATIONS: Final = (
    Operation("records", "/records", "Find records", messages.Records, asking.RECORD_PARAMETERS),
    Operation("count", "/count", "Count records", messages.Count, COUNTED),
    Operation(
        "record",
        "/records/{event_id}",
        "One record, its event and its proof",
        messages.RecordWithProof,
        refusals=(404,),
    ),
    Operation(
        "proof",
        "/records/{event_id}/proof",
        "A record's .tlog-proof (C2SP tlog-proof)",
        None,
        media_type="text/plain",
        refusals=(404, 409),
    ),
    Operation("usage", "/usage", "Exact sums of tokens and money", messages.Usage, _USAGE),
    Operation("budget", "/budget", "Months against their limits", messages.Budget, ("tenant",)),
    Operation("duplicates", "/duplicates", "Records that repeated an event", messages.Duplicates, _PAGING),
    Operation(
        "readings",
        "/readings",
        "Who read the audit log",
        messages.Readings,
        ("tenant", "from", "to", "limit", "cursor"),
    ),
    Operation("tenants", "/tenants", "Tenants that have records", messages.Tenants),
    Operation("logs", "/logs", "Newest checkpoint of every log", messages.Logs),
    Operation(
        "begin_export",
        "/exports",
        "Begin the export of a tenant",
        messages.Export,
        scope=Scope.EXPORT,
        method="POST",
        status=202,
        refusals=(404, 408, 409, 413),
    ),
    Operation("exports", "/exports", "List exports", messages.Exports, scope=Scope.EXPORT),
    Operation("export", "/exports/{id}", "How far an export is", messages.Export, scope=Scope.EXPORT, refusals=(404,)),
    Operation(
        "download",
        "/exports/{id}/download",
        "A finished export as a tar file",
        None,
        scope=Scope.EXPORT,
        media_type="application/x-tar",
        refusals=(404,),
    ),
)
