"""Thought signatures: given with the pictures of models that think, and wanted back.

Shape: opaque base64 beside a part (Google, Gemini API, Thought signatures, 2026-10). A conversation
without them is refused at the least level of thinking (Agent Platform, Thinking, 2026-10).
"""

from __future__ import annotations

import base64
import hashlib
from typing import Any

from darkroom_simulator.catalog import Model

SEAL = b"thought"


def sign(model: Model, prompt: str) -> str | None:
    """Sign an answer; None for a model that does not think."""
    if not model.thinking:
        return None
    said = hashlib.sha256(f"{model.name}{prompt}".encode("utf-8", "surrogatepass")).digest()
    return base64.b64encode(SEAL + said).decode()


def turns_refused(contents: list[dict[str, Any]], level: str) -> str | None:
    """Check what a conversation says of its earlier turns."""
    roles = [content.get("role", "user") for content in contents]
    if any(role not in {"user", "model"} for role in roles):
        return "Please use a valid role: user, model."
    if roles[-1] != "user":
        return "Please ensure that the last turn of a conversation is the user's."
    answers = [c["parts"] for c, role in zip(contents, roles, strict=True) if role == "model"]
    for parts in answers:
        signatures = [part["thoughtSignature"] for part in parts if "thoughtSignature" in part]
        if not all(signature.startswith(SEAL) for signature in signatures):
            return "Thought signature is not valid."
        if level == "MINIMAL" and not signatures:
            return "Image part is missing a thought_signature in the model's turn."
    return None


def signed_in(contents: list[dict[str, Any]]) -> int:
    """Count the parts that came with a signature."""
    return sum("thoughtSignature" in part for content in contents for part in content["parts"])
