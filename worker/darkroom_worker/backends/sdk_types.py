"""Types of Google's SDK that say at once what they hold."""

from __future__ import annotations

from typing import Any

from google.genai import types


class _Quick:
    """Answers whether a field is there, and with it, by name.

    For each of some fifty fields the SDK asks whether it is `in` what was given to it, and pydantic
    goes through all fields to answer (google-genai 3.4.0, `get_value_by_path`): a fifth of the time
    that a request costs us.
    """

    def __contains__(self, name: str) -> bool:
        return name in type(self).model_fields  # type: ignore[attr-defined]  # of its other base

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401  # as the fields are
        return getattr(self, name)


class Config(_Quick, types.GenerateContentConfig):
    """What stands beside the prompt."""


class Content(_Quick, types.Content):
    """One turn."""


class Part(_Quick, types.Part):
    """A piece of a turn."""
