"""Asks the audit API over HTTP, with the console's own token."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import aiohttp
import msgspec
from pydantic import SecretStr
from roggia_runtime.errors import UnavailableError

from roggia_operator.console.audit_views import (
    Bar,
    Costs,
    Inference,
    Live,
    RecordLine,
    RecordPage,
    TenantMonth,
    UsageLine,
)
from roggia_operator.console.live_views import LiveViews
from roggia_operator.errors import SelectionError

TIMEOUT_S = 10.0
PAGE = 50
_OF_DAYS, _OF_MODELS = "day", "provider,model,prompt,prompt_version"
_NOT_OURS = (400, 404)


class Audit:
    """Use from one event loop. Raises `UnavailableError` where it does not answer, `SelectionError` for what is not."""

    def __init__(self, url: str, token: SecretStr | None, live: LiveViews | None = None) -> None:
        self._url, self._token, self._live = url.rstrip("/"), token, live

    async def months(self) -> Sequence[TenantMonth]:
        """Newest month of every tenant."""
        async with self._session() as http:
            names = (await self._get(http, "/tenants"))["tenants"]
            found = [await self._budget(http, name) for name in names]
        return [months[-1] for months in found if months]

    async def costs(self, tenant: str, month: str) -> Costs:
        """One month of a tenant; the newest where `month` is empty."""
        async with self._session() as http:
            months = await self._budget(http, tenant)
            known = {one.month: one for one in months}
            wanted = month or (months[-1].month if months else "")
            if wanted not in known:
                raise SelectionError(f"MONTH: {tenant} has no use of its own in {wanted or 'any month'}")
            by = [await self._usage(http, tenant, wanted, groups) for groups in (_OF_DAYS, _OF_MODELS)]
            live = None if self._live is None else await self._beside(http, self._live, tenant)
        return Costs(known[wanted], tuple(sorted(known, reverse=True)), by[0], by[1], live)

    async def records(self, tenant: str, filters: Mapping[str, str]) -> RecordPage:
        """A page of records."""
        async with self._session() as http:
            found = await self._get(http, "/records", {"tenant": tenant, "limit": str(PAGE), **filters})
        return RecordPage(tenant, tuple(map(_record, found["records"])), found["next"])

    async def inference(self, event_id: str) -> Inference:
        """One record. Raises `SelectionError`."""
        async with self._session() as http:
            found = await self._get(http, f"/records/{event_id}")
        return Inference(found["record"], found["event"] or {}, found["proof"] or {})

    async def _beside(self, http: aiohttp.ClientSession, views: LiveViews, tenant: str) -> Live:
        """The live views, and the exact number of the longest window. They never stand in for each other."""
        try:
            at, rows = await views.of(tenant)
        except UnavailableError as down:
            return Live(problem=str(down))
        start = datetime.fromtimestamp(at / 1000 - rows[-1].minutes * 60, UTC)
        given = {"tenant": tenant, "from": start.isoformat(), "to": datetime.fromtimestamp(at / 1000, UTC).isoformat()}
        return Live(rows, int((await self._get(http, "/count", given))["count"]))

    async def _budget(self, http: aiohttp.ClientSession, tenant: str) -> list[TenantMonth]:
        found = await self._get(http, "/budget", {"tenant": tenant})
        return [_month(tenant, one) for one in found["months"]]

    async def _usage(self, http: aiohttp.ClientSession, tenant: str, month: str, by: str) -> tuple[UsageLine, ...]:
        found = await self._get(http, "/usage", {"tenant": tenant, "month": month, "group_by": by})
        return tuple(map(_usage, found["rows"]))

    def _session(self) -> aiohttp.ClientSession:
        if self._token is None:
            raise UnavailableError(
                "the audit API is not connected: set ROGGIA_OPERATOR_CONSOLE_AUDIT_TOKEN (roggia audit token)"
            )
        headers = {"authorization": f"Bearer {self._token.get_secret_value()}"}
        return aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT_S), headers=headers)

    async def _get(self, http: aiohttp.ClientSession, path: str, given: Mapping[str, str] | None = None) -> Any:
        try:
            async with http.get(f"{self._url}/v1{path}", params=dict(given or {})) as reply:
                body = await reply.read()
            found = msgspec.json.decode(body)
        except (aiohttp.ClientError, TimeoutError, msgspec.DecodeError) as error:
            raise UnavailableError(f"the audit API at {self._url} does not answer ({type(error).__name__})") from None
        if reply.status in _NOT_OURS:
            raise SelectionError(str(found["error"]["message"]))
        if reply.status != 200:
            raise UnavailableError(f"the audit API at {self._url} answers {reply.status}: {found['error']['message']}")
        return found


def _month(tenant: str, one: Mapping[str, Any]) -> TenantMonth:
    crossed = {
        name: tuple(c["percent"] for c in one["crossed"] if c["limit"] == name) for name in ("tokens", "pico_usd")
    }
    return TenantMonth(
        tenant,
        one["month"],
        Bar("Tokens", int(one["tokens"]), _limit(one["token_limit"]), crossed["tokens"]),
        Bar("Money", int(one["pico_usd"]), _limit(one["pico_usd_limit"]), crossed["pico_usd"]),
        int(one["unpriced"]),
    )


def _usage(one: Mapping[str, Any]) -> UsageLine:
    cached = sum(int(one[name]) for name in ("cache_read", "cache_write_5m", "cache_write_1h"))
    output = int(one["output"]) + int(one["reasoning"])
    return UsageLine(
        one["by"], int(one["requests"]), int(one["input"]), cached, output, int(one["unpriced"]), int(one["pico_usd"])
    )


def _record(one: Mapping[str, Any]) -> RecordLine:
    return RecordLine(
        one["event_id"], one["occurred_at"], one["status"], one["model"], one["prompt"], _limit(one["pico_usd"]),
        one["late"], one["reason"],
    )  # fmt: skip


def _limit(text: str | None) -> int | None:
    return None if text is None else int(text)
