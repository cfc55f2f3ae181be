"""What the columns of a manifest mean, decided once for each set of names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import msgspec

from darkroom_manifests import column_fault, matrix
from darkroom_manifests.assignment import OBJECTS, Assignment, assign
from darkroom_manifests.dialect import Dialect, dialect_of
from darkroom_manifests.field import BY_LOAN, SIDES, Field, field_of, plain_name
from darkroom_manifests.limits import Limits
from darkroom_manifests.matrix import Lists
from darkroom_manifests.problem import Fault
from darkroom_manifests.reading import PLAIN, Reading

_ENTANGLED: Final = {
    "image_size",
    "output",
    "output_dir",
    "turns",
    "tags",
    "completion_window",
    "pixel_width",
}
_SIDES: Final = {side.name for side in SIDES}
_SHAPE: Final = {"image_size", "aspect_ratio"}
_BY: Final = "variantsby"

Places = list[tuple[Field, int]]


class Layout(msgspec.Struct, frozen=True):
    """Where each field, tag and variable stands; `faults` and `doubts` are about the names.

    A plain layout has only text, and no field in it depends on another but prompt and template.
    `mapped` are the columns that a mapping speaks of, `said` those and a dialect's: where several
    of them give references, all count.
    """

    names: tuple[str, ...]
    fields: tuple[tuple[str, int, Callable[[Any], object]], ...]
    tags: tuple[tuple[str, int], ...]
    labels: tuple[tuple[str, int], ...]
    variables: tuple[tuple[str, int], ...]
    unnamed: tuple[int, ...]
    faults: tuple[tuple[str, Fault], ...]
    doubts: tuple[tuple[str, Fault], ...]
    is_plain: bool
    renamed: dict[str, str]
    """A field's first name -> the manifest's own, where it is another."""
    dialect: Dialect | None = None
    lists: Lists | None = None
    mapped: frozenset[int] = frozenset()
    said: frozenset[int] = frozenset()

    @property
    def has_prompt(self) -> bool:
        """Whether any column says what to draw."""
        return any(name in {"prompt", "template", "turns"} for name, _, _ in self.fields)

    def column(self, field: str) -> str:
        """Return the name the manifest gives a field, or the field's own."""
        return next((self.names[i] for name, i, _ in self.fields if name == field), field)


class _Sorted:
    """Columns sorted by what they are, as they are met."""

    def __init__(self, assignment: Assignment) -> None:
        self.fields: Places = list(assignment.places)
        self.loans: Places = []
        self.tags: list[tuple[str, int]] = []
        self.labels: list[tuple[str, int]] = []
        self.variables: list[tuple[str, int]] = []
        self.lists: list[tuple[str, int]] = []
        self.by: int | None = None
        self._said = assignment

    def take(self, index: int, name: str, *, typed: bool) -> None:
        """Take a column; one that somebody spoke for stays a variable beside it."""
        prefix, _, rest = name.partition(".")
        if rest and prefix.lower() == matrix.PREFIX:
            self.lists.append((rest, index))
            name, prefix, rest = rest, "", ""
        folded = plain_name(name)
        if folded == _BY:
            self.by = index
            return
        field = field_of(name) or (OBJECTS.get(folded) if typed else None)
        if index in self._said.spoken_for:
            self._beside(index, name, field)
        elif field and field.name not in self._said.shut:
            self.fields.append((field, index))
            self.variables += [(name, index)] if field.stays else []
        elif rest and prefix.lower() in {"tag", "tags"}:
            self.tags.append((rest, index))
        elif rest and prefix.lower() in {"label", "labels"}:
            self.labels.append((rest, index))
        elif name:
            self.variables.append((rest if rest and prefix.lower() == "vars" else name, index))
            self.loans += [(BY_LOAN[folded], index)] if folded in BY_LOAN else []

    def _beside(self, index: int, name: str, field: Field | None) -> None:
        given = {own.name for own, place in self._said.places if place == index}
        is_own = field is not None and field.name in given
        if not is_own and not (given and self._said.opens):
            self.variables.append((name, index))


def lay_out(
    given: Sequence[str],
    limits: Limits,
    *,
    typed: bool,
    reading: Reading = PLAIN,
    dialect: Dialect | None = None,
) -> Layout:
    """Decide what each name means; `typed` values are JSON's, others are a CSV's text."""
    names = tuple(" ".join(name.split()) for name in given)
    assignment = assign(names, reading, dialect, typed=typed)
    found = _Sorted(assignment)
    for index, name in enumerate(names):
        found.take(index, name, typed=typed)
    taken = {field.name for field, _ in found.fields} | assignment.shut
    found.fields += _borrowed(names, found.loans, taken | _filled(reading))
    return Layout(
        names,
        tuple((field.name, index, field.readers[typed]) for field, index in found.fields),
        tuple(found.tags),
        tuple(found.labels),
        tuple(found.variables),
        tuple(index for index, name in enumerate(names) if not name),
        tuple(_faults(names, found, assignment, limits)),
        tuple(_doubts(names, found, assignment)),
        _is_plain(names, found, typed=typed),
        _renamed(names, found),
        dialect,
        _lists(found),
        assignment.mapped,
        frozenset(index for _, index in assignment.places),
    )


def table_layout(header: Sequence[str], limits: Limits, reading: Reading) -> Layout:
    """Lay out a table by its header."""
    dialect = dialect_of(tuple(" ".join(name.split()) for name in header))
    return lay_out(header, limits, typed=False, reading=reading, dialect=dialect)


def _filled(reading: Reading) -> set[str]:
    """With a template for every row, no other column is borrowed for a prompt."""
    return {"prompt"} if reading.template else set()


def _is_plain(names: Sequence[str], found: _Sorted, *, typed: bool) -> bool:
    odd = typed or found.tags or found.labels or found.lists or "" in names
    return not odd and _ENTANGLED.isdisjoint(field.name for field, _ in found.fields)


def _lists(found: _Sorted) -> Lists | None:
    if not found.lists:
        return None
    names, places = zip(*found.lists, strict=True)
    return Lists(places, names, found.by)


def _faults(
    names: Sequence[str], found: _Sorted, assignment: Assignment, limits: Limits
) -> Iterator[tuple[str, Fault]]:
    yield from assignment.faults
    yield from (
        column_fault.faults(names, limits)
        or column_fault.shared(names, found.variables)
        or column_fault.shared(names, found.tags)
        or column_fault.shared(names, found.labels)
        or tuple(column_fault.labels(found.labels, names))
    )


def _doubts(
    names: Sequence[str], found: _Sorted, assignment: Assignment
) -> Iterator[tuple[str, Fault]]:
    yield from assignment.doubts
    lists = {index for _, index in found.lists}
    own = [
        name if index in lists else names[index]
        for name, index in found.variables
        if index not in assignment.spoken_for
    ]
    taken = {field.name for field, _ in found.fields} | assignment.shut
    yield from column_fault.doubts(own, taken)


def _renamed(names: Sequence[str], found: _Sorted) -> dict[str, str]:
    renamed: dict[str, str] = {}
    if found.labels:
        renamed["labels"] = names[found.labels[0][1]]
    for field, index in found.fields:
        if field.name == "pixel_width":
            renamed |= dict.fromkeys(_SHAPE, names[index])
        elif field.aliases and field.aliases[0] != names[index]:
            renamed[field.aliases[0]] = names[index]
    return renamed


def _borrowed(names: Sequence[str], loans: Places, taken: set[str]) -> Places:
    """Pick the first column that can stand in for a field nobody named; it stays a variable."""
    if taken & {"template", "turns"}:
        taken = taken | {"prompt"}
    best: dict[str, tuple[Field, int]] = {}
    for field, index in sorted(loans, key=lambda loan: _rank(loan[0], names[loan[1]])):
        if field.name not in taken:
            best.setdefault(field.name, (field, index))
    if not best.keys() >= _SIDES or (taken | best.keys()) & _SHAPE:
        best = {name: loan for name, loan in best.items() if name not in _SIDES}
    return list(best.values())


def _rank(field: Field, name: str) -> int:
    return [plain_name(loan) for loan in field.borrowed].index(plain_name(name))
