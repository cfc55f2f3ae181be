"""Judges the rows of a manifest before anything is sent, and chooses their tiers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Final, NamedTuple

from sqlalchemy import Engine

from darkroom import db
from darkroom.chunk import Chunk, Picture, Placed
from darkroom.draft import Choices, Draft
from darkroom.drafter import Drafter
from darkroom.jobs import catalogs
from darkroom.jobs.known import Known, known, known_by_id, rejected, tried
from darkroom.manifest import Manifest
from darkroom.plan import Adder, Plan
from darkroom.portions import Portions
from darkroom.router import Market, Router
from darkroom.router.router import SOME_DAY
from darkroom.selection import Select, Selection
from darkroom.settings import Settings
from darkroom.share import Change
from darkroom_manifests.ids import Seen
from darkroom_manifests.problem import Problem, Severity
from darkroom_manifests.row import Row

_CHUNK: Final = 4_000  # rows; a transaction and a question to the books cost the same for a few


class Planner:
    """Judges rows against the registry and the books, and chooses their tiers. Reads only.

    It is made for one pass: tiers fill up as it goes.
    """

    def __init__(
        self,
        database: Engine,
        settings: Settings,
        market: Market,
        choices: Choices,
        selection: Selection,
    ) -> None:
        self._database = database
        self._choices = choices
        self._outlook = market.outlook
        self._drafter = Drafter(settings, market, choices)
        self._router = Router(settings, market.outlook)
        self._selection = selection
        self._made = Seen()
        self._ids = Seen()
        self._knows_all_ids = selection.limit is None

    def chunks(self, manifest: Manifest) -> Iterator[Chunk]:
        """Judge a manifest, a few thousand rows at a time, in flat memory."""
        entries = _first(manifest.rows(), self._selection.limit)
        while taken := list(islice(entries, _CHUNK)):
            rows = [entry for entry in taken if isinstance(entry, Row)]
            problems = [entry for entry in taken if isinstance(entry, Problem)]
            yield self._judged(manifest, rows, problems)

    def _judged(self, manifest: Manifest, rows: list[Row], problems: list[Problem]) -> Chunk:
        # Nobody knows the id of what is no row: it may be in the catalog.
        self._knows_all_ids &= all(each.severity is not Severity.ERROR for each in problems)
        self._drafter.gather(rows)
        drafts: list[Draft] = []
        for row in rows:
            judged = self._drafter.draft(row, manifest.name, manifest.file)
            if isinstance(judged, tuple):
                drafts += judged
                problems += judged[0].doubts
            else:
                problems += judged
        problems.sort(key=lambda problem: problem.line)
        self._note_ids(rows, drafts)
        there = self._there(drafts)
        chosen, left = self._chosen(drafts, there)
        twins = self._twins(drafts, there, chosen) if self._selection.share else frozenset()
        history = _History(self._asked(drafts), self._rejected(drafts, there))
        placed = [
            found
            for draft in drafts
            if (found := self._placed(draft, chosen, there, twins, history)) is not None
        ]
        return Chunk(drafts, placed, there, twins, problems, left)

    def _note_ids(self, rows: list[Row], drafts: list[Draft]) -> None:
        if self._selection.catalog is None:
            return
        for name in (*(row.id for row in rows if row.id), *(draft.row_id for draft in drafts)):
            self._ids.first(name, 0)

    def _there(self, drafts: list[Draft]) -> Mapping[Picture, Known]:
        """Find the pictures that are made or on their way."""
        prints = [name for draft in drafts for name in draft.prints]
        if not prints or self._selection.select is Select.ALL:
            return {}
        with db.reading(self._database) as connection:
            if self._selection.share:
                found = known(connection, prints)
                return {at: found[name] for at, name, _ in _pictures(drafts) if name in found}
            own = known_by_id(connection, prints)
        return {
            at: own[name, draft.row_id]
            for at, name, draft in _pictures(drafts)
            if (name, draft.row_id) in own
        }

    def _chosen(
        self, drafts: list[Draft], there: Mapping[Picture, Known]
    ) -> tuple[Collection[Picture], int]:
        """Select among the pictures that are not there; and how many are left out."""
        missing = {at: name for at, name, _ in _pictures(drafts) if at not in there}
        select = self._selection.select
        if not missing or not select.asks_for_failures:
            return missing.keys(), 0
        with db.reading(self._database) as connection:
            before = tried(connection, list(missing.values()))
        chosen = {at for at, name in missing.items() if select.takes(was_tried=name in before)}
        return chosen, len(missing) - len(chosen)

    def _twins(
        self,
        drafts: list[Draft],
        there: Mapping[Picture, Known],
        chosen: Collection[Picture],
    ) -> Collection[Picture]:
        """Find the pictures that an earlier row of the manifest has made."""
        if len(there) == sum(len(draft.prints) for draft in drafts):
            return frozenset()
        return {
            at
            for at, name, _ in _pictures(drafts)
            if at in chosen and self._made.first(name, 0) is not None
        }

    def _asked(self, drafts: list[Draft]) -> Mapping[tuple[str, int], str]:
        """Read what the rows of the catalog asked for last."""
        catalog = self._selection.catalog
        if catalog is None or not drafts:
            return {}
        with db.reading(self._database) as connection:
            return catalogs.asked(connection, catalog, [draft.row_id for draft in drafts])

    def _rejected(self, drafts: list[Draft], there: Mapping[Picture, Known]) -> Collection[str]:
        """Find the pictures that are not there because a person threw them out."""
        missing = [name for at, name, _ in _pictures(drafts) if at not in there]
        if not missing or self._selection.select is Select.ALL:
            return frozenset()
        with db.reading(self._database) as connection:
            return rejected(connection, missing)

    def _placed(
        self,
        draft: Draft,
        chosen: Collection[Picture],
        there: Mapping[Picture, Known],
        twins: Collection[Picture],
        history: _History,
    ) -> Placed | None:
        """Choose a tier for what is to be made; what is there takes up no room on any."""
        variants = tuple(
            variant
            for variant in range(1, len(draft.prints) + 1)
            if (at := (draft.row_no, variant)) in chosen and at not in there and at not in twins
        )
        if not variants:
            return None
        deadline = self._deadline(draft)
        placement = self._router.place(draft.bids, len(variants), deadline)
        change = history.change(draft, variants)
        return Placed(draft, variants, placement, placement.finish - deadline, change)

    def _deadline(self, draft: Draft) -> float:
        if draft.deliver_by is None:
            return SOME_DAY
        return (draft.deliver_by - self._outlook.at).total_seconds()

    def removed(self) -> Iterator[str] | None:
        """The ids of the catalog's rows that were not in the manifest; None: that is not known.

        To be asked after all chunks.
        """
        catalog = self._selection.catalog
        if catalog is None or not self._knows_all_ids:
            return None
        return self._removed(catalog)

    def _removed(self, catalog: str) -> Iterator[str]:
        with db.reading(self._database) as connection:
            for row_id in catalogs.row_ids(connection, catalog):
                if row_id not in self._ids:
                    yield row_id

    def plan(
        self,
        manifest: Manifest,
        tell: Callable[[int], None] = lambda _: None,
        kept: Portions | None = None,
    ) -> Plan:
        """Add a manifest up. `tell` hears of rows as they are read; the plan has what was kept."""
        adder = Adder(
            Plan(
                manifest=manifest,
                choices=self._choices,
                selection=self._selection,
                sha256=manifest.sha256(),
                outlook=self._outlook,
                kept=kept,
            )
        )
        for chunk in self.chunks(manifest):
            adder.add(chunk)
            if kept is not None:
                kept.add(chunk)
            tell(chunk.rows)
        if kept is not None:
            kept.removed = self.removed
        return adder.total(self.removed())


def _first(entries: Iterable[Row | Problem], limit: int | None) -> Iterator[Row | Problem]:
    """Read up to so many rows; what comes after the last of them is nobody's concern."""
    rows = 0
    for entry in entries:
        yield entry
        rows += isinstance(entry, Row)
        if rows == limit:
            return


def _pictures(drafts: Iterable[Draft]) -> Iterator[tuple[Picture, str, Draft]]:
    """Number all pictures of some rows, with their fingerprints."""
    for draft in drafts:
        for variant, name in enumerate(draft.prints, 1):
            yield (draft.row_no, variant), name, draft


class _History(NamedTuple):
    """What rows of the catalog asked for last, and which pictures a person threw out."""

    asked: Mapping[tuple[str, int], str]
    rejected: Collection[str]

    def change(self, draft: Draft, variants: Sequence[int]) -> Change:
        """Say why these of a row's pictures are made."""
        if any(draft.prints[variant - 1] in self.rejected for variant in variants):
            return Change.REJECTED
        if (draft.row_id, 1) not in self.asked:
            return Change.NEW
        names = enumerate(draft.prints, 1)
        is_same = all(self.asked.get((draft.row_id, variant)) == name for variant, name in names)
        return Change.AGAIN if is_same else Change.CHANGED
