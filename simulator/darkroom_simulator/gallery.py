"""Pictures that hang somewhere: answers of proxies may tell their address alone."""

from __future__ import annotations

import binascii
from collections import OrderedDict
from dataclasses import dataclass

from aiohttp import web

from darkroom_simulator.easel import Easel
from darkroom_simulator.picture import Picture
from darkroom_simulator.problem import HTML, page

HERE = "~here~"
"""Stands for the simulator's own host and port until an answer leaves."""

MOST = 1_000


@dataclass(slots=True)
class Hung:
    """A picture, and what goes wrong when somebody looks: 404, `once` 404, `html`."""

    picture: Picture
    fault: str
    looks: int = 0


class Gallery:
    """Holds the latest pictures, as what is to be drawn."""

    def __init__(self, easel: Easel) -> None:
        self._easel = easel
        self._hung: OrderedDict[str, Hung] = OrderedDict()

    def hang(self, name: str, picture: Picture, fault: str) -> None:
        """Put a picture up."""
        self._hung[name] = Hung(picture, fault)
        while len(self._hung) > MOST:
            self._hung.popitem(last=False)

    async def show(self, name: str) -> web.Response:
        """Answer who looks at one."""
        hung = self._hung.get(name)
        if hung is None:
            return web.Response(status=404, text="no such picture")
        hung.looks += 1
        if hung.fault == "404" or (hung.fault == "once" and hung.looks == 1):
            return web.Response(status=404, text="not here yet")
        if hung.fault == "html":
            return web.Response(body=page(502), headers={"Content-Type": HTML})
        data = binascii.a2b_base64(await self._easel.base64(hung.picture))
        return web.Response(body=data, content_type=hung.picture.mime)
