"""Plans a manifest for a command, and says what came of it."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Final

import click
import msgspec
from rich.text import Text

from darkroom.cli import voice
from darkroom.cli.document import is_simulated
from darkroom.cli.invocation import Invocation
from darkroom.cli.parameters import Wish
from darkroom.cli.wording import clock
from darkroom.client import Darkroom
from darkroom.consent import unsound, way_on
from darkroom.errors import ConfigInvalid, ManifestRejected
from darkroom.plan import Plan
from darkroom.registry import Ask, Model
from darkroom.share import Change
from darkroom_manifests.money import parse_dollars, short_dollars
from darkroom_manifests.problem import Problem, Severity
from darkroom_manifests.tier import Tier

_PROBLEMS_SHOWN: Final = 50
_WARNINGS_SHOWN: Final = 10
_MINUTE: Final = 60.0


def planned(room: Darkroom, wish: Wish, invocation: Invocation, *, keep: bool = True) -> Plan:
    """Plan the manifest by what the books say; what is wrong with it is in the plan.

    `keep` as in `Darkroom.plan`.
    """
    _require_model(room, wish)
    _ = room.database  # opened with --again too, for what waits and how long answers take
    return _read(room, wish, invocation, keep=keep)


def judged(room: Darkroom, wish: Wish, invocation: Invocation) -> Plan:
    """Read and judge the manifest, with --again without any books."""
    _require_model(room, wish)
    return _read(room, wish, invocation, keep=False)


def _read(room: Darkroom, wish: Wish, invocation: Invocation, *, keep: bool) -> Plan:
    with counting(f"Reading {wish.file.name}", invocation) as tell:
        if wish.apply is not None:
            return room.plan_from(wish.apply, tell)
        chosen = msgspec.structs.asdict(wish.selection)
        return room.plan(wish.file, choices=wish.choices, keep=keep, tell=tell, **chosen)


def _require_model(room: Darkroom, wish: Wish) -> None:
    """Check the model of rows that name none, once. Raises BadParameter, ConfigInvalid."""
    name = wish.choices.model or room.settings.defaults.model
    if name is None or isinstance(room.registry.find(name), Model):
        return
    choice = wish.choices.tier or room.settings.default_tier()
    tiers = [choice] if isinstance(choice, Tier) else room.settings.candidates()
    if not tiers:
        return  # the rows say so
    refusal, *_ = room.registry.problems(Ask(model=name), tiers[0], datetime.now(UTC).date())
    said = f"{refusal.message} {refusal.hint or ''}".strip()
    if wish.choices.model is None:
        raise ConfigInvalid(f"defaults.model: {refusal.message}", hint=refusal.hint)
    context = click.get_current_context(silent=True)
    raise click.BadParameter(said, context, param_hint="'--model'")


@contextmanager
def counting(doing: str, invocation: Invocation) -> Iterator[Callable[[int], None]]:
    """Count rows on a terminal while something is done with them."""
    if invocation.quiet or not sys.stderr.isatty():
        yield lambda _: None
        return
    with voice.stderr().status(voice.safe(doing, "dim")) as status:
        rows = 0

        def tell(more: int) -> None:
            nonlocal rows
            rows += more
            status.update(voice.safe(f"{doing}: {rows:,} rows", "dim"))

        yield tell


def require_sound(plan: Plan, wish: Wish, invocation: Invocation) -> None:
    """Say what is wrong with the rows. Raises ManifestRejected unless the good ones may go on."""
    if not invocation.as_json:
        _say_problems(plan.problems, _PROBLEMS_SHOWN)
    if invocation.talks:
        _say_problems(plan.warnings, _WARNINGS_SHOWN)
    if not is_sound(plan, wish):
        raise refused(plan)


def is_sound(plan: Plan, wish: Wish) -> bool:
    """Whether every row is good, or the bad ones may be left out."""
    may_leave_out = wish.accept_valid and plan.rows and plan.end is None
    return not plan.problems or bool(may_leave_out)


def refused(plan: Plan) -> ManifestRejected:
    """Add up what is wrong with a manifest."""
    known = plan.rows or plan.invalid > 1
    said = unsound(plan) if known else "The manifest cannot be rendered"
    return ManifestRejected(f"{said}; nothing was sent.", problems=plan.problems, hint=way_on(plan))


def _say_problems(problems: list[Problem], most: int) -> None:
    for problem in problems[:most]:
        voice.say(_line(problem))
    if len(problems) > most:
        voice.say(f"… and {len(problems) - most} more; --json lists them.", "dim")
    for end in (problem for problem in problems[most:] if problem.ends):
        voice.say(_line(end))


def _line(problem: Problem) -> Text:
    place = f"{problem.file}:{problem.line}" if problem.line else problem.file
    line = Text.assemble(voice.safe(place, "cyan"), "  ")
    if problem.severity is Severity.WARNING:
        line.append("warning: ", "yellow")
    if problem.column:
        line.append_text(voice.safe(problem.column, "bold")).append("  ")
    line.append_text(voice.safe(problem.message))
    return line.append(" ").append_text(voice.safe(problem.hint, "dim")) if problem.hint else line


def money(plan: Plan) -> str:
    """Say what a plan costs: likely, and the span it may lie in."""
    likely, low, high = (
        short_dollars(each) for each in (plan.likely_nusd, plan.low_nusd, plan.high_nusd)
    )
    said = likely if low == high else f"{likely} ({low} to {high})"
    if plan.unpriced:
        said += f" and {plan.unpriced:,} renders at an unknown price"
    return f"$0.00, simulated; it would be about {said}" if is_simulated(plan) else f"about {said}"


def summary(plan: Plan, wish: Wish) -> Text:
    """What a manifest would make, on a few lines."""
    return voice.facts(_facts(plan, wish))


def _facts(plan: Plan, wish: Wish) -> Iterator[tuple[str, str]]:
    yield "manifest", f"{plan.manifest.file or plan.manifest.name}, {_counted(plan)}"
    if plan.selection.catalog is not None:
        yield "catalog", f"{plan.selection.catalog}{_changes(plan)}"
    for share in plan.shares:
        if share.renders:
            yield "render", f"{share.renders:,} with {share.model} on {share.tier}"
    if plan.renders:
        yield "cost", money(plan) + _beyond(plan, wish)
        yield "finish", _finish(plan)


def _changes(plan: Plan) -> str:
    """Say what is made for which reason, with its cost and time."""
    said = [
        f"{delta.renders:,} {_REASONS[delta.change]} for about {short_dollars(delta.likely_nusd)}"
        f" in {_time(delta.finish_seconds)}"
        for delta in plan.deltas
    ]
    return f", {'; '.join(said)}" if said else ""


_REASONS: Final = {
    Change.NEW: "new",
    Change.CHANGED: "changed",
    Change.AGAIN: "not there, though asked for before,",
    Change.REJECTED: "rejected",
}


def _time(seconds: float) -> str:
    return "a time that nobody knows" if math.isinf(seconds) else duration(seconds)


def _beyond(plan: Plan, wish: Wish) -> str:
    """Say when a cap will stop some of it."""
    if wish.max_cost is None or plan.likely_nusd <= (cap := parse_dollars(wish.max_cost)):
        return ""
    return f"; the cap of {short_dollars(cap)} will hold some of it back"


def _finish(plan: Plan) -> str:
    """Say when it is expected to be done, and how much of it will be late."""
    seconds = plan.finish_seconds
    if math.isinf(seconds):
        return "not before somebody acts: a tier rests, see `darkroom tier ls`"
    said = f"{clock(plan.planned_at + timedelta(seconds=seconds))}, in about {duration(seconds)}"
    if not plan.late_renders:
        return said
    late = f"{plural(plan.late_renders, 'image')} up to {duration(plan.late_seconds)} late"
    return f"{said}; {late}"


def _counted(plan: Plan) -> str:
    rows = plural(plan.rows, "row")
    if plan.expanded:
        rows += f" ({plan.expanded:,} of them from lists of variants)"
    parts = [rows, f"{plural(plan.renders, 'image')} to make"]
    rejected = sum(each.renders for each in plan.deltas if each.change is Change.REJECTED)
    if rejected:
        parts.append(f"{rejected:,} of them rejected before")
    if plan.shared:
        parts.append(f"{plan.shared:,} shared with another row")
    if plan.unchanged:
        refused = f" ({plan.refused_before:,} of them refused)" if plan.refused_before else ""
        parts.append(f"{plan.unchanged:,} unchanged{refused}")
    if plan.removed:
        parts.append(f"{plural(plan.removed, 'row')} removed")
    if plan.not_selected:
        parts.append(f"{plan.not_selected:,} not selected")
    if plan.invalid:
        parts.append(plural(plan.invalid, "invalid row"))
    return ", ".join(parts)


def plural(how_many: int, noun: str) -> str:
    """Count something."""
    return f"{how_many:,} {noun}" if how_many == 1 else f"{how_many:,} {noun}s"


def least_seconds(plan: Plan, room: Darkroom) -> float | None:
    """The least time that the tiers' limits allow; None where none of them has one."""
    renders: dict[str, int] = {}
    for share in plan.shares:
        renders[share.tier] = renders.get(share.tier, 0) + share.renders
    slowest = []
    for tier, how_many in renders.items():
        limits = room.settings.limits(Tier(tier))
        rates = [r for r in (limits.requests_per_minute, limits.images_per_minute) if r]
        if rates and how_many:
            slowest.append(how_many * _MINUTE / min(rates))
    return max(slowest, default=None)


def duration(seconds: float) -> str:
    """Write a length of time for people: its two largest units."""
    if seconds < 10:  # noqa: PLR2004  # tenths matter below ten seconds only
        return f"{seconds:.1f} s"
    minutes, left = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {left} s" if minutes else f"{left} s"
