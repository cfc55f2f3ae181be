"""Bugs in what is reserved, charged and counted."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import Mutant

_ACCOUNTS: Final = "tests/contract/test_accounts.py"
_BOOKS: Final = "tests/contract/test_books.py"
_BUDGETS: Final = "tests/contract/test_budgets.py"
_CAPS: Final = "tests/unit/core/test_caps.py"
_MONEY: Final = "tests/unit/manifests/test_money.py"
_ROAD: Final = "tests/flow/test_road.py"
_SURCHARGE: Final = "tests/unit/registry/test_surcharge.py"

MONEY: Final = (
    Mutant(
        name="charge-skipped",
        plants="every third render is charged nothing, in all books alike",
        file="src/darkroom/jobs/close.py",
        old="    return closing.charged_nusd, at_risk\n",
        new="    return closing.charged_nusd if row.render_id % 3 else 0, at_risk\n",
        red=(
            f"{_ROAD}::test_every_row_ends_where_it_should_and_the_books_hold",
            f"{_BOOKS}::test_a_delivered_render_is_done_and_its_charge_booked[sqlite]",
        ),
    ),
    Mutant(
        name="charge-not-posted",
        plants="every third attempt is charged, but on no account",
        file="src/darkroom/jobs/close.py",
        old="postings[scope] += ledger.Posting(row.reserved_nusd, charged, at_risk)",
        new="postings[scope] += ledger.Posting(\n"
        "                row.reserved_nusd, charged if row.render_id % 3 else 0, at_risk\n"
        "            )",
        red=(f"{_BOOKS}::test_a_delivered_render_is_done_and_its_charge_booked[sqlite]",),
    ),
    Mutant(
        name="charge-posted-twice",
        plants="each charge is put on its accounts twice",
        file="src/darkroom/jobs/close.py",
        old="postings[scope] += ledger.Posting(row.reserved_nusd, charged, at_risk)",
        new="postings[scope] += ledger.Posting(row.reserved_nusd, 2 * charged, at_risk)",
        red=(
            f"{_BOOKS}::test_a_delivered_render_is_done_and_its_charge_booked[sqlite]",
            f"{_BUDGETS}::test_real_money_is_booked_on_its_job_its_day_and_everything[sqlite]",
        ),
    ),
    Mutant(
        name="late-charge-again",
        plants="an answer that was paid twice is charged again each time it turns up",
        file="src/darkroom/jobs/late.py",
        old="        .where(Attempt.at_risk_nusd > 0)\n",
        new="",
        red=(f"{_BOOKS}::test_an_answer_that_turns_up_too_late_is_booked_as_paid_twice[sqlite]",),
    ),
    Mutant(
        name="cap-not-looked-at",
        plants="a claim takes renders without a look at what the caps leave",
        file="src/darkroom/jobs/purse.py",
        old="if room is not None and total + render.reserve_nusd > room:",
        new="if False:",
        red=(f"{_BOOKS}::test_a_cap_makes_claims_wait_while_money_is_in_flight[sqlite]",),
    ),
    Mutant(
        name="cap-not-in-the-update",
        plants="the reservation is booked whether it fits its accounts or not",
        file="src/darkroom/ledger.py",
        old="        .where((Account.cap_nusd.is_(None)) | (claimed <= Account.cap_nusd))\n",
        new="",
        red=(
            f"{_ACCOUNTS}::test_a_reservation_that_does_not_fit_is_refused_by_its_own_update[sqlite]",
        ),
    ),
    Mutant(
        name="dollars-by-float",
        plants="an amount that a person writes passes through binary floating point",
        file="manifests/darkroom_manifests/money.py",
        old="return int(Decimal(plain).scaleb(9))",
        new="return int(float(plain) * NANO)",
        red=(f"{_MONEY}::test_an_amount_survives_writing_and_reading",),
    ),
    Mutant(
        name="charge-by-float",
        plants="a surcharge is a factor in binary floating point",
        file="src/darkroom/registry/price.py",
        old="charged = -(-total * (100 + self.surcharge_percent) // 100)",
        new="charged = -int(-total * (1 + self.surcharge_percent / 100) // 1)",
        red=(f"{_SURCHARGE}::test_a_surcharge_is_exact_and_rounded_up_to_a_nano_dollar",),
    ),
    Mutant(
        name="cap-by-float",
        plants="the cap of a budget passes through binary floating point",
        file="src/darkroom/ledger.py",
        old="None if cap is None else int(cap * NANO)",
        new="None if cap is None else int(float(cap) * NANO)",
        red=(f"{_CAPS}::test_a_budget_is_a_cap_to_the_last_nano_dollar",),
    ),
)
