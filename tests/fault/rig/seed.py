"""The number that picks moments and victims: printed by every run, and given to repeat one."""

from __future__ import annotations

import os
import random
import sys

_GIVEN = os.environ.pop("DARKROOM_FAULT_SEED", None)  # left there, it would be taken for a setting


def seed() -> int:
    """The seed of `DARKROOM_FAULT_SEED`, or a new one; printed, so that a failure shows it."""
    chosen = int(_GIVEN) if _GIVEN else random.SystemRandom().randrange(1_000_000)
    sys.stdout.write(f"DARKROOM_FAULT_SEED={chosen}\n")
    return chosen
