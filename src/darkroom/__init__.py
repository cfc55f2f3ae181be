"""Renders manifests of image prompts in bulk: paid once, inside a budget, with books.

>>> from darkroom import Darkroom
>>> with Darkroom() as room:
...     job = room.submit(room.plan("catalog.csv"), max_cost="5.00")
...     state = job.wait()
...     pictures = [result.uri for result in job.results() if result.ok]
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from darkroom.errors import DarkroomError

if TYPE_CHECKING:
    from darkroom.aio import AsyncDarkroom, AsyncJob
    from darkroom.client import Darkroom, Job
    from darkroom.draft import Choices
    from darkroom.plan import Plan
    from darkroom.report import Result

__all__ = [
    "AsyncDarkroom",
    "AsyncJob",
    "Choices",
    "Darkroom",
    "DarkroomError",
    "Job",
    "Plan",
    "Result",
]

# Loaded at first use: `darkroom --help` must not wait for SQLAlchemy.
_HOMES = {
    "AsyncDarkroom": "darkroom.aio",
    "AsyncJob": "darkroom.aio",
    "Choices": "darkroom.draft",
    "Darkroom": "darkroom.client",
    "Job": "darkroom.client",
    "Plan": "darkroom.planner",
    "Result": "darkroom.report",
}


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def __getattr__(name: str) -> Any:  # noqa: ANN401  # any public name
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
