"""An answer on its way into the books."""

from __future__ import annotations

import msgspec

from darkroom.jobs.close import Closing
from darkroom.storage.parcel import Parcel, Stored


class Answer(msgspec.Struct, frozen=True):
    """How an attempt ended, and where its picture lies by now. `tries` counts failed uploads."""

    closing: Closing
    stored: Stored | None = None
    tries: int = 0

    @property
    def attempt_id(self) -> str:
        """Whose answer it is."""
        return self.closing.attempt_id

    def tried(self) -> Answer:
        """Count a place that could not take the picture."""
        return msgspec.structs.replace(self, tries=self.tries + 1)


class Shipment(msgspec.Struct, frozen=True):
    """A picture on its way to a place, or to be taken back from there."""

    answer: Answer
    parcel: Parcel
    storage_url: str
