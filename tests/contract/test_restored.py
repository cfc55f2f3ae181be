"""Books from a backup beside what is stored, on SQLite and PostgreSQL alike."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine, select, update

from darkroom import db
from darkroom.audit import audit
from darkroom.ids import new_id
from darkroom.jobs import control, leases, load
from darkroom.jobs.claim import claim
from darkroom.jobs.load import Loaded, NewJob, NewRender
from darkroom.models import Render, RenderState, Worker
from darkroom.restored import compare
from darkroom.settings import Settings
from darkroom_manifests.tier import Tier

TEMPLATE = "{job}/{id}_{variant}.{ext}"
OWNERLESS = "a stored image belongs to a render that is done"
UNKNOWN_JOB = "a stored image belongs to a job in the books"
EMPTY = "storage holds what the books call done"
LIVING = "no worker lives while books and storage are compared"
SPOOLED = "an answer in the spool has an attempt"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home", storage_url=str(tmp_path / "out"))


def submit(database: Engine, settings: Settings, ids: str, template: str = TEMPLATE) -> str:
    renders = [
        NewRender(
            row_no=number,
            line=number + 2,
            row_id=row_id,
            variant=1,
            n=1,
            fingerprint=f"{new_id('f')}",
            tier=Tier.SIMULATOR,
            model="m",
            request='{"prompt":"p"}',
            labels=None,
            output_path=None,
            rank=0,
            reserve_nusd=10,
            max_cost_nusd=None,
        )
        for number, row_id in enumerate(ids)
    ]
    job = NewJob(name="j", output_path=template, storage_url=settings.storage_url)
    with db.writing(database) as connection:
        job_id = load.begin(connection, job)
        load.add(connection, job_id, renders)
        load.finish(connection, job_id, Loaded(len(renders), len(renders), 0, 0, 0))
    return job_id


def store(settings: Settings, *names: str) -> None:
    """Put images there as workers did after the backup was made."""
    for name in names:
        path = Path(settings.storage_url, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"image")


def states(database: Engine) -> dict[str, str]:
    with db.reading(database) as connection:
        rows = connection.execute(select(Render.row_id, Render.state, Render.reason))
        return {row.row_id: row.reason or row.state for row in rows}


def found(database: Engine, settings: Settings) -> list[str]:
    return [violation.name for violation in compare(database, settings).found]


def test_books_that_agree_with_storage_may_send(database: Engine, settings: Settings) -> None:
    submit(database, settings, "ab")

    comparison = compare(database, settings)

    assert (comparison.found, comparison.held) == ([], 0)
    assert states(database) == {"a": "pending", "b": "pending"}


def test_a_render_whose_image_is_there_is_held_and_the_others_are_not(
    database: Engine, settings: Settings
) -> None:
    job_id = submit(database, settings, "abc")
    store(settings, f"{job_id}/a_1.jpg", f"{job_id}/b_1~0a1b2c.png")

    comparison = compare(database, settings)

    assert states(database) == {"a": "restored", "b": "restored", "c": "pending"}
    assert comparison.held == 2
    assert {violation.name for violation in comparison.found} == {OWNERLESS}
    assert [violation.detail["row"] for violation in comparison.found] == ["a", "b"]
    assert audit(database, settings.home) == []


def test_it_says_the_same_again_and_a_person_may_send_them_anyway(
    database: Engine, settings: Settings
) -> None:
    job_id = submit(database, settings, "a")
    store(settings, f"{job_id}/a_1.jpg")

    first, second = compare(database, settings), compare(database, settings)

    assert first == second
    with db.writing(database) as connection:
        assert control.retry(connection, job_id, [RenderState.HELD]) == 1
    assert states(database) == {"a": "pending"}


def test_what_was_open_in_the_backup_is_lost_and_held_if_its_image_came(
    database: Engine, settings: Settings
) -> None:
    job_id = submit(database, settings, "ab")
    with db.writing(database) as connection:
        leases.register(connection, "wrk_gone", [Tier.SIMULATOR], 60)
    assert len(db.transact(database, lambda c: claim(c, Tier.SIMULATOR, 2, "wrk_gone"))) == 2
    with db.writing(database) as connection:
        connection.execute(update(Worker).values(lease_until=db.now(connection)))
    store(settings, f"{job_id}/a_1.png")

    comparison = compare(database, settings)

    assert states(database) == {"a": "restored", "b": "pending"}
    assert comparison.held == 1
    assert audit(database, settings.home) == []


def test_nothing_is_touched_while_a_worker_lives(database: Engine, settings: Settings) -> None:
    job_id = submit(database, settings, "a")
    store(settings, f"{job_id}/a_1.jpg")
    with db.writing(database) as connection:
        leases.register(connection, "wrk_alive", [Tier.SIMULATOR], 60)

    assert found(database, settings) == [LIVING]
    assert states(database) == {"a": "pending"}


def test_images_of_jobs_that_the_books_never_heard_of_are_told(
    database: Engine, settings: Settings
) -> None:
    submit(database, settings, "a")
    later = new_id("job")
    store(settings, f"{later}/x_1.png", f"{later}/y_1.png", "holiday/beach.jpg")

    (violation,) = compare(database, settings).found

    assert violation.name == UNKNOWN_JOB
    assert (violation.detail["job"], violation.detail["images"]) == (later, 2)


def test_an_image_of_another_jobs_render_under_the_same_name_holds_nothing(
    database: Engine, settings: Settings
) -> None:
    submit(database, settings, "a", template="shop/{id}.{ext}")
    with db.writing(database) as connection:
        connection.execute(
            update(Render).values(state="cancelled", uri="shop/a.jpg")  # stands for a done one
        )
    store(settings, "shop/a.jpg")
    submit(database, settings, "a", template="shop/{id}.{ext}")

    assert found(database, settings) == []


def test_an_empty_place_is_taken_for_one_that_is_not_mounted(
    database: Engine, settings: Settings
) -> None:
    submit(database, settings, "a")
    with db.writing(database) as connection:
        connection.execute(update(Render).values(state="done", uri="gone.jpg"))

    assert found(database, settings) == [EMPTY]


def test_a_paid_answer_that_the_books_do_not_know_is_set_aside(
    database: Engine, settings: Settings
) -> None:
    spool = settings.home / "spool" / "wrk_gone"
    spool.mkdir(parents=True)
    (spool / "att_unknown").write_bytes(b"image")
    (spool / "att_other.part").write_bytes(b"half")

    assert found(database, settings) == [SPOOLED]
    assert (settings.home / "quarantine" / "att_unknown").read_bytes() == b"image"
    assert found(database, settings) == []
