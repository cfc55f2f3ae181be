"""What the columns of a manifest mean, decided once for each set of names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from difflib import get_close_matches
from typing import Any, Final

import msgspec

from darkroom_manifests import nested
from darkroom_manifests.field import BY_ALIAS, BY_LOAN, SIDES, UNUSED, Field, field_of, plain_name
from darkroom_manifests.limits import Limits
from darkroom_manifests.problem import Code, Fault, Severity, quote
from darkroom_manifests.value import unsafe

_OBJECTS: Final = {
    "tags": Field("tags", (nested.tags, nested.tags)),
    "vars": Field("variables", (nested.variables, nested.variables)),
}
_ENTANGLED: Final = {
    "image_size",
    "output",
    "output_dir",
    "tags",
    "completion_window",
    "pixel_width",
}
_SIDES: Final = {side.name for side in SIDES}
_SHAPE: Final = {"image_size", "aspect_ratio"}
_UNUSED: Final = {plain_name(name) for name in UNUSED}
_LAYOUTS_KEPT: Final = 256
_SHORTEST_GUESS: Final = 4  # every two-letter column is close to "id" and "ar"
_LONGEST_GUESS: Final = 64
_GUESSES: Final = [name for name in BY_ALIAS if len(name) >= _SHORTEST_GUESS]


class Layout(msgspec.Struct, frozen=True):
    """Where each field, tag and variable stands; `faults` and `doubts` are about the names.

    A plain layout has only text, and no field in it depends on another but prompt and template.
    """

    names: tuple[str, ...]
    fields: tuple[tuple[str, int, Callable[[Any], object]], ...]
    tags: tuple[tuple[str, int], ...]
    variables: tuple[tuple[str, int], ...]
    unnamed: tuple[int, ...]
    faults: tuple[tuple[str, Fault], ...]
    doubts: tuple[tuple[str, Fault], ...]
    is_plain: bool
    renamed: dict[str, str]
    """A field's first name -> the manifest's own, where it is another."""

    @property
    def has_prompt(self) -> bool:
        """Whether any column says what to draw."""
        return any(name in {"prompt", "template"} for name, _, _ in self.fields)

    def column(self, field: str) -> str:
        """Return the name the manifest gives a field, or the field's own."""
        return next((self.names[i] for name, i, _ in self.fields if name == field), field)


class Layouts:
    """The layouts of JSON lines, which share few sets of names; each doubt is told once."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._known: dict[tuple[str, ...], Layout] = {}
        self._doubted: set[str] = set()

    def of(self, names: tuple[str, ...]) -> tuple[Layout, list[tuple[str, Fault]]]:
        """Return the layout, and the doubts about names not doubted before."""
        known = self._known.get(names)
        if known:
            return known, []
        layout = lay_out(names, self._limits, typed=True)
        if len(self._known) >= _LAYOUTS_KEPT:
            return layout, []
        self._known[names] = layout
        doubts = [(name, fault) for name, fault in layout.doubts if name not in self._doubted]
        self._doubted.update(name for name, _ in doubts)
        return layout, doubts


def lay_out(given: Sequence[str], limits: Limits, *, typed: bool) -> Layout:
    """Decide what each name means; `typed` values are JSON's, others are a CSV's text."""
    names = tuple(" ".join(name.split()) for name in given)
    fields: list[tuple[Field, int]] = []
    loans: list[tuple[Field, int]] = []
    tags: list[tuple[str, int]] = []
    variables: list[tuple[str, int]] = []
    for index, name in enumerate(names):
        prefix, _, rest = name.partition(".")
        folded = plain_name(name)
        field = field_of(name) or (_OBJECTS.get(folded) if typed else None)
        if field:
            fields.append((field, index))
        elif rest and prefix.lower() in {"tag", "tags"}:
            tags.append((rest, index))
        elif name:
            variables.append((rest if rest and prefix.lower() == "vars" else name, index))
            loans += [(BY_LOAN[folded], index)] if folded in BY_LOAN else []
    fields += _borrowed(names, loans, {field.name for field, _ in fields})
    return Layout(
        names,
        tuple((field.name, index, field.readers[typed]) for field, index in fields),
        tuple(tags),
        tuple(variables),
        tuple(index for index, name in enumerate(names) if not name),
        _faults(names, limits) or _shared(names, variables) or _shared(names, tags),
        _doubts([names[i] for _, i in variables], {field.name for field, _ in fields}),
        not (typed or tags or "" in names)
        and _ENTANGLED.isdisjoint(field.name for field, _ in fields),
        _renamed(names, fields),
    )


def _renamed(names: Sequence[str], fields: list[tuple[Field, int]]) -> dict[str, str]:
    renamed: dict[str, str] = {}
    for field, index in fields:
        if field.name == "pixel_width":
            renamed |= dict.fromkeys(_SHAPE, names[index])
        elif field.aliases and field.aliases[0] != names[index]:
            renamed[field.aliases[0]] = names[index]
    return renamed


def _borrowed(
    names: Sequence[str], loans: list[tuple[Field, int]], taken: set[str]
) -> list[tuple[Field, int]]:
    """Pick the first column that can stand in for a field nobody named; it stays a variable."""
    if "template" in taken:
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


def _faults(names: Sequence[str], limits: Limits) -> tuple[tuple[str, Fault], ...]:
    if len(names) > limits.columns:
        return (("", _too_wide(len(names), limits)),)
    faults = [(name, fault) for name in names if (fault := unsafe(name))]
    seen: dict[str, str] = {}
    for name in filter(None, names):
        if name.casefold() in seen:
            faults.append((name, _twice(seen[name.casefold()], name)))
        seen[name.casefold()] = name
    return tuple(faults)


def _shared(names: Sequence[str], places: list[tuple[str, int]]) -> tuple[tuple[str, Fault], ...]:
    """Find a variable or a tag given twice, as by `colour` and `vars.colour`."""
    first: dict[str, int] = {}
    return tuple(
        (names[index], _twice(names[first[name]], names[index]))
        for name, index in places
        if first.setdefault(name, index) != index
    )


def _too_wide(width: int, limits: Limits) -> Fault:
    message = f"There are {width:,} columns, above {limits.columns}."
    return Fault(Code.HEADER_TOO_WIDE, message, "Keep the columns that prompts or reports need.")


def _twice(first: str, second: str) -> Fault:
    return Fault(
        Code.HEADER_DUPLICATE,
        f"The columns {quote(first)} and {quote(second)} have the same name.",
        "Rename or remove one.",
    )


def _doubts(names: Sequence[str], taken: set[str]) -> tuple[tuple[str, Fault], ...]:
    return tuple((name, _unused(name)) for name in names if plain_name(name) in _UNUSED) + tuple(
        (name, _near_miss(name, meant))
        for name in names
        if (meant := likely_field(name)) and BY_ALIAS[plain_name(meant)].name not in taken
    )


def _unused(name: str) -> Fault:
    return Fault(
        Code.COLUMN_UNUSED,
        f"{quote(name)} is not used yet, so it is kept as a variable.",
        "It changes no picture.",
        Severity.WARNING,
    )


def _near_miss(name: str, meant: str) -> Fault:
    return Fault(
        Code.COLUMN_NEAR_MISS,
        f"There is no field {quote(name)}, so it is kept as a variable.",
        f"Did you mean {meant}?",
        Severity.WARNING,
    )


def likely_field(name: str) -> str | None:
    """Guess which field a misspelt column was meant to be."""
    folded = plain_name(name)
    if not _SHORTEST_GUESS <= len(folded) <= _LONGEST_GUESS or folded in BY_LOAN:
        return None
    if folded[-1].isdigit():  # "image2" is one of a series, not a slip
        return None
    found = get_close_matches(folded, _GUESSES, n=1, cutoff=0.84)
    if not found:
        return None
    return next(a for a in BY_ALIAS[found[0]].aliases if plain_name(a) == found[0])


def no_prompt(names: Sequence[str]) -> Fault:
    """Say that nothing here tells what to draw, and which name was probably meant to."""
    near = next((name for name in names if likely_field(name) == "prompt"), None)
    hint = f"Did you mean prompt by {quote(near)}?" if near else "Name the prompts' column prompt."
    seen = quote(", ".join(names))
    return Fault(Code.HEADER_MISSING, f"There is no prompt and no template in {seen}.", hint)
