"""A row of a manifest: what was asked, checked for form and not yet against any model."""

from __future__ import annotations

from typing import Any, TypeAlias

import msgspec

from darkroom_manifests.tier import TierChoice

Variable: TypeAlias = str | int | float | bool | None
Json: TypeAlias = Any  # mypy has no finite name for nested JSON that msgspec also understands


class Reference(msgspec.Struct, frozen=True, gc=False):
    """An image to go by: a local path relative to the manifest, `gs://` or `https://`."""

    uri: str
    role: str | None = None


class Row(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One request for `n` images; absent fields are the job's or the model's to decide.

    `line` is the row's first physical line, 1-based (for rows from Python: its ordinal).
    Without an `id` the row is known by its fingerprint. Exactly one of `prompt`, `template` and
    `turns` is set; `turns` are prompts one after the other, each about the image of the one before.
    `edit_of` is the id of an earlier row, whose image this one changes.
    `aspect_ratio` reads "4:5"; `image_size` is "512", "1K", "2K" or "4K".
    `deliver_by` is RFC 3339 as written. `output` is a relative path without `..`, whose
    `{fields}` are `OUTPUT_FIELDS` or variables of this row. `variables` holds every column that
    has no meaning here, as written; nested JSON is kept as JSON text. `meta` is never sent.
    `labels` tell the bill's lines apart, where a bill has such.
    `system_instruction` and what follows it up to `grounding` are spelled as Google does, but for
    `grounding`: "web", "image", "web+image" or "off". `background` is "white" or nothing.
    `part` counts the rows, from 1, where one line stands for many; 0 where it does not.
    `columns` has the manifest's own names of fields, by their first names, where they differ.
    """

    line: int
    id: str | None = None
    prompt: str | None = None
    template: str | None = None
    turns: tuple[str, ...] = ()
    deliver_turns: bool | None = None
    edit_of: str | None = None
    negative_prompt: str | None = None
    model: str | None = None
    tier: TierChoice | None = None
    aspect_ratio: str | None = None
    image_size: str | None = None
    n: int | None = None
    seed: int | None = None
    temperature: float | None = None
    thinking: str | None = None
    system_instruction: str | None = None
    safety: str | None = None
    person_generation: str | None = None
    output_mime_type: str | None = None
    compression_quality: int | None = None
    grounding: str | None = None
    background: str | None = None
    references: tuple[Reference, ...] = ()
    output: str | None = None
    priority: int | None = None
    deliver_by: str | None = None
    max_cost_nusd: int | None = None
    tags: dict[str, str] = {}
    labels: dict[str, str] = {}
    variables: dict[str, Variable] = {}
    meta: Json = None
    columns: dict[str, str] = {}
    part: int = 0
