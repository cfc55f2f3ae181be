"""The tables, and the closed sets that they hold.

Money is nano-dollars in BIGINT columns; times are aware and UTC; closed sets are text, by value.
"""

from darkroom.models.account import Account
from darkroom.models.attempt import Attempt
from darkroom.models.base import Base, Serial, UtcDateTime
from darkroom.models.batch import Batch
from darkroom.models.catalog_entry import CatalogEntry
from darkroom.models.inbox import Drop, Inbox
from darkroom.models.job import Job
from darkroom.models.link import Link
from darkroom.models.look import Look
from darkroom.models.notice import Delivery, Notice
from darkroom.models.publication import Publication
from darkroom.models.rejection import Rejection
from darkroom.models.render import Render
from darkroom.models.rest import Rest
from darkroom.models.review import Review
from darkroom.models.schedule import Run, Schedule
from darkroom.models.signature import Signature
from darkroom.models.state import (
    AttemptState,
    BatchState,
    CostSource,
    Decision,
    DeliveryState,
    DropState,
    Remedy,
    RenderState,
    RunState,
)
from darkroom.models.worker import Worker

__all__ = [
    "Account",
    "Attempt",
    "AttemptState",
    "Base",
    "Batch",
    "BatchState",
    "CatalogEntry",
    "CostSource",
    "Decision",
    "Delivery",
    "DeliveryState",
    "Drop",
    "DropState",
    "Inbox",
    "Job",
    "Link",
    "Look",
    "Notice",
    "Publication",
    "Rejection",
    "Remedy",
    "Render",
    "RenderState",
    "Rest",
    "Review",
    "Run",
    "RunState",
    "Schedule",
    "Serial",
    "Signature",
    "UtcDateTime",
    "Worker",
]
