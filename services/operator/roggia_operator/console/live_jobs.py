"""Actions on jobs and replays, as plans to confirm. Each is what the command line would do."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec
from roggia_runtime.clock import now_ms
from roggia_runtime.codec import EventCodec
from roggia_runtime.settings import KafkaSettings
from roggia_schemas.events import JobKind, JobWish

from roggia_operator.console.render import age, number, size
from roggia_operator.console.views import Plan
from roggia_operator.errors import SelectionError
from roggia_operator.jobs.client import JobClient, Request
from roggia_operator.replay.estimate import Figure
from roggia_operator.replay.plan import Plan as ReplayPlan
from roggia_operator.replay.plan import checked_rates, embedding, overtaken, plan
from roggia_operator.replay.selection import Selection, documents, from_json, selected
from roggia_operator.times import moment

WISHES = {"pause": JobWish.PAUSE, "resume": JobWish.RUN, "cancel": JobWish.CANCEL}
_MEANS = {
    "pause": "It stops where it is, keeps its place, and goes on when it is resumed.",
    "resume": "It goes on where it stopped.",
    "cancel": "It ends where it is. What it sent stays sent; it cannot be resumed.",
}


class _Replay(msgspec.Struct, frozen=True):
    selection: str
    rates: dict[str, float]


class _Change(msgspec.Struct, frozen=True):
    job: str
    records: float | None = None


class JobActions:
    """Used by `LiveActions` alone."""

    def __init__(self, kafka: KafkaSettings, codec: EventCodec) -> None:
        self._kafka, self._codec = kafka, codec

    async def plan_replay(self, form: Mapping[str, str]) -> Plan:
        """See `Actions.plan`."""
        chosen = selection_of(form)
        limits = checked_rates(_rates(form))
        planned = await plan(self._kafka, self._codec, chosen, limits)
        payload = msgspec.json.encode(_Replay(chosen.as_json(), limits)).decode()
        refused = "" if planned.records.high else "Nothing matches, so there is nothing to replay."
        title, verb = f"Replay of {chosen.topic}", f"Replay {number(planned.records.value)} records"
        return Plan("replay", title, verb, _facts(planned, form), planned.warnings, payload, refused=refused)

    async def plan_wish(self, kind: str, form: Mapping[str, str]) -> Plan:
        """Pause, resume or cancel."""
        async with JobClient(self._kafka, self._codec) as client:
            job = await client.get(form.get("job", ""))
        facts = (("Job", job.job_id), ("Stands", job.status.value), ("Means", _MEANS[kind]))
        payload = msgspec.json.encode(_Change(job.job_id)).decode()
        refused = f"It has ended already ({job.status.value})." if job.ended else ""
        title = f"{kind.title()} {job.job_id}"
        return Plan(kind, title, title, facts, (), payload, refused=refused)

    async def plan_rate(self, form: Mapping[str, str]) -> Plan:
        """Another limit of records per second; an empty field lifts it."""
        limits = checked_rates(_rates(form))
        async with JobClient(self._kafka, self._codec) as client:
            job = await client.get(form.get("job", ""))
        before = job.wanted.rates.get("records") if job.wanted else None
        after = limits.get("records")
        facts = (("Job", job.job_id), ("Now", _limit(before)), ("Then", _limit(after)))
        payload = msgspec.json.encode(_Change(job.job_id, after)).decode()
        refused = f"It has ended already ({job.status.value})." if job.ended else ""
        return Plan("rate", f"Change the rate of {job.job_id}", "Change the rate", facts, (), payload, refused=refused)

    async def start(self, kind: str, payload: str, *, who: str, reason: str) -> str:
        """See `Actions.start`."""
        async with JobClient(self._kafka, self._codec) as client:
            if kind == "replay":
                asked = msgspec.json.decode(payload, type=_Replay)
                from_json(asked.selection)
                request = Request(JobKind.REPLAY, asked.selection, asked.rates, who, reason)
                return f"/jobs/{await client.submit(request)}"
            change = msgspec.json.decode(payload, type=_Change)
            if kind == "rate":
                await client.rate(change.job, {"records": change.records})
            else:
                await client.wish(change.job, WISHES[kind])
            return f"/jobs/{change.job}"


def selection_of(form: Mapping[str, str]) -> Selection:
    """The selection that a form describes. Raises `SelectionError` naming its field."""
    tenant = form.get("tenant", "").strip()
    return selected(
        Selection(
            topic=form.get("topic", ""),
            from_ms=_millis("from", form.get("since", "")),
            to_ms=_millis("to", form.get("until", "")),
            tenant=tenant,
            domain=form.get("domain", "").strip(),
            documents=documents(form.get("doc_ids", "").split("\n"), tenant),
            mode="renew" if form.get("mode") == "renew" else "same",
        )
    )


def _millis(name: str, text: str) -> int | None:
    if not text.strip():
        return None
    return moment(name, text.strip(), now_ms())


def _rates(form: Mapping[str, str]) -> dict[str, float]:
    text = form.get("records", "").strip()
    if not text:
        return {}
    try:
        return {"records": float(text)}
    except ValueError:
        raise SelectionError(f"rate: {text!r} is no number; give records per second") from None


def _facts(planned: ReplayPlan, form: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    chosen = planned.selection
    who = f"{chosen.tenant or 'all'} / {chosen.domain or 'all'}"
    when = f"{form.get('since') or 'the beginning'} to {form.get('until') or 'now'}"
    return (
        ("Topic", chosen.topic),
        ("Tenant / domain", who),
        ("Time", when),
        ("Documents named", number(len(chosen.documents)) if chosen.documents else "all"),
        ("Records", _figure(planned.records)),
        ("Documents", _figure(planned.documents)),
        ("Bytes", _figure(planned.bytes, size)),
        ("Tokens to embed", embedding(planned)),
        ("Newest version outside", overtaken(planned)),
        ("Mode", chosen.mode),
        ("Limits", ", ".join(f"{value:g} {name}/s" for name, value in planned.rates.items()) or "none"),
        ("Expected duration", f"{age(planned.seconds)} ({planned.pace})"),
    )


def _figure(figure: Figure, text: Callable[[int], str] = number) -> str:
    if figure.exact:
        return f"{text(figure.value)}, exactly"
    return f"about {text(figure.value)} ({text(figure.low)} to {text(figure.high)}, from a sample)"


def _limit(rate: float | None) -> str:
    return "no limit" if rate is None else f"{rate:g} records per second"
