"""`python -m tests.support.storm.index_process`: the index service on a store that fails when a file says so."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from roggia_embedder import app
from roggia_embedder.ports import IndexCatalogue, VectorStore
from roggia_embedder.settings import EmbedderOptions, EmbedderSettings
from roggia_runtime.service import run_service
from roggia_runtime.settings import load

from tests.support.storm.store_faults import FaultyStore

FAULTS = "STORM_STORE_FAULTS"
"""Environment variable: the file that says how the store fails now."""


def main() -> int:
    """As `python -m roggia_embedder index`, but for the store."""
    real = app.store_of

    def faulty(options: EmbedderOptions) -> tuple[VectorStore, IndexCatalogue]:
        store, catalogue = real(options)
        return FaultyStore(store, Path(os.environ[FAULTS])), catalogue  # type: ignore[return-value]  # by __getattr__

    app.store_of = faulty
    return run_service("index", lambda: app.build(load(EmbedderSettings), ["upsert", "query"], "index"))


if __name__ == "__main__":
    sys.exit(main())
