"""What is wished of a picture beside its prompt: by the row, the job and the settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from darkroom.errors import ConfigInvalid
from darkroom.registry import Family
from darkroom.request import Wishes
from darkroom.settings import Settings
from darkroom_manifests.asked import NO_SEARCH
from darkroom_manifests.field import FIELDS
from darkroom_manifests.problem import Code, Fault, FieldFault, quote
from darkroom_manifests.row import Row

THINKING: Final = "thinking"
NAMES: Final = (*Wishes.__struct_fields__, THINKING)
"""What may be wished; a row, a job and `[gemini]` call it the same."""

_READERS: Final = {field.name: field.readers for field in FIELDS if field.name in NAMES}
_OFF: Final = "OFF"  # a threshold that Imagen does not have
_JPEG: Final = "image/jpeg"

Values = Mapping[str, Any]


class Wished(msgspec.Struct, frozen=True):
    """What one picture is asked, and by what names: those of the job begin with `ask.`.

    Those of the settings begin with `gemini.`, and a row's are bare.
    """

    wishes: Wishes | None
    thinking: str | None
    told: tuple[str, ...]


class WishList:
    """The wishes of one job. What a row says counts before the job, and that before the settings.

    Imagen's models are not told what `[gemini]` says: `[imagen]` is laid under, when it is sent.
    """

    def __init__(self, settings: Settings, of_job: Values) -> None:
        """Raises ConfigInvalid for a wish of the job's that is none."""
        job = read_wishes(of_job)
        under = {Family.GEMINI: settings.gemini.model_dump(exclude_none=True), Family.IMAGEN: {}}
        self._under = {family: _laid(said, job) for family, said in under.items()}
        self._origins = dict.fromkeys(under[Family.GEMINI], "gemini.")
        self._origins |= dict.fromkeys(job, "ask.")
        self._type_of_imagen = settings.imagen.output_mime_type
        self._usual = {family: self._wished(family, {}) for family in Family}

    def of(self, row: Row, family: Family) -> Wished | FieldFault:
        """Everything that is wished of a row's pictures, or why that cannot be."""
        own = {name: said for name in NAMES if (said := getattr(row, name)) is not None}
        return self._wished(family, own) if own else self._usual[family]

    def _wished(self, family: Family, own: Values) -> Wished | FieldFault:
        values = _laid(self._under[family], own)
        if values.get("grounding") == NO_SEARCH:
            del values["grounding"]
        problem = self._contradiction(family, values)
        if problem is not None:
            return problem
        thinking = values.pop(THINKING, None)
        wishes = Wishes(**values) if values else None
        names = () if wishes is None else wishes.told
        told = (name if name in own else self._origins[name] + name for name in names)
        return Wished(wishes, thinking, tuple(told))

    def _contradiction(self, family: Family, values: Values) -> FieldFault | None:
        is_imagen = family is Family.IMAGEN
        kind = values.get("output_mime_type", self._type_of_imagen if is_imagen else None)
        if values.get("compression_quality") is not None and kind != _JPEG:
            said = "Only JPEG is compressed by a quality."
            hint = f"Ask for output_mime_type {_JPEG} too, or leave it out."
            return ("compression_quality", Code.COLUMN_CONFLICT, said, hint)
        if is_imagen and values.get("safety") == _OFF:
            said = "The filters of Imagen cannot be switched off."
            return ("safety", Code.MODEL_CANNOT, said, "Write block_none.")
        return None


def _laid(under: Values, over: Values) -> dict[str, Any]:
    """Let the nearer count. A quality goes with the type that it was meant for."""
    laid = {**under, **over}
    if "compression_quality" not in over and over.get("output_mime_type", _JPEG) != _JPEG:
        laid.pop("compression_quality", None)
    return laid


def read_wishes(given: Values) -> dict[str, Any]:
    """Read what a job wishes of all its pictures. Raises ConfigInvalid for what is none."""
    return {name: _read(name, said) for name, said in given.items()}


def _read(name: str, said: object) -> object:
    if name not in _READERS:
        hint = f"Ask for {', '.join(sorted(NAMES))}."
        raise ConfigInvalid(f"There is nothing called {quote(name)} to ask for.", hint=hint)
    from_text, from_json = _READERS[name]
    found = from_text(said.strip()) if isinstance(said, str) else from_json(said)
    if isinstance(found, Fault):
        raise ConfigInvalid(f"{name}: {found.message}", hint=found.hint)
    return found
