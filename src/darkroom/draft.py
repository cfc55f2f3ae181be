"""A row that can be rendered, by whom, and the renders that it becomes."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

import msgspec

from darkroom.jobs.links import NewLink
from darkroom.jobs.load import NewRender
from darkroom.lineage import DELIVERED
from darkroom.registry import Estimate, Load
from darkroom.request import Request
from darkroom.router import Bid, Kind
from darkroom.template_folder import TemplateText
from darkroom_manifests.problem import Problem
from darkroom_manifests.row import Row
from darkroom_manifests.tier import TierChoice

_ENCODER: Final = msgspec.json.Encoder(order="deterministic")


class Choices(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line or the caller says for all rows that do not say it themselves.

    `mapping` says which columns give which fields, whatever their names: `{"prompt": "Title"}`.
    `template` is the name of one in the settings, or a text, for rows that name none. `ask` is what
    `[gemini]` may say, and counts before it: `{"safety": "block_none"}`. `deliver_turns` says
    whether images of earlier turns are delivered; None: as the settings say. `labels` are those of
    the bill, of all requests.
    """

    tier: TierChoice | None = None
    model: str | None = None
    aspect_ratio: str | None = None
    image_size: str | None = None
    n: int | None = None
    deliver_by: datetime | None = None
    mapping: dict[str, str] = {}
    template: str | TemplateText | None = None
    ask: dict[str, Any] = {}
    deliver_turns: bool | None = None
    labels: dict[str, Any] = {}


class Draft(msgspec.Struct, frozen=True, gc=False):
    """A row that can be rendered by any of `bids`, the cheapest first; one of them is to be chosen.

    `prints` has the fingerprints of the variants 1 … n, `edits` those of the pictures that they
    change, if they change any. `turn` is the number of one of a row's turns, 0 of its last or only;
    with `is_delivered` its image is wanted for itself, too.
    """

    row: Row
    row_no: int
    model: str
    row_id: str
    kind: Kind
    request: Request
    prompt_chars: int
    prints: tuple[str, ...]
    bids: tuple[Bid, ...]
    deliver_by: datetime | None
    output_path: str | None
    turn: int = 0
    is_delivered: bool = True
    edits: tuple[str, ...] = ()
    doubts: tuple[Problem, ...] = ()

    def estimate(self, bid: Bid) -> Estimate | None:
        """What one image costs by a bid; None: nobody knows."""
        return None if bid.tariff is None else bid.tariff.of(Load.of(self.prompt_chars))

    def renders(self, bid: Bid, variants: Iterable[int]) -> list[NewRender]:
        """Make some of its renders, where that bid was made."""
        row, estimate = self.row, self.estimate(bid)
        text = _ENCODER.encode(self.request).decode()
        labels = self._labels()
        return [
            NewRender(
                row_no=self.row_no,
                line=row.line,
                row_id=self.row_id,
                variant=variant,
                n=len(self.prints),
                fingerprint=self.prints[variant - 1],
                tier=bid.tier.value,
                model=self.model,
                request=text,
                labels=labels,
                output_path=self.output_path,
                turn=self.turn,
                edits=self.edits[variant - 1] if self.edits else None,
                rank=-(row.priority or 0),
                reserve_nusd=0 if estimate is None else estimate.high,
                max_cost_nusd=row.max_cost_nusd,
            )
            for variant in variants
        ]

    def link(self, variant: int, render_id: int | None) -> NewLink:
        """Make a picture of it one that another row's render makes."""
        return NewLink(
            row_no=self.row_no,
            variant=variant,
            line=self.row.line,
            row_id=self.row_id,
            turn=self.turn,
            labels=self._labels(),
            fingerprint=self.prints[variant - 1],
            render_id=render_id,
        )

    def _labels(self) -> str | None:
        row = self.row
        kept: dict[str, Any] = {"tags": row.tags, "variables": row.variables, "meta": row.meta}
        kept[DELIVERED] = self.turn > 0 and self.is_delivered
        given = {name: value for name, value in kept.items() if value}
        return _ENCODER.encode(given).decode() if given else None
