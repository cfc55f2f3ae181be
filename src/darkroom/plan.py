"""What a manifest would do: rows, tiers, cost, and what is wrong."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice

import msgspec

from darkroom import notebook
from darkroom.chunk import Chunk, Placed
from darkroom.draft import Choices, Draft
from darkroom.manifest import Manifest
from darkroom.models import RenderState
from darkroom.portions import Portions
from darkroom.registry import Load
from darkroom.router import Kind, Outlook
from darkroom.selection import Selection
from darkroom.share import Change, Delta, Part, Share, deltas_of, shares_of
from darkroom_manifests.money import short_dollars
from darkroom_manifests.problem import Code, Fault, Problem, Severity
from darkroom_manifests.tier import Tier

_PROBLEMS_KEPT = 1_000
_IDS_KEPT = 1_000


class Plan(msgspec.Struct, kw_only=True):
    """What a manifest would do; nothing is stored or sent.

    `unchanged` counts renders that are made or on their way already; `refused_before` is the part
    of them that was refused and would be refused again. `deliver_by` is the deadline of the
    choices, or else the earliest that a row with something to render names. `outlook` is what the
    tiers were chosen by: submitting chooses by it again. `decisions` is a digest of every render
    and its tier. `not_selected` pictures are not there, and left out. `shared` ones are made by a
    render of another row. `removed` rows of the catalog are not in the manifest any more; None
    where that cannot be told; `removed_ids` has the first thousand. `deltas` say why renders are
    made: all are new where there is no catalog. Of the renders, `late_renders` are expected after
    their deadline, the last of them by `late_seconds`. Of the rows, `expanded` come from lines
    that stand for many. `kept` is what would be stored, so that submitting need not judge it again.
    """

    manifest: Manifest
    choices: Choices
    selection: Selection
    sha256: str | None
    outlook: Outlook
    rows: int = 0
    expanded: int = 0
    renders: int = 0
    unchanged: int = 0
    refused_before: int = 0
    not_selected: int = 0
    shared: int = 0
    removed: int | None = None
    removed_ids: list[str] = []
    invalid: int = 0
    deliver_by: datetime | None = None
    late_renders: int = 0
    late_seconds: float = 0.0
    parts: list[Part] = []
    shares: list[Share] = []
    deltas: list[Delta] = []
    problems: list[Problem] = []
    warnings: list[Problem] = []
    decisions: str = ""
    kept: Portions | None = None

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


class Adder:
    """Adds chunks up to a plan."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._parts: dict[tuple[Kind, Tier, Change], Part] = {}
        self._bad_lines: set[int] = set()
        self._decisions = hashlib.blake2b(digest_size=16)

    def add(self, chunk: Chunk) -> None:
        """Count a chunk in."""
        plan = self._plan
        plan.rows += chunk.rows
        plan.expanded += sum(draft.row.part > 0 for draft in chunk.drafts if not draft.turn)
        plan.unchanged += len(chunk.known)
        plan.shared += len(chunk.twins)
        plan.not_selected += chunk.left
        states = Counter(found.state for found in chunk.known.values())
        plan.refused_before += states[RenderState.REFUSED]
        self._decisions.update(_decided(chunk))
        self._add_problems(chunk)
        for placed in chunk.placed:
            self._add_part(placed)
            _add_late(plan, placed)
            _add_deadline(plan, placed.draft)

    def _add_problems(self, chunk: Chunk) -> None:
        for problem in chunk.problems:
            is_error = problem.severity is Severity.ERROR
            kept = self._plan.problems if is_error else self._plan.warnings
            if len(kept) < _PROBLEMS_KEPT or problem.ends:
                kept.append(problem)
            if is_error:
                self._bad_lines.add(problem.line)

    def _add_part(self, placed: Placed) -> None:
        draft, bid = placed.draft, placed.placement.bid
        kind = draft.kind.rough()
        key = (kind, bid.tier, placed.change)
        part = self._parts.get(key)
        if part is None:
            part = self._parts[key] = Part(kind, bid.tier, bid.tariff, Load(), change=placed.change)
        part.load.add(len(placed.variants), draft.prompt_chars)
        part.finish_seconds = max(part.finish_seconds, placed.placement.finish)

    def total(self, removed: Iterable[str] | None) -> Plan:
        """Close the plan; `removed` are ids of rows of the catalog, None where nobody knows."""
        plan = self._plan
        if removed is not None:
            _add_removed(plan, iter(removed))
        plan.invalid = len(self._bad_lines)
        plan.decisions = self._decisions.hexdigest()
        _doubt_deadline(plan)
        plan.deliver_by = plan.choices.deliver_by or plan.deliver_by
        plan.parts = list(self._parts.values())
        plan.shares = shares_of(plan.parts)
        plan.deltas = deltas_of(plan.parts)
        plan.renders = sum(share.renders for share in plan.shares)
        return plan


def _decided(chunk: Chunk) -> bytes:
    """Spell which pictures are to be made on which tiers."""
    return "".join(
        f"{placed.draft.row_id}\0{placed.draft.prints[0]}{placed.variants}"
        f"{placed.placement.bid.tier}\n"
        for placed in chunk.placed
    ).encode()


def _add_late(plan: Plan, placed: Placed) -> None:
    if placed.late_seconds > 0:
        plan.late_renders += len(placed.variants)
        plan.late_seconds = max(plan.late_seconds, placed.late_seconds)


def _add_deadline(plan: Plan, draft: Draft) -> None:
    """Keep the earliest that a row names itself."""
    if draft.row.deliver_by is not None and draft.deliver_by is not None:
        plan.deliver_by = min(plan.deliver_by or draft.deliver_by, draft.deliver_by)


def _add_removed(plan: Plan, removed: Iterator[str]) -> None:
    plan.removed_ids = list(islice(removed, _IDS_KEPT))
    plan.removed = len(plan.removed_ids) + sum(1 for _ in removed)


def _doubt_deadline(plan: Plan) -> None:
    """Warn of a deadline that is over: the job goes first, and is late all the same."""
    if plan.deliver_by is None or plan.deliver_by > plan.planned_at:
        return
    said = f"The earliest, {plan.deliver_by.isoformat()}, is past."
    fault = Fault(Code.DATE_PAST, said, "It is late already; give a later one.", Severity.WARNING)
    plan.warnings.insert(
        0, fault.at(str(plan.manifest.file or plan.manifest.name), 0, "deliver_by")
    )
