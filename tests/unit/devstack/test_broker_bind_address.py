"""Where the broker agrees to listen, and what its process says when it does not."""

from pathlib import Path

import pytest
from roggia_devstack.__main__ import main
from roggia_devstack.network.errors import BindRefusedError
from roggia_devstack.network.server import check_bind_address


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_loopback_is_accepted(host: str) -> None:
    """Every loopback address may be listened on without further words."""
    check_bind_address(host, any_interface=False)


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.4", "::", "", "broker.example", "127.0.0.1.example"])
def test_other_addresses_are_refused_unless_told_in_full_words(host: str) -> None:
    """An address that other machines may reach is refused, naming it and the remedy, unless the risk was accepted."""
    with pytest.raises(BindRefusedError, match="no authentication"):
        check_bind_address(host, any_interface=False)
    check_bind_address(host, any_interface=True)


def test_process_refuses_with_one_line_and_status_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The process ends with status 2 and one line that names the flag, and leaves no data behind."""
    data = tmp_path / "broker"
    assert main(["broker", "--data", str(data), "--port", "0", "--host", "0.0.0.0"]) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "--listen-on-all-interfaces-i-understand-this-broker-has-no-security" in told
    assert not data.exists()


def test_wrong_setting_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A value out of range ends the process with status 2 and one line that names the setting."""
    assert main(["broker", "--data", str(tmp_path), "--port", "70000"]) == 2
    assert "port" in capsys.readouterr().err


def test_data_in_use_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A directory with somebody else's files is refused with status 2, and they stay."""
    (tmp_path / "letter.txt").write_text("mine")
    assert main(["broker", "--data", str(tmp_path), "--port", "0"]) == 2
    assert str(tmp_path) in capsys.readouterr().err
    assert (tmp_path / "letter.txt").read_text() == "mine"
