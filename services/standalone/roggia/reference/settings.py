"""The page of settings: every environment variable of every service, from the settings classes themselves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from pydantic_settings import BaseSettings
from roggia_auditor.live.settings import LiveSettings
from roggia_auditor.settings import AuditorSettings
from roggia_embedder.settings import EmbedderSettings
from roggia_ingest.settings import IngestSettings
from roggia_operator.settings import OperatorSettings
from roggia_runtime.settings import ServiceSettings

INTRO = """# Settings

Every setting is an environment variable. A wrong value ends a service at its start with exit status 2 and one line that
names the variable, the fault and the remedy. Passwords and DSNs are never logged.
"""


SERVICES = (
    ("Ingest", IngestSettings),
    ("Embedder (embed, upsert, query, index, popularity)", EmbedderSettings),
    ("Auditor", AuditorSettings),
    ("Live views", LiveSettings),
    ("Operator", OperatorSettings),
)


@dataclass(frozen=True, slots=True)
class Row:
    """One variable."""

    variable: str
    default: str
    meaning: str


def page() -> str:
    """The whole page."""
    shared = list(rows(ServiceSettings))
    known = {row.variable for row in shared}
    parts = [INTRO, _table("Every service", shared)]
    for title, cls in SERVICES:
        parts.append(_table(title, [row for row in rows(cls) if row.variable not in known]))
    return "\n".join(parts)


def rows(cls: type[BaseSettings]) -> Iterator[Row]:
    """The variables that `cls` reads, nested ones by the name that is shortest."""
    yield from _rows(cls, str(cls.model_config.get("env_prefix", "")))


def _rows(cls: type[BaseModel], prefix: str, held: BaseModel | None = None) -> Iterator[Row]:
    """`held`: the default of the field that these are nested in; its values are theirs."""
    for name, field in cls.model_fields.items():
        variable = prefix + name.upper()
        inner = _model(field)
        if inner is None:
            shown = _default(field) if held is None else _shown(getattr(held, name))
            yield Row(variable, shown, field.description or "")
        elif issubclass(inner, BaseSettings):
            yield from _rows(inner, str(inner.model_config.get("env_prefix", "")))
        else:
            yield from _rows(inner, variable + "__", _held(field))


def _held(field: FieldInfo) -> BaseModel | None:
    value = field.get_default(call_default_factory=True, validated_data={})
    return value if isinstance(value, BaseModel) else None


def _model(field: FieldInfo) -> type[BaseModel] | None:
    for candidate in (field.annotation, *get_args(field.annotation)):
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            return candidate
    return None


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    return _shown(field.get_default(call_default_factory=True, validated_data={}))


def _shown(value: Any) -> str:
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if value is None or value is PydanticUndefined or value in ("", ()):
        return "–"
    if isinstance(value, tuple | frozenset):
        value = ",".join(sorted(map(str, value)))
    return f"`{value}`" if value != "" else "–"


def _table(title: str, found: list[Row]) -> str:
    lines = [f"| `{row.variable}` | {row.default} | {row.meaning.replace('|', '/')} |" for row in found]
    return "\n".join([f"## {title}", "", "| variable | default | meaning |", "|---|---|---|", *lines, ""])
