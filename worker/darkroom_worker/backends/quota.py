"""What Google means by "too many": of a minute, of a day, too much money, or just now.

The details of an error body are typed by name: `QuotaFailure` and `ErrorInfo` name the quota,
`RetryInfo` says when to ask again (google.rpc, error_details.proto; a body in python-genai #1875).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

import msgspec

from darkroom import pacific
from darkroom_worker.backends.base import Break

Body = Mapping[str, Any]

_SPEND_WINDOW: Final = 600.0  # Google, Gemini API, Rate limits, 2026-07: rolling ten minutes
_MINUTE_WAIT: Final = 15.0  # where a quota of a minute is named, and no wait
_AFTER_MIDNIGHT: Final = 5.0  # seconds, for clocks that differ
_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)s")


class Quota(msgspec.Struct, frozen=True):
    """One quota that ran out, by Google's id; `value` is its size where that is told."""

    id: str
    value: str | None
    is_of_model: bool


def break_of(
    body: Body, headers: Mapping[str, str], said: str
) -> tuple[float | None, Break | None]:
    """Read a 429: seconds until the render may be asked for again, and who should rest.

    Without a named quota and without a wait nobody rests: a shared pool was busy at that moment,
    and the rate that is learned comes down.
    """
    quotas, wait = list(_quotas(body)), wait_of(body, headers)
    if nothing := [quota for quota in quotas if quota.value == "0"]:
        return None, _closed(nothing[0], said)
    if daily := [quota for quota in quotas if "PerDay" in quota.id]:
        wait = _until_pacific_midnight(_answered_at(headers))
        reason = f"daily quota used up: {said}"
        return wait, Break(whole_tier=_is_wide(daily), seconds=wait, reason=reason)
    if "spend" in said.lower():
        wait = max(wait or 0.0, _SPEND_WINDOW)
        return wait, Break(whole_tier=True, seconds=wait, reason=f"spend limit reached: {said}")
    if "prepa" in said.lower() or "credits" in said.lower():
        return None, out_of_credit(said)
    if wait is None and any("PerMinute" in quota.id for quota in quotas):
        wait = _MINUTE_WAIT
    if wait is None:
        return None, None
    rest = Break(whole_tier=_is_wide(quotas), seconds=wait, reason=f"asked to wait: {said}")
    return wait, rest


def out_of_credit(said: str) -> Break:
    """Make the rest of an account without money."""
    hint = "Add credits at Google, then `darkroom tier resume`."
    return Break(whole_tier=True, seconds=None, reason=f"credits used up: {said}", hint=hint)


def _closed(quota: Quota, said: str) -> Break:
    """Make the rest of a quota of nothing at all: waiting would not help."""
    hint = "Link billing to the project or ask Google for quota, then `darkroom tier resume`."
    reason = f"the account has no quota for this: {said}"
    return Break(whole_tier=not quota.is_of_model, seconds=None, reason=reason, hint=hint)


def _is_wide(quotas: list[Quota]) -> bool:
    """Whether a break concerns the whole tier and not only the model that was asked for."""
    return not quotas or any(not quota.is_of_model for quota in quotas)


def _quotas(body: Body) -> Iterator[Quota]:
    for entry in details(body, "QuotaFailure"):
        for violation in entry.get("violations") or []:
            if isinstance(violation, dict):
                yield _quota(
                    violation.get("quotaId"),
                    violation.get("quotaValue"),
                    violation.get("quotaDimensions"),
                )
    for entry in details(body, "ErrorInfo"):
        told = entry.get("metadata")
        if isinstance(told, dict) and "quota_limit" in told:
            yield _quota(told["quota_limit"], told.get("quota_limit_value"), told)


def _quota(name: object, value: object, dimensions: object) -> Quota:
    is_of_model = "PerModel" in str(name) or (
        isinstance(dimensions, dict) and {"model", "base_model"} & dimensions.keys() != set()
    )
    return Quota(str(name or ""), None if value is None else str(value), is_of_model)


def details(body: Body, kind: str) -> list[dict[str, Any]]:
    """List an error's details of one kind, such as `RetryInfo`."""
    listed = body.get("details")
    entries = listed if isinstance(listed, list) else []
    return [e for e in entries if isinstance(e, dict) and str(e.get("@type", "")).endswith(kind)]


def wait_of(body: Body, headers: Mapping[str, str]) -> float | None:
    """Read when to ask again, in seconds: from the body first, then from the header."""
    for entry in details(body, "RetryInfo"):
        if found := _DURATION.fullmatch(str(entry.get("retryDelay", ""))):
            return float(found[1])
    return retry_after(headers)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Read `Retry-After`: seconds, or a date by the provider's clock (RFC 9110, 10.2.3)."""
    said = str(headers.get("Retry-After", "")).strip()
    if said.isdecimal():
        return float(said)
    moment = _date(said)
    if moment is None:
        return None
    return max(0.0, (moment - _answered_at(headers)).total_seconds())


def _answered_at(headers: Mapping[str, str]) -> datetime:
    """When it was, by the provider's clock: this machine's may be wrong (RFC 9110, 6.6.1)."""
    return _date(str(headers.get("Date", ""))) or datetime.now(UTC)


def _date(said: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(said)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _until_pacific_midnight(now: datetime) -> float:
    """Tell how long a daily quota stays used up, in seconds."""
    return (pacific.day_of(now).ends - now).total_seconds() + _AFTER_MIDNIGHT
