"""Says a request differently, after an answer that brought no image."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from darkroom.models import Remedy
from darkroom.request import Reference, Request

# Models answer in words now and then where a picture was meant; told so, most of them draw.
_ONLY_IMAGE: Final = "Output only the final image, without any text beside it."
_JPEG: Final = "image/jpeg"
_REWRITTEN: Final = frozenset({"image/png", "image/webp", _JPEG})
_MOST: Final = 14  # references that a request can have


def remedied(request: Request, remedy: Remedy | None) -> Request:
    """Apply what the books say for this attempt; the render still is the picture that was asked."""
    if remedy is None:
        return request
    if remedy is Remedy.ONLY_IMAGE:
        return msgspec.structs.replace(request, prompt=f"{request.prompt}\n\n{_ONLY_IMAGE}")
    numbered = enumerate(request.references, 1)
    kept = (one for number, one in numbered if number != remedy.omitted)
    changed = tuple(map(_as_jpeg, kept) if remedy is Remedy.JPEG else kept)
    return msgspec.structs.replace(request, references=changed)


def next_remedy(request: Request, said: Remedy | None, most: int) -> Remedy | None:
    """What to try after a prompt with references was blocked for no named reason.

    One image that Google cannot read is often the cause (docs.apiyi.com, FAQ, 2026-09). First
    all are written anew, then they are left out one by one, with `most` requests in all.
    """
    ladder = list(_ladder(request))[:most]
    passed = ladder.index(said) + 1 if said in ladder else 0
    return next((remedy for remedy in ladder[passed:] if remedy is not None), None)


def _ladder(request: Request) -> Iterator[Remedy | None]:
    """The remedies in their order; None for one that would change nothing."""
    if not request.references:
        return
    yield Remedy.JPEG if any(map(_can_be_rewritten, request.references)) else None
    if len(request.references) > 1:  # without its only one it would be another request
        for number in range(1, min(len(request.references), _MOST) + 1):
            yield Remedy(f"without-{number}")


def _can_be_rewritten(reference: Reference) -> bool:
    return reference.sha256 is not None and reference.mime in _REWRITTEN


def _as_jpeg(reference: Reference) -> Reference:
    if not _can_be_rewritten(reference):
        return reference
    return msgspec.structs.replace(reference, mime=_JPEG, as_jpeg=True)
