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


def fallback(given: dict[str, Any] | None = None, **routing: Any) -> Fallback:
    told = {
        "router": {"fallback": ["aistudio", "vertex"]} | routing,
        "aistudio": {"api_key": "k"},
        "vertex": {"project": "p"},
        **(given or {}),
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


def sized(books: Books, *sizes: str | None) -> None:
    """Let renders ask for sizes, in their order; a prompt that speaks of one asks for none."""
    with db.writing(books.database) as connection:
        ids = connection.scalars(select(Render.id).order_by(Render.id)).all()
        for render_id, size in zip(ids, sizes, strict=True):
            prompt = '"image_size":"4K"'
            request = {"prompt": prompt} | ({} if size is None else {"image_size": size})
            text = json.dumps(request, separators=(",", ":"))
            connection.execute(update(Render).where(Render.id == render_id).values(request=text))


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
        '{"prompt":"p","labels":[["season","ss27"]]}',
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


@pytest.mark.parametrize(
    ("size", "staging", "moved"),
    [(7_000_000, None, 3), (7_000_001, None, 0), (30_000_000, "gs://stage/desk", 3)],
)
def test_what_is_too_large_to_go_along_stays_where_requests_point_to_it(
    books: Books, size: int, staging: str | None, moved: int
) -> None:
    waiting(books)
    image = {"uri": "/a.png", "mime": "image/png", "sha256": "0" * 64, "size": size}
    request = json.dumps({"prompt": "p", "references": [image]})
    with db.writing(books.database) as connection:
        connection.execute(update(Render).values(request=request))
    rest(books, Tier.AISTUDIO)

    look(books, fallback({"staging_url": staging}))

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


@pytest.mark.parametrize(("must", "moved"), [("true", 0), ("false", 3)])
def test_what_must_be_labelled_stays_where_bills_have_labels(
    books: Books, must: str, moved: int
) -> None:
    waiting(books, reserve=50 * CENT)
    with db.writing(books.database) as connection:
        request = f'{{"prompt":"p","labels":[["team","shop"]],"must_label":{must}}}'
        connection.execute(update(Render).values(tier=Tier.VERTEX.value, request=request))
    rest(books, Tier.VERTEX)

    look(books, fallback(fallback=["vertex", "aistudio"]))

    assert tiers(books).count(Tier.AISTUDIO) == moved


def test_of_a_model_of_which_a_size_rests_that_size_alone_goes_on_elsewhere(books: Books) -> None:
    job_id = waiting(books, reserve=50 * CENT)
    sized(books, "4K", "1K", None)
    rest(books, Tier.AISTUDIO, model=f"{MODEL} 4K")

    moved = look(books, fallback())

    assert moved == [Moved(job_id, Tier.AISTUDIO, Tier.VERTEX, 1, "quota")]
    assert tiers(books) == ["vertex", "aistudio", "aistudio"]
    assert look(books, fallback()) == []
    books.assert_in_order()


def test_a_size_of_another_model_or_that_nobody_asks_for_moves_nothing(books: Books) -> None:
    waiting(books)
    sized(books, "4K", "1K", None)
    rest(books, Tier.AISTUDIO, model=f"{PRO} 4K")
    rest(books, Tier.AISTUDIO, model=f"{MODEL} 2K")

    assert look(books, fallback()) == []


def test_a_size_that_is_much_dearer_elsewhere_stays(books: Books) -> None:
    waiting(books, 1, reserve=CENT)
    sized(books, "4K")
    rest(books, Tier.AISTUDIO, model=f"{MODEL} 4K")

    assert look(books, fallback()) == []
    assert [each.renders for each in look(books, fallback(fallback_most_times=100))] == [1]


@pytest.mark.parametrize(
    ("resting", "there", "moved"),
    [
        ("*", f"{MODEL} 4K", [False, True, True]),
        (MODEL, f"{MODEL} 4K", [False, True, True]),
        (f"{MODEL} 4K", f"{MODEL} 4K", [False, False, False]),
        ("*", MODEL, [False, False, False]),
        (f"{MODEL} 4K", f"{MODEL} 1K", [True, False, False]),
        ("*", f"{PRO} 4K", [True, True, True]),
    ],
)
def test_what_rests_at_the_next_of_the_chain_too_is_not_moved_there(
    books: Books, resting: str, there: str, moved: list[bool]
) -> None:
    waiting(books, reserve=50 * CENT)
    sized(books, "4K", "1K", None)
    rest(books, Tier.AISTUDIO, model=resting)
    rest(books, Tier.VERTEX, model=there)

    look(books, fallback())

    assert [tier == Tier.VERTEX for tier in tiers(books)] == moved
    books.assert_in_order()


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
