"""What "too many" means: rows of Google's error bodies, and what each asks for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import msgspec
import pytest
from google.genai import errors

from darkroom.models import AttemptState
from darkroom_worker.backends.base import Outcome
from darkroom_worker.backends.faults import read_error
from darkroom_worker.backends.quota import retry_after

TYPES = "type.googleapis.com/google.rpc."
DAY = 25 * 3600 + 5.0


def quota(name: str, value: str = "10", **dimensions: str) -> dict[str, Any]:
    violation = {"quotaId": name, "quotaValue": value, "quotaDimensions": dimensions}
    return {"@type": TYPES + "QuotaFailure", "violations": [violation]}


def info(limit: str, **more: str) -> dict[str, Any]:
    told = {"quota_limit": limit, **more}
    return {"@type": TYPES + "ErrorInfo", "reason": "RATE_LIMIT_EXCEEDED", "metadata": told}


def retry(delay: str) -> dict[str, Any]:
    return {"@type": TYPES + "RetryInfo", "retryDelay": delay}


class Response(msgspec.Struct):
    """As much of an HTTP response as is looked at."""

    headers: dict[str, str]


def answered(
    *details: dict[str, Any],
    code: int = 429,
    said: str = "Too many.",
    after: str = "",
    at: str = "",
) -> Outcome:
    body = {"code": code, "message": said, "status": "RESOURCE_EXHAUSTED", "details": [*details]}
    headers = {"Retry-After": after} if after else {}
    headers |= {"Date": at} if at else {}
    return read_error(errors.ClientError(code, {"error": body}, Response(headers)))


MINUTE_MODEL = quota("GenerateRequestsPerMinutePerProjectPerModel")
MINUTE = quota("GenerateRequestsPerMinutePerProject")
DAY_MODEL = quota("GenerateRequestsPerDayPerProjectPerModel")
POOL = "Resource exhausted. Please try again later."
SPEND = "You exceeded your spend-based rate limit."
CREDITS = "Your prepayment credits are depleted."

# details, message, Retry-After; then: whole tier or model rests, and for how long; None: a person
ROWS: dict[str, tuple[list[dict[str, Any]], str, str, bool | None, float | None]] = {
    "of a minute, with a wait": ([MINUTE_MODEL, retry("7.5s")], "", "", False, 7.5),
    "of a minute, for all models": ([MINUTE, retry("7s")], "", "", True, 7.0),
    "of a minute, without a wait": ([MINUTE_MODEL], "", "", False, 15.0),
    "the body's wait before the header's": ([MINUTE, retry("3s")], "", "9", True, 3.0),
    "only a header": ([], "", "9", True, 9.0),
    "a quota named by ErrorInfo": ([info("RequestsPerMinutePerProject")], "", "", True, 15.0),
    "a model named by its dimension": (
        [quota("Requests-PerMinute", base_model="nb"), retry("2s")],
        "",
        "",
        False,
        2.0,
    ),
    "of a day": ([DAY_MODEL], "", "", False, DAY),
    "of a day, said by ErrorInfo": ([info("RequestsPerDayPerProject")], "", "", True, DAY),
    "of a day beside a minute": ([MINUTE, DAY_MODEL, retry("5s")], "", "", False, DAY),
    "a quota of nothing": ([quota("FreeTierPerModel", "0"), retry("5s")], "", "", False, None),
    "spend limit": ([], SPEND, "", True, 600.0),
    "spend limit with a longer wait": ([retry("900s")], SPEND, "", True, 900.0),
    "credits used up": ([], CREDITS, "", True, None),
}


@pytest.mark.parametrize("name", ROWS)
def test_each_quota_asks_for_its_own_break(name: str) -> None:
    details, said, after, whole_tier, seconds = ROWS[name]

    outcome = answered(*details, said=said or "Too many.", after=after)

    assert outcome.ended is AttemptState.BUSY
    assert outcome.rest is not None
    assert outcome.rest.whole_tier is whole_tier
    if seconds == DAY:
        assert outcome.rest.seconds is not None
        assert 0 < outcome.rest.seconds <= DAY
    else:
        assert outcome.rest.seconds == seconds
    assert (outcome.rest.hint is None) is (outcome.rest.seconds is not None)


def test_a_shared_pool_that_is_busy_makes_nobody_rest() -> None:
    outcome = answered(said=POOL)

    assert (outcome.ended, outcome.wait, outcome.rest) == (AttemptState.BUSY, None, None)


def test_no_money_is_no_matter_of_waiting() -> None:
    outcome = answered(code=402, said=CREDITS)

    assert outcome.rest is not None
    assert outcome.rest.seconds is None
    assert "tier resume" in str(outcome.rest.hint)


def test_an_overloaded_model_says_when_to_come_back() -> None:
    assert answered(retry("4s"), code=503).wait == 4.0


@pytest.mark.parametrize(("said", "least", "most"), [("12", 12, 12), ("-3", 0, 0), ("soon", 0, 0)])
def test_a_header_is_seconds_or_nothing(said: str, least: float, most: float) -> None:
    found = retry_after({"Retry-After": said}) or 0.0

    assert least <= found <= most


def test_dates_are_read_by_the_provider_s_clock() -> None:
    answered_at, again_at = "Thu, 26 Nov 2026 07:30:00 GMT", "Thu, 26 Nov 2026 07:35:00 GMT"

    found = retry_after({"Date": answered_at, "Retry-After": again_at})
    rest = answered(DAY_MODEL, at=answered_at).rest

    assert found == 300
    assert rest is not None
    assert rest.seconds == 30 * 60 + 5


def test_a_header_may_be_a_date() -> None:
    soon = format_datetime(datetime.now(UTC) + timedelta(minutes=5), usegmt=True)

    found = retry_after({"Retry-After": soon})

    assert found is not None
    assert 290 < found <= 300
