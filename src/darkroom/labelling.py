"""Labels of requests, which tell a bill's lines apart: of the row, of its tags, and of the job."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from darkroom.errors import ConfigInvalid
from darkroom.settings import Settings
from darkroom_manifests.asked import LABEL_HINT, LABEL_WORD
from darkroom_manifests.problem import Code, Fault, FieldFault, Severity, quote
from darkroom_manifests.row import Row

LABELS: Final = "labels"
MOST: Final = 63
"""In one request; the 64th is a batch's own (Google, Agent Platform, Add labels to API calls)."""
MOST_VALUES: Final = 1_000
"""Of one key: with more, Google may drop it from the export (same page, 2026-10)."""

_WORD: Final = re.compile(LABEL_WORD)


class Labelling:
    """The labels of one job's rows. Those of the settings are laid under, when it is sent."""

    def __init__(self, settings: Settings, of_job: Mapping[str, object]) -> None:
        """Raises ConfigInvalid for a label of the job's that is none."""
        self._usual = settings.vertex.labels.keys()
        self._tags = settings.vertex.label_tags
        self._of_job = read_labels(of_job)
        self._values: dict[str, set[str]] = {}

    def of(self, row: Row) -> dict[str, str] | list[FieldFault]:
        """All labels of a row's requests; its own count before tags, and these before the job's."""
        tagged = {name: row.tags[name] for name in self._tags if name in row.tags}
        bad = [_no_label(name, said) for name, said in tagged.items() if not _WORD.fullmatch(said)]
        if bad:
            return bad
        given = self._of_job | tagged | row.labels
        if len(self._usual | given.keys()) > MOST:
            said = f"With those of job and settings it has more than {MOST} labels."
            return [(LABELS, Code.LABEL, said, "Leave some of them out.")]
        return given

    def told(self, row: Row) -> tuple[str, ...]:
        """By whom labels are asked for that a tier must have; see `Kind.told`."""
        if row.labels:
            return (LABELS,)
        return (f"job.{LABELS}",) if self._of_job else ()

    def doubts(self, given: Mapping[str, str]) -> Iterator[Fault]:
        """Count the values of keys, and warn once of one that has too many of them."""
        for name, said in given.items():
            values = self._values.setdefault(name, set())
            if len(values) == MOST_VALUES or said in values:
                continue
            values.add(said)
            if len(values) == MOST_VALUES:
                yield _many(name)


def read_labels(given: Mapping[str, object]) -> dict[str, str]:
    """Read what a job's requests are labelled with. Raises ConfigInvalid for what is no label."""
    for name, said in given.items():
        for word in (name, said):
            if not isinstance(word, str) or not _WORD.fullmatch(word):
                message = f"{quote(word)} is no key or value of a label."
                raise ConfigInvalid(message, hint=LABEL_HINT)
    return {name: str(said) for name, said in given.items()}


def _no_label(name: str, said: str) -> FieldFault:
    hint = "Write lower case, digits, - and _; or take it out of vertex.label_tags."
    return (f"tag.{name}", Code.FIELD_TYPE, f"{quote(said)} is no label for the bill.", hint)


def _many(name: str) -> Fault:
    return Fault(
        Code.LABEL,
        f"Label {name} has {MOST_VALUES:,} values, and Google may drop such a key from the bill.",
        "Label by what has few values; what tells each row apart may be a tag.",
        Severity.WARNING,
    )
