"""Settings and composition of the embedder: what is named wrongly is refused in one line, roles get what they need."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from roggia_embedder import app
from roggia_embedder.__main__ import ROLES, main
from roggia_embedder.adapters.edge import EdgeStore
from roggia_embedder.adapters.memory import MemoryCatalogue, MemoryStore
from roggia_embedder.adapters.models.openai_http import OpenAiModel
from roggia_embedder.adapters.models.stub import StubModel
from roggia_embedder.adapters.pgvector import PgvectorCatalogue, PgvectorStore
from roggia_embedder.adapters.qdrant import QdrantStore
from roggia_embedder.adapters.weaviate import WeaviateCatalogue, WeaviateStore
from roggia_embedder.app import build, model_of, store_of
from roggia_embedder.settings import EmbedderOptions, EmbedderSettings
from roggia_runtime.errors import ConfigurationError
from roggia_runtime.settings import load

OK, MISCONFIGURED = 0, 2


def _settings(path: Path, **options: object) -> EmbedderSettings:
    values = {"model": "stub", "store": str(path / "index"), "cache": path / "vectors.sqlite3", "query_port": 0}
    return load(EmbedderSettings, embedder=load(EmbedderOptions, **{**values, **options}))


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("ROGGIA_EMBEDDER_WINDOW", "4"),
        ("ROGGIA_EMBEDDER_GENERATION", "0"),
        ("ROGGIA_EMBEDDER_GENERATIONS", "1,two"),
        ("ROGGIA_EMBEDDER_GENERATIONS", "0"),
        ("ROGGIA_EMBEDDER_PART_BYTES", "99999999"),
        ("ROGGIA_EMBEDDER_TUNING__M", "-1"),
    ],
)
def test_a_wrong_setting_is_named_and_ends_with_status_two(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line on stderr that names the variable; no trace."""
    monkeypatch.setenv(variable, value)
    assert main(["embed"]) == MISCONFIGURED
    told = capsys.readouterr().err.strip()
    assert variable in told
    assert "\n" not in told


def test_unknown_roles_are_told_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    """A typing error in the role ends with the usage line."""
    assert main(["embedd"]) == main([]) == MISCONFIGURED
    assert "embed|upsert|query|index" in capsys.readouterr().err


def test_a_remote_model_must_say_which_weights_it_has() -> None:
    """The weights behind a URL cannot be hashed: without a revision the fingerprint would mean nothing."""
    with pytest.raises(ConfigurationError, match="model_revision"):
        load(EmbedderOptions, model="https://models.example/v1", model_name="m")
    options = load(EmbedderOptions, model="https://models.example/v1", model_name="m", model_revision="r1")
    assert isinstance(model_of(options), OpenAiModel)


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    """A wrong path ends at the start, not with the first document."""
    with pytest.raises(ConfigurationError, match=r"modules\.json"):
        model_of(load(EmbedderOptions, model=str(tmp_path)))


async def test_the_store_setting_chooses_the_engine(tmp_path: Path) -> None:
    """A folder is the embedded engine, a URL is a server."""
    store, _ = store_of(_settings(tmp_path).embedder)
    assert isinstance(store, EdgeStore)
    await store.close()
    server, _ = store_of(_settings(tmp_path, store="http://qdrant.example:6333").embedder)
    assert isinstance(server, QdrantStore)
    await server.close()
    for scheme in ("postgresql", "postgres"):
        postgres, catalogue = store_of(_settings(tmp_path, store=f"{scheme}://postgres.example/db").embedder)
        assert isinstance(postgres, PgvectorStore)
        assert isinstance(catalogue, PgvectorCatalogue)
    weaviate, names = store_of(_settings(tmp_path, store="weaviate+https://weaviate.example").embedder)
    assert isinstance(weaviate, WeaviateStore)
    assert isinstance(names, WeaviateCatalogue)
    assert isinstance(model_of(_settings(tmp_path).embedder), StubModel)


async def test_named_stores_are_opened_once_each_with_their_own_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two names for one address share what is opened; no store is given another's key."""
    opened: list[tuple[str, str | None]] = []

    def open_it(options: EmbedderOptions) -> tuple[MemoryStore, MemoryCatalogue]:
        opened.append((options.store, options.store_key and options.store_key.get_secret_value()))
        return MemoryStore(), MemoryCatalogue()

    monkeypatch.setattr(app, "store_of", open_it)
    pg, far = "postgresql://postgres.example/db", "https://qdrant.example"
    settings = _settings(
        tmp_path,
        store=pg,
        store_key="own",
        stores={"pg": pg, "far": far, "open": "http://qdrant"},
        store_keys={"far": "k"},
    )
    stores = app.stores_of(settings.embedder)
    assert opened == [(pg, "own"), (far, "k"), ("http://qdrant", None)]
    assert stores.of("pg") is stores.of("") is not stores.of("far")
    assert (len(list(stores)), stores.names) == (3, ("far", "open", "pg"))


WRONG_STORES = [
    ({"stores": {"PG": "postgresql://h/d"}}, "stores: 'PG'"),
    ({"stores": {"pg": "postgre://user:geheim@h/d"}}, r"stores: pg: no engine for postgre://"),
    ({"stores": {"pg": ""}}, "stores: pg: is empty"),
    ({"stores": {"pg": "postgresql://h/d"}, "store_keys": {"gp": "geheim"}}, "store_keys: 'gp' is no name in stores"),
]


@pytest.mark.parametrize(("wrong", "said"), WRONG_STORES)
def test_wrong_names_of_stores_are_refused_without_secrets(tmp_path: Path, wrong: dict[str, Any], said: str) -> None:
    """At the start, with the name in question and what to do; no password in the message."""
    with pytest.raises(ConfigurationError, match=said) as told:
        _settings(tmp_path, **wrong)
    assert "geheim" not in str(told.value)


def test_a_store_that_nobody_knows_is_refused_without_its_password(tmp_path: Path) -> None:
    """A typing error in the scheme does not become a folder of that name; the message names the schemes there are."""
    with pytest.raises(ConfigurationError, match=r"no engine for postgre://.*postgresql://") as told:
        _settings(tmp_path, store="postgre://user:geheim@host/db")
    assert "geheim" not in str(told.value)


@pytest.mark.parametrize("role", ["upsert", "query", "index"])
async def test_roles_that_need_the_index_hold_its_folder(role: str, tmp_path: Path) -> None:
    """Two processes cannot have the embedded index: the second is refused when it is built."""
    first, _ = store_of(_settings(tmp_path).embedder)
    with pytest.raises(ConfigurationError, match="another process"):
        build(_settings(tmp_path), ROLES[role])
    await first.close()


async def test_the_embed_role_opens_no_index(tmp_path: Path) -> None:
    """embed scales beside the one process that has the index."""
    build(_settings(tmp_path), ROLES["embed"])
    assert not (tmp_path / "index").exists()
