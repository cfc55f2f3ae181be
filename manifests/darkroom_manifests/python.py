"""Records handed over by Python code, made to hold what a line of JSON could."""

from __future__ import annotations

from collections.abc import Mapping

from darkroom_manifests.problem import Code, Fault, quote

_MISSING = {"NAType", "NaTType"}  # pandas' marks, known by name: it is no dependency


def from_python(record: object) -> dict[str, object] | Fault:
    """Copy a mapping with NumPy's scalars as Python's, and missing values as None."""
    if not isinstance(record, Mapping):
        return Fault(Code.JSON_NOT_OBJECT, f"{quote(record)} is not a mapping.", "Give dicts.")
    strange = next((name for name in record if not isinstance(name, str)), None)
    if strange is not None:
        return Fault(Code.FIELD_TYPE, f"The name {quote(strange)} is not text.", "Name columns.")
    return {name: _value(value) for name, value in record.items()}


def _value(value: object) -> object:
    if isinstance(value, str | bool | int | None):
        return value
    if type(value).__name__ in _MISSING:
        return None
    item = getattr(value, "item", None)
    plain = item() if callable(item) and getattr(value, "shape", None) == () else value
    return None if isinstance(plain, float) and plain != plain else plain  # noqa: PLR0124  # NaN
