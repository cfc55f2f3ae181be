"""Renders that change the picture of another: what they wait for, and what becomes of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest
from sqlalchemy import Connection, select, update
from tests.contract.conftest import PICTURE

from darkroom import Darkroom, Job, db
from darkroom.audit import audit
from darkroom.jobs import edits, load
from darkroom.jobs.claim import Claim
from darkroom.jobs.close import Closing
from darkroom.jobs.late import settle_late
from darkroom.jobs.load import Loaded, NewJob, NewRender
from darkroom.models import AttemptState, Render, RenderState
from darkroom.models import Job as JobRow
from darkroom.request import Request
from darkroom.settings import Settings
from darkroom.storage.parcel import Stored

if TYPE_CHECKING:
    from tests.contract.conftest import Books

CHAIN = [
    {"id": "a", "prompt": "a chair"},
    {"id": "b", "prompt": "in red", "edit_of": "a"},
    {"id": "c", "prompt": "in a room", "edit_of": "b"},
]
PRICE = 100_000_000


@pytest.fixture
def room(database_url: str, tmp_path: Path) -> Iterator[Darkroom]:
    """Money is real for all that Darkroom knows; there is no broker to ring at."""
    vertex = {"project": "p", "access_token": "t"}
    told = {"home": tmp_path, "database_url": database_url, "vertex": vertex}
    told |= {"storage_url": "/place", "budget": {"confirm_above": "100000", "per_day": "none"}}
    with Darkroom(Settings.model_validate(told)) as made:
        yield made
        assert audit(made.database, made.settings.home) == []


def ended(books: Books, state: AttemptState = AttemptState.DELIVERED) -> list[str]:
    """Let a worker end all that is due, once; the prompts that it was given."""
    claims = books.take()
    books.end(claims, state, charge=PRICE if state is AttemptState.DELIVERED else 0)
    return [asked(one).prompt for one in claims]


def asked(claim: Claim) -> Request:
    return msgspec.json.decode(claim.request, type=Request)


def states(job: Job) -> list[str]:
    return [one.state.value for one in job.results()]


def test_a_child_is_claimed_when_its_parent_is_done_and_is_shown_its_image(
    room: Darkroom, books: Books
) -> None:
    job = room.submit(CHAIN)
    assert states(job) == ["pending", "waiting", "waiting"]

    ended(books)
    (claim,) = books.take()

    canvas = asked(claim).canvas
    assert canvas is not None
    assert (canvas.uri, canvas.size, canvas.mime) == (
        "/place/" + Path(canvas.uri).name,
        3,
        "image/png",
    )
    assert states(job) == ["done", "sent", "waiting"]
    books.end([claim], AttemptState.DELIVERED, charge=PRICE)
    assert ended(books) == ["in a room"]
    assert (job.state.done, job.state.waiting, job.state.is_finished) == (3, 0, True)


def test_a_turn_is_given_all_turns_before_it_with_what_the_model_signed(
    room: Darkroom, books: Books
) -> None:
    job = room.submit([{"id": "x", "turns": ["one", "two", "three"]}])
    for turn in ("one", "two"):
        (claim,) = books.take()
        assert asked(claim).prompt == turn
        said = f'[{{"text":"signed {turn}"}}]'
        books.end([claim], AttemptState.DELIVERED, charge=PRICE, signed=said)

    (claim,) = books.take()

    last = asked(claim)
    assert [each.prompt for each in last.history] == ["one", "two"]
    assert [each.signed for each in last.history] == [
        '[{"text":"signed one"}]',
        '[{"text":"signed two"}]',
    ]
    assert last.canvas is None
    books.end([claim], AttemptState.DELIVERED, charge=PRICE)
    assert (job.state.rows, job.state.done) == (1, 3)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([{"id": "a", "prompt": "p", "edit_of": "a"}], "changes its own image"),
        ([{"id": "a", "prompt": "p", "edit_of": "b"}, {"id": "b", "prompt": "q"}], "before this"),
        ([{"id": "a", "prompt": "p", "edit_of": "nobody"}], 'no row "nobody" before this one'),
        (
            [
                {"id": "a", "prompt": "p", "model": "none"},
                {"id": "b", "prompt": "q", "edit_of": "a"},
            ],
            'Row "a", whose image it changes, was left out',
        ),
        (
            [
                {"id": "a", "prompt": "p", "n": 3},
                {"id": "b", "prompt": "q", "n": 2, "edit_of": "a"},
            ],
            'Row "a" has 3 images, and this one asks for 2',
        ),
        ([{"id": "a", "prompt": "p", "turns": ["q"]}], "has a prompt and turns"),
        ([{"id": "a", "turns": ["q"] * 9}], "9 turns are more than 8"),
        ([{"id": "a", "turns": ["q", 7]}], "not a list of prompts"),
    ],
)
def test_rows_that_cannot_be_in_order_are_refused_before_anything_is_sent(
    room: Darkroom, rows: list[dict[str, object]], said: str
) -> None:
    problem = room.plan(rows).problems[-1]

    assert said in problem.message
    assert problem.hint
    assert problem.column in {"edit_of", "turns"}


def test_rows_in_a_circle_are_all_refused(room: Darkroom) -> None:
    circle = [
        {"id": "a", "prompt": "p", "edit_of": "b"},
        {"id": "b", "prompt": "q", "edit_of": "a"},
    ]

    plan = room.plan(circle)

    assert (plan.rows, [problem.code for problem in plan.problems]) == (0, ["edit-of"] * 2)


@pytest.mark.parametrize(
    ("end", "word"), [(AttemptState.REFUSED, "refused"), (AttemptState.INVALID, "failed")]
)
def test_children_fail_with_their_parent_and_are_tried_again_with_it(
    room: Darkroom, books: Books, end: AttemptState, word: str
) -> None:
    job = room.submit(CHAIN)

    ended(books, end)

    assert states(job) == [word, "failed", "failed"]
    assert [one.reason for one in job.results()][1:] == ["parent", "parent"]
    assert job.state.is_finished
    job.retry([RenderState(word)])
    assert states(job) == ["pending", "waiting", "waiting"]
    assert [ended(books) for _ in CHAIN] == [["a chair"], ["in red"], ["in a room"]]


def test_a_child_that_is_tried_again_without_its_parent_fails_again(
    room: Darkroom, books: Books
) -> None:
    job = room.submit(CHAIN)
    ended(books, AttemptState.REFUSED)

    job.retry([RenderState.FAILED])

    assert states(job) == ["refused", "failed", "failed"]


def test_a_parent_of_another_job_is_waited_for_or_there(room: Darkroom, books: Books) -> None:
    first = room.submit(CHAIN[:1])
    second = room.submit(CHAIN[:2])
    assert (states(first), states(second)) == (["pending"], ["pending", "waiting"])

    ended(books)
    third = room.submit(CHAIN)

    assert states(second) == ["done", "pending"]
    assert states(third) == ["done", "pending", "waiting"]
    ended(books)
    assert ended(books) == ["in a room"]
    assert [job.state.is_finished for job in (first, second, third)] == [True] * 3


def test_children_of_a_parent_that_failed_elsewhere_fail_there_too(
    room: Darkroom, books: Books
) -> None:
    room.submit(CHAIN[:1])
    second = room.submit(CHAIN[:2])

    ended(books, AttemptState.INVALID)

    assert states(second) == ["failed", "failed"]
    assert second.state.is_finished


def test_what_changes_an_image_that_was_refused_for_good_fails_at_once(
    room: Darkroom, books: Books
) -> None:
    room.submit(CHAIN[:1])
    ended(books, AttemptState.REFUSED)

    job = room.submit(CHAIN)

    assert states(job) == ["refused", "failed", "failed"]
    assert job.state.is_finished
    assert books.take() == []


def test_approval_cancellation_and_a_cap_count_children_too(room: Darkroom, books: Books) -> None:
    job = room.submit(CHAIN, hold=True)
    assert (job.state.held, job.state.waiting, job.state.needs_approval) == (3, 0, True)
    assert job.approve() == 3
    assert (job.state.pending, job.state.waiting) == (1, 2)

    assert job.cancel() == 3
    assert (job.state.cancelled, job.state.is_finished) == (3, True)
    assert books.take() == []


def test_a_late_image_of_a_parent_lets_its_children_go_on(room: Darkroom, books: Books) -> None:
    job = room.submit(CHAIN[:2])
    (claim,) = books.take()
    books.end([claim], AttemptState.LOST)
    late = Closing(
        attempt_id=claim.attempt_id,
        ended=AttemptState.DELIVERED,
        charged_nusd=PRICE,
        picture=PICTURE,
    )

    db.transact(books.database, lambda c: settle_late(c, late, Stored("late.png", 3)))

    assert states(job) == ["done", "pending"]


def test_a_sweep_finds_children_that_their_parents_did_not_see(
    room: Darkroom, books: Books
) -> None:
    """A job that is brought in while a parent ends sees it as it was."""
    job = room.submit(CHAIN[:2])
    ended(books)
    with db.writing(room.database) as connection:
        unseen = {"state": RenderState.WAITING}
        connection.execute(update(Render).where(Render.row_id == "b").values(unseen))
        connection.execute(update(JobRow).values(pending=0, waiting=1))

    assert db.transact(room.database, edits.sweep) == 1
    assert db.transact(room.database, edits.sweep) == 0

    assert states(job) == ["done", "pending"]


def test_renders_that_give_way_to_those_of_another_job_leave_it_their_children(
    room: Darkroom, books: Books
) -> None:
    """Two jobs at the same moment: the one that opens later finds the other's renders."""
    new = NewJob(name="n", output_path="{id}", storage_url="/place")
    began = db.transact(room.database, lambda c: load.begin(c, new))
    other = room.submit(CHAIN[:2])
    (parent, child) = [(one.fingerprint, one.request) for one in other.results()]
    third = "f" * 32
    rows = [
        render(0, "a", parent[0], parent[1]),
        render(1, "b", child[0], child[1], edits=parent[0]),
        render(2, "c", third, child[1], edits=child[0]),
    ]

    def bring_in(connection: Connection) -> None:
        load.add(connection, began, rows)
        load.finish(connection, began, Loaded(3, 3, 0, 0, 0, edits=2))

    db.transact(room.database, bring_in)

    job = room.job(began)
    assert (states(job), job.state.total) == (["pending", "waiting", "waiting"], 1)
    with db.reading(room.database) as connection:
        query = select(Render.parent_id).where(Render.fingerprint == third)
        theirs = select(Render.id).where(Render.fingerprint == child[0])
        assert connection.scalar(query) == connection.scalar(theirs)
    ended(books)
    ended(books)
    assert states(job) == ["done", "done", "pending"]


def render(
    row_no: int, name: str, fingerprint: str, request: str, edits: str | None = None
) -> NewRender:
    return NewRender(
        row_no=row_no,
        line=row_no + 1,
        row_id=name,
        edits=edits,
        variant=1,
        n=1,
        fingerprint=fingerprint,
        tier="vertex",
        model="gemini-3.1-flash-image",
        request=request,
        labels=None,
        output_path=None,
        rank=0,
        reserve_nusd=10,
        max_cost_nusd=None,
    )


def test_turns_that_rows_share_are_made_once(room: Darkroom, books: Books) -> None:
    rows = [{"id": name, "turns": ["a mug", f"in {name}"]} for name in ("red", "blue")]
    job = room.submit([*rows, {"id": "plain", "prompt": "a mug"}])

    assert (job.state.rows, job.state.total, job.state.shared) == (3, 3, 2)
    assert ended(books) == ["a mug"]
    assert sorted(ended(books)) == ["in blue", "in red"]
    assert [one.id for one in job.results()] == ["red", "blue", "plain"]
    assert [(one.id, one.turn) for one in job.results(turns=True)] == [
        ("red~1", 1),
        ("red", 0),
        ("blue~1", 1),
        ("blue", 0),
        ("plain", 0),
    ]


TWO = {"id": "x", "turns": ["one", "two"]}


@pytest.mark.parametrize(
    ("row", "job", "usual", "told"),
    [
        (None, None, False, ["x"]),
        (True, None, False, ["x~1", "x"]),
        ("yes", False, False, ["x~1", "x"]),
        (False, True, True, ["x"]),
        (None, True, False, ["x~1", "x"]),
        (None, False, True, ["x"]),
        (None, None, True, ["x~1", "x"]),
    ],
)
def test_whether_earlier_turns_are_delivered_is_said_by_the_row_the_job_or_the_settings(
    database_url: str, tmp_path: Path, row: object, job: object, usual: object, told: list[str]
) -> None:
    given = {
        "home": tmp_path,
        "database_url": database_url,
        "output": {"deliver_turns": usual},
        "budget": {"per_day": "none"},
    }
    said = {} if row is None else {"deliver_turns": row}
    with Darkroom(Settings.model_validate(given)) as room:
        made = room.submit([TWO | said], deliver_turns=job if isinstance(job, bool) else None)

        assert [one.id for one in made.results()] == told
        assert [one.id for one in made.results(turns=True)] == ["x~1", "x"]
        with db.reading(room.database) as connection:
            paths = connection.scalars(select(Render.output_path).order_by(Render.id)).all()
    folder = "turns" if len(told) > 1 else ".turns"
    assert paths == [f"{{job}}/{folder}/{{id}}_{{variant}}.{{ext}}", None]


def test_a_later_job_that_wants_earlier_turns_sees_those_that_another_kept(
    room: Darkroom, books: Books
) -> None:
    room.submit([TWO])
    ended(books)
    ended(books)

    again = room.submit([TWO | {"id": "y", "deliver_turns": True}])

    assert (again.state.total, again.state.unchanged) == (0, 2)
    assert [(one.id, one.ok) for one in again.results()] == [("y~1", True), ("y", True)]


@pytest.mark.parametrize("state", [AttemptState.REFUSED, AttemptState.LOST])
def test_an_earlier_turn_that_went_wrong_is_told_whoever_wants_it(
    room: Darkroom, books: Books, state: AttemptState
) -> None:
    job = room.submit([TWO])

    ended(books, state)

    wrong = next(one for one in job.results() if one.turn)
    assert wrong.id == "x~1"
    assert wrong.state is RenderState.REFUSED or wrong.at_risk_nusd > 0


def test_a_stream_leaves_out_earlier_turns_that_nobody_asked_for(
    room: Darkroom, books: Books
) -> None:
    job = room.submit([TWO])
    ended(books)
    ended(books)

    assert [one.id for one in job.stream(timeout=5)] == ["x"]


def test_a_plan_counts_the_time_of_what_must_be_there_before(room: Darkroom) -> None:
    alone, chain = (room.plan(rows).finish_seconds for rows in (CHAIN[:1], CHAIN))
    turns = room.plan([*CHAIN, {"id": "d", "turns": ["one", "two"], "edit_of": "c"}])

    assert alone < chain / 2.5
    assert turns.finish_seconds > chain * 1.5


def test_another_first_image_makes_all_after_it_other_pictures(
    room: Darkroom, books: Books
) -> None:
    room.submit(CHAIN)
    for _ in CHAIN:
        ended(books)

    plan = room.plan([CHAIN[0] | {"prompt": "a stool"}, *CHAIN[1:]])

    assert (plan.renders, plan.unchanged) == (3, 0)


def test_signatures_are_for_the_model_that_gave_them(room: Darkroom, books: Books) -> None:
    room.submit([{"id": "x", "turns": ["one", "two"]}])
    books.end(books.take(), AttemptState.DELIVERED, charge=PRICE, signed='[{"text":"signed"}]')
    with db.writing(room.database) as connection:
        other = {"model": "gemini-3-pro-image"}
        connection.execute(update(Render).where(Render.row_id == "x").values(other))

    (claim,) = books.take()

    assert [each.signed for each in asked(claim).history] == [None]
    books.end([claim], AttemptState.DELIVERED, charge=PRICE)


@pytest.mark.parametrize("step", [1, -1])
def test_a_row_may_not_be_called_as_an_earlier_turn_of_another(room: Darkroom, step: int) -> None:
    rows = [{"id": "mug", "turns": ["one", "two"]}, {"id": "mug~1", "prompt": "p"}]

    (problem,) = room.plan(rows[::step], catalog="shop").problems

    assert (problem.code, problem.column) == ("id-duplicate", "id")
    assert "mug~1" in problem.message


def test_children_without_number_fail_with_one_parent(room: Darkroom, books: Books) -> None:
    many = [{"id": f"c{n}", "prompt": f"in {n}", "edit_of": "a"} for n in range(1_200)]
    job = room.submit([CHAIN[0], *many, {"id": "last", "prompt": "q", "edit_of": "c1199"}])

    ended(books, AttemptState.REFUSED)

    assert (job.state.refused, job.state.failed, job.state.waiting) == (1, 1_201, 0)
    assert job.state.is_finished


def test_an_edit_that_was_rejected_is_made_again_from_the_image_that_is_good(
    room: Darkroom, books: Books
) -> None:
    first = room.submit(CHAIN[:2])
    for _ in CHAIN[:2]:
        ended(books)
    first.reviews.reject("b")

    second = room.submit(CHAIN[:2])

    assert [one.made_by for one in second.results()] == [first.id, None]
    assert ended(books) == ["in red"]


def test_an_edit_is_never_made_of_a_rejected_image_while_a_new_one_is_made(
    room: Darkroom, books: Books
) -> None:
    first = room.submit(CHAIN[:2])
    for _ in CHAIN[:2]:
        ended(books)
    first.reviews.reject(["a", "b"])

    second = room.submit(CHAIN[:2])

    assert states(second) == ["pending", "waiting"]
    assert [ended(books), ended(books)] == [["a chair"], ["in red"]]
