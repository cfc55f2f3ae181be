"""What a tier may do."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, Field

from darkroom import presets
from darkroom.presets import AccountTier
from darkroom.settings.value import FROZEN, Cap, Count
from darkroom_manifests.tier import Provider, Tier


def _sizes(value: Any) -> Any:  # noqa: ANN401  # raw configuration has any shape
    """An environment variable writes a list with commas; "all" is the word for no bound."""
    if not isinstance(value, str):
        return value
    named = [size.strip() for size in value.split(",")]
    return None if named == ["all"] else named


class Limits(BaseModel):
    """What one tier may do, for the whole fleet; None means no such limit is known."""

    model_config = FROZEN

    requests_per_minute: float | None = Field(None, gt=0)
    images_per_minute: float | None = Field(None, gt=0)
    tokens_per_minute: float | None = Field(None, gt=0, description="of input")
    requests_per_day: Count = Field(None, description="a Pacific day")
    concurrency: int = Field(64, ge=1, le=20_000, description="requests in flight a process")
    fleet_concurrency: int | None = Field(None, ge=1, description="requests in flight together")
    spend_per_window: Cap = None
    spend_window_seconds: float = Field(600.0, ge=60)
    batch_jobs: int | None = Field(None, ge=1, description="provider batches open together")
    batch_tokens: int | None = Field(None, ge=1, description="of input, enqueued for one model")
    adaptive: bool = Field(default=False, description="learn each model's rate from its answers")
    adaptive_start: float = Field(10.0, gt=0, description="requests a minute, at first")
    adaptive_least: float = Field(1.0, gt=0)
    adaptive_most: float = Field(6_000.0, gt=0)
    busy_seconds: float = Field(0.0, ge=0, description="least wait of a render after 429 or 503")
    image_sizes: Annotated[tuple[str, ...] | None, BeforeValidator(_sizes)] = Field(
        None, description="that the account may draw; None: all"
    )
    offered: bool = Field(default=True, description="whether the account has the tier at all")
    allow_retired: bool | None = Field(None, description="as `allow_retired`, for this tier")


def default_limits(tier: Tier, account: AccountTier) -> Limits:
    """What a tier may do before an operator says anything."""
    if tier in (Tier.AISTUDIO, Tier.AISTUDIO_BATCH):
        return Limits.model_validate(presets.aistudio(account, is_batch=tier.is_batch))
    if tier is Tier.SIMULATOR:
        return Limits(concurrency=256)
    if tier is Tier.PROXY:  # it publishes nothing that would hold for all of them
        return Limits(concurrency=64, adaptive=True, adaptive_start=60)
    if tier is Tier.VERTEX_FLEX:
        # For each model and project; to be asked again gently (Google, Flex PayGo, 2026-10).
        return Limits(concurrency=64, adaptive=True, adaptive_most=3_000, busy_seconds=30)
    # Vertex draws image models from a shared pool and publishes no quota for it.
    is_pool = tier.provider is Provider.VERTEX and not tier.is_batch
    return Limits(concurrency=64, adaptive=True) if is_pool else Limits()


def given(limits: Limits) -> dict[str, Any]:
    """What an operator said himself."""
    return {name: getattr(limits, name) for name in limits.model_fields_set}
