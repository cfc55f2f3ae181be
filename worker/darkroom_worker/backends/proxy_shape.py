"""Finds the picture in a proxy's answer, in whichever of many shapes it came.

Where pictures were seen, by proxy: OpenRouter, LiteLLM and Vercel in `message.images`, APIYI there
or in Markdown, crazyrouter as data URI or hosted address in text, images' endpoints in `data`
(their documentation, and users' reports, 2026-10).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from darkroom_worker.backends.proxy_text import Found, found_in_text, found_in_value

Document = dict[str, Any]

_HOLDERS: Final = ("b64_json", "image_url", "url", "image", "result", "source", "data")
_DEEPEST: Final = 4


def found_in(document: Document) -> Found | None:
    """The picture: of the messages first, then of `data`. The last of each: drafts come before."""
    for message in messages(document):
        if (found := _in_message(message)) is not None:
            return found
    return _in_list(document.get("data"))


def messages(document: Document) -> Iterator[Document]:
    """The messages of all choices."""
    for choice in choices(document):
        message = choice.get("message") or choice.get("delta")
        if isinstance(message, dict):
            yield message


def choices(document: Document) -> list[Document]:
    """The choices that are what choices should be."""
    return _tables(document.get("choices"))


def words(document: Document) -> str:
    """What was said beside a picture, or instead of one, as one text."""
    said = []
    for message in messages(document):
        content = message.get("content")
        said += [content] if isinstance(content, str) else [*_texts(content)]
    return "\n".join(said).strip()


def native_words(document: Document) -> str:
    """The same, of an answer in Google's shape; thoughts are left out."""
    said = []
    for candidate in _tables(document.get("candidates")):
        content = candidate.get("content")
        parts = content.get("parts") if isinstance(content, dict) else None
        said += [*_texts([part for part in _tables(parts) if not part.get("thought")])]
    return "\n".join(said).strip()


def _in_message(message: Document) -> Found | None:
    content = message.get("content")
    return (
        _in_list(message.get("images"))
        or _in_value(message.get("image"), 0)
        or (found_in_text(content) if isinstance(content, str) else _in_parts(content))
    )


def _in_parts(content: object) -> Found | None:
    parts = [part for part in _tables(content) if part.get("type") not in ("text", "output_text")]
    return _in_list(parts) or found_in_text("\n".join(_texts(content)))


def _in_list(listed: object) -> Found | None:
    entries = listed if isinstance(listed, list) else []
    return next((found for each in reversed(entries) if (found := _in_value(each, 0))), None)


def _in_value(value: object, depth: int) -> Found | None:
    """Look into what may hold a picture: a text, or a table that names one under a known key."""
    if isinstance(value, str):
        return found_in_value(value)
    if not isinstance(value, dict) or depth == _DEEPEST:
        return None
    held = (_in_value(value.get(name), depth + 1) for name in _HOLDERS if value.get(name))
    return next((found for found in held if found), None)


def _texts(content: object) -> Iterator[str]:
    for part in _tables(content):
        if isinstance(part.get("text"), str):
            yield part["text"]


def _tables(listed: object) -> list[Document]:
    return [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
