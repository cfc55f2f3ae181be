"""Pages of a listing whose newest comes first; what is added meanwhile shifts none of them."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Protocol, TypeVar

from darkroom_simulator.problem import Problem, invalid

USUAL = 50
MOST = 1_000


class Numbered(Protocol):
    """What has a number that grows with every new one."""

    @property
    def number(self) -> int:
        """The number."""
        ...


Kind = TypeVar("Kind", bound=Numbered)


def paged(every: Sequence[Kind], query: Mapping[str, str]) -> tuple[list[Kind], str] | Problem:
    """Take a page as `pageSize` and `pageToken` say; the token of the next is "" for none.

    `every` is in the order of its numbers.
    """
    try:
        size = int(query.get("pageSize") or USUAL)
        before = int(base64.urlsafe_b64decode(query.get("pageToken", "")) or every[-1].number + 1)
    except IndexError:
        return [], ""
    except ValueError:
        return invalid("Invalid page size or page token.")
    if size < 1:
        return invalid("page_size must be positive.")
    older = [each for each in reversed(every) if each.number < before]
    page = older[: min(size, MOST)]
    return page, token(page[-1]) if len(older) > len(page) else ""


def token(last: Numbered) -> str:
    """Name the page behind one whose last entry this is."""
    return base64.urlsafe_b64encode(str(last.number).encode()).decode()
