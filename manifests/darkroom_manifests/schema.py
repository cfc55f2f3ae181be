"""The JSON Schema of a row in JSON lines: `python -m darkroom_manifests.schema` prints it."""

from __future__ import annotations

import json
import sys
from typing import Any, Final

from darkroom_manifests import asked, filename, picture
from darkroom_manifests.field import (
    FIELDS,
    N_MAX,
    PRIORITY_MAX,
    SEED_MAX,
    TEMPERATURE_MAX,
    TEMPLATE_NAME,
    THINKING,
    Field,
)
from darkroom_manifests.limits import DEFAULT_LIMITS
from darkroom_manifests.nested import TURNS_MAX, URI_CHARS
from darkroom_manifests.tier import AUTO, Tier

Schema = dict[str, Any]


def row_schema() -> Schema:
    """Describe a row under its first names; the other names it may bear are in descriptions."""
    shapes = _shapes()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A row of a Darkroom manifest",
        "description": "One line of a JSONL manifest. Any other name is kept as a variable.",
        "type": "object",
        "properties": {field.aliases[0]: _described(field, shapes[field.name]) for field in FIELDS}
        | {
            "tags": _object_of("string", "integer"),
            "vars": _object_of("string", "number", "boolean", "null", "array", "object"),
        },
        "oneOf": [{"required": [name]} for name in ("prompt", "template", "turns")],
    }


def _described(field: Field, shape: Schema) -> Schema:
    others = ", ".join([*field.aliases[1:], *field.borrowed])
    return shape | ({"description": f"Also read: {others}."} if others else {})


def _shapes() -> dict[str, Schema]:
    """Give each field's shape, by its name in a row."""
    prompt = {"type": "string", "minLength": 1, "maxLength": DEFAULT_LIMITS.prompt_chars}
    path = {"type": "string", "minLength": 1, "maxLength": filename.PATH_BYTES}
    return {
        "id": {"type": ["string", "integer"], "minLength": 1, "maxLength": filename.ID_CHARS},
        "prompt": prompt,
        "template": {"type": "string", "pattern": f"^{TEMPLATE_NAME}$"},
        "turns": {"type": "array", "items": prompt, "minItems": 1, "maxItems": TURNS_MAX},
        "deliver_turns": {"type": "boolean"},
        "edit_of": {"type": ["string", "integer"], "minLength": 1, "maxLength": filename.ID_CHARS},
        "negative_prompt": prompt,
        "model": {"type": "string", "minLength": 1},
        "tier": {"enum": [*Tier, AUTO]},
        "aspect_ratio": {"type": "string", "pattern": f"^{picture.RATIO}$"},
        "image_size": {"enum": list(picture.SIZES)},
        "n": {"type": "integer", "minimum": 1, "maximum": N_MAX},
        "seed": {"type": "integer", "minimum": 0, "maximum": SEED_MAX},
        "temperature": {"type": "number", "minimum": 0, "maximum": TEMPERATURE_MAX},
        "thinking": {"enum": list(THINKING)},
        "system_instruction": prompt,
        "safety": {"enum": list(asked.THRESHOLDS)},
        "person_generation": {"enum": list(asked.PEOPLE)},
        "output_mime_type": {"enum": list(asked.TYPES)},
        "compression_quality": {"type": "integer", "minimum": 0, "maximum": asked.QUALITY_MAX},
        "grounding": {"enum": list(asked.SEARCHES)},
        "background": {},
        "references": {"type": "array", "items": {"anyOf": [_URI, _REFERENCE]}},
        "output": path,
        "output_dir": path,
        "priority": {"type": "integer", "minimum": 0, "maximum": PRIORITY_MAX},
        "deliver_by": {"type": "string", "format": "date-time"},
        "completion_window": {"type": "string", "pattern": "^[1-9][0-9]{0,3}[mhd]$"},
        "max_cost_nusd": {"type": "number", "minimum": 0},
        "meta": {},
    }


_URI: Final[Schema] = {"type": "string", "minLength": 1, "maxLength": URI_CHARS}
_REFERENCE: Final[Schema] = {
    "type": "object",
    "properties": {"uri": _URI, "role": {"type": ["string", "null"]}},
    "required": ["uri"],
    "additionalProperties": False,
}


def _object_of(*types: str) -> Schema:
    return {"type": "object", "additionalProperties": {"type": list(types)}}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(row_schema(), indent=2, ensure_ascii=False) + "\n")
