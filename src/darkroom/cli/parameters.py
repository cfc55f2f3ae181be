"""The options that several commands take, and the types that read them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, Final, TypeVar

import click
import msgspec

from darkroom.cli.reading import READING, joined, template_of
from darkroom.draft import Choices
from darkroom.span import seconds_of
from darkroom_manifests import picture
from darkroom_manifests.money import parse_dollars
from darkroom_manifests.problem import Fault, quote
from darkroom_manifests.tier import AUTO, Tier, TierChoice, parse_choice

F = TypeVar("F", bound=Callable[..., Any])


class TierType(click.ParamType[Tier]):
    """A tier's name."""

    name = "tier"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> Tier:
        """Read a name."""
        try:
            return Tier.parse(str(value))
        except ValueError as error:
            self.fail(f"{error}; tiers are {', '.join(Tier)}.", param, ctx)


class TierChoiceType(click.ParamType[TierChoice]):
    """A tier's name, or "auto"."""

    name = "tier"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> TierChoice:
        """Read a name."""
        try:
            return parse_choice(str(value))
        except ValueError as error:
            self.fail(f"{error}; tiers are {', '.join((*Tier, AUTO))}.", param, ctx)


class DollarsType(click.ParamType[str]):
    """An exact amount of dollars, kept as it was written."""

    name = "dollars"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        """Read an amount, with or without a dollar sign before it."""
        amount = str(value).strip().removeprefix("$")
        try:
            parse_dollars(amount)
        except ValueError as error:
            self.fail(f"{error}.", param, ctx)
        return amount


class MomentType(click.ParamType[datetime]):
    """An instant, as RFC 3339 writes it."""

    name = "time"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """Read an instant; one without an offset could mean any of twenty-four."""
        try:
            moment = datetime.fromisoformat(str(value))
        except ValueError:
            self.fail(f"{quote(value)} is no time such as 2026-12-24T07:30:00+01:00.", param, ctx)
        if moment.tzinfo is None:
            self.fail(f"{quote(value)} has no offset; write {value}Z for UTC.", param, ctx)
        return moment


class LengthType(click.ParamType[int]):
    """A length of time, in seconds."""

    name = "length"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        """Read a length such as 90m, 12h or 2d."""
        try:
            return value if isinstance(value, int) else seconds_of(str(value))
        except ValueError as error:
            self.fail(f"{error}.", param, ctx)


class SizeType(click.ParamType[picture.Size]):
    """An image size, as a manifest's cell has it."""

    name = "size"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> picture.Size:
        """Read a size; one in pixels tells the ratio too."""
        if isinstance(value, picture.Size):
            return value
        found = picture.size(str(value).strip())
        if isinstance(found, Fault):
            self.fail(_said(found), param, ctx)
        return found


class RatioType(click.ParamType[str]):
    """An aspect ratio, as a manifest's cell has it."""

    name = "ratio"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        """Read a ratio."""
        found = picture.ratio(str(value).strip())
        if isinstance(found, Fault):
            self.fail(_said(found), param, ctx)
        return found


def _said(fault: Fault) -> str:
    return f"{fault.message} {fault.hint}" if fault.hint else fault.message


TIER: Final = TierType()
TIER_CHOICE: Final = TierChoiceType()
SIZE: Final = SizeType()
RATIO: Final = RatioType()
DOLLARS: Final = DollarsType()
MOMENT: Final = MomentType()
LENGTH: Final = LengthType()


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What a command line asks of a manifest."""

    file: Path
    choices: Choices
    out: str | None
    limit: int | None
    accept_valid: bool
    max_cost: str | None
    yes: bool
    again: bool


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """What a new job is told beside its renders."""

    name: str | None
    priority: int


_CHOICES: Final = (
    click.option("--tier", type=TIER_CHOICE, help="Where rows go that name none; auto: see plan."),
    click.option("--model", help="Model of rows that name none."),
    click.option("--size", type=SIZE, metavar="SIZE", help="512, 1K, 2K or 4K."),
    click.option(
        "--aspect-ratio", type=RATIO, metavar="W:H", help="Aspect ratio of rows that name none."
    ),
    click.option("--n", type=click.IntRange(1, 100), help="Images a row."),
    click.option("--deliver-by", type=MOMENT, help="When all shall be there; nearer goes first."),
)
_HANDLING: Final = (
    click.option("--out", metavar="URL", help="Where images go: a folder.  [default: out]"),
    click.option("--limit", type=click.IntRange(1), help="Read that many good rows only."),
    click.option("--accept-valid", is_flag=True, help="Leave bad rows out and render the others."),
    click.option("--max-cost", type=DOLLARS, help="Never spend more than this on the job."),
    click.option("--yes", "-y", is_flag=True, help="Do not ask before money is spent."),
    click.option("--again", is_flag=True, help="Render also what is made already."),
)
_MARKS: Final = (
    click.option("--name", help="Name of the job.  [default: the file's]"),
    click.option("--priority", type=int, default=0, help="Higher goes first."),
)


def manifest_options(command: F) -> F:
    """Take a manifest and what is wished of it, as `file` and options; see `wish_of`."""
    # What cannot be read is the manifest's fault, not the command line's: the reader says so.
    file = click.argument("file", type=click.Path(path_type=Path, readable=False))
    return _all((file, *_CHOICES, *READING, *_HANDLING), command)


def job_options(command: F) -> F:
    """Take what a new job is told; see `mark_of`."""
    return _all(_MARKS, command)


def _all(options: tuple[Callable[[F], F], ...], command: F) -> F:
    for option in reversed(options):
        command = option(command)
    return command


def wish_of(given: dict[str, Any]) -> Wish:
    """Gather the options of `manifest_options`."""
    shape = _shape_of(given["size"], given["aspect_ratio"])
    told = given | shape | {"mapping": joined(given["mapping"])}
    told["template"] = template_of(given["template"])
    choices = Choices(**{name: told[name] for name in Choices.__struct_fields__})
    rest = {name: given[name] for name in Wish.__struct_fields__ if name != "choices"}
    return Wish(choices=choices, **rest)


def _shape_of(size: picture.Size | None, ratio: str | None) -> dict[str, str | None]:
    """Part a size in pixels into size and ratio; it may say what --aspect-ratio says too."""
    if size is None:
        return {"image_size": None, "aspect_ratio": ratio}
    if ratio is not None and size.ratio not in {None, ratio}:
        said = f"The size is {size.ratio}, but --aspect-ratio says {ratio}."
        raise click.BadParameter(f"{said} Write the size as {size.name}.", param_hint="'--size'")
    return {"image_size": size.name, "aspect_ratio": ratio or size.ratio}


def mark_of(given: dict[str, Any]) -> Mark:
    """Gather the options of `job_options`."""
    return Mark(**{name: given[name] for name in Mark.__struct_fields__})


def alternatives_option(*, shown: bool) -> Callable[[F], F]:
    """Take whether other tiers and models are shown beside the plan."""
    return click.option(
        "--alternatives/--no-alternatives",
        default=shown,
        help="Show other tiers and models beside it.",
    )


def progress_option(command: F) -> F:
    """Take how progress is shown."""
    kinds = click.Choice(["auto", "bar", "plain", "none"])
    return click.option("--progress", type=kinds, default="auto", help="How progress is shown.")(
        command
    )
