"""How a job's counts and money are put into words, alike everywhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from darkroom.gauges import Learned
from darkroom.jobs import rests
from darkroom.models import RenderState, Rest
from darkroom.report import Allowance, Batching, JobState
from darkroom.settings import Limits
from darkroom_manifests.money import short_dollars

_SHOWN_LAST = (
    RenderState.REFUSED,
    RenderState.FAILED,
    RenderState.CANCELLED,
    RenderState.HELD,
)


def counts(state: JobState) -> str:
    """Say how many are in which state, leaving out what is none."""
    parts = [f"{state.done:,} done"]
    parts += [f"{n:,} {name}" for name in _SHOWN_LAST if (n := getattr(state, name))]
    flying = state.sent + state.submitted
    parts += [f"{flying:,} in flight"] if flying else []
    parts += [f"{state.pending:,} waiting"] if state.pending else []
    parts += [f"{state.waiting:,} behind another image"] if state.waiting else []
    return " · ".join(parts)


def spent(state: JobState) -> str:
    """Say what was spent of what was expected, and what lost answers may have cost."""
    risk = f", {short_dollars(state.at_risk_nusd)} at risk" if state.at_risk_nusd else ""
    said = f"{short_dollars(state.spent_nusd)} of about {short_dollars(state.likely_nusd)}{risk}"
    if state.simulated:
        return f"$0.00 (simulated; would be {said})"
    cap = "" if state.cap_nusd is None else f", at most {short_dollars(state.cap_nusd)}"
    return said + cap


def still_to_spend(state: JobState) -> str:
    """Say what the unfinished part will cost."""
    if state.simulated:
        return "simulated: nothing to spend"
    left = state.likely_nusd * (state.total - state.finished) // max(state.total, 1)
    return f"about {short_dollars(left)} still to spend"


def allowances(found: Sequence[Allowance]) -> Iterator[tuple[str, str]]:
    """Say what was used of the day's budget and of everything's."""
    for each in found:
        cap = "no cap" if each.cap_nusd is None else f"at most {short_dollars(each.cap_nusd)}"
        until = "" if each.ends_at is None else f" until {clock(each.ends_at)}"
        name = "in all" if each.ends_at is None else "today"
        yield name, f"{short_dollars(each.used_nusd)}, {cap}{until}"


def rest(each: Rest) -> str:
    """Say what rests, until when and why."""
    tier = "everything" if each.tier == rests.EVERY_TIER else each.tier
    what = tier if each.model == rests.WHOLE_TIER else f"{each.model} on {tier}"
    until = "until somebody acts" if each.until is None else f"until {clock(each.until)}"
    return f"{what} rests {until}: {each.reason}"


def limits(own: Limits) -> str:
    """Say what a tier may do, leaving out what is not limited."""
    window = f"{own.spend_window_seconds / 60:g} min"
    rates = (
        (own.requests_per_minute, "{:,.10g}/min"),
        (own.images_per_minute, "{:,.10g} images/min"),
        (own.tokens_per_minute, "{:,.10g} tokens/min"),
        (own.requests_per_day, "{:,}/day"),
        (own.spend_per_window, "${:f}/" + window),
        (own.fleet_concurrency, "{:,} at once"),
        (own.concurrency, "{:,} at once a worker"),
    )
    if not own.offered:
        return "not offered"
    said = [shape.format(rate) for rate, shape in rates if rate is not None]
    if own.image_sizes is not None:
        said.append(f"{', '.join(own.image_sizes)} alone")
    return " · ".join([*said, "learns its rate"] if own.adaptive else said)


def learned(model: str, rate: Learned) -> str:
    """Say how fast a model's answers allow it to be asked."""
    phase = "still doubling" if rate.is_slow_start else "probing"
    cut = "" if rate.cut_at is None else f", last throttled {clock(rate.cut_at)}"
    return f"{model} learned {rate.rate:.1f}/min ({phase}{cut})"


def provider_state(said: str | None) -> str:
    """Say a provider's state in a word: `JOB_STATE_RUNNING` is running."""
    bare = (said or "").removeprefix("JOB_STATE_").removeprefix("BATCH_STATE_")
    return bare.lower().replace("_", " ")


def duration(seconds: float) -> str:
    """Say how long something lasts, in its two largest units."""
    for size, unit, smaller, small in ((86_400, "d", 3_600, "h"), (3_600, "h", 60, "min")):
        if seconds >= size:
            return f"{seconds // size:.0f} {unit} {seconds % size // smaller:.0f} {small}"
    return f"{seconds / 60:.0f} min" if seconds >= 60 else f"{seconds:.0f} s"  # noqa: PLR2004


def batching(found: Batching) -> str:
    """Say how far a job's batches are."""
    oldest = duration(found.oldest_seconds)
    return f"{found.over:,} of {found.batches:,} batches are over, the oldest has waited {oldest}"


def clock(moment: datetime) -> str:
    """Write a time of day where the person is; with the date when it is not today's."""
    here = moment.astimezone()
    is_today = here.date() == datetime.now(UTC).astimezone().date()
    return f"{here:%H:%M:%S}" if is_today else f"{here:%Y-%m-%d %H:%M}"


def stamp(moment: datetime | None) -> str:
    """Write an instant in UTC, to the second."""
    return "" if moment is None else f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z"


def money(state: JobState) -> str:
    """Say what was really spent, in a table's cell."""
    return short_dollars(0 if state.simulated else state.spent_nusd)
