"""Finds a picture in words: a data URI, in Markdown or bare, or the address of a hosted one.

Texts may have megabytes, and be written by anybody: each pattern reads them once, in bounded steps.
"""

from __future__ import annotations

import re
from collections import deque
from typing import Final
from urllib.parse import urlsplit

import msgspec

_DATA: Final = re.compile(r"data:image/[\w.+-]{1,40};base64,([A-Za-z0-9+/=]+)")
_MARKDOWN: Final = re.compile(r"!\[[^\]]{0,500}\]\(\s{0,9}<?(https?://[^\s)>]{1,4000})")
_BARE: Final = re.compile(r"https?://[^\s<>\"'()\[\]]{1,4000}")
_ENDINGS: Final = (".png", ".jpg", ".jpeg", ".webp")
_OPENINGS: Final = ("https://", "http://")


class Found(msgspec.Struct, frozen=True):
    """A picture in base64, or the address at which it lies."""

    base64: str | None = None
    url: str | None = None


def found_in_text(text: str) -> Found | None:
    """The last picture of a text: what comes before may be drafts.

    An address without Markdown's mark of an image is taken where it is all that was said, or ends
    like a file of one: a refusal may name pages, and they are no pictures.
    """
    if data := _last(_DATA, text):
        return Found(base64=data)
    if url := _last(_MARKDOWN, text):
        return Found(url=url)
    bare = [url.rstrip(".,;") for url in _BARE.findall(text)]
    named = [url for url in bare if _is_named(url)]
    if named:
        return Found(url=named[-1])
    is_all = len(bare) == 1 and bare[0] == text.strip()
    return Found(url=bare[0]) if is_all else None


def found_in_value(value: str) -> Found | None:
    """A picture where nothing else may stand: a data URI, an address, or bare base64."""
    text = value.strip()
    if text.startswith("data:"):
        data = text.partition("base64,")[2]
        return Found(base64=data) if data else None
    if text.startswith(_OPENINGS):
        return Found(url=text)
    return Found(base64=text) if text and "://" not in text[:64] else None


def _last(pattern: re.Pattern[str], text: str) -> str | None:
    last = deque(pattern.finditer(text), maxlen=1)
    return last[0][1] if last else None


def _is_named(url: str) -> bool:
    try:
        return urlsplit(url).path.lower().endswith(_ENDINGS)
    except ValueError:
        return False
