"""What a backend is asked for, as it is stored with a render, and the fingerprint of it."""

from __future__ import annotations

import hashlib
from typing import Final

import msgspec

from darkroom.registry import Ask


class Reference(msgspec.Struct, frozen=True, omit_defaults=True):
    """An image to go by: an absolute path or `gs://`; `sha256` of its bytes where they are here."""

    uri: str
    mime: str
    sha256: str | None = None
    role: str | None = None


class Request(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One image: the final prompt and its parameters. None: the model's own default."""

    prompt: str
    negative_prompt: str | None = None
    aspect_ratio: str | None = None
    image_size: str | None = None
    seed: int | None = None
    temperature: float | None = None
    thinking: str | None = None
    references: tuple[Reference, ...] = ()

    @property
    def prompt_chars(self) -> int:
        """How many characters of words it has."""
        return len(self.prompt) + len(self.negative_prompt or "")

    def ask(self, model: str) -> Ask:
        """Say the same to the registry."""
        return Ask(
            model=model,
            aspect_ratio=self.aspect_ratio,
            image_size=self.image_size,
            seed=self.seed,
            temperature=self.temperature,
            thinking=self.thinking,
            negative_prompt=self.negative_prompt,
            references=len(self.references),
            prompt_chars=self.prompt_chars,
        )


_ENCODER: Final = msgspec.json.Encoder()


def fingerprints(model: str, request: Request, n: int) -> list[str]:
    """Name pictures by all that decides how they look: 128 bits as hex, one a variant 1 … n.

    The tier is not part of it: the same model draws the same picture at any price. A reference
    counts by its bytes, not by where they lie.
    """
    here = tuple(
        msgspec.structs.replace(one, uri="") if one.sha256 else one for one in request.references
    )
    asked = _ENCODER.encode(msgspec.structs.replace(request, references=here))
    names = []
    for variant in range(1, n + 1):
        head = f"1\0{model}\0{variant}\0".encode()
        names.append(hashlib.blake2b(head + asked, digest_size=16).hexdigest())
    return names
