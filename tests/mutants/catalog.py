"""All mutants."""

from __future__ import annotations

from typing import Final

from tests.mutants.images import IMAGES
from tests.mutants.money import MONEY
from tests.mutants.mutant import Mutant
from tests.mutants.sending import SENDING

MUTANTS: Final[tuple[Mutant, ...]] = (*SENDING, *MONEY, *IMAGES)
