"""What is wrong with the value of a setting, in our own words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_MUST_BE: Final = {
    "a whole number": ("int_parsing", "int_type", "int_from_float", "int_parsing_size"),
    "a number": ("float_parsing", "float_type", "decimal_parsing", "decimal_type"),
    "a finite number": ("finite_number",),
    "true or false": ("bool_parsing", "bool_type"),
    "text": ("string_type", "bytes_type"),
    "a path": ("path_type",),
    "a list": ("list_type", "tuple_type"),
    "a table of settings": ("model_type", "dict_type", "model_attributes_type"),
    "{expected}": ("enum", "literal_error"),
    "at least {ge}": ("greater_than_equal",),
    "more than {gt:g}": ("greater_than",),
    "at most {le}": ("less_than_equal",),
    "less than {lt:g}": ("less_than",),
    "written with at most {max_digits} digits": ("decimal_max_digits", "decimal_whole_digits"),
    "written with at most {decimal_places} decimals": ("decimal_max_places",),
}
_BY_KIND: Final = {kind: shape for shape, kinds in _MUST_BE.items() for kind in kinds}
_OTHER: Final = {"extra_forbidden": "no such setting", "missing": "must be given"}


def said(kind: str, message: str, context: Mapping[str, Any]) -> str:
    """Word what pydantic found; what is not known here is passed on as it is."""
    if kind in _OTHER:
        return _OTHER[kind]
    if kind in _BY_KIND:
        return f"must be {_BY_KIND[kind].format(**context)}".replace("'", "")
    return message.removeprefix("Value error, ")
