"""Says what a manifest would do before anything is sent: rows, tiers, cost, and what is wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from itertools import islice

import msgspec
from sqlalchemy import Engine

from darkroom import db, notebook
from darkroom.chunk import Chunk, Placed
from darkroom.draft import Choices, Draft, Drafter
from darkroom.jobs import load
from darkroom.manifest import Manifest
from darkroom.models import RenderState
from darkroom.registry import Load
from darkroom.router import Kind, Market, Outlook, Router
from darkroom.router.router import SOME_DAY
from darkroom.settings import Settings
from darkroom.share import Part, Share, shares_of
from darkroom_manifests.money import short_dollars
from darkroom_manifests.problem import Code, Fault, Problem, Severity
from darkroom_manifests.row import Row
from darkroom_manifests.tier import Tier

_CHUNK = 4_000  # rows; a transaction and a question to the books cost the same for a few
_PROBLEMS_KEPT = 1_000


class Plan(msgspec.Struct, kw_only=True):
    """What a manifest would do; nothing is stored or sent.

    `unchanged` counts renders that are made or on their way already; `refused_before` is the part
    of them that was refused and would be refused again. `deliver_by` is the deadline of the
    choices, or else the earliest that a row with something to render names. `outlook` is what the
    tiers were chosen by: submitting chooses by it again. Of the renders, `late_renders` are
    expected after their deadline, the last of them by `late_seconds`. Of the rows, `expanded` come
    from lines that stand for many.
    """

    manifest: Manifest
    choices: Choices
    again: bool
    limit: int | None
    sha256: str | None
    outlook: Outlook
    rows: int = 0
    expanded: int = 0
    renders: int = 0
    unchanged: int = 0
    refused_before: int = 0
    invalid: int = 0
    deliver_by: datetime | None = None
    late_renders: int = 0
    late_seconds: float = 0.0
    parts: list[Part] = []
    shares: list[Share] = []
    problems: list[Problem] = []
    warnings: list[Problem] = []

    @property
    def planned_at(self) -> datetime:
        """When it was made; prices and models are those of that day."""
        return self.outlook.at

    @property
    def finish_seconds(self) -> float:
        """When the last render is expected, from `planned_at` on."""
        return max((share.finish_seconds for share in self.shares), default=0.0)

    @property
    def low_nusd(self) -> int:
        """The images alone."""
        return sum(share.low_nusd for share in self.shares)

    @property
    def likely_nusd(self) -> int:
        """With typical thoughts."""
        return sum(share.likely_nusd for share in self.shares)

    @property
    def high_nusd(self) -> int:
        """What would be set aside for all of it together."""
        return sum(share.high_nusd for share in self.shares)

    @property
    def unpriced(self) -> int:
        """Renders whose price nobody knows."""
        return sum(share.unpriced for share in self.shares)

    @property
    def end(self) -> Problem | None:
        """What kept the manifest from being read to its end, if anything did."""
        return next((problem for problem in self.problems if problem.ends), None)

    @property
    def tiers(self) -> list[str]:
        """The tiers that it would send to."""
        return sorted({share.tier for share in self.shares})

    def _repr_html_(self) -> str:
        """A table for notebooks."""
        span = " to ".join(map(short_dollars, (self.low_nusd, self.high_nusd)))
        pretended = " (simulated)" if all(Tier(tier).is_simulated for tier in self.tiers) else ""
        figures = {
            "rows": self.rows,
            "to render": self.renders,
            "unchanged": self.unchanged,
            "invalid": self.invalid,
            "tiers": ", ".join(self.tiers),
            "cost": f"about {short_dollars(self.likely_nusd)} ({span}){pretended}",
            "without a price": self.unpriced,
        }
        return notebook.table(self.manifest.name, {k: v for k, v in figures.items() if v})


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
        *,
        again: bool,
        limit: int | None,
    ) -> None:
        self._database = database
        self._choices = choices
        self._outlook = market.outlook
        self._drafter = Drafter(settings, market, choices)
        self._router = Router(settings, market.outlook)
        self._again = again
        self._limit = limit

    def chunks(self, manifest: Manifest) -> Iterator[Chunk]:
        """Judge a manifest, a few thousand rows at a time, in flat memory."""
        entries = _first(manifest.rows(), self._limit)
        while taken := list(islice(entries, _CHUNK)):
            rows = [entry for entry in taken if isinstance(entry, Row)]
            problems = [entry for entry in taken if isinstance(entry, Problem)]
            yield self._judged(manifest, rows, problems)

    def _judged(self, manifest: Manifest, rows: list[Row], problems: list[Problem]) -> Chunk:
        drafts: list[Draft] = []
        for row in rows:
            judged = self._drafter.draft(row, manifest.name, manifest.file)
            if isinstance(judged, Draft):
                drafts.append(judged)
                problems += judged.doubts
            else:
                problems += judged
        problems.sort(key=lambda problem: problem.line)
        prints = [name for draft in drafts for name in draft.prints]
        known = {} if self._again else self._known(prints)
        placed = [found for draft in drafts if (found := self._placed(draft, known))]
        return Chunk(drafts, placed, [known[name] for name in prints if name in known], problems)

    def _known(self, prints: list[str]) -> dict[str, RenderState]:
        with db.reading(self._database) as connection:
            return load.known(connection, prints) if prints else {}

    def _placed(self, draft: Draft, known: dict[str, RenderState]) -> Placed | None:
        """Choose a tier for what is new; what is there already takes up no room on any."""
        variants = tuple(no for no, name in enumerate(draft.prints, 1) if name not in known)
        if not variants:
            return None
        deadline = self._deadline(draft)
        placement = self._router.place(draft.bids, len(variants), deadline)
        return Placed(draft, variants, placement, placement.finish - deadline)

    def _deadline(self, draft: Draft) -> float:
        if draft.deliver_by is None:
            return SOME_DAY
        return (draft.deliver_by - self._outlook.at).total_seconds()

    def plan(self, manifest: Manifest, tell: Callable[[int], None] = lambda _: None) -> Plan:
        """Add a manifest up. `tell` hears of rows as they are read."""
        plan = Plan(
            manifest=manifest,
            choices=self._choices,
            again=self._again,
            limit=self._limit,
            sha256=manifest.sha256(),
            outlook=self._outlook,
        )
        parts: dict[tuple[Kind, Tier], Part] = {}
        bad_lines: set[int] = set()
        for chunk in self.chunks(manifest):
            plan.rows += len(chunk.drafts)
            plan.expanded += sum(draft.row.part > 0 for draft in chunk.drafts)
            _add_known(plan, chunk)
            _add_problems(plan, chunk, bad_lines)
            for placed in chunk.placed:
                _add_part(parts, placed)
                _add_late(plan, placed)
                _add_deadline(plan, placed.draft)
            tell(len(chunk.drafts))
        plan.invalid = len(bad_lines)
        _doubt_deadline(plan)
        plan.deliver_by = self._choices.deliver_by or plan.deliver_by
        plan.parts = list(parts.values())
        plan.shares = shares_of(plan.parts)
        plan.renders = sum(share.renders for share in plan.shares)
        return plan


def _first(entries: Iterable[Row | Problem], limit: int | None) -> Iterator[Row | Problem]:
    """Read up to so many rows; what comes after the last of them is nobody's concern."""
    rows = 0
    for entry in entries:
        yield entry
        rows += isinstance(entry, Row)
        if rows == limit:
            return


def _add_known(plan: Plan, chunk: Chunk) -> None:
    states = Counter(chunk.known)
    plan.unchanged += states.total()
    plan.refused_before += states[RenderState.REFUSED]


def _add_problems(plan: Plan, chunk: Chunk, bad_lines: set[int]) -> None:
    for problem in chunk.problems:
        is_error = problem.severity is Severity.ERROR
        kept = plan.problems if is_error else plan.warnings
        if len(kept) < _PROBLEMS_KEPT or problem.ends:
            kept.append(problem)
        if is_error:
            bad_lines.add(problem.line)


def _add_late(plan: Plan, placed: Placed) -> None:
    if placed.late_seconds > 0:
        plan.late_renders += len(placed.variants)
        plan.late_seconds = max(plan.late_seconds, placed.late_seconds)


def _add_part(parts: dict[tuple[Kind, Tier], Part], placed: Placed) -> None:
    draft, bid = placed.draft, placed.placement.bid
    kind = draft.kind.rough()
    part = parts.get((kind, bid.tier))
    if part is None:
        part = parts[kind, bid.tier] = Part(kind, bid.tier, bid.tariff, Load())
    part.load.add(len(placed.variants), draft.prompt_chars)
    part.finish_seconds = max(part.finish_seconds, placed.placement.finish)


def _add_deadline(plan: Plan, draft: Draft) -> None:
    """Keep the earliest that a row names itself."""
    if draft.row.deliver_by is not None and draft.deliver_by is not None:
        plan.deliver_by = min(plan.deliver_by or draft.deliver_by, draft.deliver_by)


def _doubt_deadline(plan: Plan) -> None:
    """Warn of a deadline that is over: the job goes first, and is late all the same."""
    if plan.deliver_by is None or plan.deliver_by > plan.planned_at:
        return
    said = f"The earliest, {plan.deliver_by.isoformat()}, is past."
    fault = Fault(Code.DATE_PAST, said, "It is late already; give a later one.", Severity.WARNING)
    plan.warnings.insert(
        0, fault.at(str(plan.manifest.file or plan.manifest.name), 0, "deliver_by")
    )
