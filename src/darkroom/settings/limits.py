"""What a tier may do."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from darkroom import presets
from darkroom.presets import AccountTier
from darkroom.settings.value import FROZEN, Money
from darkroom_manifests.tier import Provider, Tier


class Limits(BaseModel):
    """What one tier may do, for the whole fleet; None means no such limit is known."""

    model_config = FROZEN

    requests_per_minute: float | None = Field(None, gt=0)
    images_per_minute: float | None = Field(None, gt=0)
    tokens_per_minute: float | None = Field(None, gt=0, description="of input")
    requests_per_day: int | None = Field(None, ge=1, description="a Pacific day")
    concurrency: int = Field(64, ge=1, le=20_000, description="requests in flight a process")
    fleet_concurrency: int | None = Field(None, ge=1, description="requests in flight together")
    spend_per_window: Money | None = None
    spend_window_seconds: float = Field(600.0, ge=60)
    batch_jobs: int | None = Field(None, ge=1, description="provider batches open together")
    batch_tokens: int | None = Field(None, ge=1, description="of input, enqueued for one model")
    adaptive: bool = Field(default=False, description="learn each model's rate from its answers")
    adaptive_start: float = Field(10.0, gt=0, description="requests a minute, at first")
    adaptive_least: float = Field(1.0, gt=0)
    adaptive_most: float = Field(6_000.0, gt=0)
    busy_seconds: float = Field(0.0, ge=0, description="least wait of a render after 429 or 503")


def default_limits(tier: Tier, account: AccountTier) -> Limits:
    """What a tier may do before an operator says anything."""
    if tier in (Tier.AISTUDIO, Tier.AISTUDIO_BATCH):
        return Limits.model_validate(presets.aistudio(account, is_batch=tier.is_batch))
    if tier is Tier.SIMULATOR:
        return Limits(concurrency=256)
    if tier is Tier.VERTEX_FLEX:
        # For each model and project; to be asked again gently (Google, Flex PayGo, 2026-10).
        return Limits(concurrency=64, adaptive=True, adaptive_most=3_000, busy_seconds=30)
    # Vertex draws image models from a shared pool and publishes no quota for it.
    is_pool = tier.provider is Provider.VERTEX and not tier.is_batch
    return Limits(concurrency=64, adaptive=True) if is_pool else Limits()


def given(limits: Limits) -> dict[str, Any]:
    """What an operator said himself."""
    return {name: getattr(limits, name) for name in limits.model_fields_set}
