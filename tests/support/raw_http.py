"""Speaking HTTP by the byte, as no well-behaved client would."""

from __future__ import annotations

import asyncio


async def said(port: int, *pieces: bytes) -> bytes:
    """All that a server on loopback says to these bytes until it closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for piece in pieces:
        writer.write(piece)
    try:
        async with asyncio.timeout(10):
            return await reader.read()
    except ConnectionResetError:
        return b""
    finally:
        writer.close()
