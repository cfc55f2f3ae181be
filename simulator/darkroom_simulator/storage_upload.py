"""Uploads: one body in two parts, or a session that takes chunks."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass

import msgspec
from aiohttp import BodyPartReader, MultipartReader, web

from darkroom_simulator.intake import Intake
from darkroom_simulator.storage_object import Object, Wanted
from darkroom_simulator.storage_problem import StorageProblem

GRAIN = 256 << 10  # chunks but the last are multiples of it; Google, resumable uploads
CHUNK = 1 << 20
RANGE = re.compile(r"bytes (?:(?P<first>\d+)-(?P<last>\d+)|\*)/(?P<total>\d+|\*)")


@dataclass(slots=True)
class Upload:
    """An upload on its way: what is to be made, under which precondition, and what has come."""

    bucket: str
    wanted: Wanted
    generation_match: str | None
    data: Intake
    mime: str = ""
    made: Object | None = None

    @property
    def name(self) -> str:
        """The object's name."""
        assert self.wanted.name is not None, "checked when it began"
        return self.wanted.name


class Sessions:
    """The resumable uploads that were begun."""

    def __init__(self) -> None:
        self._uploads: dict[str, Upload] = {}

    def begin(self, upload: Upload) -> str:
        """Begin one; its id."""
        key = secrets.token_urlsafe(16)
        self._uploads[key] = upload
        return key

    def find(self, key: str) -> Upload:
        """Return one; raise StorageProblem if it is unknown."""
        if key not in self._uploads:
            raise StorageProblem(404, "No such upload session.")
        return self._uploads[key]


def wanted(body: bytes, name: str | None) -> Wanted:
    """Read an object's metadata; the name may come in the query instead."""
    try:
        found = msgspec.json.decode(body or b"{}", type=Wanted)
    except msgspec.MsgspecError as error:
        raise StorageProblem(400, str(error)) from error
    if found.name is None and name is None:
        raise StorageProblem(400, "Required parameter: name")
    return msgspec.structs.replace(found, name=found.name or name)


async def parts(request: web.Request, data: Intake) -> tuple[bytes, str]:
    """Take a multipart body apart: return the metadata and the media's type, write the media."""
    if not request.content_type.startswith("multipart/related"):
        raise StorageProblem(400, "Multipart uploads need multipart/related with a boundary.")
    try:
        reader = await request.multipart()
        metadata = await (await part(reader)).read()
        media = await part(reader)
        while chunk := await media.read_chunk(CHUNK):
            data.write(chunk)
        whole = await reader.next() is None
    except (ValueError, AssertionError, EOFError) as error:
        raise StorageProblem(400, f"Malformed multipart body. {error}") from error
    if not whole:
        raise StorageProblem(400, "Malformed multipart body.")
    return bytes(metadata), media.headers.get("Content-Type", "")


async def part(reader: MultipartReader) -> BodyPartReader:
    """Return the next part, which must be there."""
    found = await reader.next()
    if not isinstance(found, BodyPartReader):
        raise ValueError("A part is missing.")  # noqa: TRY004 - about the body, not about types
    return found


async def append(upload: Upload, content_range: str, request: web.Request) -> bool:
    """Take a chunk in; True when the upload is whole. What had come already is ignored."""
    match = RANGE.fullmatch(content_range)
    if match is None:
        raise StorageProblem(400, f"Invalid Content-Range: {content_range}")
    total = None if match["total"] == "*" else int(match["total"])
    if match["first"] is not None:
        first, end = int(match["first"]), int(match["last"]) + 1
        fits(upload, request.content_length, first, end, total)
        await take(upload.data, request, upload.data.size - first)
        if upload.data.size != end:
            raise StorageProblem(400, "The chunk is not as long as its Content-Range says.")
    return total is not None and upload.data.size == total


def fits(upload: Upload, length: int | None, first: int, end: int, total: int | None) -> None:
    """Raise StorageProblem for a chunk that cannot be taken."""
    if length != end - first:
        raise StorageProblem(400, "The chunk is not as long as its Content-Range says.")
    if first > upload.data.size:
        raise StorageProblem(416, "The chunk leaves a hole.")
    if end != total and length % GRAIN:
        raise StorageProblem(400, "Chunks but the last must be multiples of 256 KiB.")


async def take(data: Intake, request: web.Request, known: int) -> None:
    """Write a body as it comes, without its first `known` bytes; what came of a cut one stays."""
    async for chunk in request.content.iter_chunked(CHUNK):
        data.write(chunk[known:] if known > 0 else chunk)
        known -= len(chunk)
