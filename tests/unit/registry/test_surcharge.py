from __future__ import annotations

from fractions import Fraction
from math import ceil

from hypothesis import example, given
from hypothesis import strategies as st

from darkroom.registry import Level, Price, Usage


@given(nusd=st.integers(0, 10**15), percent=st.integers(0, 50))
@example(nusd=50_400_000, percent=10)  # a 2K image, which 1.1 would make a nano-dollar dearer
def test_a_surcharge_is_exact_and_rounded_up_to_a_nano_dollar(nusd: int, percent: int) -> None:
    listed = Price(
        version="x", tier_level=Level.STANDARD, per_image=nusd, surcharge_percent=percent
    )

    assert listed.charge(Usage(), 1) == ceil(Fraction(nusd * (100 + percent), 100))
