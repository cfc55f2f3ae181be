"""Says an event in words, for people."""

from __future__ import annotations

from typing import Any, Final

from darkroom.event import Event, EventName

_TITLES: Final = {
    EventName.JOB_FINISHED: "{job[name]} is finished",
    EventName.JOB_FAILED: "{job[name]} is finished, with images missing",
    EventName.JOB_HELD: "{job[name]} waits for you",
    EventName.BUDGET_80: "80 % of a budget is spent: {scope}",
    EventName.SCHEDULE_MISSED: "{schedule} missed its run of {local_date}",
    EventName.SCHEDULE_RUN: "{schedule}, {local_date}: {state}",
    EventName.TEST: "a test",
}


def sentence(event: Event) -> tuple[str, str]:
    """Give a title, and lines of text."""
    data = event.data
    lines = [str(data["reason"])] if data.get("reason") else []
    if "cap_usd" in data:
        lines.append(f"${data['spent_usd']} of ${data['cap_usd']} are spent.")
    if data.get("job"):
        lines += _of_job(data["job"])
    lines += [f"{row['id']}: {row['reason']}" for row in data.get("failed_rows", ())]
    lines += data.get("commands", ())
    return f"Darkroom: {_TITLES[event.type].format_map(data)}", "\n".join(lines) or "It arrived."


def _of_job(job: dict[str, Any]) -> list[str]:
    counts = ", ".join(
        f"{job[state]:,} {state}"
        for state in ("done", "refused", "failed", "cancelled", "held")
        if job[state]
    )
    cost = "simulated" if job["simulated"] else f"${job['spent_usd']}"
    return [f"{counts or 'nothing to make'} of {job['total']:,}; {cost}", f"{job['folder']}"]
