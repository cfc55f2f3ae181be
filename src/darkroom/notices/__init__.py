"""Tells people and programs what happened: events are found in SQL, written once, then delivered.

Finding costs nobody who renders anything: a scheduler looks for what has no notice yet. Delivery is
at least once, with an id that stays the same.
"""

from __future__ import annotations

from darkroom.event import Event, EventName, decode, encode
from darkroom.notices.looking import Lookout
from darkroom.notices.outbox import Happening, Letter, Listed
from darkroom.notices.receivers import Broken, Receiver, open_receivers, subscribers
from darkroom.notices.verdict import Verdict

__all__ = [
    "Broken",
    "Event",
    "EventName",
    "Happening",
    "Letter",
    "Listed",
    "Lookout",
    "Receiver",
    "Verdict",
    "decode",
    "encode",
    "open_receivers",
    "subscribers",
]
