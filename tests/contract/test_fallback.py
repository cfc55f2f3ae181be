"""Work that goes on elsewhere when its tier rests for long."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select, update

from darkroom import db
from darkroom.fallback import Fallback, Moved
from darkroom.jobs import control, rests
from darkroom.models import Render
from darkroom.price_list import registry_of
from darkroom.registry import Registry
from darkroom.settings import Settings
from darkroom_manifests.tier import Tier

if TYPE_CHECKING:
    from tests.contract.conftest import Books

MODEL = "gemini-nano-banana-2.1"
PRO = "gemini-3-pro-image"
CENT = 10_000_000
LONG = 3_600.0


def fallback(**routing: Any) -> Fallback:
    told = {
        "router": {"fallback": ["aistudio", "vertex"]} | routing,
        "aistudio": {"api_key": "k"},
        "vertex": {"project": "p"},
    }
    return Fallback(Settings.model_validate(told), Registry.load())


def waiting(books: Books, how_many: int = 3, *, reserve: int = 5 * CENT) -> str:
    job_id = books.submit(how_many, tier=Tier.AISTUDIO, reserve=reserve)
    with db.writing(books.database) as connection:
        connection.execute(update(Render).values(model=MODEL))
    return job_id


def rest(
    books: Books, tier: Tier, seconds: float | None = LONG, model: str = "*", why: str = "quota"
) -> None:
    with db.writing(books.database) as connection:
        rests.rest(connection, tier, model, seconds=seconds, reason=why, hint=None)


def look(books: Books, one: Fallback) -> list[Moved]:
    return db.transact(books.database, one.look)


def tiers(books: Books) -> list[str]:
    with db.reading(books.database) as connection:
        return list(connection.scalars(select(Render.tier).order_by(Render.id)))


@pytest.mark.parametrize(("mode", "moved"), [("chat", 2), ("images", 1)])
def test_what_a_proxy_cannot_be_told_stays(books: Books, mode: str, moved: int) -> None:
    told = {
        "router": {"fallback": ["aistudio", "proxy"]},
        "proxy": {"base_url": "https://p", "mode": mode, "prices": {PRO: {"per_call": "0.05"}}},
    }
    settings = Settings.model_validate(told)
    waiting(books)
    requests = [
        '{"prompt":"p"}',
        '{"prompt":"p","seed":7}',
        '{"prompt":"p","references":[{"uri":"gs://b/a.png","mime":"image/png"}]}',
    ]
    with db.writing(books.database) as connection:
        ids = connection.scalars(select(Render.id).order_by(Render.id)).all()
        for render_id, request in zip(ids, requests, strict=True):
            change = update(Render).where(Render.id == render_id)
            connection.execute(change.values(request=request, model=PRO))
    rest(books, Tier.AISTUDIO)

    look(books, Fallback(settings, registry_of(settings)))

    assert tiers(books).count(Tier.PROXY) == moved
    books.assert_in_order()


@pytest.mark.parametrize(("size", "moved"), [(7_000_000, 3), (7_000_001, 0)])
def test_what_is_too_large_to_go_along_stays_where_requests_point_to_it(
    books: Books, size: int, moved: int
) -> None:
    waiting(books)
    image = {"uri": "/a.png", "mime": "image/png", "sha256": "0" * 64, "size": size}
    request = json.dumps({"prompt": "p", "references": [image]})
    with db.writing(books.database) as connection:
        connection.execute(update(Render).values(request=request))
    rest(books, Tier.AISTUDIO)

    look(books, fallback())

    assert tiers(books).count(Tier.VERTEX) == moved
    books.assert_in_order()


@pytest.mark.parametrize("seconds", [LONG, None])
@pytest.mark.parametrize("model", ["*", MODEL])
def test_what_waits_on_a_tier_that_rests_for_long_goes_on_at_the_next(
    books: Books, seconds: float | None, model: str
) -> None:
    job_id = waiting(books)
    rest(books, Tier.AISTUDIO, seconds, model)

    moved = look(books, fallback())

    assert moved == [Moved(job_id, Tier.AISTUDIO, Tier.VERTEX, 3, "quota")]
    assert tiers(books) == ["vertex"] * 3
    assert look(books, fallback()) == []
    books.assert_in_order()


def test_what_is_in_flight_comes_home_first(books: Books) -> None:
    waiting(books)
    books.take(1, tier=Tier.AISTUDIO)
    rest(books, Tier.AISTUDIO)

    look(books, fallback())

    assert tiers(books) == ["aistudio", "vertex", "vertex"]
    books.assert_in_order()


@pytest.mark.parametrize(
    ("seconds", "why"),
    [(30.0, "asked to wait"), (None, rests.PAUSED), (LONG, rests.DAY_SPENT)],
)
def test_short_rests_and_those_that_somebody_wants_move_nothing(
    books: Books, seconds: float | None, why: str
) -> None:
    waiting(books)
    rest(books, Tier.AISTUDIO, seconds, why=why)

    assert look(books, fallback()) == []
    assert tiers(books) == ["aistudio"] * 3


def test_everything_that_is_paused_stays_where_it_is(books: Books) -> None:
    waiting(books)
    with db.writing(books.database) as connection:
        rests.stop_everything(connection)

    assert look(books, fallback()) == []


def test_a_rest_of_another_model_moves_nothing(books: Books) -> None:
    waiting(books)
    rest(books, Tier.AISTUDIO, model="gemini-3-pro-image")

    assert look(books, fallback()) == []


def test_a_job_that_is_paused_stays_where_it_is(books: Books) -> None:
    job_id = waiting(books)
    rest(books, Tier.AISTUDIO)
    with db.writing(books.database) as connection:
        control.pause(connection, job_id)

    assert look(books, fallback()) == []


def test_nothing_comes_back_up_the_chain(books: Books) -> None:
    waiting(books)
    rest(books, Tier.AISTUDIO)
    rest(books, Tier.VERTEX)

    assert look(books, fallback()) == []
    assert look(books, fallback(fallback=["vertex", "aistudio"])) == []


def test_what_is_much_dearer_elsewhere_or_has_no_price_stays(books: Books) -> None:
    waiting(books, 1, reserve=CENT)
    waiting(books, 1, reserve=0)
    rest(books, Tier.AISTUDIO)

    assert look(books, fallback()) == []
    assert [each.renders for each in look(books, fallback(fallback_most_times=100))] == [1]


def test_without_a_chain_work_waits(books: Books) -> None:
    waiting(books)
    rest(books, Tier.AISTUDIO)

    assert look(books, fallback(fallback=[])) == []


def test_a_tier_that_is_not_set_up_is_no_way_out(books: Books) -> None:
    waiting(books)
    rest(books, Tier.AISTUDIO)
    bare = Settings.model_validate({"router": {"fallback": ["vertex", "simulator"]}})

    assert look(books, Fallback(bare, Registry.load())) == []
