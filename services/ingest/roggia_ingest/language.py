"""The language of a text, when it can be told."""

from __future__ import annotations

from typing import Any

_SAMPLE = 1_000
_LEAST = 20
_SURE = 0.9
_ISO_639_1 = 2
"""Length of the codes that events carry; the model knows some languages that have only a longer one."""


class Languages:
    """Detects languages with py3langid, a maintained langid: naive Bayes over byte n-grams.

    Only the model's languages that have an ISO 639-1 code are answered, because events carry no other.
    Its model takes more than half a second to load: by `load` at the start, else when first needed.
    """

    def __init__(self) -> None:
        self._identifier: Any = None

    def load(self) -> None:
        """Load the model. Safe to call twice, and from any thread."""
        from py3langid.langid import MODEL_FILE, LanguageIdentifier

        if self._identifier is None:
            identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
            identifier.set_languages([code for code in identifier.nb_classes if len(code) == _ISO_639_1])
            self._identifier = identifier

    def detect(self, text: str) -> str | None:
        """ISO 639-1 code of the text's first part, or None when it is too short or the model is not sure."""
        sample = text[:_SAMPLE]
        if sum(map(str.isalpha, sample)) < _LEAST:
            return None
        self.load()
        code, probability = self._identifier.classify(sample)
        return str(code) if probability >= _SURE else None
