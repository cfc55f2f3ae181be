"""Chooses a tier for each render: capable, in time, and of those the cheapest."""

from __future__ import annotations

from darkroom.router.bid import Bid, Bids
from darkroom.router.kind import Kind
from darkroom.router.market import Market
from darkroom.router.outlook import Outlook, Prospect, Turnaround
from darkroom.router.router import Placement, Router

__all__ = [
    "Bid",
    "Bids",
    "Kind",
    "Market",
    "Outlook",
    "Placement",
    "Prospect",
    "Router",
    "Turnaround",
]
