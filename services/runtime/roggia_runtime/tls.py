"""TLS towards Kafka and the registry: whom to trust, who we are, and files that are renewed while we run."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from roggia_runtime.errors import ConfigurationError

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Files:
    """PEM files, and how the settings that name them begin. Without `ca`, the system's authorities are trusted."""

    prefix: str
    ca: str | None = None
    cert: str | None = None
    key: str | None = None
    password: str | None = None

    def changed_at(self) -> tuple[float, ...]:
        """When each file was written last. Raises `OSError`."""
        return tuple(Path(name).stat().st_mtime for name in (self.ca, self.cert, self.key) if name)


class Context(ssl.SSLContext):
    """Checks certificate and host name of the other side; looks at its own files again before each connection.

    A renewed certificate is shown by connections that are opened from then on; a renewed authority is trusted besides
    the old one. Files that cannot be read then, half written for instance, are logged, and what was loaded goes on.
    """

    _files: Files
    _loaded: tuple[float, ...]

    @classmethod
    def of(cls, files: Files) -> Context:
        """Load the files. Raises `ConfigurationError` naming the setting of the one that is wrong."""
        context = cls(ssl.PROTOCOL_TLS_CLIENT)
        context._files, context._loaded = files, ()
        if not files.ca:
            context.load_default_certs()
        context._load()
        return context

    def wrap_bio(self, *args: Any, **options: Any) -> ssl.SSLObject:
        """Called by asyncio for each connection."""
        try:
            self._load()
        except ConfigurationError as error:
            log.warning("tls_files", error=str(error))
        return super().wrap_bio(*args, **options)

    def _load(self) -> None:
        files = self._files
        try:
            changed = files.changed_at()
        except OSError as error:
            raise ConfigurationError(f"{files.prefix}SSL_…_FILE: {error.filename}: {error.strerror}") from None
        if changed == self._loaded:
            return
        # Tried elsewhere first: a context that failed to load a pair has lost the pair that it had.
        for context in (ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), self):
            if files.ca:
                _trust(context, files.prefix, files.ca)
            if files.cert:
                _show(context, files, files.cert)
        self._loaded = changed


def _trust(context: ssl.SSLContext, prefix: str, ca: str) -> None:
    try:
        context.load_verify_locations(cafile=ca)
    except (OSError, ssl.SSLError):
        raise ConfigurationError(f"{prefix}SSL_CA_FILE: {ca} holds no certificates in PEM form") from None


def _show(context: ssl.SSLContext, files: Files, cert: str) -> None:
    try:
        # With an empty password OpenSSL fails for an encrypted key, where with none it would ask the terminal.
        context.load_cert_chain(cert, files.key, files.password or "")
    except (OSError, ssl.SSLError) as error:
        prefix, where = files.prefix, files.key or cert
        reason = getattr(error, "reason", None) or "no certificate with its key"
        raise ConfigurationError(
            f"{prefix}SSL_CERT_FILE, {prefix}SSL_KEY_FILE: {cert}, {where}: {reason}; they must be PEM files that "
            f"belong together, and {prefix}SSL_KEY_PASSWORD must fit"
        ) from None
