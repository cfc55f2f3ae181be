"""One backend for each tier: `open_backend` is the only place that knows which."""

from __future__ import annotations

from typing import Final

from pydantic import SecretStr

from darkroom.settings import AIStudio, Settings
from darkroom.stand_in import simulator_url
from darkroom_manifests.tier import Tier
from darkroom_worker.backends.aistudio_batch import open_aistudio_batch
from darkroom_worker.backends.base import Backend, Break, Unavailable
from darkroom_worker.backends.batch import BatchBackend
from darkroom_worker.backends.gemini import open_aistudio, open_vertex
from darkroom_worker.backends.imagen import open_imagen
from darkroom_worker.backends.proxy import open_proxy
from darkroom_worker.backends.vertex_batch import open_vertex_batch


def open_batch_backend(tier: Tier, settings: Settings) -> BatchBackend:
    """Make the batch client of a tier. Raises Unavailable with what to do."""
    if tier is Tier.SIMULATOR_BATCH and (url := simulator_url(settings)) is not None:
        return open_aistudio_batch(AIStudio(api_key=SecretStr("simulator"), base_url=url), tier)
    if tier is Tier.AISTUDIO_BATCH:
        return open_aistudio_batch(settings.aistudio, tier)
    if tier is Tier.VERTEX_BATCH:
        return open_vertex_batch(settings)
    raise _unserved(tier)


_ON_VERTEX: Final = frozenset(
    {Tier.VERTEX, Tier.VERTEX_FLEX, Tier.VERTEX_PRIORITY, Tier.VERTEX_PROVISIONED}
)


def open_backend(tier: Tier, settings: Settings) -> Backend:
    """Make the client of a tier, on the event loop. Raises Unavailable with what to do."""
    connections = settings.limits(tier).concurrency
    if tier is Tier.SIMULATOR and (url := simulator_url(settings)) is not None:
        return open_aistudio(AIStudio(api_key=SecretStr("simulator"), base_url=url), connections)
    if tier is Tier.AISTUDIO:
        return open_aistudio(settings.aistudio, connections)
    if tier in _ON_VERTEX:
        return open_vertex(settings, tier)
    if tier is Tier.IMAGEN:
        return open_imagen(settings)
    if tier is Tier.PROXY:
        return open_proxy(settings)
    raise _unserved(tier)


def _unserved(tier: Tier) -> Unavailable:
    hint = "Choose another tier: `darkroom models` shows what each costs."
    reason = "this version cannot send to it"
    return Unavailable(tier, Break(whole_tier=True, seconds=None, reason=reason, hint=hint))
