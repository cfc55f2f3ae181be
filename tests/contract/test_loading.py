"""How jobs come in: many rows at once, and the same rows twice at the same moment."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Engine, func, select

from darkroom import Darkroom, db
from darkroom.audit import audit
from darkroom.jobs import load
from darkroom.jobs.load import Loaded, NewJob, NewRender
from darkroom.models import AttemptState, Job, Render
from darkroom.settings import Settings

if TYPE_CHECKING:
    from tests.contract.conftest import Books, MakeRenders

JOB = NewJob(name="j", output_path="{job}/{id}.{ext}", storage_url="out")
STRANGE = ["tab\there", "line\nhere\r", "back\\slash\\N", "", '"quoted, too"', "ünïcødé 🎞", "\\."]


def begin(books: Books) -> str:
    with db.writing(books.database) as connection:
        return load.begin(connection, JOB)


def add(books: Books, job_id: str, fresh: list[NewRender]) -> None:
    with db.writing(books.database) as connection:
        load.add(connection, job_id, fresh)


def finish(books: Books, job_id: str, renders: int, *, again: bool = False) -> None:
    with db.writing(books.database) as connection:
        loaded = Loaded(renders, renders, 0, 0, 100 * renders)
        load.finish(connection, job_id, loaded, again=again)


def job(books: Books, job_id: str) -> Any:  # noqa: ANN401  # a row
    with db.reading(books.database) as connection:
        return connection.execute(select(Job).where(Job.id == job_id)).one()


def names(first: int, last: int) -> list[str]:
    return [f"{number:032d}" for number in range(first, last)]


def test_every_text_comes_back_as_it_went_in(books: Books, make_renders: MakeRenders) -> None:
    job_id = begin(books)
    fresh = [
        NewRender(**{**_fields(one), "row_id": said, "request": said, "labels": said or None})
        for one, said in zip(make_renders(names(0, len(STRANGE))), STRANGE, strict=True)
    ]

    add(books, job_id, fresh)

    query = select(Render.row_id, Render.request, Render.labels).order_by(Render.id)
    with db.reading(books.database) as connection:
        found = [tuple(row) for row in connection.execute(query)]
    assert found == [(said, said, said or None) for said in STRANGE]


def _fields(one: NewRender) -> dict[str, Any]:
    return {name: getattr(one, name) for name in one.__struct_fields__}


def test_rows_of_a_transaction_that_fails_are_gone(books: Books, make_renders: MakeRenders) -> None:
    job_id = begin(books)

    def fail() -> None:
        with db.writing(books.database) as connection:
            load.add(connection, job_id, make_renders(names(0, 10)))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()

    with db.reading(books.database) as connection:
        assert connection.scalar(select(func.count()).select_from(Render)) == 0


def test_of_two_jobs_that_load_the_same_rows_together_one_renders_them(
    books: Books, make_renders: MakeRenders
) -> None:
    first, second = begin(books), begin(books)
    add(books, second, make_renders(names(0, 10)))
    add(books, first, make_renders(names(5, 20)))

    finish(books, second, 10)
    finish(books, first, 15)

    kept, cut = job(books, second), job(books, first)
    assert (kept.pending, kept.unchanged, kept.likely_nusd) == (10, 0, 1000)
    assert (cut.pending, cut.unchanged, cut.likely_nusd) == (10, 5, 1000)
    books.assert_in_order()


def test_a_job_that_brings_nothing_of_its_own_is_finished_at_once(
    books: Books, make_renders: MakeRenders
) -> None:
    first, second = begin(books), begin(books)
    for each in (first, second):
        add(books, each, make_renders(names(0, 3)))
        finish(books, each, 3)

    assert job(books, first).finished_at is None
    assert job(books, second).finished_at is not None
    assert len(books.take()) == 3
    books.assert_in_order()


def test_what_the_other_failed_to_render_is_rendered_all_the_same(
    books: Books, make_renders: MakeRenders
) -> None:
    first, second = begin(books), begin(books)
    add(books, first, make_renders(names(0, 3)))
    finish(books, first, 3)
    books.end(books.take(), AttemptState.INVALID)
    add(books, second, make_renders(names(0, 3)))

    finish(books, second, 3)

    assert job(books, second).pending == 3


def test_whoever_asks_for_it_again_gets_it_again(books: Books, make_renders: MakeRenders) -> None:
    first, second = begin(books), begin(books)
    for each in (first, second):
        add(books, each, make_renders(names(0, 3)))
        finish(books, each, 3, again=True)

    assert len(books.take()) == 6


def test_a_manifest_that_is_submitted_four_times_at_once_is_rendered_once(
    database_url: str, tmp_path: Path
) -> None:
    manifest = tmp_path / "catalog.csv"
    rows = "\n".join(f"r{number},a lamp no. {number}" for number in range(2_500))
    manifest.write_text(f"id,prompt\n{rows}\n", encoding="utf-8")
    settings = Settings(home=tmp_path / "home", database_url=database_url)
    planned = threading.Barrier(4)

    def submit(_: int) -> int:
        with Darkroom(settings) as room:
            plan = room.plan(manifest)
            planned.wait(60)
            return room.submit(plan).state.pending

    with ThreadPoolExecutor(4) as pool:
        pending = list(pool.map(submit, range(4)))

    assert sum(pending) == 2_500
    assert _clean(database_url)


def test_one_key_makes_one_job_whoever_comes_at_the_same_moment(
    database_url: str, tmp_path: Path
) -> None:
    settings = Settings(home=tmp_path / "home", database_url=database_url)
    rows = [{"id": f"r{number}", "prompt": f"a lamp no. {number}"} for number in range(20)]
    planned = threading.Barrier(6)

    with Darkroom(settings) as room, ThreadPoolExecutor(6) as pool:

        def submit(_: int) -> str:
            plan = room.plan(rows)
            planned.wait(60)
            return room.submit(plan, idempotency_key="tonight").id

        ids = set(pool.map(submit, range(6)))
        states = room.jobs()

    assert ids == {states[0].id}
    assert (len(states), states[0].pending) == (1, 20)
    assert _clean(database_url)


def _clean(url: str) -> bool:
    engine: Engine = db.open_engine(url)
    try:
        return audit(engine, Path()) == []
    finally:
        engine.dispose()
