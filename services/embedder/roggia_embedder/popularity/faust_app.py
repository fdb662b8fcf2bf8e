"""How the counting reads `retrieval.served`: a Faust app, whose failures cost little here.

Of what `roggia_runtime.faust_worker` says may happen, per worker:

- doubled: what was counted in the last commit interval (2.8 s) before a crash or a rebalance;
- lost: what was counted and not yet published when a worker crashes, at most one interval of publishing; a record that
  was in hand when Faust restarts an agent.

Both fade with the half-life, and nothing correct rests on the scores.
"""

from __future__ import annotations

from typing import Final

from roggia_runtime.faust_worker import Reading
from roggia_schemas.topics import RETRIEVAL_SERVED

GROUP: Final = "roggia.popularity"
"""Consumer group, which is the app's id."""
READING: Final = Reading("popularity", GROUP, RETRIEVAL_SERVED, "popularity")
