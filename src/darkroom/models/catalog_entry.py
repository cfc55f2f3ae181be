"""A picture of a catalog, as its last job asked for it."""

from __future__ import annotations

from sqlalchemy import ForeignKey, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from darkroom.models.base import Base


class CatalogEntry(Base):
    """What a row of a catalog last asked for. Rows are known by their id, whatever is in them."""

    __tablename__ = "catalog_entries"

    catalog: Mapped[str] = mapped_column(String(64), primary_key=True)
    row_id: Mapped[str] = mapped_column(Text, primary_key=True)
    variant: Mapped[int] = mapped_column(Integer, primary_key=True)
    fingerprint: Mapped[str] = mapped_column(String(32))
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"), doc="the one that changed it last")
