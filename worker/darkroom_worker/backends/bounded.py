"""Bodies that are given up where they grow beyond any image."""

from __future__ import annotations

from typing import Final

import aiohttp

# The largest picture, 4K without any compression, has 67 MB in base64.
_LARGEST_BODY: Final = 128 << 20
# Who reads takes all that comes: to stop the socket for each 64 KiB costs more than the copy.
_READ_AHEAD: Final = 4 << 20


class BoundedResponse(aiohttp.ClientResponse):
    """A response that an endless or a bloated body cannot fill our memory with."""

    async def read(self) -> bytes:
        """Read the whole body. Raises ClientPayloadError for one that is too large."""
        if self._body is None:
            self.content.set_read_chunk_size(_READ_AHEAD)
            try:
                self._body = await _read_within(self.content, _LARGEST_BODY)
            except BaseException:
                self.close()
                raise
            await self._wait_released()
        return self._body


async def _read_within(content: aiohttp.StreamReader, most: int) -> bytes:
    pieces, size = [], 0
    async for piece in content.iter_any():
        size += len(piece)
        if size > most:
            raise aiohttp.ClientPayloadError(f"the answer is larger than {most >> 20} MiB")
        pieces.append(piece)
    return b"".join(pieces)
