"""Storage over HTTP: the JSON API's paths, queries and headers, and the harm done to them.

https://cloud.google.com/storage/docs/json_api/v1, read in November 2026.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec
from aiohttp import web

from darkroom_simulator import storage_upload
from darkroom_simulator.batch_fault import Mishap
from darkroom_simulator.batch_wire import BATCHES, BREAKS
from darkroom_simulator.download import NoSuchRangeError, download
from darkroom_simulator.intake import Intake
from darkroom_simulator.problem import JSON
from darkroom_simulator.storage import Store
from darkroom_simulator.storage_fault import Deed, Harm, StorageRule
from darkroom_simulator.storage_object import Object
from darkroom_simulator.storage_problem import StorageProblem, no_bucket
from darkroom_simulator.storage_upload import Upload
from darkroom_simulator.wire import cut

STORE: web.AppKey[Store] = web.AppKey("store", Store)
ALWAYS = frozenset({"prettyPrint", "fields", "userProject", "projection", "alt"})
UPLOAD = frozenset({"uploadType", "name", "ifGenerationMatch", "kmsKeyName", "upload_id"})
ONE = frozenset({"generation", "ifGenerationMatch"})
MANY = frozenset({"prefix", "maxResults", "pageToken", "delimiter"})
REWRITE = frozenset({"sourceGeneration", "ifGenerationMatch", "destinationKmsKeyName"})

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def routes() -> list[web.RouteDef]:
    """List the routes."""
    upload, one = "/upload/storage/v1/b/{bucket}/o", "/storage/v1/b/{bucket}/o/{name:.+}"
    return [
        web.post(upload, harmed(Deed.CREATE, UPLOAD, create)),
        web.put(upload, harmed(Deed.CREATE, UPLOAD, resume)),
        web.post(
            f"{one}/rewriteTo/b/{{to_bucket}}/o/{{to:.+}}", harmed(Deed.COPY, REWRITE, rewrite)
        ),
        web.get("/storage/v1/b/{bucket}/o", harmed(Deed.LIST, MANY, listing)),
        web.get(one, harmed(Deed.READ, ONE, read)),
        web.get(f"/download{one}", harmed(Deed.READ, ONE, read)),
        web.delete(one, harmed(Deed.DELETE, ONE, delete)),
    ]


def harmed(deed: Deed, known: frozenset[str], handler: Handler) -> Handler:
    """Wrap a handler: strict about the query, counted, and met by the scenario's harm."""

    async def handle(request: web.Request) -> web.StreamResponse:
        store = request.app[STORE]
        try:
            rule = store.script.strike(deed, about(request))
            refuse_unknown(request.query, known)
            if deed is not Deed.CREATE:
                await late(rule)
            before(rule)
            response = after(request, rule, await handler(request))
            if deed is Deed.CREATE:  # it is done by then, whether the client still waits or not
                await late(rule)
        except StorageProblem as problem:
            response = web.Response(
                status=problem.code, body=problem.body, headers={"Content-Type": JSON}
            )
        except ConnectionResetError:  # the client has gone
            return cut(request)
        store.answered[f"{deed} {response.status}"] += 1
        return response

    return handle


def about(request: web.Request) -> str:
    """Name the object that a request is about, as far as its head tells."""
    if "upload_id" in request.query:
        return request.app[STORE].sessions.find(request.query["upload_id"]).name
    return request.match_info.get("name") or request.query.get("name", "")


def refuse_unknown(query: Mapping[str, str], known: frozenset[str]) -> None:
    """Raise StorageProblem for a parameter that would be silently ignored."""
    for name in query.keys() - known - ALWAYS:
        raise StorageProblem(400, f"Unknown query parameter: {name}")


async def late(rule: StorageRule | None) -> None:
    """Take the time that a rule takes."""
    if rule is not None and rule.fault is Harm.SLOW:
        await asyncio.sleep(rule.seconds)


def before(rule: StorageRule | None) -> None:
    """Do the harm that comes before any work."""
    match rule and rule.fault:
        case Harm.OVERLOADED:
            raise StorageProblem(503, "We encountered an internal error. Please try again.")
        case Harm.THROTTLED:
            raise StorageProblem(429, "The rate of requests is too high.")
        case Harm.DENIED:
            raise StorageProblem(403, "The caller does not have storage.objects access.")
        case Harm.GONE:
            raise no_bucket()


def after(
    request: web.Request, rule: StorageRule | None, response: web.StreamResponse
) -> web.StreamResponse:
    """Do the harm that comes when the work is done."""
    match rule and rule.fault:
        case Harm.OVERLOADED_AFTER:
            raise StorageProblem(503, "We encountered an internal error. Please try again.")
        case Harm.RESET_AFTER:
            return cut(request)
        case Harm.WRONG_CRC if isinstance(response, web.Response):
            assert isinstance(response.body, bytes), "a description"
            lie: dict[str, Any] = msgspec.json.decode(response.body) | {"crc32c": "AAAAAA=="}
            return answer(lie)
    return response


async def create(request: web.Request) -> web.StreamResponse:
    """Create an object from one body, or begin a session for it."""
    kind = request.query.get("uploadType")
    if kind == "multipart":
        return await create_at_once(request)
    if kind == "resumable":
        return await begin(request)
    raise StorageProblem(400, f"No such uploadType: {kind}")


async def create_at_once(request: web.Request) -> web.StreamResponse:
    """Create an object from a body of two parts."""
    store = request.app[STORE]
    data = Intake(store.scratch.path())
    try:
        body, mime = await storage_upload.parts(request, data)
        return described(request, store.finish(asked(request, body, data, mime)))
    except StorageProblem:
        data.drop()
        raise


async def begin(request: web.Request) -> web.StreamResponse:
    """Begin a session."""
    store, data = request.app[STORE], Intake(request.app[STORE].scratch.path())
    mime = request.headers.get("X-Upload-Content-Type", "")
    upload = asked(request, await request.read(), data, mime)
    store.admit(upload)
    key = store.sessions.begin(upload)
    place = request.url.with_query(uploadType="resumable", upload_id=key)
    return web.Response(headers={"Location": str(place)})


def asked(request: web.Request, body: bytes, data: Intake, mime: str) -> Upload:
    """Gather what an upload is to make, under which precondition."""
    query = request.query
    wanted = storage_upload.wanted(body, query.get("name"))
    if query.get("kmsKeyName"):
        wanted = msgspec.structs.replace(wanted, kms_key_name=query["kmsKeyName"])
    bucket = request.match_info["bucket"]
    return Upload(bucket, wanted, query.get("ifGenerationMatch"), data, mime)


async def resume(request: web.Request) -> web.StreamResponse:
    """Take a chunk of a session in, or say how far it is."""
    store = request.app[STORE]
    upload = store.sessions.find(request.query.get("upload_id", ""))
    if upload.made is not None:
        return described(request, upload.made)
    content_range = request.headers.get("Content-Range", "")
    if await storage_upload.append(upload, content_range, request):
        declared = request.headers.get("X-Goog-Hash", "").partition("crc32c=")[2] or None
        return described(request, store.finish(upload, declared))
    come = {"Range": f"bytes=0-{upload.data.size - 1}"} if upload.data.size else {}
    return web.Response(status=308, headers=come)


async def read(request: web.Request) -> web.StreamResponse:
    """Send an object's description, or its bytes, or a range of them."""
    store, bucket, name = (
        request.app[STORE],
        request.match_info["bucket"],
        request.match_info["name"],
    )
    found = store.find(bucket, name, request.query)
    if request.query.get("alt") != "media":
        return described(request, found)
    headers = {
        "Content-Type": found.content_type,
        "X-Goog-Hash": f"crc32c={found.crc32c},md5={found.md5}",
        "X-Goog-Generation": str(found.generation),
        "X-Goog-Stored-Content-Length": str(found.size),
    }
    harm = request.app[BATCHES].harm(f"gs://{bucket}/{name}")
    if harm is Mishap.DOWNLOAD_503:
        raise StorageProblem(503, "We encountered an internal error. Please try again.")
    broken = BREAKS[harm] if harm else None
    try:
        return await download(request, store.shelf.file(found), headers, broken)
    except NoSuchRangeError:
        raise StorageProblem(416, "The requested range cannot be satisfied.") from None


async def listing(request: web.Request) -> web.StreamResponse:
    """Send a page of a listing."""
    bucket, origin = request.match_info["bucket"], str(request.url.origin())
    return answer(request.app[STORE].listing(bucket, request.query, origin))


async def rewrite(request: web.Request) -> web.StreamResponse:
    """Copy an object, whole in one call."""
    names = request.match_info
    made = request.app[STORE].rewrite(
        (names["bucket"], names["name"]), (names["to_bucket"], names["to"]), request.query
    )
    size = str(made.size)
    told = {"kind": "storage#rewriteResponse", "done": True, "objectSize": size}
    resource = made.resource(str(request.url.origin()))
    return answer({**told, "totalBytesRewritten": size, "resource": resource})


async def delete(request: web.Request) -> web.StreamResponse:
    """Delete an object."""
    bucket, name = request.match_info["bucket"], request.match_info["name"]
    request.app[STORE].delete(bucket, name, request.query)
    return web.Response(status=204)


def described(request: web.Request, found: Object) -> web.Response:
    """Answer with an object's description."""
    return answer(found.resource(str(request.url.origin())))


def answer(body: Mapping[str, Any]) -> web.Response:
    """Answer with JSON."""
    return web.Response(body=msgspec.json.encode(body), headers={"Content-Type": JSON})
