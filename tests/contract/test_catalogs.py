"""Rows that are known by their ids, pictures that are there already, and rows that share one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from darkroom import Darkroom, Job, db
from darkroom.audit import audit
from darkroom.errors import ConfigInvalid, PlanOutdated
from darkroom.jobs import control, load
from darkroom.jobs.load import Loaded, NewJob
from darkroom.models import AttemptState, RenderState
from darkroom.plan import Plan
from darkroom.selection import Select
from darkroom.settings import Settings
from darkroom.share import Change
from darkroom_manifests.tier import Tier

if TYPE_CHECKING:
    from tests.contract.conftest import Books, MakeRenders

SHOP = [{"id": name, "prompt": f"a {name}", "n": 2} for name in ("lamp", "mug", "chair")]
PRICE = 100_000_000


@pytest.fixture
def room(database_url: str, tmp_path: Path) -> Iterator[Darkroom]:
    """Money is real for all that Darkroom knows; there is no broker to ring at."""
    vertex = {"project": "p", "access_token": "t"}
    told = {"home": tmp_path, "database_url": database_url, "vertex": vertex}
    told |= {"budget": {"confirm_above": "100000", "per_day": "none"}}
    with Darkroom(Settings.model_validate(told)) as made:
        yield made
        assert audit(made.database, made.settings.home) == []


def rendered(books: Books, job: Job, ended: AttemptState = AttemptState.DELIVERED) -> Job:
    """Let a worker come and end everything that is to be made."""
    while claims := books.take(tier=Tier.VERTEX):
        charge = PRICE if ended is AttemptState.DELIVERED else 0
        books.end(claims, ended, charge=charge)
    return job


def changes(plan: Plan) -> dict[Change, int]:
    return {delta.change: delta.renders for delta in plan.deltas}


def seen(job: Job) -> list[tuple[str, int, str, bool]]:
    return [(one.id, one.variant, one.state.value, one.made_by is None) for one in job.results()]


def test_a_catalog_tells_what_is_new_changed_unchanged_and_removed(
    room: Darkroom, books: Books
) -> None:
    rendered(books, room.submit(SHOP, catalog="shop"))
    tonight = [SHOP[0], SHOP[1] | {"prompt": "a red mug"}, {"id": "desk", "prompt": "a desk"}]

    plan = room.plan(tonight, catalog="shop")

    assert changes(plan) == {Change.NEW: 1, Change.CHANGED: 2}
    assert (plan.renders, plan.unchanged, plan.removed, plan.removed_ids) == (3, 2, 1, ["chair"])
    assert sum(delta.likely_nusd for delta in plan.deltas) == plan.likely_nusd > 0


def test_without_a_catalog_nobody_knows_what_changed_or_was_removed(
    room: Darkroom, books: Books
) -> None:
    rendered(books, room.submit(SHOP))

    plan = room.plan([SHOP[0] | {"prompt": "a red lamp"}])

    assert (changes(plan), plan.removed) == ({Change.NEW: 2}, None)


def test_unchanged_rows_lead_to_the_pictures_that_are_there_and_cost_nothing(
    room: Darkroom, books: Books
) -> None:
    first = rendered(books, room.submit(SHOP, catalog="shop"))
    tonight = [SHOP[0], SHOP[1] | {"prompt": "a red mug"}, SHOP[2]]

    second = rendered(books, room.submit(tonight, catalog="shop"))

    own = {"lamp": False, "mug": True, "chair": False}
    wanted = [(name, no, "done", is_own) for name, is_own in own.items() for no in (1, 2)]
    found = list(second.results())
    assert seen(second) == wanted
    assert {one.made_by for one in found} == {None, first.id}
    assert all(one.uri and one.sha256 for one in found)
    assert sum(one.charged_nusd for one in found) == 2 * PRICE == second.state.spent_nusd
    assert [one.attempts for one in found] == [0, 0, 1, 1, 0, 0]
    assert (second.state.total, second.state.unchanged, second.state.catalog) == (2, 4, "shop")


def test_a_job_of_which_all_is_there_is_finished_and_has_every_picture(
    room: Darkroom, books: Books
) -> None:
    rendered(books, room.submit(SHOP))

    again = room.submit(SHOP)

    assert again.state.is_finished
    assert [one.id for one in again.stream(timeout=30)] == [one.id for one in again.results()]
    assert len(seen(again)) == 6


def test_a_row_that_failed_is_made_again(room: Darkroom, books: Books) -> None:
    rendered(books, room.submit(SHOP[:1], catalog="shop"), AttemptState.INVALID)

    plan = room.plan(SHOP[:1], catalog="shop")

    assert changes(plan) == {Change.AGAIN: 2}


def test_a_row_that_asks_for_one_picture_more_is_changed(room: Darkroom, books: Books) -> None:
    rendered(books, room.submit(SHOP[:1], catalog="shop"))

    plan = room.plan([SHOP[0] | {"n": 3}], catalog="shop")

    assert (changes(plan), plan.unchanged) == ({Change.CHANGED: 1}, 2)


def test_catalogs_know_nothing_of_each_other_but_share_their_pictures(
    room: Darkroom, books: Books
) -> None:
    rendered(books, room.submit(SHOP, catalog="shop"))
    other = [SHOP[0] | {"prompt": "another lamp"}, SHOP[1]]

    plan = room.plan(other, catalog="outlet")

    assert (changes(plan), plan.unchanged, plan.removed) == ({Change.NEW: 2}, 2, 0)


def test_what_was_removed_is_forgotten_and_new_when_it_comes_back(
    room: Darkroom, books: Books
) -> None:
    rendered(books, room.submit(SHOP, catalog="shop"))
    room.submit(SHOP[:2], catalog="shop")

    plan = room.plan([*SHOP[:2], SHOP[2] | {"prompt": "a green chair"}], catalog="shop")

    assert (changes(plan), plan.removed) == ({Change.NEW: 2}, 0)


@pytest.mark.parametrize("how", ["limit", "unreadable"])
def test_where_not_every_row_was_read_none_counts_as_removed(
    room: Darkroom, books: Books, tmp_path: Path, how: str
) -> None:
    rendered(books, room.submit(SHOP, catalog="shop"))
    path = tmp_path / "tonight.jsonl"
    bad = "" if how == "limit" else "{no json\n"
    path.write_text(f'{{"id": "lamp", "prompt": "a lamp", "n": 2}}\n{bad}', encoding="utf-8")

    plan = room.plan(path, catalog="shop", limit=1 if how == "limit" else None)
    room.submit(plan, accept_valid=True)

    assert plan.removed is None
    assert room.plan(SHOP[:1], catalog="shop").removed == 2


def test_a_job_that_does_not_come_in_leaves_the_catalog_as_it_was(
    room: Darkroom, books: Books, tmp_path: Path
) -> None:
    rendered(books, room.submit(SHOP, catalog="shop"))
    path = tmp_path / "tonight.csv"
    path.write_text("id,prompt,n\nlamp,a red lamp,2\n", encoding="utf-8")
    plan = room.plan(path, catalog="shop")
    path.write_text("id,prompt,n\nlamp,a blue lamp,2\n", encoding="utf-8")

    with pytest.raises(PlanOutdated):
        room.submit(plan)

    assert len(room.jobs()) == 1
    anew = room.plan(SHOP, catalog="shop")
    assert (anew.renders, anew.unchanged, anew.removed) == (0, 6, 0)


def test_rows_that_ask_for_the_same_share_one_picture(room: Darkroom, books: Books) -> None:
    twins = [{"id": name, "prompt": "a lamp"} for name in ("a", "b", "c")]
    plan = room.plan(twins)

    job = rendered(books, room.submit(plan))

    assert (plan.renders, plan.shared) == (1, 2)
    assert seen(job) == [("a", 1, "done", True), ("b", 1, "done", False), ("c", 1, "done", False)]
    assert len({one.uri for one in job.results()}) == 1
    assert (job.state.spent_nusd, job.state.shared) == (PRICE, 2)


def test_twins_far_apart_in_a_long_manifest_find_each_other(room: Darkroom) -> None:
    rows = [{"id": f"r{number}", "prompt": f"lamp {number % 4_500}"} for number in range(9_000)]

    job = room.submit(rows)

    assert (job.state.total, job.state.shared) == (4_500, 4_500)
    assert [one.id for one in job.results()] == [row["id"] for row in rows]


def test_without_sharing_each_row_has_a_picture_of_its_own(room: Darkroom, books: Books) -> None:
    twins = [{"id": name, "prompt": "a lamp"} for name in ("a", "b")]
    rendered(books, room.submit(twins[:1]))

    plan = room.plan([*twins, {"id": "c", "prompt": "a lamp"}], share=False)
    job = rendered(books, room.submit(plan))

    assert (plan.renders, plan.unchanged, plan.shared) == (2, 1, 0)
    assert seen(job) == [("a", 1, "done", False), ("b", 1, "done", True), ("c", 1, "done", True)]


def test_all_makes_what_is_there_anew_and_twins_once(room: Darkroom, books: Books) -> None:
    twins = [{"id": name, "prompt": "a lamp"} for name in ("a", "b")]
    rendered(books, room.submit(twins))

    plan = room.plan(twins, select=Select.ALL)
    job = rendered(books, room.submit(plan))

    assert (plan.renders, plan.shared, plan.unchanged) == (1, 1, 0)
    assert [one.made_by for one in job.results()] == [None, job.id]


@pytest.mark.parametrize("share", [True, False])
def test_of_two_jobs_that_come_in_together_the_later_leads_to_the_earlier_ones_pictures(
    room: Darkroom, books: Books, *, share: bool
) -> None:
    rows = [{"id": name, "prompt": "a lamp"} for name in ("a", "b")]
    more = [{"id": f"r{number}", "prompt": f"mug no. {number}"} for number in range(200)]
    plan = room.plan([*rows, *more], share=share)
    earlier: list[Job] = []

    def tell(_: int) -> None:
        if not earlier:
            earlier.append(room.submit(rows[:1], share=share))

    job = rendered(books, room.submit(plan, tell=tell))

    found = [one for one in job.results() if not one.id.startswith("r")]
    owners = [one.made_by for one in found]
    assert owners == ([earlier[0].id, earlier[0].id] if share else [earlier[0].id, None])
    assert [one.state for one in found] == [RenderState.DONE] * 2


def test_a_picture_that_is_cancelled_elsewhere_is_told_and_made_when_it_is_asked_for_again(
    room: Darkroom,
) -> None:
    first = room.submit(SHOP[:1])
    second = room.submit(SHOP[:1])
    with db.writing(room.database) as connection:
        control.cancel(connection, first.id)

    assert {one.state for one in second.results()} == {RenderState.CANCELLED}
    assert room.plan(SHOP[:1]).renders == 2


def test_what_is_refused_is_linked_with_its_reason(room: Darkroom, books: Books) -> None:
    rendered(books, room.submit(SHOP[:1]), AttemptState.REFUSED)

    job = room.submit(SHOP[:1])

    assert {(one.state, one.ok) for one in job.results()} == {(RenderState.REFUSED, False)}


@pytest.mark.parametrize("name", ["", "Shop", "a shop", "-a", "x" * 65, "../shop"])
def test_a_catalogs_name_is_short_and_plain(room: Darkroom, name: str) -> None:
    with pytest.raises(ConfigInvalid, match="is no name of a catalog"):
        room.plan(SHOP, catalog=name)


def test_an_image_that_was_rejected_is_made_and_paid_again_and_no_other(
    room: Darkroom, books: Books
) -> None:
    first = rendered(books, room.submit(SHOP, catalog="shop"))
    first.reviews.reject("mug", variant=2)
    first.reviews.approve("lamp")

    plan = room.plan(SHOP, catalog="shop")
    second = rendered(books, room.submit(plan))

    assert (changes(plan), plan.unchanged) == ({Change.REJECTED: 1}, 5)
    assert [(one.id, one.variant) for one in second.results() if one.made_by is None] == [
        ("mug", 2)
    ]
    assert second.state.spent_nusd == PRICE
    assert [one.review for one in second.results()] == ["approved", "approved", *[None] * 4]


def test_the_new_image_of_a_rejected_one_is_not_made_once_more(
    room: Darkroom, books: Books
) -> None:
    rendered(books, room.submit(SHOP, catalog="shop")).reviews.reject("mug")
    second = rendered(books, room.submit(SHOP, catalog="shop"))

    third = room.submit(SHOP, catalog="shop")

    assert third.state.is_finished
    mugs = [one.made_by for one in third.results() if one.id == "mug"]
    assert mugs == [second.id] * 2


@pytest.mark.parametrize("share", [True, False])
def test_without_a_catalog_a_rejected_image_is_made_again_too(
    room: Darkroom, books: Books, *, share: bool
) -> None:
    rendered(books, room.submit(SHOP)).reviews.reject("mug")

    plan = room.plan(SHOP, share=share)

    assert changes(plan) == {Change.REJECTED: 2}


def test_a_rejection_that_is_taken_back_costs_nothing(room: Darkroom, books: Books) -> None:
    job = rendered(books, room.submit(SHOP))
    job.reviews.reject("mug")
    job.reviews.undo("mug")

    assert room.plan(SHOP).renders == 0


@pytest.mark.parametrize(
    ("select", "renders"), [(Select.MISSING, 2), (Select.CHANGED, 2), (Select.FAILED, 0)]
)
def test_a_rejected_image_counts_as_changed_and_not_as_failed(
    room: Darkroom, books: Books, select: Select, renders: int
) -> None:
    rendered(books, room.submit(SHOP[:1]), AttemptState.INVALID)
    rendered(books, room.submit(SHOP[:1])).reviews.reject("lamp")

    assert room.plan(SHOP[:1], select=select).renders == renders


def test_what_failed_after_a_rejection_is_not_tried_every_night(
    room: Darkroom, books: Books
) -> None:
    rendered(books, room.submit(SHOP[:1])).reviews.reject("lamp")
    rendered(books, room.submit(SHOP[:1]), AttemptState.INVALID)

    plans = [room.plan(SHOP[:1], select=select) for select in (Select.CHANGED, Select.FAILED)]

    assert [plan.renders for plan in plans] == [0, 2]


def test_a_job_that_comes_in_beside_another_does_not_give_way_to_a_rejected_image(
    room: Darkroom, books: Books, make_renders: MakeRenders
) -> None:
    job = NewJob(name="j", output_path="{job}/{id}.{ext}", storage_url="out")
    with db.writing(room.database) as connection:
        later, first = load.begin(connection, job), load.begin(connection, job)
        load.add(connection, first, make_renders(["good", "bad"]))
        load.finish(connection, first, Loaded(2, 2, 0, 0, 0))
    rendered(books, room.job(first)).reviews.reject("r1")

    with db.writing(room.database) as connection:
        load.add(connection, later, make_renders(["good", "bad"]))
        load.finish(connection, later, Loaded(2, 2, 0, 0, 0))

    assert seen(room.job(later)) == [("r0", 1, "done", False), ("r1", 1, "pending", True)]
    rendered(books, room.job(later))
