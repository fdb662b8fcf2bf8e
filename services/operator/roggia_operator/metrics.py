"""Metrics of the operator, declared once. Each room adds its own here."""

from __future__ import annotations

from roggia_runtime.metrics import counter, gauge, histogram

_PART = ("group", "topic", "partition")
_TOPIC = ("group", "topic")
_WAITS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 3600, 21600, 86400)

LAG_RECORDS = gauge("roggia_lag_records", "Offsets from the first unread record to the end; 0 when caught up.", _PART)
LAG_SECONDS = gauge("roggia_lag_seconds", "Age of the first unread record; 0 when caught up, also when idle.", _PART)
LAG_LOST = gauge("roggia_lag_lost_records", "Offsets that retention removed unread. Alarm on any.", _PART)
LAG_INCOMING = gauge("roggia_lag_incoming_per_second", "Records that come, smoothed.", _TOPIC)
LAG_OUTGOING = gauge("roggia_lag_outgoing_per_second", "Records that the group reads, smoothed.", _TOPIC)
LAG_LEFT = gauge("roggia_lag_left_seconds", "Time until caught up at these rates; infinite when never.", _TOPIC)
GROUP_STATUS = gauge("roggia_group_status", "Worst partition: 0 OK, 1 WARN, 2 STALL, 3 STOP, 4 REWIND.", ("group",))
GROUP_MEMBERS = gauge("roggia_group_members", "Members of the group.", ("group",))
FRESHNESS = gauge("roggia_freshness_seconds", "Age of the group's oldest unprocessed live event.", ("group",))
SEARCHABLE = histogram(
    "roggia_searchable_seconds",
    "From a document's change to its being searchable, by path: live, replayed.",
    ("path",),
    _WAITS,
)
CLOSED_LETTERS = counter(
    "roggia_dlq_closed_letters_total", "Dead letters that redrives and drops closed, by what became of them.", ("fate",)
)
JOBS = gauge("roggia_jobs", "Open jobs that this instance runs, by kind and how they stand.", ("kind", "status"))
REPLAYED_RECORDS = counter("roggia_replay_records_total", "Records that replay jobs sent through lanes.", ("topic",))
REPLAYED_BYTES = counter("roggia_replay_bytes_total", "Keys and values that replay jobs sent, in bytes.", ("topic",))
REPLAY_THROTTLED = counter(
    "roggia_replay_throttled_seconds_total",
    "Time that replay jobs waited with something to send: for live and what waits downstream, or for their own limits.",
    ("by",),
)
MODEL_REGISTRY_UP = gauge("roggia_model_registry_up", "1 while the model registry answers, 0 while it does not.")
MODEL_LOOKED = gauge("roggia_model_registry_looked_seconds", "Unix time of the last look at the registry that worked.")
MODEL_ALIAS = gauge("roggia_model_alias", "Version that an alias points at.", ("model", "alias"))
MODEL_REFUSED = gauge(
    "roggia_model_alias_refused", "1: this alias changes nothing, `roggia models gate` says why.", ("model", "alias")
)
MODEL_WISHES = counter("roggia_model_wishes_total", "Wishes that aliases came to, by kind.", ("kind",))
MODEL_WEBHOOKS = counter("roggia_model_webhooks_total", "Webhooks of the registry, by what became of them.", ("fate",))
GENERATIONS = gauge(
    "roggia_generations",
    "Index generations by state, as the leading operator moves them: 1 each.",
    ("generation", "state"),
)
