"""`roggia models log`: weights with their facts, or a reference to a model that runs elsewhere."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Annotated

import typer
from roggia_operator.models import plain
from roggia_operator.models.evidence import unusable
from roggia_operator.models.looking import look
from roggia_operator.models.values import Draft, ModelFacts, ModelKind, ModelVersion

from roggia.cli import options
from roggia.cli.asking import somebody
from roggia.cli.models_opened import ModelsUri, opened
from roggia.cli.output import emit, out, say
from roggia.errors import UsageError

_PACKAGES = ("sentence-transformers", "transformers", "torch", "numpy")
"""What loading the model takes, as installed here; written down with it, so that nothing has to be inferred."""


def log(
    name: Annotated[str, typer.Argument(help="Name to register it under; a new name makes the model.")],
    path: Annotated[
        Path | None, typer.Option("--path", help="Folder of a sentence-transformers model [the bundled model].")
    ] = None,
    endpoint: Annotated[
        str, typer.Option("--endpoint", help="Log a reference to a model that runs there (…/v1), without weights.")
    ] = "",
    served: Annotated[str, typer.Option("--served", help="The name it goes by at the endpoint.")] = "",
    revision: Annotated[
        str, typer.Option("--revision", help="Stands for the weights at the endpoint: change it when they change.")
    ] = "",
    generator: Annotated[
        bool, typer.Option("--generator", help="A generation model behind guard, not an embedder.")
    ] = False,
    prompt: Annotated[str, typer.Option("--prompt", help="Name of a generator's prompt.")] = "",
    dimension: Annotated[int, typer.Option("--dimension", min=0, help="Of a remote embedder's vectors.")] = 0,
    window: Annotated[int, typer.Option("--window", min=16, help="Most tokens of one text.")] = 512,
    passage_prefix: Annotated[str, typer.Option("--passage-prefix", help="Put before every passage.")] = "",
    query_prefix: Annotated[str, typer.Option("--query-prefix", help="Put before every query.")] = "",
    metric: Annotated[
        list[str] | None, typer.Option("--metric", help="A number to keep with it, as NAME=NUMBER; repeatable.")
    ] = None,
    select: Annotated[
        list[str] | None,
        typer.Option("--select", help="Knowledge base it is for, TENANT/DOMAIN or TENANT/*; repeatable [all]."),
    ] = None,
    uri: ModelsUri = "",
    data: options.Data = None,
    json: options.Json = False,
) -> None:
    """Register the next version of a model with all that its vectors depend on: fingerprint, dimension, prefixes."""
    metrics = _metrics(metric or [])
    if endpoint:
        ref, folder = _remote(generator, endpoint, served, revision, dimension, window, prompt), None
    elif generator or served or revision or prompt:
        raise UsageError("--endpoint: a generator, and whatever has --served, --revision or --prompt, runs somewhere")
    else:
        ref, folder = _local(path, window, (passage_prefix, query_prefix))
    draft = Draft(
        name=name, ref=ref, folder=folder, requirements=_requirements() if folder else (), metrics=metrics,
        selection=_selection(select or []), by=somebody(),
    )  # fmt: skip
    registry, _ = opened(uri, data)
    made = registry.register(draft)
    if json:
        seen = next(one for one in look(registry) if one.name == name)
        emit({"model": name, **plain.version(made, seen)})
        return
    _show(made)


def _local(path: Path | None, window: int, prefixes: tuple[str, str]) -> tuple[ModelFacts, Path]:
    """Facts of a model on this machine, read from the model itself: it is loaded and asked for one vector."""
    from roggia_embedder.adapters.models.sentence_transformer import BUNDLED, SentenceTransformerModel, bundled_path

    folder = (path or bundled_path()).expanduser()
    if not folder.is_dir():
        raise UsageError(f"--path: {folder} is not a folder")
    folder = folder.resolve()
    say(f"loading {folder}")
    model = SentenceTransformerModel(folder, name=folder.name if path else BUNDLED, window=window, prefixes=prefixes)
    model.warm_up()
    ref = ModelFacts(
        kind=ModelKind.EMBEDDER, fingerprint=model.fingerprint, dimension=model.dimension, window=window,
        passage_prefix=prefixes[0], query_prefix=prefixes[1],
    )  # fmt: skip
    return ref, folder


def _remote(
    generator: bool, endpoint: str, served: str, revision: str, dimension: int, window: int, prompt: str
) -> ModelFacts:
    """Facts of a model elsewhere, as they are given: nobody is asked, so what is wrong in them shows later."""
    if not endpoint.startswith(("http://", "https://")):
        raise UsageError(f"--endpoint: {endpoint!r} is not an address; use http(s)://…/v1")
    if "@" in endpoint.split("/")[2]:
        raise UsageError("--endpoint: keys and passwords do not belong into a registry; use the address alone")
    for option, value in (("--served", served), ("--revision", revision)):
        if not value:
            raise UsageError(f"{option}: a model at an endpoint needs one")
    if generator:
        return ModelFacts(
            kind=ModelKind.GENERATOR, endpoint=endpoint, served=served, revision=revision, prompt=prompt, window=window
        )
    if not dimension:
        raise UsageError("--dimension: a remote embedder needs one; its vectors cannot be asked for from here")
    from roggia_embedder.adapters.models.openai_http import OpenAiModel
    from roggia_embedder.adapters.models.remote import Shape

    model = OpenAiModel(endpoint, name=served, revision=revision, shape=Shape(window=window, dimension=dimension))
    return ModelFacts(
        kind=ModelKind.EMBEDDER, fingerprint=model.fingerprint, dimension=dimension, window=window,
        endpoint=endpoint, served=served, revision=revision,
    )  # fmt: skip


def _metrics(given: list[str]) -> dict[str, float]:
    found = {}
    for one in given:
        name, _, value = one.partition("=")
        try:
            found[name.strip()] = float(value)
        except ValueError:
            raise UsageError(f"--metric: {one!r} is not NAME=NUMBER") from None
    return found


def _selection(given: list[str]) -> tuple[str, ...]:
    for one in given:
        tenant, _, domain = one.partition("/")
        if not tenant or not domain or "/" in domain or "," in one or "*" in tenant:
            raise UsageError(f"--select: {one!r} is no knowledge base; use TENANT/DOMAIN or TENANT/*")
    return tuple(sorted(given))


def _requirements() -> tuple[str, ...]:
    """Versions as installed; a local build's suffix (`+cpu`) is not known to a package index."""
    found = []
    for package in _PACKAGES:
        try:
            found.append(f"{package}=={version_of(package).partition('+')[0]}")
        except PackageNotFoundError:
            continue
    return tuple(found)


def _show(made: ModelVersion) -> None:
    out.print(f"{made.ref.uri}  {made.ref.fingerprint or made.ref.endpoint}", markup=False, soft_wrap=True)
    lacking = unusable(made)
    then = "; ".join(lacking) if lacking else f"next: roggia models promote {made.name} {made.version}"
    say(then)
