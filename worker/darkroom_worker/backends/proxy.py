"""OpenAI-compatible proxies, by plain REST: one request leaves for each attempt (ADR 18)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

import aiohttp

from darkroom.price_list import registry_of
from darkroom.registry import Model, Registry
from darkroom.request import Request
from darkroom.settings import Proxy as Told
from darkroom.settings import Settings
from darkroom_manifests.tier import Tier
from darkroom_worker.backends.attempt import attempt_id
from darkroom_worker.backends.base import Backend, Break, Fetched, Outcome, Reply, Unavailable
from darkroom_worker.backends.faults import read_error
from darkroom_worker.backends.hosted import Hosted
from darkroom_worker.backends.proxy_answer import hosted_in, read_answer
from darkroom_worker.backends.proxy_faults import Declined, read_declined
from darkroom_worker.backends.proxy_wire import Pixels, Spelled, Wire
from darkroom_worker.backends.session import open_session

_HTTP: Final = b"http"
# Larger answers hold the picture itself, or nothing that is worth a look.
_MOST_LOOKED_AT: Final = 1 << 20


class Proxy:
    """One session for the life of a process; many requests in flight on it."""

    def __init__(
        self, session: aiohttp.ClientSession, wire: Wire, told: Told, hosted: Hosted
    ) -> None:
        self._session = session
        self._wire = wire
        self._told = told
        self._hosted = hosted

    async def send(self, request: Request, model: str, seconds: float) -> Reply:
        """Send one request for one picture; a picture that lies elsewhere is fetched after it."""
        began = time.monotonic()
        try:
            spelled = await self._spelled(request, model)
            found, headers = await self._post(spelled, seconds)
            fetched = await self._fetched(found)
            return Reply(found, headers, None, _since(began), fetched)
        except Exception as error:  # noqa: BLE001  # every error is an outcome: see `read`
            return Reply(None, {}, error, _since(began))

    async def _spelled(self, request: Request, model: str) -> Spelled:
        """Write it here, or beside the loop where megabytes are to be read for it."""
        if request.all_pictures:
            return await asyncio.to_thread(self._spell, request, model)
        return self._spell(request, model)

    def _spell(self, request: Request, model: str) -> Spelled:
        """Write the request. Raises ValueError, since nothing has left yet: it cannot be lost."""
        return self._wire.spell(request, model, self._told.name_of(model))

    async def _post(self, spelled: Spelled, seconds: float) -> tuple[bytes, Mapping[str, str]]:
        kind = {"Content-Type": spelled.kind} if spelled.kind else {}
        async with self._session.post(
            spelled.url,
            data=spelled.body,
            headers={**kind, **keys(self._told), **_idempotency()},
            timeout=aiohttp.ClientTimeout(total=seconds),
            allow_redirects=False,  # a key must not go where it was not meant for
        ) as answer:
            found = await answer.read()
            if answer.status >= HTTPStatus.MULTIPLE_CHOICES:
                raise Declined(answer.status, found, answer)
            return found, answer.headers

    async def _fetched(self, found: bytes) -> Fetched | None:
        if len(found) > _MOST_LOOKED_AT or _HTTP not in found:
            return None
        url = hosted_in(found)
        return None if url is None else await self._hosted.fetch(url)

    def read(self, reply: Reply) -> Outcome:
        """Classify a reply; see `Backend.read`."""
        if isinstance(reply.error, Declined):
            return read_declined(reply.error)
        if reply.error is not None:
            return read_error(reply.error)
        return read_answer(reply.body or b"", reply.headers, reply.fetched)

    async def close(self) -> None:
        """Close the connections."""
        self._hosted.close()
        await self._session.close()


def keys(told: Told) -> dict[str, str]:
    """Sign as OpenAI's SDK does and, for the native wire, as Google's does."""
    if told.api_key is None:
        return {}
    key = told.api_key.get_secret_value()
    return {"Authorization": f"Bearer {key}", "x-goog-api-key": key}


def _idempotency() -> dict[str, str]:
    """Name the attempt: where something on the way sends twice, a proxy may know it again."""
    attempt = attempt_id()
    return {} if attempt is None else {"Idempotency-Key": attempt}


def _since(began: float) -> int:
    return round((time.monotonic() - began) * 1000)


def _pixels(registry: Registry) -> Pixels:
    def pixels(model: str, request: Request) -> str | None:
        if not isinstance(registry.find(model), Model):
            return None
        expected = registry.expected(request.ask(model))
        sides = (expected.width, expected.height)
        return None if None in sides else f"{sides[0]}x{sides[1]}"

    return pixels


def open_proxy(settings: Settings) -> Backend:
    """Make a client of the proxy. Call it on the event loop."""
    told = settings.proxy
    if told.base_url is None:
        hint = f"Set proxy.base_url, then `darkroom tier resume {Tier.PROXY}`."
        rest = Break(whole_tier=True, seconds=None, reason="no base URL", hint=hint)
        raise Unavailable(Tier.PROXY, rest)
    pixels = _pixels(registry_of(settings))
    wire = Wire(told.base_url, told.mode, pixels, told.extra_body)
    session = open_session(settings.limits(Tier.PROXY).concurrency)
    return Proxy(session, wire, told, Hosted(told.allow_hosts))
