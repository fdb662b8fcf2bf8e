"""The fuzzer's targets without the fuzzer: its stored inputs, and what Hypothesis thinks of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz import targets

_CORPUS = Path(targets.__file__).parent / "corpus"
_SETTINGS = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module", params=targets.NAMES)
def target(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[bytes], None]]:
    """Each target, with a folder of its own."""
    name: str = request.param
    made = targets.make(name, tmp_path_factory.mktemp(name))
    yield made
    getattr(made, "close", lambda: None)()


@_SETTINGS
@given(data=st.binary(max_size=300))
def test_any_bytes_are_taken_or_refused(target: Callable[[bytes], None], data: bytes) -> None:
    """Whatever comes is answered or refused by an error that is meant; no file elsewhere is touched."""
    target(data)


@pytest.mark.parametrize("name", targets.NAMES)
def test_what_the_fuzzer_found_stays_mended(name: str, tmp_path: Path) -> None:
    """Every stored input is taken or refused; there are some for each target."""
    target = targets.make(name, tmp_path)
    inputs = sorted((_CORPUS / name).iterdir())
    assert inputs
    for path in inputs:
        target(path.read_bytes())
    getattr(target, "close", lambda: None)()
