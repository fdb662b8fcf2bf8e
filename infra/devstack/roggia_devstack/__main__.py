"""`python -m roggia_devstack broker|registry`: one stand-in server in the foreground."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from roggia_devstack import logs

_ANY_INTERFACE: Final = "--listen-on-all-interfaces-i-understand-this-broker-has-no-security"
_BAD_SETTINGS: Final = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the command line names; 0 after a clean stop, 2 for settings that cannot work."""
    options = _parser().parse_args(arguments)
    logs.configure()
    given = {name: value for name, value in vars(options).items() if value is not None and name != "server"}
    return _broker(given) if options.server == "broker" else _registry(given)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m roggia_devstack", description=__doc__)
    servers = parser.add_subparsers(dest="server", required=True)
    broker = servers.add_parser("broker", help="the Kafka-protocol broker")
    broker.add_argument("--advertised-host", help="host that clients are told to connect to")
    broker.add_argument("--auto-create-topics", action="store_true", default=None, help="make topics on demand")
    broker.add_argument(
        _ANY_INTERFACE, dest="any_interface", action="store_true", default=None, help="accept any --host"
    )
    for server in (broker, servers.add_parser("registry", help="the schema registry")):
        server.add_argument("--data", type=Path, help="data directory")
        server.add_argument("--host", help="address to listen on (default 127.0.0.1)")
        server.add_argument("--port", type=int, help="TCP port; 0 takes a free one")
    return parser


def _broker(given: dict[str, Any]) -> int:
    from roggia_devstack.broker.run import run
    from roggia_devstack.broker.settings import BrokerSettings
    from roggia_devstack.network.errors import NetworkError
    from roggia_devstack.storage.errors import StorageError

    try:
        run(BrokerSettings(**given))
    except ValidationError as error:
        return _fail("; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()))
    except (NetworkError, StorageError, OSError) as error:
        return _fail(str(error))
    return 0


def _registry(given: dict[str, Any]) -> int:
    from roggia_devstack.registry.run import run

    return run(given)


def _fail(reason: str) -> int:
    sys.stderr.write(f"roggia_devstack: {reason}\n")
    return _BAD_SETTINGS


if __name__ == "__main__":
    sys.exit(main())
