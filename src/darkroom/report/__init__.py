"""What the books say, read alike by the API, the command line and the dashboard."""

from __future__ import annotations

from darkroom.report.allowances import Allowance, allowances
from darkroom.report.aside import Quarantined, Waste, alike, quarantined, waste
from darkroom.report.batches import (
    Batching,
    ProviderBatch,
    batching,
    find_batch,
    provider_batches,
)
from darkroom.report.costs import Costs, Spending, costs
from darkroom.report.fleet import Fleet, Fullness, fleet
from darkroom.report.jobs import JobState, find_job, job_states
from darkroom.report.outlooks import outlook
from darkroom.report.past import Past, past
from darkroom.report.reasons import (
    Reason,
    Rejected,
    holders,
    living_workers,
    pending_on,
    reasons,
    rejections,
    waits,
)
from darkroom.report.record import FIELDS, own_fields, record
from darkroom.report.results import Page, Result, finished, linked, results
from darkroom.report.sheet import write_csv
from darkroom.report.tiers import TierState, tier_states
from darkroom.report.workers import Held, Life, WorkerState, worker_states

__all__ = [
    "FIELDS",
    "Allowance",
    "Batching",
    "Costs",
    "Fleet",
    "Fullness",
    "Held",
    "JobState",
    "Life",
    "Page",
    "Past",
    "ProviderBatch",
    "Quarantined",
    "Reason",
    "Rejected",
    "Result",
    "Spending",
    "TierState",
    "Waste",
    "WorkerState",
    "alike",
    "allowances",
    "batching",
    "costs",
    "find_batch",
    "find_job",
    "finished",
    "fleet",
    "holders",
    "job_states",
    "linked",
    "living_workers",
    "outlook",
    "own_fields",
    "past",
    "pending_on",
    "provider_batches",
    "quarantined",
    "reasons",
    "record",
    "rejections",
    "results",
    "tier_states",
    "waits",
    "waste",
    "worker_states",
    "write_csv",
]
