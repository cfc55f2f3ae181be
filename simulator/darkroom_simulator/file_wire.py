"""The Files API over HTTP."""

from __future__ import annotations

from aiohttp import web

from darkroom_simulator.batch_fault import Mishap
from darkroom_simulator.batch_wire import BATCHES, BREAKS, admit, answer, filled, understood
from darkroom_simulator.catalog import Platform
from darkroom_simulator.download import NoSuchRangeError, download
from darkroom_simulator.fields import ANYTHING, STRING, Message
from darkroom_simulator.file_upload import GRAIN, FileSessions, Session, take
from darkroom_simulator.files import File, Files, named
from darkroom_simulator.paging import paged
from darkroom_simulator.problem import Problem, invalid
from darkroom_simulator.refusal import UNAVAILABLE, Refused, guarded

SESSIONS = web.AppKey("file sessions", FileSessions)
VERSION = "/{version:v1|v1beta}"
FILE = Message({"name": STRING, "displayName": STRING, "mimeType": STRING, "sizeBytes": ANYTHING})
START = Message({"file": FILE})


def routes() -> list[web.RouteDef]:
    """List the routes."""
    upload, one = f"/upload{VERSION}/files", VERSION + "/files/{id}"
    return [
        web.post(upload, guarded(uploaded)),
        web.put(upload, guarded(uploaded)),
        web.get(VERSION + "/files", guarded(listing)),
        web.get(one + ":download", guarded(content)),
        web.get(f"/download{one}:download", guarded(content)),
        web.get(one, guarded(get)),
        web.delete(one, guarded(delete)),
    ]


def files(request: web.Request) -> Files:
    """Let a request in to the files, or raise Refused."""
    return admit(request, Platform.AISTUDIO).files


def find(request: web.Request) -> File:
    """Find the file that a request names, or raise Refused."""
    return granted(files(request).find(f"files/{request.match_info['id']}"))


def granted(found: File | Problem) -> File:
    """Return a file, or raise Refused."""
    if isinstance(found, Problem):
        raise Refused(found)
    return found


async def uploaded(request: web.Request) -> web.StreamResponse:
    """Do what an upload's commands say; who continues one needs no key, its address is secret."""
    said = request.headers.get("X-Goog-Upload-Command", "").lower()
    commands = {command.strip() for command in said.split(",")}
    if request.app[BATCHES].upload_fails():
        raise Refused(UNAVAILABLE)
    if commands == {"start"}:
        return await start(request)
    key = request.query.get("upload_id", "")
    session = request.app[SESSIONS].find(key)
    if isinstance(session, Problem):
        raise Refused(session)
    if commands == {"query"}:
        return web.Response(headers=session.status)
    if commands == {"cancel"} and not session.made:
        request.app[SESSIONS].cancel(key)
        return web.Response(headers={"X-Goog-Upload-Status": "cancelled"})
    if not commands <= {"upload", "finalize"}:
        raise Refused(invalid(f"Invalid X-Goog-Upload-Command: {said!r}"))
    return await carry_on(request, session, commands)


async def start(request: web.Request) -> web.StreamResponse:
    """Begin an upload."""
    files(request)
    if request.headers.get("X-Goog-Upload-Protocol") != "resumable":
        raise Refused(invalid("Only the resumable protocol is served here."))
    _, read = understood(await request.read() or b"{}", START)
    type_by_header = request.headers.get("X-Goog-Upload-Header-Content-Type", "")
    asked = named({"mimeType": type_by_header, **read.get("file", {})})
    if isinstance(asked, Problem):
        raise Refused(asked)
    length = request.headers.get("X-Goog-Upload-Header-Content-Length", "")
    key = request.app[SESSIONS].begin(asked, int(length) if length.isdecimal() else None)
    if isinstance(key, Problem):
        raise Refused(key)
    place = str(request.url.with_query(upload_id=key, upload_protocol="resumable"))
    headers = {
        "X-Goog-Upload-Status": "active",
        "X-Goog-Upload-URL": place,
        "X-Goog-Upload-Control-URL": place,
        "X-Goog-Upload-Chunk-Granularity": str(GRAIN),
    }
    return web.Response(headers=headers)


async def carry_on(
    request: web.Request, session: Session, commands: set[str]
) -> web.StreamResponse:
    """Take a chunk in, and make the file if it was the last."""
    last = "finalize" in commands
    problem = await take(session, request, last=last) if "upload" in commands else None
    made = request.app[SESSIONS].finish(session) if last and not problem else problem
    if isinstance(made, Problem):
        refusal = web.Response(status=made.code, body=made.body, content_type="application/json")
        ended = last and made.code == 409  # noqa: PLR2004 - the name is taken for good
        refusal.headers.update(
            session.status | ({"X-Goog-Upload-Status": "final"} if ended else {})
        )
        return refusal
    if made is None:
        return web.Response(headers=session.status)
    response = answer({"file": made.resource(str(request.url.origin()))})
    response.headers.update(session.status)
    return response


async def get(request: web.Request) -> web.StreamResponse:
    """Describe a file."""
    return answer(find(request).resource(str(request.url.origin())))


async def listing(request: web.Request) -> web.StreamResponse:
    """Send a page of files, the newest first."""
    found = paged(files(request).every(), request.query)
    if isinstance(found, Problem):
        raise Refused(found)
    page, following = found
    origin = str(request.url.origin())
    shown = [file.resource(origin) for file in page]
    return answer(filled({"files": shown, "nextPageToken": following}))


async def delete(request: web.Request) -> web.StreamResponse:
    """Delete a file."""
    find(request)
    files(request).delete(f"files/{request.match_info['id']}")
    return answer({})


async def content(request: web.Request) -> web.StreamResponse:
    """Send a file's bytes, or a range of them."""
    file = find(request)
    if request.query.get("alt") != "media":
        raise Refused(invalid("Only alt=media is served here."))
    if not file.made_by_batch:
        raise Refused(invalid("Only generated files can be downloaded."))
    harm = request.app[BATCHES].harm(file.named.name)
    if harm is Mishap.DOWNLOAD_503:
        raise Refused(UNAVAILABLE)
    headers = {"Content-Type": file.named.mime}
    try:
        return await download(request, file.path, headers, BREAKS[harm] if harm else None)
    except NoSuchRangeError:
        raise Refused(Problem(416, "The requested range cannot be satisfied.", "invalid")) from None
