"""Commands that are imported when they are asked for: who asks a question does not wait for what replays topics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any, ClassVar

import typer.main
from typer.core import TyperGroup


class LazyCommands(Mapping[str, Any]):
    """Names to Click commands: those of `places`, which says where a command or a group of commands is
    (`module:attribute`), then those `at_hand`."""

    def __init__(self, places: Mapping[str, str], at_hand: Mapping[str, Any]) -> None:
        self._places = {**places, **dict.fromkeys(at_hand, "")}
        self._loaded = dict(at_hand)

    def __getitem__(self, name: str) -> Any:
        if name not in self._loaded:
            self._loaded[name] = _command(name, self._places[name])
        return self._loaded[name]

    def __contains__(self, name: object) -> bool:
        return name in self._places

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


class LazyGroup(TyperGroup):
    """A group whose commands are those of `places`, before those that it was made with."""

    places: ClassVar[Mapping[str, str]] = {}

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands = LazyCommands(self.places, self.commands)  # type: ignore[assignment]


def _command(name: str, place: str) -> Any:
    module, _, attribute = place.partition(":")
    found = getattr(import_module(module), attribute)
    holder = typer.Typer()
    if isinstance(found, typer.Typer):
        holder.add_typer(found, name=name)
    else:
        holder.command(name)(found)
    return typer.main.get_group(holder).commands[name]
