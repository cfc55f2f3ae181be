"""Reference images of rows: found, fetched, looked at and hashed before anything is paid for."""

from __future__ import annotations

from darkroom.references.finder import Finder

__all__ = ["Finder"]
