"""How a model server is spoken to: sizes, patience, agreement. Values, not behaviour; none of them changes vectors."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class RemoteTerms(BaseModel):
    """What a model server may be asked at once, and how long it is waited for. `ROGGIA_EMBEDDER_REMOTE__…`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    texts: int = Field(32, ge=2, le=4096, description="texts of one request to a model server, at most")
    tokens: int = Field(
        16_384, ge=16, description="tokens of one request to a model server, estimated; a longer text is sent alone"
    )
    at_once: int = Field(4, ge=1, le=64, description="requests to a model server that one encoding has open at once")
    patience_s: float = Field(
        30.0, ge=0, description="seconds that passages wait for a model server that is down, busy or limits its rate"
    )
    query_patience_s: float = Field(2.0, ge=0, description="the same for queries: somebody waits for the answer")
    encoding: Literal["float", "base64"] = Field(
        "float", description="form of vectors asked of an OpenAI-compatible server; base64 is a third of the bytes"
    )
    agreement: float = Field(
        0.999,
        ge=0,
        le=1,
        description="least cosine between what a model server said about a fixed text first and now, asked with every "
        "request; below it the model has changed; 0: not asked",
    )


TERMS = RemoteTerms.model_validate({})
"""The seed values. 32 texts is what TEI takes unless told otherwise."""
