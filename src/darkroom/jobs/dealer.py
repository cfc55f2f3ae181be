"""How one batch is shared: those who stand higher first, equals alike."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from itertools import chain, groupby, takewhile
from typing import Final

from sqlalchemy import Connection, select

from darkroom.db import AnyRow
from darkroom.jobs import rests
from darkroom.jobs.purse import Purse
from darkroom.jobs.turns import Turn, is_due
from darkroom.models import Render
from darkroom_manifests.tier import Tier

Fits = Callable[[str], bool]
"""Asked of each request in its turn, with all before it taken; the first that does not ends it."""


def _always(_request: str) -> bool:
    return True


ANY: Final[Fits] = _always


class Dealer:
    """Deals the places of one claim among jobs, as far as the purse allows."""

    def __init__(
        self,
        connection: Connection,
        tier: Tier,
        now: datetime,
        purse: Purse,
        resting: Collection[str],
        rooms: Mapping[str, int],
        fits: Fits = ANY,
    ) -> None:
        self._connection = connection
        self._tier = tier
        self._now = now
        self._purse = purse
        self._resting = frozenset(resting)
        self._rooms = Counter(rooms)
        self._fits = fits

    def deal(self, queue: Sequence[Turn], places: int) -> list[AnyRow]:
        """Choose and lock renders: those who stand higher first, equals alike."""
        chosen: list[AnyRow] = []
        for _, equals in groupby(queue, key=lambda turn: turn.standing):
            if len(chosen) < places:
                chosen += self._among(list(equals), places - len(chosen))
        return chosen

    def _among(self, equals: list[Turn], places: int) -> list[AnyRow]:
        """Give each the same, and what one cannot use to the others, round by round."""
        chosen: dict[str, list[AnyRow]] = {turn.job_id: [] for turn in equals}
        hungry = equals
        while hungry and places:
            seated, hungry = hungry[:places], hungry[places:]
            # The smallest first: what it leaves is shared in the same round.
            seated.sort(key=lambda turn: turn.pending)
            for number, turn in enumerate(seated):
                share = -(-places // (len(seated) - number))
                more, may_go_on = self._more(turn.job_id, chosen[turn.job_id], share)
                chosen[turn.job_id] += more
                places -= len(more)
                if may_go_on:
                    hungry.append(turn)
        return list(chain.from_iterable(chosen.values()))

    def _more(self, job_id: str, had: Sequence[AnyRow], share: int) -> tuple[list[AnyRow], bool]:
        """Take that many more of a job's renders, or what is there; and whether there may be more.

        It may where none were missing, or those that had no room hid others.
        """
        ids = {render.id for render in had}
        due = [render for render in self._due(job_id, len(had) + share) if render.id not in ids]
        roomy = self._with_room(due[:share])
        fit = list(takewhile(lambda render: self._fits(render.request), roomy))
        more = self._purse.first_within(job_id, fit)
        self._rooms.subtract(render.model for render in more if render.model in self._rooms)
        return more, len(due) >= share and len(more) == len(roomy)

    def _with_room(self, due: Sequence[AnyRow]) -> list[AnyRow]:
        """Keep no more of a model than there is room for."""
        left, kept = self._rooms.copy(), []
        for render in due:
            if render.model in left:
                if left[render.model] <= 0:
                    continue
                left[render.model] -= 1
            kept.append(render)
        return kept

    def _due(self, job_id: str, most: int) -> list[AnyRow]:
        away = self._resting | {model for model, room in self._rooms.items() if room <= 0}
        query = (
            select(
                Render.id,
                Render.job_id,
                Render.fence,
                Render.model,
                Render.request,
                Render.parent_id,
                Render.tier,
                Render.remedy,
                Render.reserve_nusd,
            )
            .where(Render.job_id == job_id, Render.tier == self._tier, is_due(self._now))
            .order_by(Render.rank, Render.id)
            .limit(most)
            .with_for_update(skip_locked=True)
        )
        if away:
            query = query.where(rests.awake(away))
        return list(self._connection.execute(query))
