from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkroom_manifests.money import dollars, parse_dollars, short_dollars


@pytest.mark.parametrize(
    ("text", "nusd"),
    [
        ("0.25", 250_000_000),
        ("12", 12_000_000_000),
        (".5", 500_000_000),
        ("0.000000001", 1),
        ("0", 0),
    ],
)
def test_a_plain_decimal_is_read_exactly(text: str, nusd: int) -> None:
    assert parse_dollars(text) == nusd


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-5",
        "+5",
        "NaN",
        "inf",
        "1e3",
        "1e400",
        "5,00",
        "1,000.00",
        "$5",
        "0.1234567891",
        "1_0",
        "٣",
    ],
)
def test_anything_else_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match="is not a plain amount of dollars"):
        parse_dollars(text)


@pytest.mark.parametrize(
    ("nusd", "text"),
    [(250_000_000, "0.250000"), (1, "0.000000001"), (-1_500, "-0.000001500"), (0, "0.000000")],
)
def test_six_decimals_are_written_or_nine_to_be_exact(nusd: int, text: str) -> None:
    assert dollars(nusd) == text


@pytest.mark.parametrize(
    ("nusd", "text"),
    [
        (0, "$0.00"),
        (1, "<$0.0001"),
        (33_600_000, "$0.0336"),
        (250_000_000, "$0.25"),
        (999_990_000, "$1.00"),
        (1_234_560_000_000, "$1,234.56"),
        (-40_000_000, "-$0.04"),
    ],
)
def test_people_see_as_many_decimals_as_matter(nusd: int, text: str) -> None:
    assert short_dollars(nusd) == text


@given(st.integers(min_value=0, max_value=10**17))
def test_an_amount_survives_writing_and_reading(nusd: int) -> None:
    assert parse_dollars(dollars(nusd)) == nusd
