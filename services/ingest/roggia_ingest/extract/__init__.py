"""From content in a known format to text."""

from roggia_ingest.extract.extracted import Extracted
from roggia_ingest.extract.registry import MEDIA_TYPES, extract

__all__ = ["MEDIA_TYPES", "Extracted", "extract"]
