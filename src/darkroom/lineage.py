"""Rows that change the image of another row, and rows of several turns."""

from __future__ import annotations

from typing import Final

import msgspec

from darkroom.request import Request, fingerprints
from darkroom_manifests.problem import Code, Fault, quote
from darkroom_manifests.row import Row

KEPT_TURNS: Final = ".turns"
"""The folder of images that nobody asked for but the next turn. No row's path begins with a dot."""

DELIVERED: Final = "deliver_turn"
"""Among what is kept of a row with the render of an earlier turn: it is wanted for itself, too."""

_KEPT: Final = 20_000  # rows, so that a manifest of a million is planned in flat memory
_ORDER: Final = f"The row that is changed stands above, by {_KEPT:,} rows at most: no circles."


class Origin(msgspec.Struct, frozen=True, gc=False):
    """The pictures that a row's own change, one each, or none.

    `before` is how many must be made one after the other until the row's own can be.
    """

    prints: tuple[str, ...] = ()
    before: int = 0


_NONE: Final = Origin()


class Lineage:
    """Remembers the latest rows of a manifest by their ids: their pictures, or that they are bad.

    A row comes after the one whose image it changes.
    """

    def __init__(self) -> None:
        # Two ages of them: to drop the oldest of one dict takes longer the more were dropped.
        self._known: dict[str, Origin | None] = {}
        self._older: dict[str, Origin | None] = {}

    def note(self, row_id: str | None, origin: Origin | None) -> None:
        """Remember what a row is for others that change its pictures; None: it was left out."""
        if row_id is None:
            return
        self._known[row_id] = origin
        if len(self._known) >= _KEPT:
            self._older, self._known = self._known, {}

    def edited(self, row: Row, n: int) -> Origin | Fault:
        """Find what each of a row's n pictures changes; nothing for most rows.

        All change the one picture of a row that has one, else each its own.
        """
        name = row.edit_of
        if name is None:
            return _NONE
        if name == row.id:
            return _fault("The row changes its own image.", _ORDER)
        origin = self._known.get(name, self._older.get(name, _NONE))
        if origin is None:
            return _fault(
                f"Row {quote(name)}, whose image it changes, was left out.", "Mend that row."
            )
        prints = origin.prints
        if not prints:
            return _fault(f"There is no row {quote(name)} before this one.", _ORDER)
        if len(prints) not in {1, n}:
            said = f"Row {quote(name)} has {len(prints)} images, and this one asks for {n}."
            return _fault(said, "Give both the same n, or the row that is changed one image.")
        return Origin(prints * n, origin.before) if len(prints) == 1 else origin


def _fault(message: str, hint: str) -> Fault:
    return Fault(Code.EDIT_OF, message, hint)


def turns(row: Row, first: Request, model: str) -> tuple[Request, ...]:
    """Make the requests of a row's turns, each about the picture of the one before.

    The first asks as a row of one turn would: where that was made already, it is made. Only the
    last must stand on the row's background.
    """
    made = [first]
    for number, prompt in enumerate(row.turns[1:], 2):
        before = made[-1]
        made[-1] = msgspec.structs.replace(before, is_continued=True)
        made.append(
            msgspec.structs.replace(
                before,
                prompt=prompt,
                references=(),
                edits=fingerprints(model, before, 1)[0],
                turn=number,
                shown=before.shown + len(before.references) + 1,
            )
        )
    if row.background is not None:
        made[-1] = msgspec.structs.replace(made[-1], background=row.background)
    return tuple(made)


def turn_path(template: str, turn: int, *, is_delivered: bool) -> str:
    """Where an earlier turn's image goes: into a folder beside the row's own, hidden or not."""
    folder, slash, name = template.rpartition("/")
    if "{id}" not in name:
        stem, dot, extension = name.rpartition(".")
        name = f"{stem}~{turn}{dot}{extension}" if dot else f"{name}~{turn}"
    return f"{folder}{slash}{'turns' if is_delivered else KEPT_TURNS}/{name}"
