"""`darkroom models`: what can be asked of whom, until when, and at what price."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime

import click
import msgspec
from rich.table import Table
from rich.text import Text

from darkroom.cli import voice
from darkroom.cli.invocation import Invocation, global_options, json_option, pass_invocation
from darkroom.cli.room import configured
from darkroom.errors import ConfigInvalid, NotFound
from darkroom.price_list import registry_of
from darkroom.registry import Model, Registry, RegistryError, Retired, rows
from darkroom.registry.model import Status
from darkroom.registry.table import ModelRow, Standing
from darkroom_manifests.money import dollars, short_dollars
from darkroom_manifests.tier import Tier

_DAY = click.DateTime(["%Y-%m-%d"])


@click.command()
@click.argument("model", required=False)
@click.option("--on", type=_DAY, metavar="DATE", help="As of that day.  [default: today]")
@json_option
@global_options
@pass_invocation
def command(invocation: Invocation, /, model: str | None, on: datetime | None) -> None:
    """List models with their state and price per image, by size and tier.

    Prices are for the image alone, in dollars; prompt and thoughts come on top. With MODEL,
    all that is known of that one.
    """
    try:
        registry = registry_of(configured(invocation).settings)
    except RegistryError as error:
        raise ConfigInvalid(str(error), hint="Mend the file that registry_file names.") from error
    day = on.date() if on else datetime.now(UTC).date()
    found = rows(registry, day)
    if model is not None:
        wanted = _named(registry, model).id
        found = [row for row in found if row.id == wanted]
    if invocation.as_json:
        documents = [_document(row) for row in found]
        voice.write_json(documents if model is None else documents[0])
    elif model is None:
        voice.write_table(_prices(found))
    else:
        voice.write_table(voice.facts(_facts(found[0], day)))
        voice.write("")
        voice.write_table(_prices(found))


def _named(registry: Registry, name: str) -> Model:
    found = registry.find(name)
    if isinstance(found, Model):
        return found
    if isinstance(found, Retired):
        raise NotFound(f"{found.message}.", hint=f"Use {found.successor}.")
    near = " or ".join(found.suggestions)
    hint = f"Did you mean {near}?" if near else "`darkroom models` lists them."
    raise NotFound(f"There is no model {name}.", hint=hint)


def _document(row: ModelRow) -> dict[str, object]:
    known: dict[str, object] = msgspec.to_builtins(row)
    prices = {
        tier: {size: dollars(price) for size, price in by_size.items()}
        for tier, by_size in row.image_nusd.items()
    }
    return known | {"image_usd": prices}


def _prices(found: list[ModelRow]) -> Table:
    sizes = list(dict.fromkeys(size for row in found for size in row.sizes))
    sizes.sort(key=lambda size: (size.endswith("K"), size))
    table = voice.table("MODEL AND TIER<", *(f"{size}>" for size in sizes), "STATE")
    for row in found:
        table.add_row(Text(f"{row.id}{' (default)' if row.default else ''}", "bold"))
        for tier, by_size in row.image_nusd.items():
            prices = [short_dollars(by_size[s]) if s in by_size else "" for s in sizes]
            table.add_row(f"  {tier}", *prices, _stands(row, tier))
        priced = {tier.provider for tier in row.image_nusd}
        for provider, standing in row.standing.items():
            if provider not in priced:
                table.add_row(f"  {provider}", *("" for _ in sizes), _status(standing))
    return table


def _stands(row: ModelRow, tier: Tier) -> str:
    """Say how a model stands on a tier; of a proxy nobody knows but the proxy."""
    standing = row.standing.get(tier.provider)
    return "by your own price list" if standing is None else _status(standing)


def _status(standing: Standing) -> str:
    match standing.status:
        case Status.GONE:
            successor = f", use {standing.successor}" if standing.successor else ""
            return f"gone since {standing.since}{successor}"
        case Status.UNRELEASED:
            return f"comes {standing.since}"
        case status:
            return f"{status} until {standing.gone}" if standing.gone else str(status)


def _facts(row: ModelRow, day: date) -> Iterator[tuple[str, str]]:
    yield "model", f"{row.id}  {row.title}"
    for provider, standing in row.standing.items():
        note = f"; {standing.note}" if standing.note else ""
        yield provider, f"{_status(standing)}{note}"
    yield "sizes", ", ".join(row.sizes)
    yield "ratios", ", ".join(row.ratios)
    yield "thinking", ", ".join(row.thinking) or "none"
    yield "accepts", ", ".join(row.parameters) or "no further parameters"
    yield "references", f"up to {row.max_references}"
    for provider, kinds in row.searches.items():
        yield "searches", f"{', '.join(kinds)} on {provider}"
    if row.search_nusd:
        yield "a query", short_dollars(max(row.search_nusd.values()))
    if row.note:
        yield "note", row.note
    yield "as of", day.isoformat()
