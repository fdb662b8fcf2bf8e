"""Whatever is asked of the audit API, nothing of another tenant comes back, and nothing fails."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from roggia_auditor.api.asking import RECORD_PARAMETERS

from tests.support.audit_api import ACME, Api, bearer, running
from tests.support.auditing import NOON, inference, read

MARK = "beta"
"""Whatever is beta's holds this word."""
PATHS = ("/records", "/duplicates", "/readings", "/usage", "/budget", "/logs", "/exports", "/records/{id}",
         "/records/{id}/proof", "/exports/{id}", "/exports/{id}/download")  # fmt: skip
THEIRS = [inference(n, tenant_id="beta", request_id=f"beta-{n}", trace_id=f"beta-{n}") for n in range(100, 104)]
MINE = [inference(n) for n in range(4)]
WORDS = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        ["acme", MARK, "", "*", "%", "beta-101", "2025-01", "2025-01-01", "true", "acme,beta", "' OR 1=1 --", "live"]
    ),
    st.sampled_from([one.event_id for one in [*THEIRS, *MINE]]),
    st.integers(-5, 600).map(str),
)
NAMES = st.sampled_from([*RECORD_PARAMETERS, "month", "group_by", "origin", "id"])


async def answers(api: Api, questions: list[tuple[str, str, list[tuple[str, str]]]]) -> None:
    """Ask each as acme; nothing of beta in any answer, and no failure of the server."""
    for path, ident, pairs in questions:
        url = f"/v1{path}".replace("{id}", ident or "x")
        found = await api.client.get(url, params=pairs, headers=bearer(ACME))
        assert found.status_code in (200, 400, 403, 404, 409), (url, pairs, found.text)
        if found.status_code == 200:
            assert MARK not in found.text, (url, pairs)


@pytest.mark.timeout(300)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.tuples(
            st.sampled_from(PATHS),
            st.sampled_from([one.event_id for one in [*THEIRS, *MINE]]),
            st.lists(st.tuples(NAMES, WORDS), max_size=4),
        ),
        min_size=1,
        max_size=25,
    )
)
def test_no_answer_to_acme_holds_anything_of_beta(questions: list[tuple[str, str, list[tuple[str, str]]]]) -> None:
    """60 times up to 25 questions with tenants, ids and cursors of whatever kind: refused, or of acme alone."""

    async def ask() -> None:
        with tempfile.TemporaryDirectory() as folder:
            async with running(Path(folder)) as api:
                await api.enter([read(one, n, at=NOON) for n, one in enumerate([*MINE, *THEIRS])])
                await api.enter([read(one, 8 + n, at=NOON) for n, one in enumerate([*MINE[:1], *THEIRS[:1]])])
                await api.client.get("/v1/records", headers=bearer("token-of-beta"))
                await api.sealer.seal()
                await answers(api, questions)

    asyncio.run(ask())
