"""Tenants as YAML: what is read, what is refused and how, and the difference that is shown."""

from __future__ import annotations

import pytest
from roggia_operator.errors import SelectionError
from roggia_operator.tenants.changes import changes, record
from roggia_operator.tenants.wanted import Wanted, read
from roggia_schemas.events import TenantStatus

from tests.support.tenants import config

WHOLE = """
tenants:
  acme:
    time_zone: Europe/Rome
    placement: dedicated
    retention_days: 365
    limits: {domains: 5, documents: 10000}
  small-one:
"""


def test_a_file_gives_every_tenant_with_defaults_for_what_it_leaves_out() -> None:
    """Fields come as written; a tenant without fields has the defaults."""
    assert read(WHOLE) == {
        "acme": Wanted("Europe/Rome", 365, "", {"domains": 5, "documents": 10_000}),
        "small-one": Wanted(),
    }


def test_what_is_only_kept_is_told_from_what_something_enforces() -> None:
    """Named are the limits of the gateway to come and personal data, where they say something; not what the auditor
    counts by: months and the time zone."""
    given = (
        "{limits: {documents: 1, domains: 1, tokens_per_minute: 5}, retention_days: 1, pii_mode: mask, time_zone: UTC}"
    )
    wanted = read(f"tenants: {{acme: {given}, plain: {{time_zone: Europe/Rome}}}}")
    assert wanted["acme"].without_effect() == ("limits.tokens_per_minute", "pii_mode")
    assert wanted["plain"].without_effect() == ()
    months = read("tenants: {acme: {limits: {tokens_per_month: 9, micro_usd_per_month: 5000000}}}")["acme"]
    assert (months.limits, months.without_effect()) == ({"tokens_per_month": 9, "micro_usd_per_month": 5_000_000}, ())


@pytest.mark.parametrize(
    ("text", "field", "remedy"),
    [
        ("tenants: [acme]", "tenants:", "NAME"),
        ("tenant: {}", "FILE.tenant:", "use tenants"),
        ("tenants: {Acme: {}}", "tenants.'Acme':", "a-z"),
        ("tenants: {7: {}}", "tenants.7:", ""),
        ("tenants: {acme: {time_zone: Rome}}", "tenants.acme.time_zone:", "Europe/Rome"),
        ("tenants: {acme: {time_zone: ../etc/passwd}}", "tenants.acme.time_zone:", "IANA"),
        ("tenants: {acme: {time_zone: America}}", "tenants.acme.time_zone:", "IANA"),
        ("tenants: {acme: {placement: shared}}", "tenants.acme.placement:", "dedicated"),
        ("tenants: {acme: {retention_days: 0}}", "tenants.acme.retention_days:", "1 to"),
        ("tenants: {acme: {retention_days: yes}}", "tenants.acme.retention_days:", "whole number"),
        ("tenants: {acme: {limits: {domain: 1}}}", "tenants.acme.limits.domain:", "domains"),
        ("tenants: {acme: {limits: {domains: -1}}}", "tenants.acme.limits.domains:", "0 to"),
        ("tenants: {acme: {limits: {domains: 1.5}}}", "tenants.acme.limits.domains:", "whole number"),
        ("tenants: {acme: {pii_mode: maybe}}", "tenants.acme.pii_mode:", "mask"),
        ("tenants: {acme: {zone: UTC}}", "tenants.acme.zone:", "time_zone"),
        ("tenants: {acme: {}, acme: {}}", "FILE:", "stands twice"),
        ("tenants: {[a]: {}}", "FILE:", "no plain text"),
        ("tenants: {a: *b}", "FILE:", "not YAML"),
        ("tenants: !!python/object/apply:os.system [ls]", "FILE:", "not YAML"),
        ("", "FILE:", "mapping"),
    ],
)
def test_a_fault_names_its_field_and_the_remedy(text: str, field: str, remedy: str) -> None:
    """Nothing that is wrong in a file is passed over, and each fault is one line."""
    with pytest.raises(SelectionError) as refused:
        read(text)
    said = str(refused.value)
    assert said.startswith(field)
    assert remedy in said
    assert "\n" not in said


def test_references_that_explode_are_refused_in_a_short_line() -> None:
    """A file of a few hundred bytes cannot make a message of gigabytes."""
    levels = "".join(f"  t{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9) if n else 'x'}]\n" for n in range(9))
    with pytest.raises(SelectionError) as refused:
        read(f"tenants:\n{levels}")
    assert len(str(refused.value)) < 500


def test_the_difference_is_shown_field_by_field() -> None:
    """New, changed and unchanged tenants are told apart; who is not in the file is not touched."""
    held = {
        "acme": config("acme", time_zone="UTC", limits={"domains": 9}),
        "same": config("same"),
        "other": config("other"),
    }
    found = changes({"acme": Wanted(limits={"documents": 3}), "same": Wanted(), "new": Wanted()}, held)
    assert [(one.tenant_id, one.new, bool(one.differences)) for one in found] == [
        ("acme", False, True),
        ("new", True, True),
        ("same", False, False),
    ]
    assert found[0].differences == (("limits.documents", "", "3"), ("limits.domains", "9", ""))


def test_an_offboarded_tenant_comes_back_only_when_it_is_named() -> None:
    """A file that still holds an offboarded tenant is refused; --reactivate brings it back, and only such a one."""
    held = {"acme": config("acme", TenantStatus.OFFBOARDED)}
    with pytest.raises(SelectionError, match="--reactivate acme"):
        changes({"acme": Wanted()}, held)
    (back,) = changes({"acme": Wanted()}, held, ["acme"])
    assert ("status", "OFFBOARDED", "ACTIVE") in back.differences
    assert record(back, "me").status is TenantStatus.ACTIVE
    with pytest.raises(SelectionError, match="--reactivate"):
        changes({"acme": Wanted()}, {"acme": config("acme")}, ["acme"])
