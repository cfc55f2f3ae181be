"""A request as turns of a conversation, each of texts and images, before any wire's spelling."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec

from darkroom.request import Exchange, Reference, Request

_USER: Final = "user"
_MODEL: Final = "model"


class Piece(msgspec.Struct, frozen=True, kw_only=True):
    """A text or an image; the base64 that the model signed it with goes back as it came.

    With `is_own` the image is of this request alone, and no reference of many rows.
    """

    text: str | None = None
    image: Reference | None = None
    signature: str | None = None
    is_own: bool = False


class Turn(msgspec.Struct, frozen=True):
    """What one side said; `role` is Google's word for the side."""

    role: str
    pieces: list[Piece]


class _Signed(msgspec.Struct, rename="camel", omit_defaults=True):
    """A part of an answer as it is kept: its text, or the mark of its image."""

    text: str | None = None
    is_image: bool = False
    thought_signature: str | None = None


_PARTS: Final = msgspec.json.Decoder(list[_Signed])
_ENCODER: Final = msgspec.json.Encoder()


def signed(parts: list[tuple[str | None, str | None]]) -> str | None:
    """Keep the parts of an answer: text, or None for its image, and the signature of each.

    None where nothing is signed: then the image alone says as much.
    """
    if not any(signature for _, signature in parts):
        return None
    kept = [_Signed(text, text is None, signature) for text, signature in parts]
    return _ENCODER.encode(kept).decode()


def turns_of(request: Request) -> list[Turn]:
    """Say the turns before, and what is asked now."""
    said = [turn for each in request.history for turn in _exchanged(each)]
    return [*said, _asked(request.pictures, request.prompt, has_canvas=request.canvas is not None)]


def as_json(request: Request, image_of: Callable[[Reference], dict[str, Any]]) -> list[Any]:
    """Spell the turns as REST takes them; `image_of` spells the part of an image."""
    return [
        {"role": turn.role, "parts": [_part(piece, image_of) for piece in turn.pieces]}
        for turn in turns_of(request)
    ]


def _exchanged(each: Exchange) -> Iterator[Turn]:
    yield _asked(each.references, each.prompt)
    if each.signed is None:
        yield Turn(_MODEL, [Piece(image=each.image, is_own=True)])
        return
    yield Turn(
        _MODEL,
        [
            Piece(
                text=part.text,
                image=each.image if part.is_image else None,
                signature=part.thought_signature,
                is_own=part.is_image,
            )
            for part in _PARTS.decode(each.signed)
        ],
    )


def _asked(images: tuple[Reference, ...], prompt: str, *, has_canvas: bool = False) -> Turn:
    pieces = []
    for number, image in enumerate(images, 1):
        caption = image.caption(number)
        pieces += [] if caption is None else [Piece(text=caption)]
        pieces.append(Piece(image=image, is_own=has_canvas and number == 1))
    return Turn(_USER, [*pieces, Piece(text=prompt)])


def _part(piece: Piece, image_of: Callable[[Reference], dict[str, Any]]) -> dict[str, Any]:
    part = {"text": piece.text} if piece.image is None else image_of(piece.image)
    return part if piece.signature is None else {**part, "thoughtSignature": piece.signature}
