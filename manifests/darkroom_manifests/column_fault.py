"""What is wrong or doubtful about the names of a manifest's columns."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import Final

from darkroom_manifests.asked import LABEL_HINT, LABEL_WORD
from darkroom_manifests.dialect import Dialect
from darkroom_manifests.field import BY_ALIAS, BY_LOAN, UNUSED, plain_name
from darkroom_manifests.limits import Limits
from darkroom_manifests.problem import Code, Fault, Severity, quote
from darkroom_manifests.value import unsafe

_UNUSED: Final = {plain_name(name): meant for name, meant in UNUSED.items()}
_SHORTEST_GUESS: Final = 4  # every two-letter column is close to "id" and "ar"
_LONGEST_GUESS: Final = 64
_GUESSES: Final = [name for name in BY_ALIAS if len(name) >= _SHORTEST_GUESS]


def faults(names: Sequence[str], limits: Limits) -> tuple[tuple[str, Fault], ...]:
    """Find too many columns, signs that no name has, and names that come twice."""
    if len(names) > limits.columns:
        return (("", _too_wide(len(names), limits)),)
    found = [(name, fault) for name in names if (fault := unsafe(name))]
    seen: dict[str, str] = {}
    for name in filter(None, names):
        if name.casefold() in seen:
            found.append((name, _twice(seen[name.casefold()], name)))
        seen[name.casefold()] = name
    return tuple(found)


def shared(names: Sequence[str], places: list[tuple[str, int]]) -> tuple[tuple[str, Fault], ...]:
    """Find a variable or a tag given twice, as by `colour` and `vars.colour`."""
    first: dict[str, int] = {}
    return tuple(
        (names[index], _twice(names[first[name]], names[index]))
        for name, index in places
        if first.setdefault(name, index) != index
    )


def labels(places: Sequence[tuple[str, int]], names: Sequence[str]) -> Iterator[tuple[str, Fault]]:
    """Find keys that no bill has."""
    for key, index in places:
        if not re.fullmatch(LABEL_WORD, key):
            said = f"{quote(key)} is no key of a label for the bill."
            yield names[index], Fault(Code.LABEL, said, LABEL_HINT)


def _too_wide(width: int, limits: Limits) -> Fault:
    message = f"There are {width:,} columns, above {limits.columns}."
    return Fault(Code.HEADER_TOO_WIDE, message, "Keep the columns that prompts or reports need.")


def _twice(first: str, second: str) -> Fault:
    return Fault(
        Code.HEADER_DUPLICATE,
        f"The columns {quote(first)} and {quote(second)} have the same name.",
        "Rename or remove one.",
    )


def doubts(names: Sequence[str], taken: set[str]) -> tuple[tuple[str, Fault], ...]:
    """Doubt variables that nothing hears, or that look like a slip."""
    return tuple((name, _unused(name)) for name in names if plain_name(name) in _UNUSED) + tuple(
        (name, _near_miss(name, meant))
        for name in names
        if (meant := likely_field(name)) and BY_ALIAS[plain_name(meant)].name not in taken
    )


def _unused(name: str) -> Fault:
    return Fault(
        Code.COLUMN_UNUSED,
        f"{quote(name)} may mean anything, so it is kept as a variable.",
        f"The type of the file is asked for in {_UNUSED[plain_name(name)]}.",
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


def no_prompt(names: Sequence[str], dialect: Dialect | None = None) -> Fault:
    """Say that nothing here tells what to draw, and which name was probably meant to."""
    near = next((name for name in names if likely_field(name) == "prompt"), None)
    hint = f"Did you mean prompt by {quote(near)}?" if near else "Name the prompts' column prompt."
    if dialect is not None and near is None:
        column = (dialect.delivery and dialect.delivery.alt_from) or "COLUMN"
        hint = f"Give a template by --template FILE, or a column by --map prompt={column}."
    seen = quote(", ".join(names))
    return Fault(Code.HEADER_MISSING, f"There is no prompt and no template in {seen}.", hint)
