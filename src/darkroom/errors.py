"""Every error of Darkroom's, named by what the caller can do.

    DarkroomError
    ├── ConfigInvalid        mend the setting that the message names
    ├── CredentialsMissing   give the credential, or choose another tier
    ├── ManifestRejected     mend the rows in `problems`, or accept the valid ones
    ├── SpendRefused         consent, raise the cap, or send less
    │   ├── ConsentNeeded    nobody said yes
    │   └── CapTooLow        the cap does not cover a single render, or was met
    ├── NotFound             check the id
    ├── StillPending         wait longer
    ├── DatabaseOutdated     run `darkroom db upgrade`
    ├── PlanOutdated         plan again: the manifest changed under the plan
    ├── SourceFailed         mend what makes a schedule's rows, then run it again
    ├── StorageFault         mend the place, then run again: nothing is paid twice
    └── LocalStackFault      read the log that the message names

Outcomes of a request to a provider are values, not errors: a refused image is data.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from darkroom_manifests.problem import Problem


class Exit(IntEnum):
    """Exit codes of the `darkroom` command; scripts rely on them."""

    OK = 0
    UNEXPECTED = 1
    USAGE = 2
    SOME_FAILED = 3
    CREDENTIALS = 4
    MANIFEST = 5
    SPEND_REFUSED = 6
    NOT_FOUND = 7
    PENDING = 8
    INTERRUPTED = 130


class DarkroomError(Exception):
    """Something the caller can act on. `hint` says how; `code` is stable."""

    code: ClassVar[str] = "error"
    exit_code: ClassVar[Exit] = Exit.UNEXPECTED

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class ConfigInvalid(DarkroomError):
    """A setting cannot be used."""

    code = "config.invalid"
    exit_code = Exit.USAGE


class CredentialsMissing(DarkroomError):
    """The tier needs a credential that is not there."""

    code = "credentials.missing"
    exit_code = Exit.CREDENTIALS


class ManifestRejected(DarkroomError):
    """Rows that cannot be rendered; nothing was stored or sent. `problems` holds them."""

    code = "manifest.invalid"
    exit_code = Exit.MANIFEST

    def __init__(
        self, message: str, *, problems: Sequence[Problem] = (), hint: str | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.problems = tuple(problems)


class SpendRefused(DarkroomError):
    """Money would be spent that nobody agreed to."""

    code = "spend.refused"
    exit_code = Exit.SPEND_REFUSED


class ConsentNeeded(SpendRefused):
    """The estimate is above what may be sent without asking."""

    code = "spend.consent"


class CapTooLow(SpendRefused):
    """The cap does not cover what was asked."""

    code = "spend.cap"


class NotFound(DarkroomError):
    """No such job, render, model or file."""

    code = "not_found"
    exit_code = Exit.NOT_FOUND


class StillPending(DarkroomError):
    """The time given to wait is over; the job goes on."""

    code = "pending"
    exit_code = Exit.PENDING


class DatabaseOutdated(DarkroomError):
    """The schema is not the one that this version writes."""

    code = "database.outdated"


class PlanOutdated(DarkroomError):
    """The manifest is not the one that was planned."""

    code = "plan.outdated"
    exit_code = Exit.SPEND_REFUSED


class SourceFailed(DarkroomError):
    """Whoever makes the rows of a schedule could not."""

    code = "schedule.source"


class StorageFault(DarkroomError):
    """The place for images cannot be written or read."""

    code = "storage.fault"


class LocalStackFault(DarkroomError):
    """A local process did not start or died at once."""

    code = "local.fault"
