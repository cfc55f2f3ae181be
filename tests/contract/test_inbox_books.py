"""The books of watched folders: who watches, and which file is taken how often."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import update

from darkroom import Darkroom, db
from darkroom.errors import NotFound
from darkroom.inbox import Inbox, Terms, Watch, books, enroll, inboxes, open_place, remove
from darkroom.models import Drop
from darkroom.settings import Settings

CSV = "id,prompt\na,lamp\n"


@pytest.fixture
def room(database_url: str, tmp_path: Path) -> Iterator[Darkroom]:
    """No broker, no scheduler: a watch is one that a test makes."""
    told = {"home": tmp_path, "database_url": database_url, "inbox": {"settle_seconds": 0}}
    with Darkroom(Settings.model_validate(told)) as made:
        yield made


@pytest.fixture
def inbox(room: Darkroom, tmp_path: Path) -> Inbox:
    return watched(room, tmp_path / "inbox")


def watched(room: Darkroom, folder: Path, catalog: str | None = None) -> Inbox:
    folder.mkdir()
    with db.writing(room.database) as connection:
        enroll(connection, str(folder), Terms(tier="simulator", catalog=catalog))
    with db.reading(room.database) as connection:
        return next(one for one in inboxes(connection) if one.url == str(folder))


def look(room: Darkroom, inbox: Inbox) -> Watch:
    """Watch it until nothing is left to do."""
    watch = Watch(room, inbox, open_place(inbox.url, room.settings))
    until(lambda: watch.round() is None)
    return watch


def until(is_so: Callable[[], object]) -> None:
    ends = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < ends, "it did not come to pass"


def watches(room: Darkroom, inbox: Inbox, who: str, seconds: float = 60) -> bool:
    return db.transact(room.database, lambda c: books.watch(c, inbox.id, who, seconds))


def test_one_watches_at_a_time_until_its_lease_ends_or_it_lets_go(
    room: Darkroom, inbox: Inbox
) -> None:
    assert watches(room, inbox, "first")
    assert not watches(room, inbox, "second")
    assert watches(room, inbox, "first", seconds=0.01)
    until(lambda: watches(room, inbox, "second"))
    assert not watches(room, inbox, "first")

    db.transact(room.database, lambda c: books.unwatch(c, "second"))

    assert watches(room, inbox, "first")
    assert db.transact(room.database, lambda c: books.stay(c, "first", 60)) == {inbox.id}


def test_a_file_that_keeps_ending_its_watcher_is_refused_and_the_others_are_not(
    room: Darkroom, inbox: Inbox
) -> None:
    place = open_place(inbox.url, room.settings)
    Path(inbox.url, "poison.csv").write_text(CSV)
    seen = place.look()
    with db.writing(room.database) as connection:
        (poison,) = books.claim(connection, inbox.id, seen)
        connection.execute(update(Drop).where(Drop.id == poison.id).values(tries=3))
    Path(inbox.url, "good.csv").write_text("id,prompt\nb,vase\n")

    look(room, inbox)

    report = json.loads(Path(inbox.url, "failed", "poison.csv.report.json").read_bytes())
    assert "could not be judged 3 times" in report["message"]
    assert [state.name for state in room.jobs()] == ["good"]


def test_files_of_a_dead_watcher_are_taken_up_by_the_next(room: Darkroom, inbox: Inbox) -> None:
    place = open_place(inbox.url, room.settings)
    Path(inbox.url, "a.csv").write_text(CSV)
    with db.writing(room.database) as connection:
        books.claim(connection, inbox.id, place.look())

    look(room, inbox)

    assert [state.rows for state in room.jobs()] == [1]
    assert not Path(inbox.url, "a.csv").exists()


def test_a_file_is_claimed_once_while_it_is_under_way(room: Darkroom, inbox: Inbox) -> None:
    Path(inbox.url, "a.csv").write_text(CSV)
    seen = open_place(inbox.url, room.settings).look()

    with db.writing(room.database) as connection:
        first, second = (books.claim(connection, inbox.id, seen) for _ in range(2))

    assert (len(first), second) == (1, [])


def test_one_content_in_two_inboxes_is_rendered_once(
    room: Darkroom, inbox: Inbox, tmp_path: Path
) -> None:
    other = watched(room, tmp_path / "other")
    for one in (inbox, other):
        Path(one.url, "a.csv").write_text(CSV)
        look(room, one)

    assert sorted((state.total, state.unchanged) for state in room.jobs()) == [(0, 1), (1, 0)]
    assert Path(other.url, "done", "a.csv").exists()


def test_files_are_of_the_catalog_that_the_inbox_or_a_side_file_names(
    room: Darkroom, tmp_path: Path
) -> None:
    inbox = watched(room, tmp_path / "shop", catalog="shop")
    Path(inbox.url, "a.csv").write_text(CSV)
    Path(inbox.url, "b.csv.toml").write_text('catalog = "outlet"')
    Path(inbox.url, "b.csv").write_text("id,prompt\nother,a vase\n")

    look(room, inbox)

    assert sorted(str(state.catalog) for state in room.jobs()) == ["outlet", "shop"]


def test_a_catalog_that_has_no_name_refuses_the_file(room: Darkroom, inbox: Inbox) -> None:
    Path(inbox.url, "a.csv.toml").write_text('catalog = "The Shop"')
    Path(inbox.url, "a.csv").write_text(CSV)

    look(room, inbox)

    assert room.jobs() == []
    assert "is no name of a catalog" in Path(inbox.url, "failed", "a.csv.report.json").read_text()


def test_a_file_that_is_written_to_after_it_was_taken_settles_anew(
    room: Darkroom, inbox: Inbox
) -> None:
    place = open_place(inbox.url, room.settings)
    Path(inbox.url, "a.csv").write_text(CSV)
    with db.writing(room.database) as connection:
        (drop,) = books.claim(connection, inbox.id, place.look())
    watch = Watch(room, inbox, place)
    with Path(inbox.url, "a.csv").open("a") as writer:
        kept = watch.intake.take(drop)
        writer.write("b,vase\n")
    assert kept == "a.csv"

    until(lambda: watch.round() is None)

    assert [state.rows for state in room.jobs()] == [2]


def test_what_is_not_watched_cannot_be_removed(room: Darkroom, inbox: Inbox) -> None:
    with db.writing(room.database) as connection:
        remove(connection, inbox.url)
    with pytest.raises(NotFound), db.writing(room.database) as connection:
        remove(connection, inbox.url)
    with db.reading(room.database) as connection:
        assert inboxes(connection) == []


def test_an_inbox_that_is_added_again_remembers_what_it_accepted(
    room: Darkroom, inbox: Inbox
) -> None:
    Path(inbox.url, "a.csv").write_text(CSV)
    look(room, inbox)
    with db.writing(room.database) as connection:
        remove(connection, inbox.url)
        enroll(connection, inbox.url, Terms(tier="simulator"))
    Path(inbox.url, "b.csv").write_text(CSV)

    look(room, inbox)

    assert len(room.jobs()) == 1
    assert Path(inbox.url, "done", "b.csv").exists()


def test_ten_thousand_names_are_looked_at_in_pieces(room: Darkroom, inbox: Inbox) -> None:
    for number in range(10_000):
        Path(inbox.url, f"{number:05}.csv").touch()
    watch = Watch(room, inbox, open_place(inbox.url, room.settings), lambda: watch.taken >= 100)

    until(lambda: watch.round() == 0.0)

    with db.reading(room.database) as connection:
        assert len(books.claimed(connection, inbox.id)) <= 64
