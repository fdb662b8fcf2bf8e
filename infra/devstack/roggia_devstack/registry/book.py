"""The registry's book: schemas by id, versions by subject, levels; on disk before it is answered."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from roggia_devstack.registry import compatibility
from roggia_devstack.registry.errors import (
    ConfigNotFoundError,
    IncompatibleSchemaError,
    InvalidVersionError,
    SchemaNotFoundError,
    SubjectNotFoundError,
    SubjectNotSoftDeletedError,
    SubjectSoftDeletedError,
    VersionNotFoundError,
)
from roggia_devstack.registry.values import Schema, Version, canonical, identity
from roggia_devstack.storage.journal import StateStore
from roggia_devstack.storage.lock import DirectoryLock

_MAX_VERSION = 2**31 - 1
_NUMBER = re.compile(r"[1-9][0-9]{0,9}")
_GLOBAL = ""


class SchemaBook:
    """Registered schemas. Ids start at 1, are never used twice and never mean another schema. Used from one thread."""

    def __init__(self, folder: Path) -> None:
        """Open or create the book in `folder`. Raises `DataInUseError`."""
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = DirectoryLock(folder)
        self._state = StateStore(folder / "registry.journal")
        self._schemas: dict[int, Schema] = {}
        self._ids: dict[str, int] = {}
        for key, value in self._state.items("schema").items():
            self._remember(Schema(int(key), value["text"], value["guid"]))
        self._subjects: dict[str, dict[int, Version]] = {}
        for subject, value in self._state.items("subject").items():
            self._subjects[subject] = {row[0]: Version(subject, *row) for row in value["versions"]}

    def register(self, subject: str, text: str) -> tuple[Schema, Version]:
        """Add a schema to a subject; one that it has already keeps its id and version. Raises `RegistryError`s."""
        text, guid = canonical(text), identity(text)
        compatibility.check_schema(text)
        known = self._find(subject, guid, deleted=False)
        if known is not None:
            return self._schemas[known.schema_id], known
        found = compatibility.problems(self.level(subject), text, self._texts(subject))
        if found:
            raise IncompatibleSchemaError(f"{subject}: {self.level(subject)} is broken: {'; '.join(found)}")
        schema = self._schemas.get(self._ids.get(guid, 0)) or Schema(max(self._schemas, default=0) + 1, text, guid)
        history = self._subjects.get(subject, {})
        version = Version(subject, max(history, default=0) + 1, schema.schema_id)
        # One change: an id that was answered and a version that names it are both there after a crash, or neither.
        self._store(subject, {**history, version.number: version}, schema)
        return schema, version

    def lookup(self, subject: str, text: str, *, deleted: bool = False) -> tuple[Schema, Version]:
        """Find a schema in a subject. Raises `SubjectNotFoundError`, `SchemaNotFoundError`, `InvalidSchemaError`."""
        text, guid = canonical(text), identity(text)
        compatibility.check_schema(text)
        self.versions(subject, deleted=deleted)
        found = self._find(subject, guid, deleted=deleted)
        if found is None:
            raise SchemaNotFoundError(f"{subject}: the schema is not registered")
        return self._schemas[found.schema_id], found

    def schema(self, schema_id: int) -> Schema:
        """Schema of an id. Raises `SchemaNotFoundError`."""
        if schema_id not in self._schemas:
            raise SchemaNotFoundError(f"schema {schema_id} not found")
        return self._schemas[schema_id]

    def schema_by_guid(self, guid: str) -> Schema:
        """Schema of a GUID. Raises `SchemaNotFoundError`."""
        return self.schema(self._ids.get(guid.lower(), 0))

    def subjects(self, *, deleted: bool = False) -> list[str]:
        """Names of subjects, sorted; with `deleted` also those that were deleted."""
        return sorted(subject for subject in self._subjects if deleted or self._live(subject))

    def versions(self, subject: str, *, deleted: bool = False) -> list[Version]:
        """Versions of a subject, oldest first, at least one. Raises `SubjectNotFoundError`."""
        history = self._subjects.get(subject, {})
        found = [version for _, version in sorted(history.items()) if deleted or not version.deleted]
        if not found:
            raise SubjectNotFoundError(f"subject {subject!r} not found")
        return found

    def version(self, subject: str, number: str, *, deleted: bool = False) -> tuple[Schema, Version]:
        """One version, by number or `latest` (also -1). Raises `SubjectNotFoundError`, `VersionNotFoundError`."""
        history = self.versions(subject, deleted=deleted)
        if number in ("latest", "-1"):
            return self._schemas[history[-1].schema_id], history[-1]
        if not (_NUMBER.fullmatch(number) and int(number) <= _MAX_VERSION):
            raise InvalidVersionError(f"version: {number!r} is not valid; use latest or a whole number from 1")
        for version in history:
            if version.number == int(number):
                return self._schemas[version.schema_id], version
        raise VersionNotFoundError(f"subject {subject!r} has no version {number}")

    def uses(self, schema_id: int) -> list[Version]:
        """Live versions that have this schema. Raises `SchemaNotFoundError`."""
        self.schema(schema_id)
        every = (version for subject in self.subjects() for version in self._live(subject))
        return [version for version in every if version.schema_id == schema_id]

    def delete_subject(self, subject: str, *, permanent: bool) -> list[int]:
        """Hide a subject, or remove a hidden one for good; return the version numbers. Ids stay readable."""
        history = self.versions(subject, deleted=True)
        live = self._live(subject)
        if permanent and live:
            raise SubjectNotSoftDeletedError(f"subject {subject!r} was not deleted first")
        if not permanent and not live:
            raise SubjectSoftDeletedError(f"subject {subject!r} was deleted already; use permanent=true")
        return self._drop(subject, history if permanent else live, permanent=permanent)

    def delete_version(self, subject: str, number: str, *, permanent: bool) -> int:
        """Hide one version, or remove a hidden one for good; return its number."""
        _, version = self.version(subject, number, deleted=permanent)
        return self._drop(subject, [version], permanent=permanent)[0]

    def level(self, subject: str = _GLOBAL) -> str:
        """Compatibility level that applies to a subject."""
        value = self._state.get("level", subject) or self._state.get("level", _GLOBAL)
        return str(value["level"]) if value else compatibility.DEFAULT_LEVEL

    def own_level(self, subject: str) -> str:
        """Level that was set for a subject itself. Raises `ConfigNotFoundError`."""
        if self._state.get("level", subject) is None:
            raise ConfigNotFoundError(f"subject {subject!r} has no compatibility level of its own")
        return self.level(subject)

    def set_level(self, level: object, subject: str = _GLOBAL) -> str:
        """Set the level of a subject or of all that have none; return it. Raises `InvalidCompatibilityError`."""
        name = compatibility.check_level(level)
        self._state.put("level", subject, {"level": name})
        return name

    def unset_level(self, subject: str) -> str:
        """Let a subject follow the global level again; return the level that it had."""
        level = self.own_level(subject)
        self._state.delete("level", subject)
        return level

    def compatible(self, subject: str, text: str, number: str | None) -> list[str]:
        """Why a schema may not follow one version, or the versions that the level names; empty when it may."""
        text = canonical(text)
        compatibility.check_schema(text)
        texts = self._texts(subject) if number is None else [self.version(subject, number)[0].text]
        return compatibility.problems(self.level(subject), text, texts)

    def close(self) -> None:
        """Let the directory go."""
        self._state.close()
        self._lock.release()

    def _live(self, subject: str) -> list[Version]:
        return [version for _, version in sorted(self._subjects.get(subject, {}).items()) if not version.deleted]

    def _texts(self, subject: str) -> list[str]:
        return [self._schemas[version.schema_id].text for version in self._live(subject)]

    def _find(self, subject: str, guid: str, *, deleted: bool) -> Version | None:
        schema_id = self._ids.get(guid)
        history = sorted(self._subjects.get(subject, {}).items(), reverse=True)
        matching = (version for _, version in history if version.schema_id == schema_id)
        return next((version for version in matching if deleted or not version.deleted), None)

    def _drop(self, subject: str, versions: Iterable[Version], *, permanent: bool) -> list[int]:
        numbers = [version.number for version in versions]
        history = dict(self._subjects[subject])
        for number in numbers:
            old = history.pop(number)
            if not permanent:
                history[number] = Version(subject, number, old.schema_id, deleted=True)
        self._store(subject, history)
        return numbers

    def _store(self, subject: str, history: dict[int, Version], schema: Schema | None = None) -> None:
        rows = [(version.number, version.schema_id, version.deleted) for version in history.values()]
        change = ("subject", subject, {"versions": rows} if rows else None)
        if schema is None or schema.schema_id in self._schemas:
            self._state.apply([change])
        else:
            value = {"text": schema.text, "guid": schema.guid}
            self._state.apply([("schema", str(schema.schema_id), value), change])
            self._remember(schema)
        if history:
            self._subjects[subject] = history
        else:
            self._subjects.pop(subject, None)

    def _remember(self, schema: Schema) -> None:
        self._schemas[schema.schema_id] = schema
        self._ids[schema.guid] = schema.schema_id
