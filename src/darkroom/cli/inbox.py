"""`darkroom inbox`: folders whose manifests are rendered as they are dropped there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from darkroom import db
from darkroom.cli import voice, wording
from darkroom.cli.document import in_dollars
from darkroom.cli.invocation import Invocation, global_options, json_option, pass_invocation
from darkroom.cli.parameters import DOLLARS, LENGTH, TIER_CHOICE
from darkroom.cli.room import opened
from darkroom.cli.scanning import scan
from darkroom.client import Darkroom
from darkroom.consent import nano_dollars
from darkroom.errors import ConfigInvalid
from darkroom.inbox import Inbox, Terms, address, enroll, inboxes, open_place, remove
from darkroom.models import DropState
from darkroom.selection import named
from darkroom_manifests.money import short_dollars

_place = click.argument("place", metavar="PLACE")


@click.group()
def command() -> None:
    """Watch folders: what is dropped there becomes a job, with a report beside it.

    PLACE is a folder, or gs://bucket/prefix. `darkroom up` and `darkroom scheduler start` watch.
    """


command.add_command(scan)


@command.command()
@_place
@click.option("--tier", type=TIER_CHOICE, help="Where rows go that name none.")
@click.option("--model", help="Model of rows that name none.")
@click.option("--max-cost", type=DOLLARS, help="Never spend more than this on a file.")
@click.option("--deliver-within", type=LENGTH, help="Deadline of a file: 90m, 12h, 2d.")
@click.option("--accept-valid", is_flag=True, help="Leave bad rows out and render the others.")
@click.option("--catalog", metavar="NAME", help="Whose rows those of the files are, by their ids.")
@json_option
@global_options
@pass_invocation
def add(invocation: Invocation, /, place: str, max_cost: str | None, **given: Any) -> None:
    """Watch a folder from now on, on these terms; again, to change them."""
    cap = None if max_cost is None else nano_dollars(max_cost)
    tier = None if given["tier"] is None else str(given["tier"])
    named(given["catalog"])
    terms = Terms(**(given | {"tier": tier, "max_cost_nusd": cap}))
    with opened(invocation) as room:
        url = address(place)
        _require_apart(room, url)
        if "://" not in url:
            _make(Path(url))
        open_place(url, room.settings).look()
        with db.writing(room.database) as connection:
            is_new = enroll(connection, url, terms)
    if invocation.as_json:
        voice.write_json({"url": url, "new": is_new})
    elif invocation.talks:
        said = "is watched from now on" if is_new else "is watched on these terms"
        voice.say(f"{url} {said}, while `darkroom up` or `darkroom scheduler start` runs.")


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise click.FileError(str(folder), error.strerror or str(error)) from error


def _require_apart(room: Darkroom, url: str) -> None:
    """Refuse a place inside another one, whose shelves are folders of its own."""
    with db.reading(room.database) as connection:
        others = [one.url for one in inboxes(connection) if one.url != url]
    for other in others:
        if url.startswith(f"{other}/") or other.startswith(f"{url}/"):
            said = f"{url} and {other}, which is watched, lie one in the other."
            raise ConfigInvalid(said, hint="Choose a folder beside it.")


@command.command("rm")
@_place
@json_option
@global_options
@pass_invocation
def forget(invocation: Invocation, /, place: str) -> None:
    """Take nothing more from a folder; what was taken goes on, and its files stay there."""
    url = address(place)
    with opened(invocation) as room, db.writing(room.database) as connection:
        remove(connection, url)
    if invocation.as_json:
        voice.write_json({"url": url, "removed": True})
    elif invocation.talks:
        voice.say(f"{url} is watched no more.")


@command.command("ls")
@json_option
@global_options
@pass_invocation
def list_inboxes(invocation: Invocation, /) -> None:
    """List what is watched, on which terms, what became of the files, and what is wrong."""
    with opened(invocation) as room, db.reading(room.database) as connection:
        found, now = inboxes(connection), db.now(connection)
    if invocation.as_json:
        voice.write_json([_document(one) for one in found])
        return
    if not found:
        voice.say("Nothing is watched: darkroom inbox add FOLDER.")
        return
    table = voice.table("PLACE", "TERMS", "WAITING>", "DONE>", "FAILED>", "LOOKED<", "STATE")
    for one in found:
        is_watched = one.watched_until is not None and one.watched_until > now
        table.add_row(
            voice.safe(one.url),
            voice.safe(_terms(one.terms)),
            *_counts(one),
            wording.clock(one.looked_at) if one.looked_at else "never",
            voice.safe(_state(one, is_watched=is_watched)),
        )
    voice.write_table(table)


def _counts(one: Inbox) -> list[str]:
    under_way = [one.files.get(state, 0) for state in (DropState.CLAIMED, DropState.ACCEPTED)]
    done = [one.files.get(state, 0) for state in (DropState.DONE, DropState.DUPLICATE)]
    return [f"{sum(under_way):,}", f"{sum(done):,}", f"{one.files.get(DropState.FAILED, 0):,}"]


def _state(one: Inbox, *, is_watched: bool) -> str:
    if one.trouble:
        return one.trouble
    if one.removed_at is not None:
        return "removed; what was taken goes on"
    return "watched" if is_watched else "nobody watches: `darkroom up` does"


def _terms(terms: Terms) -> str:
    said = [word for word in (terms.tier, terms.model) if word]
    if terms.max_cost_nusd is not None:
        said.append(f"at most {short_dollars(terms.max_cost_nusd)} a file")
    if terms.deliver_within:
        said.append(f"within {wording.duration(terms.deliver_within)}")
    if terms.accept_valid:
        said.append("bad rows left out")
    if terms.catalog:
        said.append(f"catalog {terms.catalog}")
    return ", ".join(said)


def _document(one: Inbox) -> dict[str, Any]:
    names = ("tier", "model", "max_cost_nusd", "deliver_within", "accept_valid", "catalog")
    times = ("created_at", "removed_at", "looked_at", "watched_until")
    stamps = {name: (at := getattr(one, name)) and at.isoformat() for name in times}
    own = {"id": one.id, "url": one.url, **stamps, "trouble": one.trouble, "files": one.files}
    return own | in_dollars({name: getattr(one.terms, name) for name in names})
