"""What is wrong with a manifest, said so that the person who wrote it can mend it."""

from __future__ import annotations

import json
import reprlib
from enum import StrEnum
from typing import Final

import msgspec

PREVIEW_LENGTH: Final = 80


class Severity(StrEnum):
    """Whether a row (or a whole file) is refused, or read with a doubt."""

    ERROR = "error"
    WARNING = "warning"


class Code(StrEnum):
    """The kinds of problem, stable across releases and safe to match on."""

    FILE_MISSING = "file-missing"
    FILE_KIND = "file-kind"
    FILE_UNREADABLE = "file-unreadable"
    FILE_EMPTY = "file-empty"
    FILE_NO_ROWS = "file-no-rows"
    FILE_TYPE = "file-type"
    FILE_TOO_LARGE = "file-too-large"
    FILE_TOO_MANY_ROWS = "file-too-many-rows"
    FILE_COMPRESSION = "file-compression"
    ENCODING = "encoding"
    NUL = "nul"
    LINE_TOO_LONG = "line-too-long"
    HEADER_MISSING = "header-missing"
    HEADER_DUPLICATE = "header-duplicate"
    HEADER_TOO_WIDE = "header-too-wide"
    COLUMN_NEAR_MISS = "column-near-miss"
    COLUMN_CONFLICT = "column-conflict"
    COLUMN_UNNAMED = "column-unnamed"
    COLUMN_UNUSED = "column-unused"
    COLUMN_KEPT = "column-kept"
    MAPPING = "mapping"
    VARIANTS = "variants"
    GROUP = "group"
    DIALECT = "dialect"
    ROW_COLUMNS = "row-columns"
    ROW_REPEATED = "row-repeated"
    EDIT_OF = "edit-of"
    LABEL = "label"
    CSV_QUOTE = "csv-quote"
    CSV_UNBALANCED_QUOTE = "csv-unbalanced-quote"
    JSON_SYNTAX = "json-syntax"
    JSON_ARRAY = "json-array"
    JSON_NOT_OBJECT = "json-not-object"
    JSON_DUPLICATE_KEY = "json-duplicate-key"
    JSON_DEPTH = "json-depth"
    FIELD_TOO_LONG = "field-too-long"
    FIELD_TYPE = "field-type"
    TEXT_CONTROL = "text-control"
    TEXT_SURROGATE = "text-surrogate"
    TEXT_BIDI = "text-bidi"
    NUMBER_SYNTAX = "number-syntax"
    NUMBER_RANGE = "number-range"
    NUMBER_NOT_FINITE = "number-not-finite"
    PROMPT_MISSING = "prompt-missing"
    PROMPT_EMPTY = "prompt-empty"
    PROMPT_TOO_LONG = "prompt-too-long"
    PROMPT_AND_TEMPLATE = "prompt-and-template"
    ID_UNSAFE = "id-unsafe"
    ID_TOO_LONG = "id-too-long"
    ID_DUPLICATE = "id-duplicate"
    RATIO_SYNTAX = "ratio-syntax"
    SIZE_SYNTAX = "size-syntax"
    SIZE_CONFLICT = "size-conflict"
    TIER_UNKNOWN = "tier-unknown"
    CHOICE_UNKNOWN = "choice-unknown"
    OUTPUT_UNSAFE = "output-unsafe"
    OUTPUT_TEMPLATE = "output-template"
    OUTPUT_DUPLICATE = "output-duplicate"
    DATE_SYNTAX = "date-syntax"
    DATE_PAST = "date-past"
    MONEY_SYNTAX = "money-syntax"
    MODEL_UNKNOWN = "model-unknown"  # this and the next are for whoever knows the models
    MODEL_CANNOT = "model-cannot"
    TEMPLATE_UNKNOWN = "template-unknown"
    TEMPLATE_UNFILLED = "template-unfilled"
    REFERENCE_FITTED = "reference-fitted"


class Fault(msgspec.Struct, frozen=True):
    """What is wrong with one value, wherever it stands."""

    code: Code
    message: str
    hint: str | None = None
    severity: Severity = Severity.ERROR

    def at(self, file: str, line: int, column: str | None = None, value: object = None) -> Problem:
        """Say where it stands, and show the value."""
        shown = None if value is None else preview(value)
        return Problem(file, line, column, self.code, self.message, self.hint, self.severity, shown)


FieldFault = tuple[str, Code, str, str | None]
"""What is wrong with a field of a row: its name, and the code, message and hint of a Fault."""


class Problem(msgspec.Struct, frozen=True):
    """A fault at its place.

    `line` is the first physical line, 1-based; 0 is the whole file. After one that `ends` the
    manifest nothing more could be read, so the rows before it may not be all.
    """

    file: str
    line: int
    column: str | None
    code: Code
    message: str
    hint: str | None = None
    severity: Severity = Severity.ERROR
    preview: str | None = None
    ends: bool = False

    def __str__(self) -> str:
        place = f"{escape(self.file)}:{self.line}" if self.line else escape(self.file)
        parts = [place, escape(self.column)] if self.column else [place]
        said = f"{self.message} {self.hint}" if self.hint else self.message
        return "  ".join([*parts, said])


def escape(text: str) -> str:
    r"""Show what cannot be printed safely as `\x1b` and the like; a terminal obeys the rest."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def preview(value: object) -> str:
    """Show a value on one line of at most 80 safe characters; numbers and the like as JSON."""
    if value is None or isinstance(value, bool | int | float):
        text = json.dumps(value)
    else:
        text = value if isinstance(value, str) else reprlib.repr(value)
    shown = escape(text[:PREVIEW_LENGTH])
    cut = len(text) > PREVIEW_LENGTH or len(shown) > PREVIEW_LENGTH
    return shown[: PREVIEW_LENGTH - 1] + "…" if cut else shown


def quote(value: object) -> str:
    """Show a value inside a sentence, text in quotes."""
    return f'"{preview(value)}"' if isinstance(value, str) else preview(value)
