"""What is wrong with a row, in words."""

from __future__ import annotations

from typing import Final

from darkroom_manifests.field import FIELDS
from darkroom_manifests.layout import Layout
from darkroom_manifests.problem import Code, Fault, quote

EMPTY: Final = Fault(Code.PROMPT_EMPTY, "The prompt is empty.", "Say what the picture shows.")


def both(first: str, second: str) -> Fault:
    """Name two fields that each say what to draw."""
    named = second if second == "turns" else f"a {second}"
    return Fault(
        Code.PROMPT_AND_TEMPLATE, f"The row has a {first} and {named}.", "Keep one of them."
    )


def clash(layout: Layout, field: str, index: int) -> Fault:
    """Name two columns that both give a field."""
    names = f"{quote(layout.column(field))} and {quote(layout.names[index])}"
    return Fault(
        Code.COLUMN_CONFLICT,
        f"The columns {names} both give the {field}.",
        f"Leave one of them empty, or choose: --map {_first_name(field)}={layout.names[index]}.",
    )


def repeated(code: Code, what: str, name: str, first: int) -> Fault:
    """Name the line that took a name first."""
    return Fault(
        code,
        f"The {what} {quote(name)} is taken by line {first}.",
        "Each row needs its own, different in more than upper and lower case.",
    )


def long_prompt(prompt: str, longest: int) -> Fault:
    """Count a prompt that is too long."""
    return Fault(
        Code.PROMPT_TOO_LONG,
        f"The prompt has {len(prompt):,} characters, above {longest:,}.",
        "Is a quote before it not closed?",
    )


def too_long(given: str, longest: int) -> Fault:
    """Count a value that is too long."""
    return Fault(
        Code.FIELD_TOO_LONG,
        f"The value has {len(given):,} characters, above {longest:,}.",
        "Is a quote before it not closed?",
    )


def unnamed(index: int) -> Fault:
    """Find a value in a column without a name."""
    return Fault(
        Code.COLUMN_UNNAMED,
        f"Column {index + 1} has a value but no name.",
        "Name the column, or quote a cell that holds the delimiter.",
    )


def _first_name(field: str) -> str:
    return next((each.aliases[0] for each in FIELDS if each.name == field), field)
