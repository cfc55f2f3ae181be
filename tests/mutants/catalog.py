"""All mutants."""

from __future__ import annotations

from typing import Final

from tests.mutants.edits import EDITS
from tests.mutants.images import IMAGES
from tests.mutants.money import MONEY
from tests.mutants.mutant import Mutant
from tests.mutants.plans import PLANS
from tests.mutants.proxies import PROXIES
from tests.mutants.reviews import REVIEWS
from tests.mutants.sending import SENDING
from tests.mutants.wishes import WISHES

MUTANTS: Final[tuple[Mutant, ...]] = (
    *SENDING,
    *MONEY,
    *IMAGES,
    *EDITS,
    *PLANS,
    *PROXIES,
    *WISHES,
    *REVIEWS,
)
