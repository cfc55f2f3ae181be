"""Where pictures wait: drawn once, in threads, and kept as base64 while they are asked for."""

from __future__ import annotations

import asyncio
import binascii
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor

from darkroom_simulator.picture import Picture, draw

KEPT = 48


class Easel:
    """A small cache of drawn pictures. Requests for one picture wait for one drawing of it."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(thread_name_prefix="easel")
        self._drawings: OrderedDict[Picture, asyncio.Future[bytes]] = OrderedDict()

    async def base64(self, picture: Picture) -> bytes:
        """Return the picture's file as base64."""
        drawing = self._drawings.get(picture)
        if drawing is None:
            loop = asyncio.get_running_loop()
            drawing = loop.run_in_executor(self._threads, drawn, picture)
            self._drawings[picture] = drawing
            if len(self._drawings) > KEPT:
                self._drawings.popitem(last=False)
        else:
            self._drawings.move_to_end(picture)
        return await asyncio.shield(drawing)

    def close(self) -> None:
        """Drop what is not begun and stop the threads."""
        self._threads.shutdown(cancel_futures=True)


def drawn(picture: Picture) -> bytes:
    """Draw and encode, off the event loop."""
    return binascii.b2a_base64(draw(picture), newline=False)
