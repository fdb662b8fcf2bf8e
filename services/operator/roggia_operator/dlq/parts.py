"""What a redrive works with."""

from __future__ import annotations

from dataclasses import dataclass

from roggia_runtime.codec import EventCodec

from roggia_operator.dlq.ports import Log, Sending


@dataclass(frozen=True, slots=True)
class Parts:
    """Reading, decoding, producing. `look_s`: seconds between two looks at what is waited for; `save_s`: between two
    states written, because each holds every place so far.
    """

    log: Log
    codec: EventCodec
    sending: Sending
    look_s: float = 0.2
    save_s: float = 1.0
