"""`darkroom notice`: who is told what happened, and what came of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import click
import msgspec

from darkroom import db
from darkroom.cli import voice, wording
from darkroom.cli.invocation import Invocation, global_options, json_option, pass_invocation
from darkroom.cli.room import configured, opened
from darkroom.errors import Exit, NotFound
from darkroom.event import Event, EventName, encode
from darkroom.ids import new_id
from darkroom.models import DeliveryState
from darkroom.notices import Listed, Verdict, open_receivers, outbox
from darkroom.redaction import Redactor

_FIRST_LINE = 120


@click.group()
def command() -> None:
    """Tell people and programs what happened: targets are set in darkroom.toml.

    `darkroom up` and `darkroom scheduler start` look for what is to be told, and tell it.
    """


@command.command("ls")
@click.option("--count", type=click.IntRange(1, 10_000), default=20, show_default=True)
@json_option
@global_options
@pass_invocation
def list_notices(invocation: Invocation, /, count: int) -> None:
    """List the last notices, and whether each target has them."""
    with opened(invocation) as room, db.reading(room.database) as connection:
        found = outbox.listed(connection, count)
    if invocation.as_json:
        voice.write_json(msgspec.to_builtins(found))
        return
    if not found:
        voice.say("Nothing was told yet: set targets in [notices.targets.NAME] of darkroom.toml.")
        return
    table = voice.table("NOTICE<", "EVENT<", "OF<", "AT<", "TARGET<", "STATE<", "TRIES>", "WHY")
    for one in found:
        table.add_row(*(voice.safe(cell) for cell in _cells(one)))
    voice.write_table(table)


def _cells(one: Listed) -> list[str]:
    state = str(one.state or "nobody wants it")
    if one.state is DeliveryState.PENDING and one.tries and one.next_at is not None:
        state = f"again {wording.clock(one.next_at)}"
    why = (one.last_error or "")[:_FIRST_LINE]
    of = one.run_id or one.job_id or ""
    at = wording.clock(one.created_at)
    return [one.id, one.event, of, at, one.target or "", state, str(one.tries or 0), why]


@command.command()
@click.argument("name", metavar="NAME")
@json_option
@global_options
@pass_invocation
def test(invocation: Invocation, /, name: str) -> Exit:
    """Tell a target of the settings something, now, and say what it answered.

    Exit code 1 when it did not take it. A hook is called hook:NAME.
    """
    settings = configured(invocation).settings
    receivers = open_receivers(settings.notices)
    if name not in receivers:
        known = ", ".join(receivers) or "none is set"
        hint = "Set it in [notices.targets.NAME] of darkroom.toml."
        raise NotFound(f"There is no target {name}; there are: {known}.", hint=hint)
    data = {"message": "darkroom notice test"}
    event = Event(id=new_id("ntc"), type=EventName.TEST, timestamp=datetime.now(UTC), data=data)
    verdict = receivers[name].tell(event, encode(event))
    said = Redactor(settings.secrets())(verdict.said or "")
    _tell(invocation, name, event, verdict, said)
    return Exit.OK if verdict.state is DeliveryState.SENT else Exit.UNEXPECTED


def _tell(invocation: Invocation, name: str, event: Event, verdict: Verdict, said: str) -> None:
    is_sent = verdict.state is DeliveryState.SENT
    if invocation.as_json:
        document: dict[str, Any] = {"target": name, "id": event.id}
        voice.write_json(document | {"sent": is_sent, "said": said or None})
    elif is_sent and invocation.talks:
        voice.say(f"{name} has it, {event.id}{f': {said}' if said else ''}.")
    elif not is_sent:
        voice.complain(f"{name} does not have it: {said}.", None)


@command.command()
@click.argument("notice", metavar="ID")
@json_option
@global_options
@pass_invocation
def retry(invocation: Invocation, /, notice: str) -> None:
    """Send a notice again, at once, to the targets that do not have it.

    ID is a notice's id, or the end of it.
    """
    with opened(invocation) as room, db.writing(room.database) as connection:
        notice_id, how_many = outbox.send_again(connection, notice)
    if invocation.as_json:
        voice.write_json({"id": notice_id, "targets": how_many})
    elif invocation.talks:
        said = f"{how_many} targets are told again" if how_many else "every target has it"
        voice.say(f"{notice_id}: {said}.")
