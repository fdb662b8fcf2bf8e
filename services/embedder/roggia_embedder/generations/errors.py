"""What hosting a generation raises."""

from __future__ import annotations

from roggia_embedder.errors import ModelLoadError


class WrongFingerprintError(ModelLoadError):
    """A model was loaded and is not the one that the generation was planned with: its vectors must not be written."""

    def __init__(self, uri: str, wanted: str, found: str) -> None:
        super().__init__(
            f"model.uri: {uri or 'the settings’ model'} has fingerprint {found}, the generation wants {wanted}; give "
            "it the model that it was planned with, or plan a new generation"
        )
