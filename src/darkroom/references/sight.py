"""Looks at the bytes of a reference: whether they are an image, and one that providers take."""

from __future__ import annotations

import io
import threading
import warnings
from typing import Final

import msgspec
from PIL import Image, UnidentifiedImageError

from darkroom.references import heic
from darkroom.references.boxes import brands, sides

# Google, Gemini Enterprise Agent Platform, model pages, 2026-10: PNG, JPEG, WebP, HEIC and HEIF.
_TAKEN: Final = frozenset({"image/png", "image/jpeg", "image/webp", "image/heic", "image/heif"})
_FORMATS: Final = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")
_FRAMED: Final = frozenset({"PNG", "WEBP", "GIF"})
_HEIC: Final = frozenset({b"heic", b"heix", b"heim", b"heis"})
_HEIF: Final = frozenset({b"mif1", b"heif"})
_AVIF: Final = frozenset({b"avif", b"avis"})
_MOVING: Final = frozenset({b"hevc", b"hevx", b"hevm", b"hevs", b"msf1"})
_MOST_PIXELS: Final = 50_000_000
_LOOKED_AT: Final = 1_024
_SCALE: Final = 8  # JPEG is decoded so much smaller: its end is read all the same
_FILTERS: Final = threading.Lock()  # Python's filters of warnings are one for all threads


class Unfit(msgspec.Struct, frozen=True):
    """Why bytes are no reference: the rest of a sentence, and a remedy."""

    said: str
    hint: str


class Seen(msgspec.Struct, frozen=True):
    """An image that decodes. HEIC is decoded where the extra `heic` is; else its boxes are read."""

    mime: str
    width: int = 0
    height: int = 0
    frames: int = 1

    @property
    def unfit(self) -> Unfit | None:
        """Why no model takes it as it is."""
        if self.frames > 1:
            return Unfit("is animated.", f"Save one of its frames{_OR_FIT}")
        if self.mime not in _TAKEN:
            said = f"is a {self.mime.partition('/')[2].upper()}, which no model takes."
            return Unfit(said, f"Convert it to PNG or JPEG{_OR_FIT}")
        return None


_CONVERT: Final = "Convert it to PNG or JPEG."
_OR_FIT: Final = ', or set references.policy = "fit".'


def look(data: bytes) -> str | Unfit:
    """Give the mime type by what the bytes are, whatever they are called."""
    if data[:4].lower() == b"gif8":
        return Seen("image/gif").unfit or "image/gif"
    seen = examine(data)
    return seen if isinstance(seen, Unfit) else seen.unfit or seen.mime


def examine(data: bytes) -> Seen | Unfit:
    """Decode an image that could be made to fit, too."""
    if not data:
        return Unfit("is empty.", "Was it saved?")
    if heic.is_heic(data):
        kind = _of_box(data)
        return kind if isinstance(kind, Unfit) else _boxed(data, kind)
    return _stranger(data[:_LOOKED_AT].lstrip(b"\xef\xbb\xbf \t\r\n").lower()) or _decoded(data)


def _of_box(data: bytes) -> str | Unfit:
    """Tell HEIC from HEIF of other kinds by its brands. AVIF may say that it is HEIF first."""
    brand, others = brands(data)
    if brand in _HEIC:
        return "image/heic"
    if brand in _HEIF and not others & _AVIF:
        return "image/heif"
    if brand in _MOVING:
        return Unfit("is a moving HEIF picture.", "Save one of its frames.")
    return Unfit("is AVIF or a film, which no model takes.", _CONVERT)


def _boxed(data: bytes, mime: str) -> Seen | Unfit:
    """Look at a HEIC: its pixels are counted before any is decoded."""
    try:
        width, height = sides(data)
        if width * height > _MOST_PIXELS:
            return _too_many(width, height)
        if heic.is_installed():
            width, height = heic.opened(data).size
    except (OSError, ValueError) as error:
        return Unfit(f"cannot be decoded: {error}.", "Save it anew.")
    return Seen(mime, width, height)


def _too_many(width: int, height: int) -> Unfit:
    return Unfit(f"has {width:,} x {height:,} pixels.", "Make it smaller: 50 million.")


def _stranger(head: bytes) -> Unfit | None:
    """Name what people take for images, better than a decoder would."""
    if head.startswith(b"<") and b"<svg" in head:
        return Unfit("is an SVG: a drawing, not pixels.", "Export it as PNG.")
    if head.startswith((b"<!doctype", b"<html", b"<head", b"<body")):
        return Unfit("is a web page, not an image.", "Give the address of the image itself.")
    if head.startswith(b"%pdf"):
        return Unfit("is a PDF, not an image.", "Export its page as PNG.")
    return None


def _decoded(data: bytes) -> Seen | Unfit:
    try:
        with _FILTERS, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd metadata, which harms nobody
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            return _opened(data)
    except UnidentifiedImageError:
        return Unfit("is not a PNG, JPEG, WebP or HEIC image.", "Convert it first.")
    except Exception as error:  # noqa: BLE001  # decoders raise anything for bytes made to harm
        return Unfit(f"cannot be decoded: {error}.", "Save it anew.")


def _opened(data: bytes) -> Seen | Unfit:
    with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
        kind, (width, height) = image.format or "", image.size
        if width * height > _MOST_PIXELS:
            return _too_many(width, height)
        frames = int(getattr(image, "n_frames", 1)) if kind in _FRAMED else 1
        image.draft("RGB", (max(1, width // _SCALE), max(1, height // _SCALE)))
        image.load()
    if kind == "PNG":  # its pixels may be whole, and its end cut off
        Image.open(io.BytesIO(data), formats=("PNG",)).verify()
    return Seen(_mime(kind), width, height, frames)


def _mime(kind: str) -> str:
    """JPEGs of telephones may hold a second picture, which Pillow calls MPO: the first counts."""
    return "image/jpeg" if kind == "MPO" else f"image/{kind.lower()}"
