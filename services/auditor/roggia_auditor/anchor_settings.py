"""Where checkpoints are anchored: `ROGGIA_AUDITOR_ANCHOR__…`."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from roggia_auditor.errors import KeyFileError
from roggia_auditor.tlog.keys import Kind, VerifierKey

_HTTP = ("https://", "http://")


class AnchorOptions(BaseModel):
    """Anchors of the head log's checkpoints. Each is used once it is named; the topic always, with a signing key."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    topic: bool = Field(default=True, description="whether checkpoints go to the topic audit.checkpoint")
    folder: Path | None = Field(
        default=None, description="folder that takes one file per checkpoint, such as a mounted WORM store"
    )
    url: str | None = Field(
        default=None,
        description="where checkpoints are put as objects, such as https://BUCKET.s3.REGION.amazonaws.com/PREFIX",
    )
    retain_days: int = Field(
        default=0,
        ge=0,
        le=36_500,
        description="days for which an object is locked (S3 Object Lock, compliance mode); 0: as the bucket says",
    )
    region: str = Field(default="us-east-1", min_length=1, description="region that requests to S3 are signed for")
    access_key: str | None = Field(default=None, description="id of the access key that signs requests to S3")
    secret_key: SecretStr | None = Field(default=None, description="its secret")
    authorization: SecretStr | None = Field(
        default=None, description="Authorization header for a store that is not S3, such as `Bearer …`"
    )
    witnesses: str = Field(
        default="", description="witnesses: public key and URL of each, one behind the other, separated by spaces"
    )
    timeout_s: float = Field(default=10.0, gt=0, le=300, description="seconds that each anchor has for a checkpoint")

    @field_validator("url")
    @classmethod
    def _is_url(cls, url: str | None) -> str | None:
        if url is not None and (not url.startswith(_HTTP) or any(letter in url for letter in " ?#")):
            raise ValueError("use https://HOST/PREFIX, without a query")
        return url

    @field_validator("witnesses")
    @classmethod
    def _pairs(cls, text: str) -> str:
        _parsed(text)
        return text

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        if (self.access_key is None) != (self.secret_key is None):
            raise ValueError("access_key and secret_key: name both, or neither")
        if self.access_key is not None and self.authorization is not None:
            raise ValueError("access_key and authorization: name one of them; S3 takes the key")
        return self

    def witness_list(self) -> list[tuple[VerifierKey, str]]:
        """Key and URL of each witness."""
        return _parsed(self.witnesses)


def _parsed(text: str) -> list[tuple[VerifierKey, str]]:
    words = text.split()
    if len(words) % 2:
        raise ValueError("use NAME+ID+BASE64 and a URL for each witness")
    try:
        found = [(VerifierKey.parse(key), url) for key, url in zip(words[::2], words[1::2], strict=True)]
    except KeyFileError as error:
        raise ValueError(str(error)) from error
    for key, url in found:
        if key.kind is not Kind.WITNESS:
            raise ValueError(f"{key.name} is a log's key; a witness tells its own")
        if not url.startswith(_HTTP):
            raise ValueError(f"{url!r}: use https://HOST/PREFIX")
    if len({key.name for key, _ in found}) != len(found):
        raise ValueError("a witness is named twice")
    return found
