"""A plan in a file: what a person looked at is done exactly so, or not at all."""

from __future__ import annotations

import hashlib
import math
import os
import sys
from collections.abc import Callable, Mapping
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, Self

import msgspec

from darkroom.draft import Choices
from darkroom.errors import ConfigInvalid, NotFound, PlanOutdated
from darkroom.plan import Plan
from darkroom.router import Kind, Market, Outlook, Prospect
from darkroom.selection import Selection
from darkroom.share import Delta, Part, Share
from darkroom.template_folder import TemplateText
from darkroom_manifests.tier import Tier, parse_choice

_VERSION: Final = 1
_ENCODER: Final = msgspec.json.Encoder(order="deterministic")
_DIGEST_BYTES: Final = 8
_AGAIN: Final = "Look at it anew: darkroom plan."


class Chosen(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`Choices`, as a file has them."""

    tier: str | None = None
    model: str | None = None
    aspect_ratio: str | None = None
    image_size: str | None = None
    n: int | None = None
    deliver_by: datetime | None = None
    mapping: dict[str, str] = {}
    template: str | TemplateText | None = None
    ask: dict[str, Any] = {}
    deliver_turns: bool | None = None
    labels: dict[str, Any] = {}


class PlanFile(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="darkroom-plan"):
    """What was planned, by what, and what came of it. Money is in nano-dollars.

    `outlook` is what tiers were chosen by. `tariffs` are digests of the price lists that were
    used, `decisions` one of every picture to be made and its tier, in their order.
    """

    version: int = _VERSION
    made_by: str
    manifest: str
    sha256: str
    choices: Chosen
    selection: Selection
    accept_valid: bool
    rows: int
    renders: int
    unchanged: int
    shared: int
    removed: int | None
    not_selected: int
    invalid: int
    low_nusd: int
    likely_nusd: int
    high_nusd: int
    shares: list[Share]
    deltas: list[Delta]
    tariffs: dict[str, str]
    decisions: str
    outlook: Outlook

    @classmethod
    def of(cls, plan: Plan, *, accept_valid: bool = False) -> Self:
        """Keep a plan. Raises ConfigInvalid for one that was not made of a file."""
        if plan.manifest.file is None or plan.sha256 is None:
            raise ConfigInvalid("Only the plan of a file can be kept.", hint="Write its rows down.")
        told = {name: getattr(plan.choices, name) for name in Chosen.__struct_fields__}
        tier = plan.choices.tier
        counts = ("rows", "renders", "unchanged", "shared", "removed", "not_selected", "invalid")
        costs = ("low_nusd", "likely_nusd", "high_nusd")
        return cls(
            made_by=f"darkroom {version('darkroom-render')}",
            manifest=str(plan.manifest.file.absolute()),
            sha256=plan.sha256,
            choices=Chosen(**told | {"tier": None if tier is None else str(tier)}),
            selection=plan.selection,
            accept_valid=accept_valid,
            tariffs=_tariffs(plan),
            outlook=_bounded(plan.outlook, _as_number),
            shares=plan.shares,
            deltas=plan.deltas,
            decisions=plan.decisions,
            **{name: getattr(plan, name) for name in (*counts, *costs)},
        )

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read one. Raises NotFound, ConfigInvalid."""
        try:
            text = path.read_bytes()
        except FileNotFoundError as error:
            raise NotFound(f"There is no plan at {path}.", hint=_WRITE) from error
        except OSError as error:
            raise ConfigInvalid(f"{path} cannot be read: {error.strerror}.") from error
        try:
            found = msgspec.json.decode(text, type=cls)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise ConfigInvalid(
                f"{path} is no plan of Darkroom's: {error}.", hint=_WRITE
            ) from error
        if found.version != _VERSION:
            said = f"{path} is a plan of version {found.version}; this Darkroom has {_VERSION}."
            raise ConfigInvalid(said, hint=_AGAIN)
        return msgspec.structs.replace(found, outlook=_bounded(found.outlook, _as_endless))

    def write(self, path: Path) -> None:
        """Write it, whole or not at all. Raises ConfigInvalid where that cannot be."""
        beside = path.with_name(f".{path.name}.part")
        try:
            beside.write_bytes(msgspec.json.format(_ENCODER.encode(self)) + b"\n")
            os.replace(beside, path)  # noqa: PTH105  # says what it does
        except OSError as error:
            raise ConfigInvalid(f"{path} cannot be written: {error.strerror}.") from error

    def as_chosen(self) -> Choices:
        """What its rows were planned with. Raises ConfigInvalid."""
        told = msgspec.structs.asdict(self.choices)
        try:
            tier = None if self.choices.tier is None else parse_choice(self.choices.tier)
        except ValueError as error:
            raise ConfigInvalid(f"The plan names a tier that is none: {error}.") from error
        return Choices(**told | {"tier": tier})

    def require_manifest(self) -> Path:
        """Find the manifest as it was planned. Raises PlanOutdated."""
        path = Path(self.manifest)
        try:
            with path.open("rb") as file:
                is_same = hashlib.file_digest(file, "sha256").hexdigest() == self.sha256
        except OSError as error:
            said = f"The manifest that was planned is gone: {path}: {error.strerror}."
            raise PlanOutdated(said, hint=_AGAIN) from error
        if not is_same:
            raise PlanOutdated(f"The manifest changed after it was planned: {path}.", hint=_AGAIN)
        return path

    def require(self, plan: Plan, now: Market) -> None:
        """Compare it with the same plan made anew, and with prices as they are `now`.

        Raises PlanOutdated, which says whether prices or the books are others.
        """
        anew = _tariffs(plan)
        changed = {name for name in anew.keys() & self.tariffs if anew[name] != self.tariffs[name]}
        changed |= {_name(part) for part in plan.parts if _is_other(part, now)}
        if changed:
            changed = {name.rpartition(" ")[0] for name in changed}
            raise PlanOutdated(
                f"Prices changed after it was planned: {', '.join(sorted(changed))}.", hint=_AGAIN
            )
        if plan.decisions != self.decisions:
            said = f"{self.renders:,} images were to be made then, {plan.renders:,} now"
            if plan.renders == self.renders:
                said = "other images would be made, or on other tiers"
            raise PlanOutdated(
                f"The books or the settings changed after it was planned: {said}.", hint=_AGAIN
            )


_WRITE: Final = "`darkroom plan MANIFEST --plan FILE` writes one."


def _tariffs(plan: Plan) -> dict[str, str]:
    return {_name(part): _digest(part.tariff) for part in plan.parts}


def _name(part: Part) -> str:
    """Name a price list by what it is for: people read it, and see which one moved."""
    return f"{part.tier} {part.kind.ask.model} {_digest(part.kind)}"


def _is_other(part: Part, now: Market) -> bool:
    kind: Kind = part.kind
    if now.refusals(kind, part.tier):
        return True
    return now.tariff(kind, part.tier) != part.tariff


def _digest(value: object) -> str:
    return hashlib.blake2b(_ENCODER.encode(value), digest_size=_DIGEST_BYTES).hexdigest()


def _bounded(outlook: Outlook, change: Callable[[float], float]) -> Outlook:
    """Spell rests that have no end, for which JSON has no number."""
    tiers: Mapping[Tier, Prospect] = {
        tier: msgspec.structs.replace(
            each, rests={name: change(seconds) for name, seconds in each.rests.items()}
        )
        for tier, each in outlook.tiers.items()
    }
    return Outlook(outlook.at, tiers)


def _as_number(seconds: float) -> float:
    return sys.float_info.max if math.isinf(seconds) else seconds


def _as_endless(seconds: float) -> float:
    return math.inf if seconds == sys.float_info.max else seconds
