"""Puts pictures into their places, and takes back those that turned out to be nobody's."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Final

import msgspec
import structlog

from darkroom.errors import DarkroomError
from darkroom.jobs.close import Closing, Picture
from darkroom.jobs.places import Place
from darkroom.settings import GCS
from darkroom.storage import Storage, open_storage
from darkroom.storage.parcel import Parcel, Stored
from darkroom.storage.paths import expand
from darkroom_worker.answer import Answer, Shipment
from darkroom_worker.spool import Spool

_NOTE_BYTES: Final = 1_000  # each; a bucket takes 8 KiB of metadata an object

_log = structlog.get_logger(__name__)


class Publisher:
    """The places of a process. A folder is used from one thread, a bucket from many."""

    def __init__(self, gcs: GCS) -> None:
        self._gcs = gcs
        self._places: dict[str, Storage] = {}
        self._opening = threading.Lock()

    def publish(self, shipment: Shipment) -> Answer:
        """Put one picture into its place. Raises StorageFault, or ConfigInvalid for the place."""
        stored = self._place(shipment.storage_url).publish(shipment.parcel)
        return msgspec.structs.replace(shipment.answer, stored=stored)

    def withdraw(self, shipment: Shipment) -> None:
        """Take back what `publish` may have left. What stays after all is found by the audit."""
        try:
            self._place(shipment.storage_url).withdraw(shipment.parcel)
        except DarkroomError as fault:
            _log.error("a picture that is nobody's could not be taken back", error=fault.message)

    def publish_here(
        self, shipments: Sequence[Shipment]
    ) -> tuple[dict[str, Stored], dict[str, DarkroomError]]:
        """Publish one after the other, durably; what lies where, and what failed, by attempt."""
        stored: dict[str, Stored] = {}
        faults: dict[str, DarkroomError] = {}
        for shipment in shipments:
            owner = shipment.parcel.owner
            try:
                stored[owner] = self._place(shipment.storage_url).publish(shipment.parcel)
            except DarkroomError as fault:
                faults[owner] = fault
        for url in {shipment.storage_url for shipment in shipments}:
            faults |= self._sync(url, shipments)
        return {owner: put for owner, put in stored.items() if owner not in faults}, faults

    def _sync(self, url: str, shipments: Sequence[Shipment]) -> dict[str, DarkroomError]:
        """What is not durable in a place that cannot be flushed: everything just put there."""
        try:
            self._place(url).sync()
        except DarkroomError as fault:
            return {each.parcel.owner: fault for each in shipments if each.storage_url == url}
        return {}

    def _place(self, url: str) -> Storage:
        with self._opening:
            if url not in self._places:
                self._places[url] = open_storage(url, self._gcs)
            return self._places[url]


def shipment_of(answer: Answer, picture: Picture, place: Place, spool: Spool) -> Shipment:
    """Address a staged picture by its job's template."""
    fields = {"job": place.job_id, "id": place.row_id, "variant": place.variant}
    parcel = Parcel(
        staged=spool.path(answer.attempt_id),
        name=expand(place.template, fields, place.labels, picture.extension),
        owner=answer.attempt_id,
        sha256=picture.sha256,
        bytes=picture.bytes,
        mime=picture.mime,
        notes=_notes(answer.closing, place),
    )
    return Shipment(answer, parcel, place.storage_url)


def _notes(closing: Closing, place: Place) -> dict[str, str]:
    """What a bucket shall say of a picture to somebody who has lost the books.

    Tokens that the provider did not report are left out, and so is a price that nobody knows.
    """
    tokens = closing.tokens
    said = {
        "job": place.job_id,
        "row": place.row_id,
        "model": place.model,
        "prompt_tokens": tokens.prompt,
        "image_tokens": tokens.image,
        "text_tokens": tokens.text,
        "thought_tokens": tokens.thought,
        "searches": tokens.searches,
        "charged_nusd": closing.charged_nusd,
        "price_version": closing.price_version,
    }
    return {name: _cut(str(value)) for name, value in said.items() if value is not None}


def _cut(value: str) -> str:
    return value.encode()[:_NOTE_BYTES].decode(errors="ignore")
