"""Rows that a function of the user's makes."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from functools import reduce
from importlib import import_module
from pathlib import Path
from typing import Any

from darkroom.errors import ConfigInvalid, SourceFailed

Function = Callable[..., Any]


def find(told: str, folder: Path) -> Function:
    """Import `module:function`, beside the schedule or installed. Raises ConfigInvalid."""
    module, _, name = told.partition(":")
    hint = "It is looked for where `schedule apply` ran, and among what is installed."
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    try:
        found = reduce(getattr, name.split("."), import_module(module))
    except Exception as error:  # a module of the user's may raise anything while it is imported
        said = f"{told} cannot be imported: {type(error).__name__}: {error}"
        raise ConfigInvalid(said, hint=hint) from error
    if not callable(found):
        raise ConfigInvalid(f"{told} is no function.", hint="Write it as module:function.")
    function: Function = found
    return function


def call(function: Function, told: str, day: date) -> object:
    """Call it, with the day of the fire if it takes one. Raises SourceFailed."""
    try:
        return function(day) if inspect.signature(function).parameters else function()
    except Exception as error:  # same: whatever it is, it is why the run failed
        raise _failed(told, error) from error


def each(told: str, rows: Iterable[Mapping[str, object]]) -> Iterable[Mapping[str, object]]:
    """Go through what it returned, which may be a generator that raises. Raises SourceFailed."""
    rows = iter(rows)
    while True:
        try:
            row = next(rows, None)
        except Exception as error:  # same
            raise _failed(told, error) from error
        if row is None:
            return
        yield row


def _failed(told: str, error: Exception) -> SourceFailed:
    where = error.__traceback__
    while where is not None and where.tb_next is not None:
        where = where.tb_next
    line = "" if where is None else f", line {where.tb_lineno}"
    said = f"{told} raised {type(error).__name__}: {error}{line}"
    return SourceFailed(said, hint="Mend it, then `darkroom schedule run NAME`.")
