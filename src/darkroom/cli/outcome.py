"""How a job ended: its summary for people, and the exit code that scripts rely on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from rich.text import Text

from darkroom.cli import voice, wording
from darkroom.cli.planning import duration
from darkroom.client import Job
from darkroom.errors import Exit
from darkroom.jobs import rests
from darkroom.jobs.control import APPROVAL
from darkroom.models import RenderState, Rest
from darkroom.report import Costs, JobState, Reason, Waste
from darkroom_manifests.money import short_dollars

_STYLES: Final = {
    RenderState.DONE: "green",
    RenderState.REFUSED: "yellow",
    RenderState.FAILED: "red",
    RenderState.HELD: "yellow",
}
_SHOWN: Final = (
    RenderState.DONE,
    RenderState.REFUSED,
    RenderState.FAILED,
    RenderState.HELD,
    RenderState.CANCELLED,
    RenderState.WAITING,
    RenderState.PENDING,
    RenderState.SENT,
)
_REASONS_SHOWN: Final = 3


def exit_code(job: Job) -> Exit:
    """Judge a job that moves no more by itself."""
    state = job.state
    if state.pending and (stopped := _stopped(job.waits())) is not None:
        return stopped
    if state.held and any(r.reason in {"cap", APPROVAL} for r in _held(job.reasons())):
        return Exit.SPEND_REFUSED
    if state.state == "paused":
        return Exit.PENDING
    return Exit.OK if state.done == state.total else Exit.SOME_FAILED


def _stopped(waits: Sequence[Rest]) -> Exit | None:
    """Judge what keeps a tier from sending until somebody acts, or until the next day."""
    if any(rest.tier == rests.EVERY_TIER for rest in waits):
        return Exit.PENDING
    whole = [rest for rest in waits if rest.model == rests.WHOLE_TIER]
    if any(rest.until is None for rest in whole):
        return Exit.CREDENTIALS
    return Exit.SPEND_REFUSED if any(r.reason == rests.DAY_SPENT for r in whole) else None


def _held(reasons: Sequence[Reason]) -> list[Reason]:
    return [reason for reason in reasons if reason.state is RenderState.HELD]


def summary(job: Job, seconds: float = 0.0, images: int = 0) -> Text:
    """Add a job up. `images` of it were made while it was watched, for `seconds`."""
    return voice.facts(_facts(job, seconds, images))


def _facts(job: Job, seconds: float, images: int) -> Iterator[tuple[str, str | Text]]:
    state, reasons = job.state, job.reasons()
    yield "job", Text.assemble((state.id, "bold"), "  ", voice.safe(state.name), f"  {state.state}")
    for each in _SHOWN:
        if how_many := getattr(state, each):
            why = _why([r for r in reasons if r.state is each])
            yield each, Text.assemble((f"{how_many:,}", _STYLES.get(each, "")), *why)
    yield from _remedies(job.id, state, reasons, job.waits())
    if waste := job.waste():
        yield "set aside", voice.safe(_set_aside(job.id, waste))
    yield "cost", voice.safe(cost(state, job.cost))
    if images:
        pace = f"{images / seconds:.1f} images/s"
        yield "time", f"{duration(seconds)}, {pace}"
    yield "folder", state.folder


def remedies(job: Job) -> list[str]:
    """Say what keeps a job that stands still from going on, and which command lets it."""
    return [said for _, said in _remedies(job.id, job.state, job.reasons(), job.waits())]


def _why(reasons: Sequence[Reason]) -> list[Text]:
    if len(reasons) == 1 and reasons[0].reason:
        return [voice.safe(f"  {reasons[0].reason}", "dim")]
    shown = [f"{r.reason} {r.renders:,}" for r in reasons[:_REASONS_SHOWN] if r.reason]
    return [voice.safe(f"  {', '.join(shown)}", "dim")] if shown else []


def _remedies(
    job_id: str, state: JobState, reasons: Sequence[Reason], waits: Sequence[Rest]
) -> Iterator[tuple[str, str]]:
    for rest in waits:
        yield "waits", f"{wording.rest(rest)} {rest.hint or ''}".strip()
    held = {reason.reason for reason in _held(reasons)}
    if "cap" in held:
        yield "cap", _raise_cap(job_id, state)
    if APPROVAL in held:
        yield "approval", approval(state)
    if "lost" in held:
        again = f"darkroom job retry {job_id} --state held"
        yield "lost", f"Answers were lost and may be billed; {again} sends them again."
    if "restored" in held:
        again = f"darkroom job retry {job_id} --state held"
        yield "restored", f"Their images were in storage before these books; {again} pays again."
    if state.state == "paused":
        yield "paused", f"darkroom job resume {job_id} goes on."
    if state.failed:
        yield "retry", f"darkroom job retry {job_id} tries the failed ones again."


def _set_aside(job_id: str, waste: Sequence[Waste]) -> str:
    """Say what was paid for images that are nobody's, and how to look at them."""
    images, cost = (sum(getattr(each, of) for each in waste) for of in ("images", "charged_nusd"))
    why = ", ".join(f"{each.reason} {each.images:,}" for each in waste[:_REASONS_SHOWN])
    return (
        f"{images:,} for {short_dollars(cost)}: {why}. darkroom job quarantine {job_id} lists them."
    )


def approval(state: JobState) -> str:
    """Say what a job that waits for approval would cost, and how to answer."""
    likely = short_dollars(state.likely_nusd)
    yes, no = (f"darkroom job {answer} {state.id}" for answer in ("approve", "reject"))
    return f"Held until somebody agrees to about {likely}: {yes} sends it, {no} cancels it."


def _raise_cap(job_id: str, state: JobState) -> str:
    if state.cap_nusd is None:
        return f"budget.total is met: raise it, then darkroom job resume {job_id} goes on."
    return f"The cap is met: darkroom job resume {job_id} --max-cost DOLLARS goes on."


def cost(state: JobState, costs: Costs) -> str:
    """Say what it cost, and what of it brought no picture."""
    wasted = costs.total.wasted_nusd
    return wording.spent(state) + (
        f", {short_dollars(wasted)} of it without a picture" if wasted else ""
    )
