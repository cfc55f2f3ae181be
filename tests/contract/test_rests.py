"""Rests that meet: the one that lasts longer stays, on both databases."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import Engine

from darkroom import Darkroom, db
from darkroom.jobs import rests
from darkroom.settings import Settings
from darkroom_manifests.tier import Tier

if TYPE_CHECKING:
    from tests.contract.conftest import OpenBooks


def reasons(database: Engine, *told: float | None) -> list[str]:
    """Let a tier rest for so many seconds, one after the other; what stays."""
    with db.writing(database) as connection:
        for seconds in told:
            rests.rest(connection, Tier.VERTEX, seconds=seconds, reason=str(seconds), hint=None)
    return in_force(database)


def in_force(database: Engine) -> list[str]:
    with db.reading(database) as connection:
        return [rest.reason for rest in rests.current(connection)]


@pytest.mark.parametrize(
    ("told", "stays"),
    [
        ((600, 60), "600"),
        ((60, 600), "600"),
        ((None, 60), "None"),
        ((60, None), "None"),
        ((0, 60), "60"),
    ],
)
def test_of_two_rests_the_longer_one_stays(
    database: Engine, told: tuple[float | None, ...], stays: str
) -> None:
    assert reasons(database, *told) == [stays]


def test_a_rest_that_only_tells_gives_way(database: Engine) -> None:
    with db.writing(database) as connection:
        rests.spend_no_more_today(connection, Tier.VERTEX, db.now(connection), "a hint")
    before = in_force(database)

    assert before == [rests.DAY_SPENT]
    assert reasons(database, 1.0) == ["1.0"]


def test_a_size_that_rests_keeps_no_other_from_being_sent(
    database_url: str, tmp_path: Path, open_books: OpenBooks
) -> None:
    vertex = {"project": "p", "access_token": "t"}
    told = {"home": tmp_path, "database_url": database_url, "vertex": vertex}
    rows = [
        {"id": f"{size}-{model}", "prompt": 'a "image_size":"4K" mug', "image_size": size}
        | {"model": f"gemini-{model}"}
        for size in ("1K", "4K")
        for model in ("3-pro-image", "3.1-flash-image")
    ]
    with Darkroom(Settings.model_validate(told)) as room:
        job = room.submit(rows, max_cost="9")
        name = rests.name_of("gemini-3-pro-image", "4K")
        with db.writing(room.database) as connection:
            rests.rest(connection, Tier.VERTEX, name, seconds=60, reason="broken", hint=None)
        books = open_books(database_url)

        taken = [one.render_id for one in books.take()]
        waits = [rest.model for rest in job.waits()]
        with db.writing(room.database) as connection:
            rests.wake(connection, Tier.VERTEX)
        left = [one.render_id for one in books.take()]

        ids = {one.render_id: one.id for one in job.results()}
    assert [ids[one] for one in taken] == [
        "1K-3-pro-image",
        "1K-3.1-flash-image",
        "4K-3.1-flash-image",
    ]
    assert [ids[one] for one in left] == ["4K-3-pro-image"]
    assert waits == ["gemini-3-pro-image 4K"]
