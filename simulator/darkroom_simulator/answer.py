"""The 200 answer: its parts, its tokens, and its bytes with the pictures put in last."""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Sequence
from typing import Any

import msgspec

from darkroom_simulator import bill, grounding
from darkroom_simulator.ask import Ask
from darkroom_simulator.bill import Usage
from darkroom_simulator.catalog import Platform
from darkroom_simulator.faults import Faults, Name
from darkroom_simulator.signature import sign

MARK = "~the picture goes here~"
PROSE = "Here is the picture you asked for."
REFUSAL = "I can't create that picture, but I am glad to help with a different one."
THOUGHT = "**Composing the picture**\n\nI place the subject, then the light."
PROSE_TOKENS = 9
FINISHED = {
    Name.REFUSE: "IMAGE_SAFETY",
    Name.PROHIBITED: "IMAGE_PROHIBITED_CONTENT",
    Name.RECITATION: "IMAGE_RECITATION",
    Name.NO_IMAGE: "NO_IMAGE",
    Name.IMAGE_OTHER: "IMAGE_OTHER",
    Name.MAX_TOKENS: "MAX_TOKENS",
    Name.MALFORMED: "MALFORMED_RESPONSE",
    Name.TEXT_ONLY: "STOP",
    Name.EMPTY: "STOP",
    Name.ONLY_THOUGHT: "STOP",
}
SAID = {
    Name.REFUSE: "Unable to show the generated image. The image was filtered out because it "
    "violated Google's Generative AI Prohibited Use policy.",
    Name.NO_IMAGE: "Unable to show the generated image. The model could not generate the image.",
}


class Answer(msgspec.Struct, frozen=True):
    """What a 200 holds. `pictures` counts the image parts, thought images included.

    `hosted` names pictures of which the body tells only the address.
    """

    body: Any
    usage: Usage
    images: int
    pictures: int
    hosted: tuple[str, ...] = ()

    def pieces(self, pictures: Sequence[bytes]) -> list[bytes]:
        """Write the JSON, with each picture's base64 where it belongs, copying none of them."""
        texts = msgspec.json.encode(self.body).split(MARK.encode())
        pieces = [texts[0]]
        for picture, text in zip(pictures, texts[1:], strict=True):
            pieces += picture, text
        return pieces


def compose(ask: Ask, faults: Faults) -> Answer:
    """Decide the parts of an answer."""
    parts = [*thoughts(ask, faults), *results(ask, faults)]
    pictures = sum("inlineData" in part for part in parts)
    images = sum("inlineData" in part and "thought" not in part for part in parts)
    texts = PROSE_TOKENS * sum("text" in part and "thought" not in part for part in parts)
    usage = bill.measure(ask, images=images, texts=texts)
    if faults.keys() & {Name.BLOCK, Name.NO_CANDIDATES}:
        usage = Usage(usage.prompt_text, usage.prompt_image)  # stopped at the door
    body = heading(ask)
    if Name.NO_USAGE not in faults:
        body["usageMetadata"] = bill.metadata(usage, ask.target)
    body |= verdict(ask, parts, faults)
    return Answer(body, usage, images, pictures)


def heading(ask: Ask) -> dict[str, Any]:
    """Write what every answer carries."""
    heading = {"modelVersion": ask.target.model.name, "responseId": secrets.token_urlsafe(16)}
    if ask.target.platform is Platform.VERTEX:
        heading["createTime"] = dt.datetime.now(dt.UTC).isoformat().replace("+00:00", "Z")
    return heading


def verdict(ask: Ask, parts: list[dict[str, Any]], faults: Faults) -> dict[str, Any]:
    """Write the candidate, or the reason why there is none."""
    if Name.BLOCK in faults:
        reason = faults[Name.BLOCK].argument or "PROHIBITED_CONTENT"
        return {"promptFeedback": {"blockReason": reason}}
    if Name.NO_CANDIDATES in faults:
        return {}
    cause = next((name for name in FINISHED if name in faults), None)
    candidate: dict[str, Any] = {"index": 0, "finishReason": FINISHED[cause] if cause else "STOP"}
    if parts or cause is Name.EMPTY:
        candidate["content"] = {"role": "model", **({"parts": parts} if parts else {})}
    if cause in SAID:
        code = faults[cause].argument
        candidate["finishMessage"] = SAID[cause] + (f" Support codes: {code}" if code else "")
    if ask.searches:
        found = grounding.queries(ask.prompt, ask.searches)
        candidate["groundingMetadata"] = grounding.metadata(found)
    return {"candidates": [candidate]}


def thoughts(ask: Ask, faults: Faults) -> list[dict[str, Any]]:
    """Write the parts that are marked as thoughts."""
    parts: list[dict[str, Any]] = []
    if ask.shows_thoughts and ask.thinking not in {"", "MINIMAL"}:
        parts.append({"text": THOUGHT, "thought": True})
    if faults.keys() & {Name.THOUGHT_FIRST, Name.ONLY_THOUGHT}:
        parts.append({**image_part(ask, faults), "thought": True})
    return parts


def results(ask: Ask, faults: Faults) -> list[dict[str, Any]]:
    """Write the parts that are results."""
    if Name.TEXT_ONLY in faults:
        return [{"text": REFUSAL}]
    if faults.keys() & (FINISHED.keys() | {Name.BLOCK, Name.NO_CANDIDATES}):
        return []
    prose = [{"text": PROSE}] if ask.wants_text else []
    return prose + [image_part(ask, faults)] * (2 if Name.TWO_IMAGES in faults else 1)


def image_part(ask: Ask, faults: Faults) -> dict[str, Any]:
    """Write an image part with the mark where its base64 goes."""
    mime = ask.mime
    if Name.WRONG_MIME in faults:
        mime = "image/png" if mime == "image/jpeg" else "image/jpeg"
    part = {"inlineData": {"mimeType": mime, "data": MARK}}
    signature = sign(ask.target.model, ask.prompt)
    return part if signature is None else {**part, "thoughtSignature": signature}
