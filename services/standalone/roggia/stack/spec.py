"""What a supervised process is: how to start it, how to see that it works, how long it may take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ProcessSpec:
    """One process of the stack.

    `arguments` follow `python -m`; `environment` is added to ours. Ready means that `ready_url` answers 200 or, where
    it is empty, that `ready_port` accepts a connection, within `ready_s` seconds. `stop_s`: what it gets after SIGTERM.
    """

    name: str
    arguments: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    ready_url: str = ""
    ready_port: int = 0
    ready_s: float = 60.0
    stop_s: float = 10.0


@dataclass(frozen=True, slots=True)
class RestartPolicy:
    """When a dead process is started again: after `first_s`, doubling to `most_s`.

    A process that died within `quick_s` of its start died quickly; `give_up_after` quick deaths in a row are a fault
    that restarting does not mend.
    """

    first_s: float = 0.5
    most_s: float = 15.0
    quick_s: float = 10.0
    give_up_after: int = 5

    def delay(self, quick_deaths: int) -> float:
        """Seconds to wait before the next start, after `quick_deaths` in a row."""
        return float(min(self.most_s, self.first_s * 2 ** max(0, quick_deaths - 1)))
