"""Errors and torn connections as exceptions, for handlers that can end in many places."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web

from darkroom_simulator.generate import failed
from darkroom_simulator.problem import Problem
from darkroom_simulator.wire import cut, reset

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
UNAVAILABLE = Problem(503, "The service is currently unavailable.", "503")


class Refused(Exception):
    """A request that gets an error."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


class Torn(Exception):
    """A request whose connection is reset instead of an answer."""


def guarded(handler: Handler) -> Handler:
    """Wrap a handler: what it raises becomes what the client gets."""

    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except Refused as refused:
            return failed(refused.problem)
        except Torn:
            return reset(request)
        except ConnectionResetError:  # the client has gone
            return cut(request)

    return handle
