"""`generateContent` of AI Studio and Vertex: one SDK, one code path, differently built clients."""

from __future__ import annotations

import base64
import time
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import aiohttp
import google.auth

# google-genai looks for the module `requests` with each answer (3.4.0, `loaded_requests`). Found
# half imported, as by a thread that just begins to upload, it fails, and a paid answer is lost.
import google.auth.transport.requests
import msgspec
import requests
from google.auth.credentials import Credentials
from google.genai import Client, types
from google.oauth2.credentials import Credentials as BearerCredentials

from darkroom.registry import Level
from darkroom.request import Request
from darkroom.settings import AIStudio, ServiceTier, Settings, Vertex
from darkroom.weight import too_heavy
from darkroom_manifests.tier import Provider, Tier
from darkroom_worker.backends.base import Backend, Break, Outcome, Reply, Unavailable
from darkroom_worker.backends.contents import Piece, turns_of
from darkroom_worker.backends.faults import read_error
from darkroom_worker.backends.gemini_config import config_of
from darkroom_worker.backends.gemini_images import Images, read_unpointed
from darkroom_worker.backends.google_files import HOST, VERSION, Files
from darkroom_worker.backends.raw import raw
from darkroom_worker.backends.reading import read_body
from darkroom_worker.backends.rest import Rest
from darkroom_worker.backends.sdk_types import Config, Content, Part
from darkroom_worker.backends.session import open_session
from darkroom_worker.backends.staged_files import open_staged_files
from darkroom_worker.backends.studio_files import StudioFiles
from darkroom_worker.backends.uploads import Pointed

_SCOPE: Final = "https://www.googleapis.com/auth/cloud-platform"

# Vertex is told the level by headers, and ignores the body's field (Google, Agent Platform, Flex
# PayGo, Priority PayGo and Provisioned Throughput, 2026-10; js-genai #1468). Without any, what was
# bought serves first, and then the standard level; `shared` keeps what was bought out of it.
_KEY: Final = "x-goog-api-key"
_BOUGHT: Final = "X-Vertex-AI-LLM-Request-Type"
_SHARED: Final = "X-Vertex-AI-LLM-Shared-Request-Type"
_HEADERS: Final[Mapping[Tier, dict[str, str]]] = MappingProxyType(
    {
        Tier.VERTEX: {},
        Tier.VERTEX_FLEX: {_BOUGHT: "shared", _SHARED: "flex"},
        Tier.VERTEX_PRIORITY: {_BOUGHT: "shared", _SHARED: "priority"},
        Tier.VERTEX_PROVISIONED: {_BOUGHT: "dedicated"},
    }
)

# One attempt, said aloud: without it the SDK's aiohttp path re-sends once by itself after a
# dropped connection, and the image may be paid twice (google-genai 3.4.0, `_async_request_once`).
_ONCE: Final = types.HttpRetryOptions(attempts=1)


class Gemini:
    """One client for the life of a process; many requests in flight on it.

    `named` is the service level that each request names in its body; None: it names none. `labels`
    go along with each, for the bill.
    """

    def __init__(
        self,
        client: Client,
        session: aiohttp.ClientSession,
        tier: Tier,
        named: ServiceTier | None = None,
        files: Pointed | None = None,
        labels: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._models = client.aio.models
        self._session = session
        self._tier = tier
        self._named = named
        self._images = Images(files)
        self._labels = dict(labels)

    async def send(self, request: Request, model: str, seconds: float) -> Reply:
        """Send one `generateContent`."""
        began = time.monotonic()
        try:
            self._require_light(request)
            config = self._labelled(request, config_of(request, seconds, self._named))
            contents = await self._contents(request)
            with raw() as kept:
                answer = await self._models.generate_content(
                    model=model, contents=contents, config=config
                )
        except Exception as error:  # noqa: BLE001  # every error is an outcome: see `read`
            return Reply(None, {}, self._images.meant(error), _since(began))
        http, body = answer.sdk_http_response or types.HttpResponse(), kept.take()
        body = (http.body or "").encode() if body is None else body
        return Reply(body, http.headers or {}, None, _since(began))

    def _require_light(self, request: Request) -> None:
        """Raise ValueError for what the provider would refuse, before megabytes of it are sent."""
        said = too_heavy(request, self._tier, pointing=self._images.are_pointed_to)
        if said is not None:
            raise ValueError(said)

    def _labelled(self, request: Request, config: Config) -> Config:
        """Add what the bill is told apart by; AI Studio's is not."""
        labels = {**self._labels, **dict(request.labels)}
        if not labels or self._tier.provider is not Provider.VERTEX:
            return config
        return config.model_copy(update={"labels": labels})

    async def look_up(self, model: str) -> None:
        """Ask for a model's page, which costs nothing. Raises what the SDK raises."""
        await self._models.get(model=model)

    def read(self, reply: Reply) -> Outcome:
        """Classify a reply; see `Backend.read`."""
        if reply.error is not None:
            return read_unpointed(reply.error) or read_error(reply.error)
        outcome = read_body(reply.body or b"", reply.headers)
        if outcome.level is None and self._named is not None:
            return msgspec.structs.replace(outcome, level=Level(self._named))
        return outcome

    async def close(self) -> None:
        """Close the connections."""
        self._images.close()
        await self._session.close()

    async def _contents(self, request: Request) -> types.ContentListUnion:
        """Spell all turns. One alone goes without a list, whose kinds the SDK would try through."""
        must_lie = too_heavy(request, self._tier, pointing=False) is not None
        turns: list[types.ContentUnion] = [
            Content(
                role=turn.role,
                parts=[await self._part(each, must_lie=must_lie) for each in turn.pieces],
            )
            for turn in turns_of(request)
        ]
        return turns[0] if len(turns) == 1 else turns

    async def _part(self, piece: Piece, *, must_lie: bool) -> types.Part:
        part: types.Part = Part(text=piece.text)
        if piece.image is not None:
            part = await self._images.part(piece.image, is_own=piece.is_own, must_lie=must_lie)
        if piece.signature is not None:
            part.thought_signature = base64.b64decode(piece.signature)
        return part


def _since(began: float) -> int:
    return round((time.monotonic() - began) * 1000)


def open_aistudio(settings: AIStudio, connections: int = 1) -> Backend:
    """Make a client of the Gemini Developer API for so many requests at a time.

    Call it on the event loop.
    """
    if settings.api_key is None:
        hint = "Set GEMINI_API_KEY, then `darkroom tier resume aistudio`."
        rest = Break(whole_tier=True, seconds=None, reason="no API key", hint=hint)
        raise Unavailable(Tier.AISTUDIO, rest)
    session = open_session(connections)
    options = _options(session, settings.base_url)
    key = settings.api_key.get_secret_value()
    client = Client(enterprise=False, api_key=key, http_options=options)
    wire = Rest(requests.Session(), settings.base_url or HOST, {_KEY: key})
    files = StudioFiles(Files(wire, VERSION))
    return Gemini(client, session, Tier.AISTUDIO, settings.service_tier, files)


def open_vertex(settings: Settings, tier: Tier) -> Backend:
    """Make a client of Vertex AI for one of its on-demand tiers. Call it on the event loop.

    Project and location are given here, never left to the environment: with a base URL set, the
    SDK would clear what it took from there and post to the bare URL.
    """
    own = settings.vertex
    if own.project is None:
        hint = f"Set GOOGLE_CLOUD_PROJECT, then `darkroom tier resume {tier}`."
        rest = Break(whole_tier=True, seconds=None, reason="no project", hint=hint)
        raise Unavailable(tier, rest)
    session = open_session(settings.limits(tier).concurrency)
    client = Client(
        enterprise=True,
        project=own.project,
        location=own.location,
        credentials=credentials_of(own, tier),
        http_options=_options(session, own.base_url, _HEADERS[tier]),
    )
    files = open_staged_files(settings)
    return Gemini(client, session, tier, files=files, labels=own.labels)


def credentials_of(settings: Vertex, tier: Tier) -> Credentials:
    """Find what signs requests to Vertex. Raises Unavailable with what to do."""
    if settings.access_token is not None:
        token = settings.access_token.get_secret_value()
        return BearerCredentials(token)  # type: ignore[no-untyped-call]
    try:
        if settings.credentials_file is not None:
            path = str(settings.credentials_file)
            found = google.auth.load_credentials_from_file(path, scopes=[_SCOPE])  # type: ignore[no-untyped-call]
        else:
            found = google.auth.default(scopes=[_SCOPE])
    except (google.auth.exceptions.GoogleAuthError, OSError) as error:
        hint = "Set GOOGLE_APPLICATION_CREDENTIALS, or run `gcloud auth application-default login`."
        rest = Break(whole_tier=True, seconds=None, reason=str(error), hint=hint)
        raise Unavailable(tier, rest) from error
    credentials: Credentials = found[0]
    return credentials


def _options(
    session: aiohttp.ClientSession, base_url: str | None, headers: dict[str, str] | None = None
) -> types.HttpOptions:
    return types.HttpOptions(
        api_version="v1",
        base_url=base_url,
        headers=headers,
        retry_options=_ONCE,
        aiohttp_client=session,
    )
