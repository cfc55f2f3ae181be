"""What is filled into a table's row: addresses of pictures, positions, words for who cannot see."""

from __future__ import annotations

from typing import Final

import msgspec

from darkroom.errors import ManifestRejected
from darkroom_manifests.dialect import Delivery, Dialect, dialect_of
from darkroom_manifests.field import plain_name
from darkroom_manifests.raw import RawRow, RawTable, spelled, spliced

_OWN: Final = Delivery(image="image_url", position="image_position", alt="image_alt_text")
_MOST_MORE: Final = 10  # Google, Merchant Center Help, additional_image_link, 2026-11


class Pictures(msgspec.Struct, frozen=True):
    """The addresses of the pictures of the row on a line."""

    line: int
    urls: tuple[str, ...]


class Filling:
    """Knows the columns of one table. `left_out` counts pictures that found no place."""

    def __init__(self, table: RawTable, header: RawRow) -> None:
        self._delimiter = table.delimiter
        self._names = [" ".join(header.value(i).split()) for i in range(len(header.cells))]
        dialect = dialect_of(tuple(self._names))
        self._delivery = (dialect.delivery if dialect else None) or _OWN
        self._image = self._place(self._delivery.image)
        self._position = self._place(self._delivery.position)
        self._alt = self._place(self._delivery.alt)
        self._alt_from = self._place(self._delivery.alt_from)
        self._more = self._place(self._delivery.more_column)
        self._key = self._place(_group(dialect))
        self._last = 0
        self._seen = ""
        self._waiting: list[tuple[RawRow, str]] = []
        self.left_out = 0

    def _place(self, name: str | None) -> int | None:
        if name is None:
            return None
        named = (i for i, own in enumerate(self._names) if plain_name(own) == plain_name(name))
        return next(named, None)

    def header(self, header: RawRow) -> str:
        """The header; with a column for images where there is none."""
        if self._image is not None:
            return header.text
        if not self._delimiter and "\t" in header.text:
            raise _undividable()
        return spliced(header, {}, self._delimiter, [self._delivery.image])

    def group_of(self, row: RawRow) -> str:
        """The product that a row belongs to; empty where each is its own."""
        if self._key is None or len(row.cells) != len(self._names):
            return ""
        return row.value(self._key).strip()

    def row(self, row: RawRow, found: Pictures | None) -> str:
        """Fill a row in; one with too few or too many cells stays as it is."""
        if len(row.cells) != len(self._names):
            self.left_out += len(found.urls) if found else 0
            return row.text
        self._count(row)
        cells: dict[int, str] = {}
        more: list[str] = []
        if found is not None:
            cells = self._cells(row, found)
            if self._delivery.more == "lines" and self._image is not None:
                self._waiting += [(row, url) for url in found.urls[1:]]
        if self._image is None:
            more = [self._listed(found)]
            if not self._delimiter and "\t" in row.text:
                raise _undividable()
        return spliced(row, cells, self._delimiter, more)

    def _cells(self, row: RawRow, found: Pictures) -> dict[int, str]:
        cells: dict[int, str] = {}
        if self._image is not None:
            cells[self._image] = self._listed(found)
        if self._position is not None and not row.value(self._position).strip():
            cells[self._position] = "1"
        if self._alt is not None and not row.value(self._alt).strip():
            cells[self._alt] = self._words(row)
        if self._delivery.more == "column" and len(found.urls) > 1:
            cells |= self._others(row, found)
        return cells

    def _listed(self, found: Pictures | None) -> str:
        """All pictures in one cell, or the first where others have places of their own."""
        if found is None:
            return ""
        is_list = self._delivery.more == "list" or self._image is None
        return self._delivery.separator.join(found.urls) if is_list else found.urls[0]

    def _others(self, row: RawRow, found: Pictures) -> dict[int, str]:
        if self._more is None:
            self.left_out += len(found.urls) - 1
            return {}
        separator = self._delivery.separator
        here = [url.strip() for url in row.value(self._more).split(separator) if url.strip()]
        escaped = [url.replace(separator, "%2C") for url in found.urls[1:]]
        listed = [*here, *(url for url in escaped if url not in here)]
        self.left_out += max(0, len(listed) - _MOST_MORE)
        return {self._more: separator.join(listed[:_MOST_MORE])}

    def rest(self) -> list[str]:
        """Lines for the further pictures of the product that ends here, as its own export has."""
        first = max(self._last, 1) + 1
        made = [self._line(row, url, first + n) for n, (row, url) in enumerate(self._waiting)]
        self._waiting = []
        return made

    def _line(self, row: RawRow, url: str, number: int) -> str:
        cells = [""] * len(self._names)
        cells[self._image or 0] = spelled(url, self._delimiter, quoted=False)
        if self._key is not None:
            span = row.cells[self._key]
            cells[self._key] = row.text[span.start : span.end]
        if self._position is not None:
            cells[self._position] = str(number)
        if self._alt is not None:
            words = row.value(self._alt).strip() or self._words(row)
            cells[self._alt] = spelled(words, self._delimiter, quoted=False)
        return self._delimiter.join(cells)

    def _words(self, row: RawRow) -> str:
        return "" if self._alt_from is None else row.value(self._alt_from).strip()

    def _count(self, row: RawRow) -> None:
        """Remember the highest position of the product."""
        if self._position is None:
            return
        group = self.group_of(row)
        if group != self._seen:
            self._seen, self._last = group, 0
        told = row.value(self._position).strip()
        self._last = max(self._last, int(told) if told.isdecimal() else 0)


def _group(dialect: Dialect | None) -> str | None:
    return None if dialect is None else dialect.group


def _undividable() -> ManifestRejected:
    said = "The manifest has one column and tabs in it, so no second one can be added."
    return ManifestRejected(said, hint="Use the kind csv.")
