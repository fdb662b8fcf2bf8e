"""Settings: names, errors that a person can act on, secrets."""

from __future__ import annotations

import pytest
from roggia_runtime.errors import ConfigurationError
from roggia_runtime.settings import KafkaSettings, ServiceSettings, load


def test_environment_reaches_nested_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """`ROGGIA_KAFKA_BOOTSTRAP` sets the Kafka address of every service, whatever class its settings have."""
    monkeypatch.setenv("ROGGIA_KAFKA_BOOTSTRAP", "kafka:9092")
    assert load(ServiceSettings).kafka.bootstrap == "kafka:9092"


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("ROGGIA_KAFKA_SESSION_TIMEOUT_MS", "soon", "ROGGIA_KAFKA_SESSION_TIMEOUT_MS: "),
        ("ROGGIA_HTTP_PORT", "70000", "ROGGIA_HTTP_PORT: "),
        ("ROGGIA_KAFKA_SECURITY_PROTOCOL", "SASL_SSL", "sasl_username"),
        ("ROGGIA_ENVIRONMENT", "staging", "ROGGIA_ENVIRONMENT: "),
    ],
)
def test_error_names_the_variable(monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str) -> None:
    """A wrong value is one line that names the variable (or the setting that is missing beside it)."""
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match=said) as caught:
        load(ServiceSettings)
    assert "\n" not in str(caught.value)


def test_secrets_are_not_shown() -> None:
    """A password is in no representation of the settings."""
    settings = load(
        KafkaSettings, security_protocol="SASL_SSL", sasl_username="u", sasl_password="hunter2", ssl_key_password="k3y"
    )
    assert "hunter2" not in repr(settings) + str(settings) + settings.model_dump_json()
    assert "k3y" not in repr(settings)
