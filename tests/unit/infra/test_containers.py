"""Container files, read as data: no engine is needed to see that they keep their rules. They were not started."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
KNOWN_KEYS = {
    "build", "cap_drop", "command", "depends_on", "entrypoint", "environment", "healthcheck", "image", "logging",
    "ports", "read_only", "restart", "security_opt", "stop_grace_period", "tmpfs", "user", "volumes",
}  # fmt: skip
CONDITIONS = {"service_started", "service_healthy", "service_completed_successfully"}
WRITES_ITS_OWN_FOLDER = {"kafka"}
ONE_SHOT = {"prepare"}
DOCKERFILE = (ROOT / "infra/docker/Dockerfile").read_text()
INSTRUCTIONS = [
    line.split(maxsplit=1)
    for line in re.sub(r"\\\n\s*", " ", DOCKERFILE).splitlines()
    if line and not line.startswith("#")
]
each_service = pytest.mark.parametrize("name", sorted(SERVICES))


def _of(instruction: str) -> list[str]:
    return [words[1] for words in INSTRUCTIONS if words[0] == instruction]


@each_service
def test_a_service_has_only_keys_that_compose_knows_in_the_shapes_it_takes(name: str) -> None:
    """A misspelt key is what compose refuses first; environments are maps of text, lists are lists."""
    service = SERVICES[name]

    assert set(service) <= KNOWN_KEYS
    assert all(isinstance(value, str) for value in service.get("environment", {}).values())
    assert all(isinstance(service.get(key, []), list) for key in ("ports", "volumes", "cap_drop", "tmpfs", "command"))
    assert set(service.get("build", {})) <= {"context", "dockerfile", "args"}


@each_service
def test_an_image_is_pinned_and_never_latest(name: str) -> None:
    """The same file gives the same stack next year: every image has a full version."""
    image = SERVICES[name]["image"]

    assert re.search(r":v?\d+\.\d+(\.\d+)?(-[a-z]+)?$", image), image


@each_service
def test_a_service_runs_without_root_capabilities_or_a_way_to_gain_them(name: str) -> None:
    """A broken service stays inside: numbered user, no capabilities, read-only where the image allows it."""
    service = SERVICES[name]

    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", service["user"])
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert service.get("read_only", False) or name in WRITES_ITS_OWN_FOLDER


@each_service
def test_a_service_says_when_it_is_healthy_and_waits_for_what_it_needs(name: str) -> None:
    """Nothing starts into the void: each dependency exists, is waited for, and can say that it is ready."""
    service = SERVICES[name]
    if name in ONE_SHOT:
        assert service["healthcheck"] == {"disable": True}
    else:
        assert {"test", "interval", "timeout", "retries"} <= set(service["healthcheck"])
        assert service["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL")
    for needed, how in service.get("depends_on", {}).items():
        assert how["condition"] in CONDITIONS
        assert (needed in ONE_SHOT) == (how["condition"] == "service_completed_successfully")
        assert needed in SERVICES


@each_service
def test_what_is_published_to_the_host_listens_on_loopback_alone(name: str) -> None:
    """A developer's laptop must not offer a database to the café's network."""
    assert all(port.startswith("127.0.0.1:") for port in SERVICES[name].get("ports", ()))


def test_every_service_of_ours_is_composed_with_an_image_that_holds_its_package() -> None:
    """What `roggia service` knows and production needs is there: the image's extra has the service's name or owner."""
    extras = {name: SERVICES[name]["build"]["args"]["EXTRAS"] for name in SERVICES if "build" in SERVICES[name]}

    assert extras == {
        "prepare": "ingest",
        "ingest": "ingest",
        "embed": "embedder",
        "upsert": "embedder",
        "query": "embedder",
        "popularity": "popularity",
        "auditor": "auditor",
        "audit-api": "auditor",
        "live": "live",
        "operator": "operator",
    }
    assert all(SERVICES[name]["command"] in ([name], []) for name in extras)


def test_published_ports_and_named_volumes_are_not_used_twice_or_undeclared() -> None:
    """Two services on one port cannot both start; an undeclared volume is an error."""
    ports = [port.rsplit(":", 1)[0] for service in SERVICES.values() for port in service.get("ports", ())]
    volumes = {volume.split(":")[0] for service in SERVICES.values() for volume in service.get("volumes", ())}

    assert len(ports) == len(set(ports))
    assert volumes == set(COMPOSE["volumes"])


def test_no_password_is_written_down() -> None:
    """Passwords come from the environment, and compose stops when there is none."""
    text = (ROOT / "docker-compose.yml").read_text()
    used = re.findall(r"PASSWORD: (.+)|:([^:@/\s]+)@", text)

    assert used
    assert all(
        "${POSTGRES_PASSWORD:?" in (one or other) or (one or other) == "?set POSTGRES_PASSWORD}" for one, other in used
    )


def test_every_setting_of_ours_that_the_container_files_name_exists() -> None:
    """A misspelt variable would be ignored in silence: each is one that a service reads."""
    from roggia.reference.settings import rows
    from roggia_auditor.settings import AuditorSettings
    from roggia_embedder.settings import EmbedderSettings
    from roggia_ingest.settings import IngestSettings
    from roggia_operator.settings import OperatorSettings

    every = (IngestSettings, EmbedderSettings, OperatorSettings, AuditorSettings)
    known = {row.variable for cls in every for row in rows(cls)}
    named = {name for service in SERVICES.values() for name in service.get("environment", {})}
    named |= set(re.findall(r"(ROGGIA_[A-Z_]+)=", DOCKERFILE))

    assert {name for name in named if name.startswith("ROGGIA_")} <= known


def test_the_dockerfile_builds_from_pinned_images_and_runs_as_nobody_special() -> None:
    """Pinned base, a numbered user before the command, no ADD, no secrets in arguments, one exec-form entry point."""
    assert all(re.fullmatch(r"python:3\.\d+\.\d+-slim-[a-z]+( AS \w+)?", base) for base in _of("FROM"))
    assert _of("USER") == ["10001:10001"]
    assert not _of("ADD")
    assert not [one for one in _of("ARG") + _of("ENV") if re.search(r"PASSWORD|TOKEN|SECRET", one)]
    assert all(one.startswith("[") for one in _of("ENTRYPOINT") + _of("CMD"))
    assert len(_of("HEALTHCHECK")) == 1


def test_the_dockerfile_copies_only_what_the_ignore_file_lets_through() -> None:
    """The build context holds no data, no environment, no tests: what is copied is what is let through."""
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = [word for one in _of("COPY") if not one.startswith("--from") for word in one.split()[:-1]]

    assert copied
    assert set(copied) <= allowed
    assert all((ROOT / name).exists() for name in copied)


def test_the_health_check_of_the_image_asks_the_port_that_the_image_sets() -> None:
    """A health check on another port would never pass."""
    (port,) = re.findall(r"ROGGIA_HTTP_PORT=(\d+)", DOCKERFILE)

    assert f"127.0.0.1:{port}/health/ready" in _of("HEALTHCHECK")[0]
