"""The options that several commands take, and the types that read them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, Final, TypeVar

import click
import msgspec

from darkroom.cli.asking import ASKING, told_by
from darkroom.cli.reading import READING, joined, template_of
from darkroom.draft import Choices
from darkroom.plan_file import PlanFile
from darkroom.selection import Select, Selection
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
    """What a command line asks of a manifest. With `apply`, that plan's file asked for it."""

    file: Path
    choices: Choices
    out: str | None
    accept_valid: bool
    max_cost: str | None
    yes: bool
    selection: Selection
    apply: Path | None = None


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
    click.option(
        "--select",
        type=click.Choice([each.value for each in Select]),
        help="What is made: all that is missing, of that only what is new or changed, or what "
        "failed before; or all, also what is there.  [default: missing]",
    ),
    click.option("--limit", type=click.IntRange(1), help="Read that many good rows only."),
    click.option(
        "--catalog",
        metavar="NAME",
        help="Know rows by their ids: say which are new, changed and removed in this catalog.",
    ),
    click.option(
        "--no-share",
        is_flag=True,
        help="Make a picture for each row, also where rows with other ids ask for the same.",
    ),
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
    return _all((_file(required=True), *_CHOICES, *ASKING, *READING, *_HANDLING), command)


def plan_or_manifest_options(command: F) -> F:
    """Take the same, or a plan's file by --apply instead of all that a plan has settled."""
    apply = click.option(
        "--apply",
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="PLAN",
        help="Do exactly what `darkroom plan --plan PLAN` wrote, or nothing; instead of FILE.",
    )
    options = (apply, *_CHOICES, *ASKING, *READING, *_HANDLING)
    return _all((_file(required=False), *options), command)


def _file(*, required: bool) -> Callable[[F], F]:
    # What cannot be read is the manifest's fault, not the command line's: the reader says so.
    kind = click.Path(path_type=Path, readable=False)
    return click.argument("file", type=kind, required=required)


def job_options(command: F) -> F:
    """Take what a new job is told; see `mark_of`."""
    return _all(_MARKS, command)


def _all(options: tuple[Callable[[F], F], ...], command: F) -> F:
    for option in reversed(options):
        command = option(command)
    return command


def wish_of(given: dict[str, Any]) -> Wish:
    """Gather the options of `manifest_options`. Raises UsageError, and what PlanFile.read does."""
    if given.get("apply") is not None:
        return _applied(given)
    if given["file"] is None:
        raise click.UsageError("Give a manifest, or --apply PLAN.")
    shape = _shape_of(given["size"], given["aspect_ratio"])
    told = given | shape | {"mapping": joined(given["mapping"])}
    told["template"] = template_of(given["template"])
    told["ask"] = told_by("--ask", given["ask"])
    told["labels"] = told_by("--label", given["label"])
    told["deliver_turns"] = given["deliver_turns"] or None
    choices = Choices(**{name: told[name] for name in Choices.__struct_fields__})
    rest = {name: given[name] for name in ("file", "out", "accept_valid", *_CONSENT)}
    return Wish(choices=choices, selection=_selection(given), **rest)


_CONSENT: Final = ("max_cost", "yes")
_OURS: Final = frozenset({"apply", "out", *_CONSENT})
"""What --apply leaves to be said."""


def _selection(given: dict[str, Any]) -> Selection:
    return Selection(
        select=_select(given),
        limit=given["limit"],
        catalog=given["catalog"],
        share=not given["no_share"],
    )


def _select(given: dict[str, Any]) -> Select:
    if not given["again"]:
        return Select(given["select"] or Select.MISSING)
    if given["select"] not in {None, Select.ALL}:
        raise click.UsageError("--again is --select all; give one of them.")
    return Select.ALL


def _applied(given: dict[str, Any]) -> Wish:
    """Read what was planned; the command line must not say it otherwise."""
    settled = (*_CHOICES, *ASKING, *READING, *_HANDLING)
    names = [name for option in settled if (name := _name(option)) not in _OURS]
    said = [f"--{name.replace('_', '-')}" for name in names if given[name]]
    if given["file"] is not None:
        said.insert(0, str(given["file"]))
    if said:
        raise click.UsageError(f"The plan says it all: leave out {', '.join(said)}.")
    path: Path = given["apply"]
    kept = PlanFile.read(path)
    return Wish(
        file=Path(kept.manifest),
        choices=kept.as_chosen(),
        accept_valid=kept.accept_valid,
        selection=kept.selection,
        apply=path,
        out=given["out"],
        **{name: given[name] for name in _CONSENT},
    )


def _name(option: Callable[[Any], Any]) -> str:
    """The name of an option's parameter."""

    def bare() -> None:
        return None

    made: str = option(bare).__click_params__[-1].name
    return made


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
