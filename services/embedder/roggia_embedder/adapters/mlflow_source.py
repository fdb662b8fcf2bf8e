"""Models out of the registry: `models:/NAME/VERSION` becomes a folder on this machine, checked against what was logged.

A folder that is here already is used without asking the registry, so that a restart does not need it.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tempfile
from pathlib import Path

import structlog
from roggia_runtime.adapters.mlflow_client import FACTS_FILE, WEIGHTS_FOLDER, MlflowConnection
from roggia_runtime.errors import UnknownModelError

from roggia_embedder.embedding.fingerprint import weights_hash, weights_in
from roggia_embedder.errors import ModelLoadError

_URI = re.compile(r"models:/([^/@]+)/([1-9][0-9]*)")
_FINGERPRINT, _ENDPOINT = "roggia.fingerprint", "roggia.endpoint"
log = structlog.get_logger()


class MlflowModelSource:
    """A `ModelSource`. `uri` is MLflow's tracking address, `cache` a folder of this process's own.

    Calls block for as long as a download takes: callers use a thread.
    """

    def __init__(self, uri: str, cache: Path) -> None:
        self._at = MlflowConnection(uri)
        # Two registries may both have an emb/1.
        self._cache = cache / hashlib.sha256(uri.encode()).hexdigest()[:12]

    def fetch(self, uri: str) -> Path:
        """The folder of a version: a sentence-transformers model, or for a reference its facts alone (`roggia.json`).

        Raises `ModelLoadError` for an address that is none, a version that is not there, was logged by another tool, or
        whose files are not those that were logged; `ModelRegistryUnavailableError` when it has to be downloaded and the
        registry does not answer.
        """
        name, version = _parsed(uri)
        kept = self._cache / name / str(version)
        if not kept.exists():
            self._download(name, version, kept)
        try:
            return _checked(uri, kept)
        except ModelLoadError:
            # Not looked at again, but fetched: what is broken here may be whole there.
            shutil.rmtree(kept)
            raise

    def _download(self, name: str, version: int, kept: Path) -> None:
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{version}-", dir=kept.parent) as folder:
            try:
                got = self._at.download(name, version, Path(folder))
            except UnknownModelError as error:
                raise ModelLoadError(
                    f"models:/{name}/{version}: the registry {self._at.uri} has no such version"
                ) from error
            try:
                got.rename(kept)
            except OSError:
                if not kept.exists():  # not another process that was quicker
                    raise
        log.info("model_fetched", model=f"models:/{name}/{version}", folder=str(kept))


def _parsed(uri: str) -> tuple[str, int]:
    found = _URI.fullmatch(uri)
    if found is None or found[1] in (".", ".."):
        raise ModelLoadError(
            f"model: {uri!r} is not an address of a version; use models:/NAME/NUMBER (no alias: it moves)"
        )
    return found[1], int(found[2])


def _checked(uri: str, folder: Path) -> Path:
    """Where the model lies, once its files are found to be those of the fingerprint that was logged with them."""
    try:
        facts = json.loads((folder / FACTS_FILE).read_text("utf-8"))
        fingerprint = str(facts[_FINGERPRINT])
    except (OSError, ValueError, KeyError, TypeError):
        raise ModelLoadError(
            f"{uri}: no {FACTS_FILE} with a fingerprint in it; log it with `roggia models log`"
        ) from None
    weights = folder / WEIGHTS_FOLDER
    if facts.get(_ENDPOINT):
        return folder
    found = weights_hash(weights)
    if not found.startswith(weights_in(fingerprint) or "-"):
        raise ModelLoadError(
            f"{uri}: its files have the hash {found[:16]}, but {fingerprint} was logged: they were changed or cut "
            "short; log the model again"
        )
    return weights
