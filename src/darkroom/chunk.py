"""A few thousand rows of a manifest, judged and placed."""

from __future__ import annotations

import msgspec

from darkroom.draft import Draft
from darkroom.jobs.load import NewRender
from darkroom.models import RenderState
from darkroom.router import Placement
from darkroom_manifests.problem import Problem, Severity


class Placed(msgspec.Struct, frozen=True):
    """A row with its tier chosen. `variants` are those of it that are to be made.

    `late_seconds` after its deadline the last of them is expected; below zero it is in time.
    """

    draft: Draft
    variants: tuple[int, ...]
    placement: Placement
    late_seconds: float

    def renders(self) -> list[NewRender]:
        """What is to be stored."""
        return self.draft.renders(self.placement.bid, self.variants)


class Chunk(msgspec.Struct, frozen=True):
    """Good rows, what to render of them, what is there already, and what is wrong."""

    drafts: list[Draft]
    placed: list[Placed]
    known: list[RenderState]
    problems: list[Problem]

    @property
    def errors(self) -> list[Problem]:
        """What keeps rows from being rendered; the rest are doubts."""
        return [problem for problem in self.problems if problem.severity is Severity.ERROR]
