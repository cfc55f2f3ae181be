"""The numbers that Google gives with a refusal, and the categories that they stand for."""

from __future__ import annotations

import re
from typing import Final

# Google, Gemini Enterprise Agent Platform, Responsible AI for image models, 2026-08: the codes of
# prompts and of pictures alike.
_CATEGORIES: Final = {
    "CHILD": (58061214, 17301594),
    "CELEBRITY": (29310472, 15236754),
    "CELEBRITY_OR_CHILD": (64151117,),
    "DANGEROUS_CONTENT": (62263041,),
    "HATE": (57734940, 22137204),
    "OTHER": (74803281, 29578790, 42876398),
    "PEOPLE_OR_FACE": (39322892,),
    "PERSONAL_INFORMATION": (92201652,),
    "PROHIBITED_CONTENT": (89371032, 49114662, 72817394),
    "SEXUAL": (90789179, 63429089, 43188360),
    "TOXIC": (78610348,),
    "VIOLENCE": (61493863, 56562880),
    "VULGAR": (32635315,),
}
_CATEGORY: Final = {str(code): name for name, codes in _CATEGORIES.items() for code in codes}
_CODES: Final = re.compile(r"support codes?:?\s*([\d,\s]+)", re.IGNORECASE)


def category(said: str) -> str | None:
    """Name the category of the first support code that is known in a sentence: `VIOLENCE`."""
    found = _CODES.search(said)
    codes = re.findall(r"\d+", found[1]) if found else []
    return next((_CATEGORY[code] for code in codes if code in _CATEGORY), None)
