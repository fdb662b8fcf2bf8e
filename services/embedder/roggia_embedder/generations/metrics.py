"""Metrics of filling a generation."""

from __future__ import annotations

from roggia_runtime.metrics import counter, gauge

DOCUMENTS = counter(
    "roggia_head_start_documents_total",
    "Documents embedded before the log pass came by, and those left to it (gone, refused)",
    ["outcome"],
)
KEYS = gauge("roggia_head_start_keys", "Keys of the chunk log whose place is known", ["generation"])
TRAFFIC = gauge(
    "roggia_head_start_traffic_ratio",
    "Share of the recent traffic whose documents are embedded in a filling generation",
    ["generation"],
)
TEXTS = counter(
    "roggia_generation_texts_encoded_total",
    "Texts that this process encoded for a generation, by its log pass (log) and by its head start (lane)",
    ["generation", "by"],
)


def forget(generation: int) -> None:
    """A head start has ended: what was so of its generation is so no more."""
    for one in (KEYS, TRAFFIC):
        one.remove(generation)
