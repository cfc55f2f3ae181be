"""The back door, for tests: what was done to be read, things to be harmed, all to be reset."""

from __future__ import annotations

from typing import Annotated

import msgspec
from aiohttp import web

from darkroom_simulator.batch_fault import BatchRule
from darkroom_simulator.batch_wire import BATCHES
from darkroom_simulator.generate import SIMULATOR
from darkroom_simulator.storage_fault import StorageRule, StorageScript
from darkroom_simulator.storage_wire import STORE


def routes() -> list[web.RouteDef]:
    """List the routes."""
    return [
        web.get("/_sim/ledger", summary),
        web.get("/_sim/ledger/lines", lines),
        web.get("/_sim/quota", quota),
        web.post("/_sim/reset", reset),
        web.get("/_sim/storage", answered),
        web.put("/_sim/storage/rules", harm),
        web.get("/_sim/batches", batches),
        web.put("/_sim/batches/rules", play),
        web.post("/_sim/clock", clock),
    ]


async def summary(request: web.Request) -> web.Response:
    """Send the ledger's sums."""
    body = msgspec.json.encode(request.app[SIMULATOR].ledger.summary())
    return web.Response(body=body, content_type="application/json")


async def lines(request: web.Request) -> web.Response:
    """Send every line."""
    body = request.app[SIMULATOR].ledger.written()
    return web.Response(body=body, content_type="application/x-ndjson")


async def quota(request: web.Request) -> web.Response:
    """Send what was let in and refused by each platform's quota, and how full its windows were."""
    quotas = request.app[SIMULATOR].quotas
    body = msgspec.json.encode({platform: quota.report() for platform, quota in quotas.items()})
    return web.Response(body=body, content_type="application/json")


async def reset(request: web.Request) -> web.Response:
    """Forget everything asked so far."""
    request.app[SIMULATOR].reset()
    await request.app[BATCHES].reset()
    return web.Response(status=204)


async def answered(request: web.Request) -> web.Response:
    """Send how often storage gave which answer, as `create 412`."""
    body = msgspec.json.encode(request.app[STORE].answered)
    return web.Response(body=body, content_type="application/json")


async def harm(request: web.Request) -> web.Response:
    """Put other rules in the place of storage's; `[]` ends all harm."""
    try:
        rules = msgspec.json.decode(await request.read(), type=tuple[StorageRule, ...])
    except msgspec.MsgspecError as error:
        return web.Response(status=400, text=str(error))
    seed = request.app[SIMULATOR].flags.scenario.seed
    request.app[STORE].script = StorageScript(rules, seed)
    return web.Response(status=204)


async def batches(request: web.Request) -> web.Response:
    """Send what became of all batches, and how often each display name was created."""
    body = msgspec.json.encode(request.app[BATCHES].report())
    return web.Response(body=body, content_type="application/json")


async def play(request: web.Request) -> web.Response:
    """Put other rules in the place of those for batches; `[]` ends all mishaps to come."""
    try:
        rules = msgspec.json.decode(await request.read(), type=tuple[BatchRule, ...])
    except msgspec.MsgspecError as error:
        return web.Response(status=400, text=str(error))
    request.app[BATCHES].play(rules)
    return web.Response(status=204)


class Forward(msgspec.Struct, forbid_unknown_fields=True):
    """By how many seconds batch time is to go forward."""

    advance: Annotated[float, msgspec.Meta(ge=0)]


async def clock(request: web.Request) -> web.Response:
    """Put batch time forward; the answer comes when all is worked that is due by then."""
    try:
        forward = msgspec.json.decode(await request.read(), type=Forward)
    except msgspec.MsgspecError as error:
        return web.Response(status=400, text=str(error))
    now = await request.app[BATCHES].advance(forward.advance)
    return web.json_response({"now": now})
