"""What ingest remembers of every document, and the rules by which a record is new, stale or a redelivery.

Pure: the database is behind `roggia_ingest.ports.Catalogue`. See docs/design/catalogue.md.
"""

from roggia_ingest.catalogue.ledger import Ledger, Span
from roggia_ingest.catalogue.state import DocKey, DocState, Entry

__all__ = ["DocKey", "DocState", "Entry", "Ledger", "Span"]
