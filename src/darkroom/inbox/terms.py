"""On what terms a file is rendered: those of its inbox, and of a side file over them."""

from __future__ import annotations

import tomllib
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec

from darkroom.span import seconds_of
from darkroom_manifests.money import parse_dollars
from darkroom_manifests.tier import parse_choice


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of each file. `deliver_within` is seconds from its acceptance.

    What `mapping` and all after it say is as in `Choices`; only a side file says them.
    """

    tier: str | None = None
    model: str | None = None
    max_cost_nusd: int | None = None
    deliver_within: int | None = None
    accept_valid: bool = False
    catalog: str | None = None
    deliver_by: datetime | None = None
    name: str | None = None
    priority: int = 0
    mapping: dict[str, str] = {}
    template: str | None = None
    ask: dict[str, Any] = {}
    deliver_turns: bool | None = None
    labels: dict[str, Any] = {}

    def due(self, now: datetime) -> datetime | None:
        """The deadline of a file that is accepted now."""
        if self.deliver_by is not None or self.deliver_within is None:
            return self.deliver_by
        return now + timedelta(seconds=self.deliver_within)


class _Side(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The keys of a side file."""

    tier: str | None = None
    model: str | None = None
    max_cost: str | int | None = None
    deliver_within: str | None = None
    deliver_by: Any = None  # TOML has times of its own
    accept_valid: bool | None = None
    catalog: str | None = None
    name: str | None = None
    priority: int | None = None
    mapping: dict[str, str] | None = None
    template: str | None = None
    ask: dict[str, Any] | None = None
    deliver_turns: bool | None = None
    labels: dict[str, Any] | None = None


def with_side(terms: Terms, side: bytes | None) -> Terms | str:
    """Lay a side file over an inbox's terms, or say what is wrong with it.

    It may lower the cap of the inbox and not raise it: who drops files need not be who pays.
    """
    if side is None:
        return terms
    try:
        found = msgspec.convert(tomllib.loads(side.decode()), _Side)
        given = _read(found)
    except (ValueError, msgspec.ValidationError) as error:  # TOML's and UTF-8's are ValueErrors
        return str(error).strip().removesuffix(".")
    caps = [
        cap for cap in (terms.max_cost_nusd, given.pop("max_cost_nusd", None)) if cap is not None
    ]
    return msgspec.structs.replace(terms, max_cost_nusd=min(caps, default=None), **given)


_PLAIN: Final = (
    *("model", "accept_valid", "catalog", "name", "priority", "mapping", "template", "ask"),
    *("deliver_turns", "labels"),
)


def _read(side: _Side) -> dict[str, Any]:
    """Give what a side file says. Raises ValueError."""
    given = {name: said for name in _PLAIN if (said := getattr(side, name)) is not None}
    if side.tier is not None:
        given["tier"] = str(parse_choice(side.tier))
    if side.max_cost is not None:
        given["max_cost_nusd"] = parse_dollars(str(side.max_cost).removeprefix("$"))
    if side.deliver_within is not None:
        given["deliver_within"] = seconds_of(side.deliver_within)
    if side.deliver_by is not None:
        given["deliver_by"] = _moment(side.deliver_by)
    return given


def _moment(said: Any) -> datetime:  # noqa: ANN401  # whatever TOML has
    moment = said if isinstance(said, datetime) else datetime.fromisoformat(str(said).upper())
    if moment.tzinfo is None:
        raise ValueError(f"deliver_by {moment.isoformat()} has no offset; write Z for UTC")
    return moment.astimezone(UTC)
