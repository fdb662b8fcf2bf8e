"""Where a command finds the stack: named by option or environment, else read from the data directory's state file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from roggia.stack.data import DEFAULT, DataDirectory

KAFKA_VARIABLE = "ROGGIA_KAFKA_BOOTSTRAP"
REGISTRY_VARIABLE = "ROGGIA_REGISTRY_URL"
QUERY_VARIABLE = "ROGGIA_QUERY_URL"
DATA_VARIABLE = "ROGGIA_DATA"


@dataclass(frozen=True, slots=True)
class Connection:
    """Addresses a command uses. `registry` is empty where there is none (bundled schemas then)."""

    kafka: str
    registry: str
    query: str


@dataclass(frozen=True, slots=True)
class Named:
    """What the user said on the command line; empty means not said."""

    data: Path | None = None
    kafka: str = ""
    registry: str = ""
    query: str = ""


def data_directory(data: Path | None, environment: Mapping[str, str] = os.environ) -> DataDirectory:
    """The directory named by --data, else by ROGGIA_DATA, else ./roggia-data."""
    return DataDirectory(data or Path(environment.get(DATA_VARIABLE) or DEFAULT))


def resolve(named: Named, environment: Mapping[str, str] = os.environ, *, need: str = "kafka") -> Connection:
    """Addresses for a command that needs `need` (`kafka` or `query`).

    What is named wins over the environment, which wins over the state file. Raises `NotRunningError` when the needed
    address is named nowhere and no stack runs on the data directory.
    """
    kafka = named.kafka or environment.get(KAFKA_VARIABLE, "")
    registry = named.registry or environment.get(REGISTRY_VARIABLE, "")
    query = named.query or environment.get(QUERY_VARIABLE, "")
    said = Connection(kafka, registry, query)
    if getattr(said, need):
        return said
    state = data_directory(named.data, environment).running()
    return Connection(kafka or state.kafka, registry or state.registry, query or state.query)
