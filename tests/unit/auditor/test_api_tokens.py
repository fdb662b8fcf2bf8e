"""Tokens of the audit API: what the file may say, and that a token is not in it."""

from __future__ import annotations

from pathlib import Path

import pytest
from roggia_auditor.api import tokens
from roggia_auditor.api.tokens import Scope, Tokens
from roggia_auditor.errors import TokensError

GOOD = tokens.entry("billing", "secret", ["acme"], [Scope.READ])


def test_a_token_is_kept_as_a_hash_and_is_good_for_what_its_entry_says() -> None:
    """The entry does not hold the token; it sees its tenant, or every one where none is named."""
    assert "secret" not in GOOD
    (one,) = tokens.parse(GOOD)
    assert (one.name, one.sees("acme"), one.sees("beta"), one.scopes) == ("billing", True, False, {Scope.READ})
    (every,) = tokens.parse(tokens.entry("all", "other", [], list(Scope)))
    assert every.sees("anybody")


def test_generated_tokens_differ_and_can_be_found_by_scanners() -> None:
    """A prefix, and 256 bits behind it."""
    one, other = tokens.generate(), tokens.generate()
    assert one != other
    assert one.startswith("roggia_audit_")
    assert len(one) == len("roggia_audit_") + 43


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "no YAML"),
        ("name: billing", "a list of tokens"),
        ("- billing", "entry 1"),
        (GOOD.replace("billing", "''"), "name"),
        (GOOD.replace("sha256: ", "sha256: z"), "SHA-256"),
        (GOOD.replace("- acme", "- ACME"), "tenants"),
        (GOOD.replace("tenants:\n  - acme", "tenants: []"), "tenants"),
        (GOOD.replace("- read", "- write"), "scopes"),
        (GOOD + tokens.entry("billing", "other", ["acme"], [Scope.READ]), "name 'billing' is there twice"),
        (GOOD + tokens.entry("other", "secret", ["acme"], [Scope.READ]), "sha256"),
        (GOOD + "  more: 1\n", "entry 1"),
    ],
)
def test_a_file_that_breaks_a_rule_is_refused_with_entry_and_remedy(text: str, said: str) -> None:
    """Nothing of it holds; the message names what is wrong."""
    with pytest.raises(TokensError, match=said):
        tokens.parse(text)


def test_the_file_is_read_again_when_it_changes(tmp_path: Path) -> None:
    """A new entry is known at once, a removed one no more; a missing file is an error and not nobody."""
    file = tmp_path / "tokens.yaml"
    file.write_text(GOOD)
    held = Tokens(file)
    assert held.grant("secret") is not None
    file.write_text("")
    assert held.grant("secret") is None
    file.unlink()
    with pytest.raises(TokensError, match="cannot be read"):
        held.grant("secret")


def test_a_file_that_is_not_there_yet_is_no_trouble_and_answers_nobody(tmp_path: Path) -> None:
    """Readiness has nothing to say; a request is told how to make a token. A file that is wrong is named."""
    held = Tokens(tmp_path / "tokens.yaml")
    assert held.problem() == []
    with pytest.raises(TokensError, match="roggia audit token"):
        held.grant("secret")
    (tmp_path / "tokens.yaml").write_text("- name: billing\n")
    (said,) = held.problem()
    assert "entry 1" in said
