"""A schema registry for one machine: Avro schemas over the REST API that Confluent's clients speak."""

from __future__ import annotations

from pathlib import Path

from starlette.applications import Starlette

from roggia_devstack.registry.book import SchemaBook
from roggia_devstack.registry.http import application

__all__ = ["SchemaBook", "app", "application"]


def app(data_dir: Path) -> Starlette:
    """Make the ASGI application over the schemas in `data_dir`, which it holds until the process ends."""
    return application(SchemaBook(data_dir))
