"""Encryption of payloads: AES-256-GCM under a key per subject, which itself is encrypted under the master key.

What is encrypted is bound to its place (associated data): a ciphertext that was moved to another tenant, subject or
event does not decrypt. Sources: NIST SP 800-38D (12 random bytes of nonce, at most 2^32 messages a key).
"""

from __future__ import annotations

import base64
import binascii
import os
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from roggia_auditor.errors import KeyFileError, PayloadError
from roggia_auditor.payloads.ports import Place, SubjectKey

_KEY, _NONCE, _ID = 32, 12, 16
_PAYLOAD, _WRAP = b"roggia-payload/1", b"roggia-payload-key/1"


class MasterKey:
    """Encrypts the keys of subjects. Whoever has it and the store of keys reads every payload."""

    def __init__(self, raw: bytes) -> None:
        if len(raw) != _KEY:
            raise KeyFileError(f"payload master key: {len(raw)} bytes, not {_KEY}")
        self._cipher = AESGCM(raw)

    def __repr__(self) -> str:
        return "MasterKey()"

    @classmethod
    def read(cls, path: Path) -> MasterKey:
        """The key in a file, in base64. Raises `KeyFileError`, which holds nothing of the key."""
        try:
            return cls(base64.b64decode(path.read_text().strip(), validate=True))
        except OSError as error:
            reason = error.strerror
        except (binascii.Error, ValueError):
            reason = "it is no base64"
        except KeyFileError as error:
            reason = str(error)
        raise KeyFileError(
            f"ROGGIA_AUDITOR_PAYLOAD_MASTER_KEY: {path} cannot be used ({reason}); "
            "it holds 32 random bytes in base64 (head -c 32 /dev/urandom | base64)"
        )

    def new(self, tenant: str, subject: str) -> SubjectKey:
        """A new key for a subject."""
        key_id, nonce = os.urandom(_ID).hex(), os.urandom(_NONCE)
        bound = _bound(_WRAP, tenant, subject, key_id)
        return SubjectKey(key_id, nonce + self._cipher.encrypt(nonce, os.urandom(_KEY), bound))

    def unwrapped(self, tenant: str, subject: str, key: SubjectKey) -> bytes:
        """The key itself. Raises `PayloadError` for one of another master key, or of somebody else."""
        return _opened(self._cipher, key.wrapped, _bound(_WRAP, tenant, subject, key.key_id), "the key of a subject")


def encrypted(key: bytes, place: Place, content: bytes) -> bytes:
    """Nonce and ciphertext."""
    nonce = os.urandom(_NONCE)
    return nonce + AESGCM(key).encrypt(nonce, content, _bound(_PAYLOAD, *place))


def decrypted(key: bytes, place: Place, body: bytes) -> bytes:
    """The content. Raises `PayloadError` for what was changed, or belongs to another place."""
    return _opened(AESGCM(key), body, _bound(_PAYLOAD, *place), f"{place.kind} of event {place.event_id}")


def _opened(cipher: AESGCM, body: bytes, bound: bytes, what: str) -> bytes:
    try:
        return cipher.decrypt(body[:_NONCE], body[_NONCE:], bound)
    except (InvalidTag, ValueError):
        raise PayloadError(f"{what} does not decrypt: it was changed, moved, or is of another key") from None


def _bound(purpose: bytes, *texts: str) -> bytes:
    """Texts behind their lengths, so that no two places share it."""
    parts = [purpose, *(text.encode() for text in texts)]
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)
