"""`python -m roggia_embedder embed|upsert|query|index|popularity`: one role in the foreground; `index` is upsert and
query together."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Final

from roggia_runtime.service import MISCONFIGURED, run_service
from roggia_runtime.settings import load

from roggia_embedder.app import Role, build
from roggia_embedder.settings import EmbedderSettings

ROLES: Final[dict[str, tuple[Role, ...]]] = {
    "embed": ("embed",),
    "upsert": ("upsert",),
    "query": ("query",),
    "index": ("upsert", "query"),
    "popularity": ("popularity",),
}


def main(arguments: Sequence[str]) -> int:
    """Run until stopped; return the exit status."""
    if len(arguments) != 1 or arguments[0] not in ROLES:
        sys.stderr.write(f"usage: python -m roggia_embedder {'|'.join(ROLES)}\n")
        return MISCONFIGURED
    name = arguments[0]
    return run_service(name, lambda: build(load(EmbedderSettings), ROLES[name], name))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
