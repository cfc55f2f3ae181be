"""`darkroom db`: the database brought up to date."""

from __future__ import annotations

import click

from darkroom import db
from darkroom.cli import voice
from darkroom.cli.invocation import Invocation, global_options, json_option, pass_invocation
from darkroom.cli.room import configured, opened


@click.group()
def command() -> None:
    """Bring the database up to date, or say where it is."""


@command.command()
@json_option
@global_options
@pass_invocation
def upgrade(invocation: Invocation, /) -> None:
    """Bring the schema to the revision that this version writes."""
    with opened(invocation) as room:
        engine = db.open_engine(room.settings.sql_url)
        before = db.revision(engine)
        db.upgrade(engine)
        after = db.revision(engine)
        engine.dispose()
    if invocation.as_json:
        voice.write_json({"before": before, "revision": after})
    elif invocation.talks:
        was = "was there already" if before == after else f"was {before or 'empty'} before"
        voice.say(f"The database is at revision {after}; it {was}.")


@command.command()
@json_option
@global_options
@pass_invocation
def path(invocation: Invocation, /) -> None:
    """Say where the database is: a file, or a URL without its password."""
    where = db.path_of(configured(invocation).settings.sql_url)
    if invocation.as_json:
        voice.write_json({"path": where})
    else:
        voice.write(where)
