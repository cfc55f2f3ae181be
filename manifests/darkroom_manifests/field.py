"""The fields of a row: the names people give their columns, and how each is read."""

from __future__ import annotations

import re
from typing import Final

import msgspec

from darkroom_manifests import asked, filename, nested, picture, value
from darkroom_manifests.limits import DEFAULT_LIMITS
from darkroom_manifests.problem import Code, Fault, quote

N_MAX: Final = 100
SEED_MAX: Final = 2**31 - 1  # Google, Gemini API reference, GenerationConfig: an int32
TEMPERATURE_MAX: Final = 2.0  # Google, same page
PRIORITY_MAX: Final = 100
NAME_CHARS: Final = 256
THINKING: Final = ("minimal", "medium", "high")
TEMPLATE_NAME: Final = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
_BLANK: Final = " \t\r\n" + value.INVISIBLE


class Field(msgspec.Struct, frozen=True):
    """A column with a meaning. Its readers are given trimmed text that is not empty.

    `aliases` all say the same thing: two of them in one row contradict each other. `borrowed`
    are other people's columns that serve, first come first, where no alias is there. With `stays`
    a column is a variable too: templates know it, whatever it means here.
    """

    name: str
    readers: value.Readers
    aliases: tuple[str, ...] = ()
    borrowed: tuple[str, ...] = ()
    stays: bool = False


def _prompt(text: str) -> object:
    if text.isprintable():
        return text
    if not text.strip(_BLANK):
        return Fault(Code.PROMPT_EMPTY, "The prompt is empty.", "Say what the picture shows.")
    return value.unsafe(text) or text


def _template(text: str) -> object:
    if re.fullmatch(TEMPLATE_NAME, text):
        return text
    return Fault(
        Code.CHOICE_UNKNOWN,
        f"{quote(text)} is not a template's name.",
        "Name a template here; the text of a prompt goes into the column prompt.",
    )


def _id_from_json(given: object) -> object:
    if type(given) is int and abs(given) < value.LARGEST:
        return str(given)
    if not isinstance(given, str):
        return value.wrong_type("text", given)
    return filename.row_id(given.strip())


FIELDS: Final = (
    Field(
        "id",
        (filename.row_id, _id_from_json),
        ("id", "key", "custom_id", "row_id"),
        ("sku", "Variant SKU", "handle", "URL handle"),
    ),
    Field(
        "prompt",
        value.words(_prompt),
        ("prompt", "text", "caption", "instruction"),
        ("description",),
    ),
    Field("template", value.words(_template), ("template",)),
    Field("turns", (nested.turns_from_text, nested.turns), ("turns",)),
    Field("deliver_turns", value.flag(), ("deliver_turns",)),
    Field("edit_of", (filename.row_id, _id_from_json), ("edit_of",)),
    Field(
        "negative_prompt",
        value.words(_prompt),
        ("negative_prompt", "negative"),
    ),
    Field("model", value.words(value.plain(NAME_CHARS)), ("model",)),
    Field("tier", value.words(value.tier), ("tier", "backend")),
    Field(
        "aspect_ratio",
        value.words(picture.ratio),
        ("aspect_ratio", "ar", "ratio"),
    ),
    Field(
        "image_size",
        value.words(picture.size),
        ("image_size", "resolution", "size"),
        ("quality",),
    ),
    Field("n", value.whole(1, N_MAX), ("n", "number_of_images", "variants")),
    Field("seed", value.whole(0, SEED_MAX), ("seed",)),
    Field("temperature", value.number(0, TEMPERATURE_MAX), ("temperature",)),
    Field("thinking", value.words(value.choice(*THINKING)), ("thinking", "thinking_level")),
    Field(
        "system_instruction",
        value.words(value.plain(DEFAULT_LIMITS.prompt_chars)),
        ("system_instruction",),
    ),
    Field("safety", value.words(asked.threshold), ("safety",)),
    Field("person_generation", value.words(asked.people), ("person_generation",)),
    Field("output_mime_type", value.words(asked.output_type), ("output_mime_type", "output_mime")),
    Field(
        "compression_quality",
        value.whole(0, asked.QUALITY_MAX),
        ("compression_quality", "compression"),
    ),
    Field("grounding", value.words(value.choice(*asked.SEARCHES)), ("grounding",)),
    Field("background", (asked.background, asked.background), ("background",), stays=True),
    Field(
        "references",
        (nested.references_from_text, nested.references),
        (
            "references",
            "refs",
            "ref_images",
            "reference_images",
            "images",
            "image",
            "image_paths",
            "file_uris",
            "source_image",
            "Image Src",
            "Product image URL",
            "image_link",
        ),
    ),
    Field("output", value.words(filename.output), ("output", "output_filename", "filename")),
    Field("output_dir", value.words(filename.output), ("output_dir", "outpath_samples")),
    Field("priority", value.whole(0, PRIORITY_MAX), ("priority",)),
    Field("deliver_by", value.words(value.moment), ("deliver_by",)),
    Field("completion_window", value.words(value.window), ("completion_window",)),
    Field("max_cost_nusd", value.money(), ("max_cost", "budget")),
    Field("meta", (nested.variable, nested.meta), ("meta", "metadata")),
)


SIDES: Final = (
    Field("pixel_width", (value.pixels_from_text, value.pixels), borrowed=("width",)),
    Field("pixel_height", (value.pixels_from_text, value.pixels), borrowed=("height",)),
)
"""Lent together, and only where no column tells size or ratio; they stay variables too."""

UNUSED: Final = {"format": "output_mime_type"}
"""Other people's columns that may mean anything, and the field that they may mean."""

_JOINTS: Final = str.maketrans("", "", " _-\t\n")


def plain_name(name: str) -> str:
    """Fold a column's name: case, spaces, `_` and `-` do not count."""
    return name.lower().translate(_JOINTS)


def field_of(name: str) -> Field | None:
    """Find the field that a column's name means."""
    if name.lower() == "file_name":  # in image folders a source; "filename" is what to make
        return BY_ALIAS["references"]
    return BY_ALIAS.get(plain_name(name))


BY_ALIAS: Final = {plain_name(alias): field for field in FIELDS for alias in field.aliases}
BY_LOAN: Final = {plain_name(name): field for field in (*FIELDS, *SIDES) for name in field.borrowed}
