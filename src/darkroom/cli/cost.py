"""`darkroom cost`: what was spent, wasted and is at risk."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

import click
from rich.table import Table

from darkroom import db
from darkroom.cli import document, voice, wording
from darkroom.cli.invocation import Invocation, global_options, json_option, pass_invocation
from darkroom.cli.parameters import MOMENT
from darkroom.cli.room import opened
from darkroom.report import Costs, Spending, costs
from darkroom_manifests.money import short_dollars

_AT_RISK: Final = "may be billed too: lost answers, estimates that fell short"
_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_SPAN: Final = re.compile(r"(\d{1,6})([mhdw])")


class SinceType(click.ParamType[datetime]):
    """A moment, or how long ago it was: 7d, 12h."""

    name = "time"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """Read it."""
        if span := _SPAN.fullmatch(str(value)):
            return datetime.now(UTC) - timedelta(**{_UNITS[span[2]]: int(span[1])})
        return MOMENT.convert(value, param, ctx)


@click.command()
@click.option("--job", "name", metavar="JOB", help="One job alone.")
@click.option("--by", type=click.Choice(["model", "job", "tier"]), help="A line each.")
@click.option("--since", type=SinceType(), help="From then on: 7d, 12h, or a time.")
@json_option
@global_options
@pass_invocation
def command(
    invocation: Invocation, /, name: str | None, by: str | None, since: datetime | None
) -> None:
    """Say what was spent, what of it brought no picture, and what is at risk.

    Money at risk may have been billed for answers that never came, or above what was estimated for
    answers that did not tell their usage. Simulated money is nobody's.
    """
    with opened(invocation) as room:
        job_id = None if name is None else room.job(name).id
        with db.reading(room.database) as connection:
            found = costs(connection, job_id, since)
        allowed = room.allowances()
    if invocation.as_json:
        voice.write_json(document.of_costs(found) | document.of_allowances(allowed))
    elif by is None:
        budget = wording.allowances(allowed) if job_id is None else ()
        voice.write_table(voice.facts([*_facts(found.total), *budget]))
    else:
        voice.write_table(_table(by, found))


def _facts(total: Spending) -> Iterator[tuple[str, str]]:
    yield "spent", short_dollars(total.spent_nusd)
    if total.simulated_nusd:
        yield "simulated", short_dollars(total.simulated_nusd)
    yield "wasted", f"{short_dollars(total.wasted_nusd)}  charged without a picture"
    yield "at risk", f"{short_dollars(total.at_risk_nusd)}  {_AT_RISK}"
    yield "reserved", f"{short_dollars(total.reserved_nusd)}  in flight"
    yield "images", f"{total.images:,} of {total.attempts:,} requests"
    yield "tokens", f"{total.image_tokens:,} image, {total.text_tokens:,} text and thought"


def _table(by: str, found: Costs) -> Table:
    groups: dict[str, dict[str, Spending]] = {
        "model": found.by_model,
        "job": found.by_job,
        "tier": found.by_tier,
    }
    table = voice.table(
        by.upper(), "IMAGES>", "REQUESTS>", "SPENT>", "SIMULATED>", "WASTED>", "AT RISK>"
    )
    for name, each in [*groups[by].items(), ("total", found.total)]:
        money = (each.spent_nusd, each.simulated_nusd, each.wasted_nusd, each.at_risk_nusd)
        counts = (f"{each.images:,}", f"{each.attempts:,}")
        table.add_row(voice.safe(name), *counts, *(short_dollars(amount) for amount in money))
    return table
