"""Where the commands of `roggia models` find the registry."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, TypeAlias

import typer
from roggia_operator.models.adapters.mlflow import MlflowRegistry
from roggia_operator.models.settings import ModelsOptions
from roggia_runtime.settings import load

from roggia.connection import data_directory

VARIABLE = "ROGGIA_OPERATOR_MODELS_URI"
ModelsUri: TypeAlias = Annotated[
    str,
    typer.Option("--models-uri", help=f"MLflow's address (default: {VARIABLE}, else a file in the data directory)."),
]


def opened(uri: str, data: Path | None) -> tuple[MlflowRegistry, ModelsOptions]:
    """The registry that is named, else the environment's, else the embedded stack's file; and the room's settings."""
    settings = load(ModelsOptions)
    return MlflowRegistry(address(uri, data)), settings


def address(uri: str, data: Path | None) -> str:
    """The address of that registry."""
    return uri or os.environ.get(VARIABLE, "") or f"sqlite:///{data_directory(data).registry_file}"
