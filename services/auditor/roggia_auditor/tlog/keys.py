"""Ed25519 keys under a name, as C2SP signed-note writes them down: `name+id+base64`."""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass
from enum import IntEnum

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from roggia_auditor.errors import KeyFileError

_PRIVATE = "PRIVATE+KEY+"
_RAW = 32
_PARTS = 3


class Kind(IntEnum):
    """What a signature is over: signature types of C2SP signed-note."""

    LOG = 0x01
    """The note's text."""
    WITNESS = 0x04
    """Text and time, C2SP tlog-cosignature v1."""


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key, its name and what it signs."""

    name: str
    kind: Kind
    raw: bytes

    @property
    def id(self) -> bytes:
        """Four bytes that tell the keys of one name apart; nothing is proven by them."""
        return hashlib.sha256(self.name.encode() + b"\n" + bytes([self.kind]) + self.raw).digest()[:4]

    def holds(self, signature: bytes, message: bytes) -> bool:
        """Whether this key made the signature over the message."""
        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, message)
        except InvalidSignature:
            return False
        return True

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{base64.b64encode(bytes([self.kind]) + self.raw).decode()}"

    @classmethod
    def parse(cls, text: str) -> VerifierKey:
        """What `str` wrote. Raises `KeyFileError`."""
        name, kind, raw, named = _parse(text.strip(), "verifier key")
        key = cls(name, kind, raw)
        if key.id != named:
            raise KeyFileError(
                f"verifier key {name}: its id is {key.id.hex()}, not {named.hex()}; copy it again, whole"
            )
        return key


@dataclass(frozen=True, slots=True, repr=False)
class SignerKey:
    """A private key. Its text is a secret: `repr` shows the name alone."""

    name: str
    kind: Kind
    seed: bytes

    def sign(self, message: bytes) -> bytes:
        """Sixty-four bytes."""
        return self._private().sign(message)

    def verifier(self) -> VerifierKey:
        """The public half."""
        return VerifierKey(self.name, self.kind, self._private().public_key().public_bytes_raw())

    def text(self) -> str:
        """For a key file."""
        packed = base64.b64encode(bytes([self.kind]) + self.seed).decode()
        return f"{_PRIVATE}{self.name}+{self.verifier().id.hex()}+{packed}"

    def __repr__(self) -> str:
        return f"SignerKey({self.name!r})"

    @classmethod
    def generate(cls, name: str, kind: Kind = Kind.LOG) -> SignerKey:
        """A new key. Raises `KeyFileError` for a name that notes cannot hold."""
        check_name(name)
        return cls(name, kind, Ed25519PrivateKey.generate().private_bytes_raw())

    @classmethod
    def parse(cls, text: str) -> SignerKey:
        """What `text` wrote. Raises `KeyFileError`, which holds nothing of the key."""
        stripped = text.strip()
        if not stripped.startswith(_PRIVATE):
            raise KeyFileError(f"signer key: it does not begin with {_PRIVATE}; is this the public key?")
        name, kind, seed, named = _parse(stripped.removeprefix(_PRIVATE), "signer key")
        key = cls(name, kind, seed)
        if key.verifier().id != named:
            raise KeyFileError(f"signer key {name}: id and key do not belong together; copy it again, whole")
        return key

    def _private(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self.seed)


def check_name(name: str) -> None:
    """Raises `KeyFileError` for what a signature line cannot hold."""
    if not name or "+" in name or any(letter.isspace() or not letter.isprintable() for letter in name):
        raise KeyFileError(f"key name {name!r}: use printable characters without spaces and without +, such as a URL's")


def _parse(text: str, what: str) -> tuple[str, Kind, bytes, bytes]:
    parts = text.split("+", _PARTS - 1)
    try:
        name, named, packed = parts
        raw = base64.b64decode(packed, validate=True)
        found = name, Kind(raw[0]), raw[1:], bytes.fromhex(named)
    except (ValueError, IndexError, binascii.Error):
        raise KeyFileError(f"{what}: it cannot be read; expected NAME+ID+BASE64 on one line") from None
    check_name(name)
    if len(found[2]) != _RAW:
        raise KeyFileError(f"{what} {name}: {len(found[2])} bytes are no Ed25519 key of {_RAW}")
    return found
