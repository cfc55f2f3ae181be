"""What a backend is asked for, as it is stored with a render, and the fingerprint of it."""

from __future__ import annotations

import hashlib
from typing import Final

import msgspec

from darkroom.registry import Ask


class Reference(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """An image to go by: an absolute path or `gs://`; `sha256` of its bytes where they are here.

    `size` is their number. What is at an address of the web was fetched, and is a path here. With
    `as_jpeg` the bytes are written anew before they are sent.
    """

    uri: str
    mime: str
    sha256: str | None = None
    role: str | None = None
    size: int | None = None
    as_jpeg: bool = False

    @property
    def content(self) -> str | None:
        """A name of the bytes that are sent, 64 hex digits; None where they are not here."""
        if self.sha256 is None or not self.as_jpeg:
            return self.sha256
        return hashlib.sha256(f"{self.sha256} as JPEG".encode()).hexdigest()

    @property
    def is_here(self) -> bool:
        """Whether it is a file of this machine, whose bytes can be sent."""
        return self.sha256 is not None and not self.uri.startswith("gs://")

    def caption(self, number: int) -> str | None:
        """What is said of it, before it: its number from 1 and its role, if it has one."""
        return None if self.role is None else f"Image {number}, {self.role}:"


class Wishes(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What row, job and settings ask beside prompt and shape. None: Google's own default.

    `safety` is one threshold for all categories, as Google spells it. `grounding` is what may be
    searched before the picture is drawn: "web", "image" or "web+image".
    """

    system_instruction: str | None = None
    safety: str | None = None
    person_generation: str | None = None
    output_mime_type: str | None = None
    compression_quality: int | None = None
    grounding: str | None = None

    @property
    def told(self) -> tuple[str, ...]:
        """The names of what is asked."""
        names = self.__struct_fields__
        return tuple(name for name in names if getattr(self, name) is not None)


class Exchange(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """An earlier turn: what was asked, and the image that came.

    `signed` is JSON: the parts of the answer as the model gave them, with its thought signatures
    and without the bytes of images; None where they were not kept.
    """

    prompt: str
    references: tuple[Reference, ...] = ()
    image: Reference
    signed: str | None = None


class Request(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One image: the final prompt and its parameters. None: the model's own default.

    `background` is never sent: it says what the delivered image is to stand on. `labels` tell the
    bill's lines apart, where a bill has such; with `must_label` it must be one that has.

    `edits` is the fingerprint of the picture that it changes; of a row whose variants change one
    each, that of the first. `turn` is its number in a row of several, 0 in a row of one; with
    `is_continued` another turn follows. `shown` is how many images the model sees by all that went
    before. They are known only when the request is about to be sent: then `canvas` is the image
    that it changes, or `history` has the turns before.
    """

    prompt: str
    negative_prompt: str | None = None
    aspect_ratio: str | None = None
    image_size: str | None = None
    seed: int | None = None
    temperature: float | None = None
    thinking: str | None = None
    references: tuple[Reference, ...] = ()
    wishes: Wishes | None = None
    background: str | None = None
    edits: str | None = None
    turn: int = 0
    shown: int = 0
    is_continued: bool = False
    labels: tuple[tuple[str, str], ...] = ()
    must_label: bool = False
    canvas: Reference | None = None
    history: tuple[Exchange, ...] = ()

    @property
    def prompt_chars(self) -> int:
        """How many characters of words it has; Google counts an instruction as input, too."""
        told = None if self.wishes is None else self.wishes.system_instruction
        return len(self.prompt) + len(self.negative_prompt or "") + len(told or "")

    @property
    def pictures(self) -> tuple[Reference, ...]:
        """The images of its own turn, the one that it changes first."""
        return self.references if self.canvas is None else (self.canvas, *self.references)

    @property
    def all_pictures(self) -> tuple[Reference, ...]:
        """The images of all turns, in their order."""
        before = (one for each in self.history for one in (*each.references, each.image))
        return (*before, *self.pictures)

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
            references=len(self.references) + self.shown,
            grounding=None if self.wishes is None else self.wishes.grounding,
            prompt_chars=self.prompt_chars,
        )


_ENCODER: Final = msgspec.json.Encoder()


def fingerprints(model: str, request: Request, n: int) -> list[str]:
    """Name pictures by all that decides how they look: 128 bits as hex, one a variant 1 … n.

    The tier is not part of it: the same model draws the same picture at any price. A reference
    counts by its bytes, not by where they lie.
    """
    here = tuple(
        msgspec.structs.replace(one, uri="", size=None) if one.sha256 else one
        for one in request.references
    )
    asked = _ENCODER.encode(
        msgspec.structs.replace(
            request, references=here, is_continued=False, labels=(), must_label=False
        )
    )
    names = []
    for variant in range(1, n + 1):
        head = f"1\0{model}\0{variant}\0".encode()
        names.append(hashlib.blake2b(head + asked, digest_size=16).hexdigest())
    return names
