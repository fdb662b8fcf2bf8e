"""Extraction in processes of their own: what is large or hostile can neither stall the service nor fill its memory."""

from roggia_ingest.worker.pool import WorkerPool
from roggia_ingest.worker.wire import Setup

__all__ = ["Setup", "WorkerPool"]
