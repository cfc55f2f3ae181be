"""`darkroom inbox scan`: one look at watched folders, here and now."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import click

from darkroom import db, logs
from darkroom.cli import voice
from darkroom.cli.invocation import Invocation, global_options, json_option, pass_invocation
from darkroom.cli.room import opened
from darkroom.client import Darkroom
from darkroom.errors import NotFound
from darkroom.ids import new_id
from darkroom.inbox import Inbox, Watch, address, books, open_place
from darkroom.settings import LogLevel

_BREATH_SECONDS: Final = 0.05


@click.command()
@click.argument("place", metavar="[PLACE]", required=False)
@json_option
@global_options
@pass_invocation
def scan(invocation: Invocation, /, place: str | None) -> None:
    """Take in what lies in watched folders now, as the scheduler would; all without PLACE.

    Waits until files that are new have settled. What a scheduler watches is left to it.
    """
    with opened(invocation) as room:
        log = room.settings.log
        level = log.level if invocation.talks else LogLevel.ERROR
        told = room.settings.model_copy(update={"log": log.model_copy(update={"level": level})})
        logs.configure(told, "inbox")
        found = [_scanned(room, inbox) for inbox in _chosen(room, place)]
    if invocation.as_json:
        voice.write_json(found)
    elif invocation.talks:
        for one in found:
            voice.say(f"{one['url']}: {one['said']}.")


def _chosen(room: Darkroom, place: str | None) -> list[Inbox]:
    with db.reading(room.database) as connection:
        found = books.watched(connection)
    if place is None:
        return found
    url = address(place)
    chosen = [one for one in found if one.url == url]
    if not chosen:
        raise NotFound(f"{url} is not watched.", hint="`darkroom inbox ls` lists what is.")
    return chosen


def _scanned(room: Darkroom, inbox: Inbox) -> dict[str, object]:
    with _alone(room, inbox) as is_ours:
        if not is_ours:
            return {"url": inbox.url, "said": "a scheduler watches it", "taken": 0}
        watch = Watch(room, inbox, open_place(inbox.url, room.settings))
        while (wait := watch.round()) is not None:
            time.sleep(max(_BREATH_SECONDS, wait))
    said = watch.trouble or f"{watch.taken:,} taken in"
    return {"url": inbox.url, "said": said.removesuffix("."), "taken": watch.taken}


@contextmanager
def _alone(room: Darkroom, inbox: Inbox) -> Iterator[bool]:
    who, seconds = new_id("watch"), room.settings.inbox.lease_seconds
    yield db.transact(room.database, lambda c: books.watch(c, inbox.id, who, seconds))
    db.transact(room.database, lambda c: books.unwatch(c, who))
