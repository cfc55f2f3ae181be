"""Reads the body of a `generateContent` answer: the picture, what it cost, or why there is none."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeVar

import msgspec
import pybase64

from darkroom.models import AttemptState
from darkroom.registry import Level, Usage
from darkroom_worker.backends.base import Outcome
from darkroom_worker.backends.contents import signed
from darkroom_worker.backends.support_codes import category

# Google, Gemini Enterprise Agent Platform, Responsible AI for image models, 2026: these are
# decisions about the content, and asking again only pays again.
REFUSALS: Final = frozenset(
    {
        "SAFETY",
        "IMAGE_SAFETY",
        "PROHIBITED_CONTENT",
        "IMAGE_PROHIBITED_CONTENT",
        "RECITATION",
        "IMAGE_RECITATION",
        "BLOCKLIST",
        "SPII",
        "MODEL_ARMOR",
    }
)
_LEVELS: Final[Mapping[str, Level]] = {
    "ON_DEMAND": Level.STANDARD,
    "ON_DEMAND_OFFPEAK": Level.STANDARD,
    "ON_DEMAND_FLEX": Level.FLEX,
    "ON_DEMAND_PRIORITY": Level.PRIORITY,
    "PROVISIONED_THROUGHPUT": Level.PROVISIONED,
    "standard": Level.STANDARD,
    "flex": Level.FLEX,
    "priority": Level.PRIORITY,
}
# The key of a picture's base64, that of `predict` too, up to its opening quote. It cannot stand
# inside a string: there its quotes would be escaped.
_DATA: Final = re.compile(rb'"(?:data|bytesBase64Encoded)"\s*:\s*"(?!")')
_MESSAGE_LENGTH: Final = 2_000

T = TypeVar("T")

Base64 = str | memoryview
"""A picture as it came: text, or a part of the body or line that it stands in."""


class _Blob(msgspec.Struct, rename="camel"):
    data: str = ""
    mime_type: str = ""


class _Part(msgspec.Struct, rename="camel"):
    text: str | None = None
    inline_data: _Blob | None = None
    thought: bool = False
    thought_signature: str | None = None


class _Content(msgspec.Struct, rename="camel"):
    parts: list[_Part] = []


class _Grounding(msgspec.Struct, rename="camel"):
    web_search_queries: list[Any] | None = None
    image_search_queries: list[Any] | None = None
    grounding_chunks: list[Any] | None = None

    @property
    def searches(self) -> int:
        """How many queries were made; sources without a query come of one at least."""
        named = len(self.web_search_queries or ()) + len(self.image_search_queries or ())
        return named or bool(self.grounding_chunks)


class _Candidate(msgspec.Struct, rename="camel"):
    content: _Content | None = None
    grounding_metadata: _Grounding | None = None
    finish_reason: str | None = None
    finish_message: str | None = None


class _Feedback(msgspec.Struct, rename="camel"):
    block_reason: str | None = None
    block_reason_message: str | None = None


class _Modality(msgspec.Struct, rename="camel"):
    modality: str = ""
    token_count: int = 0


class _Usage(msgspec.Struct, rename="camel"):
    prompt_token_count: int | None = None
    candidates_token_count: int | None = None
    thoughts_token_count: int = 0
    tool_use_prompt_token_count: int = 0
    cached_content_token_count: int = 0
    prompt_tokens_details: list[_Modality] = []
    candidates_tokens_details: list[_Modality] = []
    traffic_type: str | None = None
    service_tier: str | None = None


class Answer(msgspec.Struct, rename="camel"):
    """A `GenerateContentResponse`; in place of each picture stands its number."""

    candidates: list[_Candidate] = []
    prompt_feedback: _Feedback | None = None
    usage_metadata: _Usage | None = None
    response_id: str | None = None


_DECODER: Final = msgspec.json.Decoder(Answer)


def read_body(body: bytes, headers: Mapping[str, str]) -> Outcome:
    """Classify a 200 answer. Success is a picture that is there, never a finish reason."""
    bare, pictures = without_pictures(body)
    try:
        answer = parsed(_DECODER, bare)
    except msgspec.MsgspecError as error:
        said = f"The answer is not what Google answers: {error}"
        return Outcome(ended=AttemptState.LOST, http_status=200, message=said)
    return read_answer(answer, pictures, headers)


def read_answer(answer: Answer, pictures: Sequence[Base64], headers: Mapping[str, str]) -> Outcome:
    """Classify an answer whose pictures' base64 was cut out before."""
    served = _served(answer.usage_metadata, headers)
    outcome = Outcome(
        ended=AttemptState.DELIVERED,
        http_status=200,
        usage=_usage(answer.usage_metadata, _searches(answer), drawn=_has_picture(answer)),
        level=_LEVELS.get(served or ""),
        traffic_type=served,
        response_id=answer.response_id,
    )
    return _judged(answer, outcome, pictures)


def _judged(answer: Answer, outcome: Outcome, pictures: Sequence[Base64]) -> Outcome:
    feedback = answer.prompt_feedback
    if feedback is not None and feedback.block_reason:
        return msgspec.structs.replace(
            outcome,
            ended=AttemptState.REFUSED,
            block_reason=feedback.block_reason,
            message=_with_category(feedback.block_reason_message or "The prompt was blocked."),
        )
    candidate = answer.candidates[0] if answer.candidates else _Candidate()
    reason = candidate.finish_reason
    parts = candidate.content.parts if candidate.content else []
    picture = _picture(parts)
    if picture is not None:
        outcome = msgspec.structs.replace(outcome, signed=_signed(parts, picture))
        return with_picture(outcome, pictures[int(picture.data)], reason)
    said = candidate.finish_message or " ".join(part.text or "" for part in parts).strip()
    return msgspec.structs.replace(
        outcome,
        ended=AttemptState.REFUSED if reason in REFUSALS else AttemptState.NO_IMAGE,
        finish_reason=_imageless(reason, said),
        message=_with_category(said) or f"No image came back ({reason or 'an empty answer'}).",
    )


def _signed(parts: list[_Part], picture: _Blob) -> str | None:
    """Keep what a next turn must hold: the answer's words and its picture, as they were signed."""
    said = [part for part in parts if not part.thought]
    return signed(
        [
            (part.text if part.inline_data is None else None, part.thought_signature)
            for part in said
            if part.text is not None or part.inline_data is picture
        ]
    )


def _with_category(said: str) -> str:
    """Google's words, and what its support code stands for, where there is one."""
    named = category(said)
    return said[:_MESSAGE_LENGTH] + (f" (category {named})" if named else "")


def _imageless(reason: str | None, said: str) -> str:
    """STOP without a picture is a refusal in words; it must not look like success."""
    if reason in (None, "STOP"):
        return "TEXT_ONLY" if said else "EMPTY"
    return reason or "EMPTY"


def _picture(parts: list[_Part]) -> _Blob | None:
    """The last picture that is no draft; if every one is marked a thought, the last of them."""
    pictures = [part for part in parts if part.inline_data and part.inline_data.data.isdecimal()]
    finished = [part for part in pictures if not part.thought]
    return next((part.inline_data for part in reversed(finished or pictures)), None)


def with_picture(outcome: Outcome, text: Base64, reason: str | None) -> Outcome:
    """Decode a picture into the outcome; one that is no base64 is spoiled."""
    try:
        image = _decoded(text)
    except ValueError as error:
        said = f"The image is not base64: {error}"
        return msgspec.structs.replace(
            outcome, ended=AttemptState.SPOILED, finish_reason="BAD_BASE64", message=said
        )
    return msgspec.structs.replace(outcome, image=image, finish_reason=reason)


def without_pictures(body: bytes) -> tuple[bytes, list[memoryview]]:
    """Cut the megabytes of base64 out of an answer and leave their numbers in their places.

    What is left is small: parsing it costs nothing, and the base64 is never copied as JSON: the
    pictures are parts of `body`.
    """
    view, kept, at = memoryview(body), list[bytes](), 0
    pictures: list[memoryview] = []
    while (found := _DATA.search(body, at)) is not None:  # from behind the last picture: not in it
        begin, end = found.end(), body.find(b'"', found.end())
        if end < 0:
            break
        kept += [body[at:begin], b"%d" % len(pictures)]
        pictures.append(view[begin:end])
        at = end
    kept.append(body[at:])
    return b"".join(kept), pictures


def parsed(decoder: msgspec.json.Decoder[T], bare: bytes) -> T:
    """Parse an answer, best without its pictures. Raises MsgspecError.

    A byte that is no UTF-8 spoils a word of it, and not the picture, which is paid for.
    """
    try:
        return decoder.decode(bare)
    except UnicodeDecodeError:
        return decoder.decode(bare.decode(errors="replace"))


def _decoded(text: Base64) -> bytes:
    """Decode base64. Some JSON writers escape its `/` and `=`; only then is it unescaped first."""
    try:
        return pybase64.b64decode(text, validate=True)
    except ValueError:
        plain = text if isinstance(text, str) else bytes(text).decode("ascii", "replace")
        if "\\" not in plain:
            raise
        return pybase64.b64decode(msgspec.json.decode(f'"{plain}"', type=str), validate=True)


def _served(usage: _Usage | None, headers: Mapping[str, str]) -> str | None:
    """The service level that served: Vertex says it in the usage, AI Studio in a header."""
    said = usage and (usage.traffic_type or usage.service_tier)
    return said or headers.get("x-gemini-service-tier") or headers.get("X-Gemini-Service-Tier")


def _has_picture(answer: Answer) -> bool:
    content = answer.candidates[0].content if answer.candidates else None
    return content is not None and _picture(content.parts) is not None


def _searches(answer: Answer) -> int:
    """The queries that Google bills beside the tokens (Gemini API, Pricing, 2026-10)."""
    found = answer.candidates[0].grounding_metadata if answer.candidates else None
    return 0 if found is None else found.searches


def _usage(reported: _Usage | None, searches: int, *, drawn: bool) -> Usage | None:
    """None where the provider reported nothing that a price could be put on.

    Without details by modality, the candidates of an answer with a picture count as image tokens.
    """
    if reported is None or reported.prompt_token_count is None:
        return None
    candidates = max(0, reported.candidates_token_count or 0)
    details = _of(reported.candidates_tokens_details, "IMAGE")
    image = min(candidates, (candidates if drawn else 0) if details is None else details)
    return Usage(
        prompt_tokens=max(0, reported.prompt_token_count),
        tool_tokens=max(0, reported.tool_use_prompt_token_count),
        cached_tokens=max(0, reported.cached_content_token_count),
        image_tokens=image,
        text_tokens=candidates - image,
        thought_tokens=max(0, reported.thoughts_token_count),
        input_image_tokens=_of(reported.prompt_tokens_details, "IMAGE") or 0,
        searches=searches,
    )


def _of(details: list[_Modality], modality: str) -> int | None:
    """Sum one modality; None where no details were given at all."""
    if not details:
        return None
    return max(0, sum(d.token_count for d in details if d.modality == modality))
