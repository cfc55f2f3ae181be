"""A few thousand rows of a manifest, judged and placed."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

import msgspec

from darkroom.draft import Draft
from darkroom.jobs.known import Known
from darkroom.jobs.links import NewLink
from darkroom.jobs.load import NewRender
from darkroom.router import Placement
from darkroom.share import Change
from darkroom_manifests.problem import Problem, Severity

Picture = tuple[int, int]
"""One of a row: the row's number and the variant."""


class Placed(msgspec.Struct, frozen=True, gc=False):
    """A row with its tier chosen. `variants` are those of it that are to be made.

    `late_seconds` after its deadline the last of them is expected; below zero it is in time.
    """

    draft: Draft
    variants: tuple[int, ...]
    placement: Placement
    late_seconds: float
    change: Change

    def renders(self) -> list[NewRender]:
        """What is to be stored."""
        return self.draft.renders(self.placement.bid, self.variants)


class Chunk(msgspec.Struct, frozen=True):
    """Good rows, what to render of them, what is there already, and what is wrong.

    `twins` are made by a render of another row of the manifest. `left` pictures are neither there
    nor selected.
    """

    drafts: list[Draft]
    placed: list[Placed]
    known: Mapping[Picture, Known]
    twins: Collection[Picture]
    problems: list[Problem]
    left: int = 0

    @property
    def rows(self) -> int:
        """How many good rows it has; a row of several turns has a draft for each."""
        return sum(draft.turn == 0 for draft in self.drafts)

    @property
    def errors(self) -> list[Problem]:
        """What keeps rows from being rendered; the rest are doubts."""
        return [problem for problem in self.problems if problem.severity is Severity.ERROR]

    def links(self) -> Iterator[NewLink]:
        """The pictures that other renders make, or have made."""
        if not self.known and not self.twins:
            return
        for draft in self.drafts:
            for variant in range(1, len(draft.prints) + 1):
                picture = (draft.row_no, variant)
                found = self.known.get(picture)
                if found is not None or picture in self.twins:
                    yield draft.link(variant, None if found is None else found.render_id)
