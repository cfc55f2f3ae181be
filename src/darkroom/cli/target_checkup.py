"""What `darkroom doctor` looks at among those who are told what happens."""

from __future__ import annotations

from collections.abc import Iterator

from darkroom.cli.finding import Finding, Grade
from darkroom.notices import Broken, open_receivers
from darkroom.settings import Settings

_CHECK = "notices"


def target_findings(settings: Settings) -> Iterator[Finding]:
    """Each target and hook; nothing is sent."""
    for name, receiver in open_receivers(settings.notices).items():
        target = settings.notices.targets.get(name)
        shown = name if target is None else f"{name}, {target.shown}"
        if isinstance(receiver, Broken):
            fact = f"{shown}: {receiver.fault}"
            fix = f"Mend [notices.targets.{name}], then: darkroom notice test {name}"
            yield Finding(_CHECK, Grade.WARN, fact, fix)
        else:
            yield Finding(_CHECK, Grade.OK, shown, f"Try it: darkroom notice test {name}")
