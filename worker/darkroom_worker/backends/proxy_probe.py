"""Tries the doors of a proxy with requests that cannot be drawn: there is no prompt in them."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

import aiohttp
import msgspec

from darkroom.models import AttemptState
from darkroom.settings import Mode, Settings
from darkroom.settings import Proxy as Told
from darkroom_worker.backends.base import Outcome
from darkroom_worker.backends.faults import read_error
from darkroom_worker.backends.probe import Probe
from darkroom_worker.backends.proxy import keys
from darkroom_worker.backends.proxy_answer import read_answer
from darkroom_worker.backends.proxy_faults import Declined, read_declined
from darkroom_worker.backends.proxy_wire import native_url
from darkroom_worker.backends.session import open_session

_SECONDS: Final = 30.0
_ABSENT: Final = "Set proxy.base_url: https://HOST/v1."
# What a door answers that is there, to a request that lacks its prompt.
_OPEN: Final = frozenset(
    {
        AttemptState.INVALID,
        AttemptState.BUSY,
        AttemptState.REFUSED,
        AttemptState.TRANSIENT,
        AttemptState.NO_IMAGE,
    }
)
_MODEL: Final = "Give the proxy's own name for it in proxy.models."


async def probe_proxy(settings: Settings, model: str) -> list[Probe]:
    """Look for the list of models and for each of the three wires; none of it costs anything."""
    told = settings.proxy
    if told.base_url is None:
        return [Probe(door="proxy", answers=False, said="It has no address.", fix=_ABSENT)]
    async with open_session() as session:
        found = [await _models(session, told, told.base_url, model)]
        return found + [await _door(session, told, mode, model) for mode in Mode]


async def _models(session: aiohttp.ClientSession, told: Told, base: str, model: str) -> Probe:
    outcome, body = await _asked(session, "GET", f"{base}/models", told, None)
    listed = _listed(body)
    if listed is None:
        said = outcome.message or "It is no list of models."
        return Probe(door="models", answers=False, said=said, fix=_fix(outcome))
    name = told.name_of(model)
    if name in listed:
        return Probe(door="models", answers=True, said=f"{name} is one of {len(listed):,}.")
    said = f"{name} is not among {len(listed):,}."
    return Probe(door="models", answers=True, said=said, fix=_MODEL)


async def _door(session: aiohttp.ClientSession, told: Told, mode: Mode, model: str) -> Probe:
    name, base = told.name_of(model), told.base_url or ""
    urls = {
        Mode.IMAGES: f"{base}/images/generations",
        Mode.CHAT: f"{base}/chat/completions",
        Mode.NATIVE: native_url(base, name),
    }
    body = {} if mode is Mode.NATIVE else {"model": name}
    outcome, _ = await _asked(session, "POST", urls[mode], told, body)
    said = outcome.message or outcome.ended
    if outcome.ended is AttemptState.GONE:
        return Probe(door=mode, answers=True, said=said, fix=_MODEL)
    is_open = outcome.ended in _OPEN
    fix = None if is_open else _fix(outcome)
    return Probe(
        door=mode, answers=is_open, said=f"It answers: {said}" if is_open else said, fix=fix
    )


async def _asked(
    session: aiohttp.ClientSession, method: str, url: str, told: Told, body: object
) -> tuple[Outcome, bytes]:
    timeout = aiohttp.ClientTimeout(total=_SECONDS)
    try:
        async with session.request(
            method, url, json=body, headers=keys(told), timeout=timeout, allow_redirects=False
        ) as answer:
            found = await answer.read()
            if answer.status >= HTTPStatus.MULTIPLE_CHOICES:
                return read_declined(Declined(answer.status, found, answer)), b""
            return read_answer(found, answer.headers, None), found
    except Exception as error:  # noqa: BLE001  # every error is an outcome
        return read_error(error), b""


def _listed(body: bytes) -> set[str] | None:
    try:
        document: Any = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    listed = document.get("data") if isinstance(document, dict) else None
    if not isinstance(listed, list):
        return None
    return {str(each.get("id")) for each in listed if isinstance(each, dict)}


def _fix(outcome: Outcome) -> str | None:
    if outcome.http_status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return "Check proxy.api_key."
    if outcome.ended is AttemptState.NOT_SENT:
        return _ABSENT
    return None
