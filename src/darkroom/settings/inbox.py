"""How watched folders are watched."""

from __future__ import annotations

from decimal import Decimal

from pydantic import BaseModel, Field

from darkroom.settings.value import FROZEN, Cap


class Inbox(BaseModel):
    """When a dropped file counts as whole, how large it may be, and when somebody is asked."""

    model_config = FROZEN

    settle_seconds: float = Field(
        5.0, ge=0, description="how long size and time of a file stay the same before it is read"
    )
    scan_seconds: float = Field(
        5.0, gt=0, description="between looks at a folder, where no event comes earlier"
    )
    list_seconds: float = Field(30.0, gt=0, description="between listings of a bucket")
    require_approval_above: Cap = Field(
        Decimal("1.00"), description="estimate above which a file's job is held"
    )
    max_bytes: int = Field(1_000_000_000, ge=1, description="a larger file is refused unread")
    lease_seconds: float = Field(30.0, ge=2, description="a silent watcher is replaced after this")
