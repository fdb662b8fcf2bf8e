"""`roggia search` and `roggia ask`."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.padding import Padding

from roggia.cli import options
from roggia.cli.output import emit, out
from roggia.connection import Named, resolve
from roggia.query_client import QueryClient, Question

Groups = Annotated[list[str], typer.Option("--group", help="A group of the person who asks (repeat).")]
K = Annotated[int, typer.Option("-k", min=1, max=100, help="Passages to return.")]
Mode = Annotated[str, typer.Option("--mode", help="hybrid, dense or lexical.")]
Language = Annotated[str, typer.Option("--language", help="Only documents in this language (ISO 639-1).")]
Source = Annotated[str, typer.Option("--source", help="Only documents from this source.")]
Metadata = Annotated[list[str], typer.Option("--metadata", help="Only documents with this label, NAME=VALUE (repeat).")]


def search(
    query: Annotated[str, typer.Argument(help="What to look for.")],
    *,
    tenant: options.Tenant,
    domain: options.Domain,
    group: Groups = [],  # noqa: B006 - typer reads the default, nobody changes it
    k: K = 5,
    mode: Mode = "hybrid",
    language: Language = "",
    source: Source = "",
    metadata: Metadata = [],  # noqa: B006
    data: options.Data = None,
    query_url: options.QueryUrl = "",
    json: options.Json = False,
) -> None:
    """Find passages. Only documents that the groups may see are searched; a tenant-wide document needs no group."""
    question = Question(tenant, domain, query, group, k, mode, _filters(language, source, metadata))
    reply = asyncio.run(_client(data, query_url).search(question))
    emit(reply) if json else _show_passages(reply)


def ask(
    query: Annotated[str, typer.Argument(help="The question.")],
    *,
    tenant: options.Tenant,
    domain: options.Domain,
    group: Groups = [],  # noqa: B006
    k: K = 5,
    mode: Mode = "hybrid",
    language: Language = "",
    source: Source = "",
    metadata: Metadata = [],  # noqa: B006
    data: options.Data = None,
    query_url: options.QueryUrl = "",
    json: options.Json = False,
) -> None:
    """Answer a question with sentences of the documents, each cited. Extractive: no language model writes anything."""
    question = Question(tenant, domain, query, group, k, mode, _filters(language, source, metadata))
    reply = asyncio.run(_client(data, query_url).ask(question))
    emit(reply) if json else show_answer(reply)


def _client(data: Path | None, query_url: str) -> QueryClient:
    return QueryClient(resolve(Named(data=data, query=query_url), need="query").query)


def _filters(language: str, source: str, metadata: list[str]) -> dict[str, Any]:
    labels = {}
    for pair in metadata:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise typer.BadParameter(f"{pair!r}: write NAME=VALUE", param_hint="--metadata")
        labels[name] = value
    chosen = {"language": language, "source": source, "metadata": labels}
    return {name: value for name, value in chosen.items() if value}


def _show_passages(reply: dict[str, Any]) -> None:
    if not reply["results"]:
        out.print("Nothing found.")
    for number, hit in enumerate(reply["results"], 1):
        out.print(
            f"[bold]{number}. {escape(title(hit))}[/bold]  [dim]{hit['score']:.3f}  {escape(hit['doc_id'])}[/dim]"
        )
        out.print(Padding(escape(_excerpt(hit["text"])), (0, 0, 0, 3)))


def show_answer(reply: dict[str, Any]) -> None:
    """An answer, its citations, and the plain word that nothing was written by a model."""
    out.print(reply["answer"] or "No passage answers this.", markup=False, soft_wrap=not out.is_terminal)
    for cited in reply["citations"]:
        out.print(f"  [bold]\\[{cited['n']}][/bold] {escape(title(cited))}  [dim]{escape(str(cited['doc_id']))}[/dim]")
    if reply["citations"]:
        out.print("[dim]Extractive: these are the documents' own sentences, no language model wrote them.[/dim]")


def title(hit: dict[str, Any]) -> str:
    """Title and heading path of a passage, in one line."""
    path = [part for part in hit.get("heading_path") or () if part != hit.get("title")]
    return " › ".join([str(hit.get("title") or hit["doc_id"]), *path])


def _excerpt(text: str, most: int = 280) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= most else flat[:most].rsplit(" ", 1)[0] + " …"
