"""The layouts of JSON lines, which share few sets of names."""

from __future__ import annotations

from darkroom_manifests import matrix
from darkroom_manifests.dialect import dialect_of
from darkroom_manifests.layout import Layout, lay_out
from darkroom_manifests.limits import Limits
from darkroom_manifests.opened import opened
from darkroom_manifests.problem import Fault
from darkroom_manifests.reading import PLAIN, Reading

_KEPT = 256

Laid = tuple[Layout, list[object], list[tuple[str, Fault]]]
"""A layout, the values in its order, and the doubts about names not doubted before."""


class Layouts:
    """Lays out one record after the other; each doubt is told once."""

    def __init__(self, limits: Limits, reading: Reading = PLAIN) -> None:
        self._limits = limits
        self._reading = reading
        self._known: dict[tuple[str | None, tuple[str, ...]], Layout] = {}
        self._doubted: set[str] = set()

    def of(self, given: dict[str, object]) -> Laid | Fault:
        """Open a record as its dialect needs it, and lay it out."""
        dialect = dialect_of(tuple(given))
        if dialect is not None and (dialect.opened or dialect.never):
            found = opened(given, dialect)
        else:
            found = matrix.columns_of(given) if matrix.PREFIX in given else given
        if isinstance(found, Fault):
            return found
        names = tuple(found)
        key = (None if dialect is None else dialect.name, names)
        known = self._known.get(key)
        if known:
            return known, list(found.values()), []
        layout = lay_out(names, self._limits, typed=True, reading=self._reading, dialect=dialect)
        return layout, list(found.values()), self._new(key, layout)

    def _new(
        self, key: tuple[str | None, tuple[str, ...]], layout: Layout
    ) -> list[tuple[str, Fault]]:
        if len(self._known) >= _KEPT:
            return []
        self._known[key] = layout
        doubts = [(name, fault) for name, fault in layout.doubts if name not in self._doubted]
        self._doubted.update(name for name, _ in doubts)
        return doubts
