"""CRC-32C, the checksum of record batches, of the journal and of snapshots."""

from __future__ import annotations

from crc32c import crc32c

__all__ = ["crc32c"]
