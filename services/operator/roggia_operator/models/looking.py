"""One look at the registry: everything that the reconciler compares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from roggia_runtime.errors import ModelRegistryError, ModelRegistryUnavailableError, UnknownModelError

from roggia_operator.models.evidence import report_of
from roggia_operator.models.ports import ModelRegistry
from roggia_operator.models.reconciling import SeenModel
from roggia_operator.models.values import CHAMPION, PREVIOUS, STAGES, Model, ModelVersion


def look(registry: ModelRegistry, *, stages: bool = False) -> list[SeenModel]:
    """Every model with its versions, aliases and its champion's report. Blocks: one request, and two per model. A model
    whose versions cannot be read has a `trouble`, and the others are seen as ever.

    `stages`: a model without an alias has the one that its newest version in the classic stage stands for.
    """
    return [seen for model in registry.models() if (seen := _seen(registry, model, stages)) is not None]


def with_stages(aliases: Mapping[str, int], versions: Sequence[ModelVersion]) -> Mapping[str, int]:
    """Aliases, and for those that are missing what classic stages say. `previous` is written by us, never read so."""
    staged = {STAGES[one.stage]: one.version for one in versions if one.stage in STAGES}
    return MappingProxyType({alias: number for alias, number in staged.items() if alias != PREVIOUS} | dict(aliases))


def _seen(registry: ModelRegistry, model: Model, stages: bool) -> SeenModel | None:
    try:
        versions = tuple(registry.versions(model.name))
    except UnknownModelError:  # deleted since it was listed
        return None
    except ModelRegistryUnavailableError:
        raise
    except ModelRegistryError as wrong:  # somebody's slip in one model's tags is no reason to forget the others
        return SeenModel(
            name=model.name, kind=model.kind, selection=model.selection, aliases=model.aliases, trouble=str(wrong)
        )
    aliases = with_stages(model.aliases, versions) if stages else model.aliases
    champion = next((one for one in versions if one.version == aliases.get(CHAMPION)), None)
    return SeenModel(
        name=model.name, kind=model.kind, selection=model.selection, versions=versions, aliases=aliases,
        report=report_of(registry, champion),
    )  # fmt: skip
