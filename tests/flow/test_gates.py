"""Images that a gate stops: asked for again, set aside, and paid for as waste."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image
from sqlalchemy import text

from darkroom import Darkroom, db
from darkroom.audit import audit
from darkroom.references.fitting import fitted

Open = Callable[..., Darkroom]
Bill = Callable[[Darkroom], list[dict[str, Any]]]


def drawn(file: Path, shade: int) -> tuple[str, str]:
    """A reference, and the beginnings of its two hashes: as it is, and written anew as JPEG."""
    out = io.BytesIO()
    Image.new("RGB", (48, 48), (shade, 90, 20)).save(out, "PNG")
    file.write_bytes(out.getvalue())
    again = fitted(out.getvalue(), 7_000_000)
    assert again is not None
    plain, jpeg = (hashlib.sha256(data).hexdigest()[:16] for data in (out.getvalue(), again))
    return plain, jpeg


def remedies(room: Darkroom) -> list[tuple[str, int, str, str | None]]:
    """What each attempt said differently: row, number, end, remedy."""
    query = """SELECT r.row_id, a.fence, a.state, a.remedy FROM attempts a
        JOIN renders r ON r.id = a.render_id ORDER BY r.id, a.fence"""
    with db.reading(room.database) as connection:
        return [(*row,) for row in connection.execute(text(query))]


def test_a_blank_image_is_asked_for_once_more_and_paid_twice_in_the_books_too(
    open_room: Open, bill_of: Bill
) -> None:
    room = open_room()
    rows = [
        {"id": "good", "prompt": "a lamp"},
        {"id": "once", "prompt": "a mug [[sim:blank-once]]"},
        {"id": "ever", "prompt": "a cup [[sim:blank]]"},
    ]
    job = room.submit(rows)

    state = job.wait(90)

    found = {one.id: (one.state.value, one.attempts, one.reason) for one in job.results()}
    assert found == {
        "good": ("done", 1, None),
        "once": ("done", 2, None),
        "ever": ("failed", 2, "GATE_BLANK"),
    }
    assert state.spent_nusd == sum(line["cost_nusd"] for line in bill_of(room))
    assert len(bill_of(room)) == 5
    aside = {path.stem for path in (room.settings.home / "quarantine").iterdir()}
    assert len(aside) == 3
    assert audit(room.database, room.settings.home) == []


def test_gates_can_be_switched_off(open_room: Open) -> None:
    room = open_room(gates={"enabled": "false"})

    state = room.submit([{"id": "ever", "prompt": "a cup [[sim:blank]]"}]).wait(90)

    assert state.done == 1


def test_words_instead_of_an_image_are_asked_for_once_more_in_other_words(
    open_room: Open, bill_of: Bill
) -> None:
    room = open_room()
    prompts = ["a lamp [[sim:text-only]]", "a mug [[sim:refuse]]", "a cup"]
    job = room.submit([{"id": f"r{no}", "prompt": said} for no, said in enumerate(prompts)])

    state = job.wait(90)

    asked = {line["prompt_sha256"] for line in bill_of(room)}
    said = hashlib.sha256(
        f"{prompts[0]}\n\nOutput only the final image, without any text beside it.".encode()
    )
    assert (state.done, state.refused, len(bill_of(room))) == (1, 2, 4)
    assert asked == {*(hashlib.sha256(p.encode()).hexdigest() for p in prompts), said.hexdigest()}
    query = "SELECT remedy, COUNT(*) FROM attempts GROUP BY remedy ORDER BY COUNT(*)"
    with db.reading(room.database) as connection:
        found = [tuple(row) for row in connection.execute(text(query))]
    assert found == [("only-image", 1), (None, 3)]
    assert room.plan([{"id": "r0", "prompt": prompts[0]}]).unchanged == 1
    assert audit(room.database, room.settings.home) == []


def test_what_no_reroll_is_wanted_for_is_asked_for_once(open_room: Open, bill_of: Bill) -> None:
    room = open_room(rules={"rerolls": 0})
    job = room.submit([{"id": "ever", "prompt": "a cup [[sim:blank]]"}])

    state = job.wait(90)

    assert (state.failed, len(bill_of(room))) == (1, 1)
    assert job.cost.total.wasted_nusd == state.spent_nusd > 0


def test_references_are_written_anew_where_a_prompt_is_blocked_for_no_named_reason(
    open_room: Open, bill_of: Bill, tmp_path: Path
) -> None:
    room = open_room()
    plain, jpeg = drawn(tmp_path / "a.png", 200)
    files = [str(tmp_path / "a.png")]
    rows: list[dict[str, object]] = [
        {"id": "odd", "prompt": f"a [[sim:bad-reference={plain}]]", "references": files},
        {"id": "bad", "prompt": f"b [[sim:bad-reference={plain},{jpeg}]]", "references": files},
        {"id": "bare", "prompt": "c [[sim:block=OTHER]]"},
        {"id": "unsafe", "prompt": "d [[sim:block=SAFETY]]", "references": files},
    ]
    job = room.submit(rows)

    state = job.wait(90)

    assert remedies(room) == [
        ("odd", 1, "refused", None),
        ("odd", 2, "delivered", "jpeg"),
        ("bad", 1, "refused", None),
        ("bad", 2, "refused", "jpeg"),
        ("bare", 1, "refused", None),
        ("unsafe", 1, "refused", None),
    ]
    assert (state.done, state.refused, len(bill_of(room))) == (1, 3, 6)
    assert state.spent_nusd == sum(line["cost_nusd"] for line in bill_of(room))
    assert room.plan(rows[:1]).unchanged == 1
    assert audit(room.database, room.settings.home) == []


def test_references_are_left_out_one_by_one_where_that_is_wanted(
    open_room: Open, bill_of: Bill, tmp_path: Path
) -> None:
    room = open_room(rules={"reference_remedies": 3})
    bad = ",".join(drawn(tmp_path / "b.png", 10))
    drawn(tmp_path / "a.png", 200)
    files = [str(tmp_path / name) for name in ("a.png", "b.png")]
    job = room.submit(
        [{"id": "x", "prompt": f"a [[sim:bad-reference={bad}]]", "references": files}]
    )

    state = job.wait(90)

    assert [each[1:] for each in remedies(room)] == [
        (1, "refused", None),
        (2, "refused", "jpeg"),
        (3, "refused", "without-1"),
        (4, "delivered", "without-2"),
    ]
    assert [len(line["references"]) for line in bill_of(room)] == [2, 2, 1, 1]
    assert (state.done, job.cost.total.attempts) == (1, 4)
    assert audit(room.database, room.settings.home) == []


def test_images_that_look_alike_are_named_or_stopped(open_room: Open, bill_of: Bill) -> None:
    room = open_room(
        gates={"duplicate": "stop"},
        simulator={"latency": "0.2", "pictures": "drawn"},
        tiers={"simulator": {"concurrency": 1}},  # in the order of the rows
    )
    rows = [
        {"id": "first", "prompt": "a lamp [[sim:same]]"},
        {"id": "once", "prompt": "a mug [[sim:same-once]]"},
        {"id": "ever", "prompt": "a cup [[sim:same]]"},
        {"id": "own", "prompt": "a chair"},
    ]
    job = room.submit(rows, max_cost="5")

    state = job.wait(90)

    aside = list(job.quarantined())
    assert (state.done, state.failed) == (2 + 1, 1)
    assert {each.reason for each in aside} == {"GATE_DUPLICATE"}
    assert all((room.settings.home / "quarantine" / each.attempt_id).is_file() for each in aside)
    assert sum(each.charged_nusd for each in aside) == job.cost.total.wasted_nusd
    assert state.spent_nusd == sum(line["cost_nusd"] for line in bill_of(room))
    assert job.alike() == []
    assert audit(room.database, room.settings.home, deep=True) == []


def test_wrong_pixels_and_malformed_answers_are_asked_for_once_more_and_refusals_never(
    open_room: Open, bill_of: Bill
) -> None:
    room = open_room()
    rows = [
        {"id": "small", "prompt": "a lamp [[sim:wrong-size-once]]"},
        {"id": "ever", "prompt": "a mug [[sim:wrong-size]]"},
        {"id": "broken", "prompt": "a cup [[sim:malformed-once]]"},
        {"id": "unsafe", "prompt": "a fight [[sim:refuse=56562880]]"},
    ]
    job = room.submit(rows, max_cost="5")

    state = job.wait(90)

    found = {one.id: (one.state.value, one.attempts, one.reason) for one in job.results()}
    assert found == {
        "small": ("done", 2, None),
        "ever": ("failed", 2, "WRONG_SIZE"),
        "broken": ("done", 2, None),
        "unsafe": ("refused", 1, "IMAGE_SAFETY"),
    }
    refused = next(one for one in job.results() if one.id == "unsafe")
    assert (refused.message or "").endswith("Support codes: 56562880 (category VIOLENCE)")
    assert [(each.id, each.reason) for each in job.quarantined()].count(("ever", "WRONG_SIZE")) == 2
    assert state.spent_nusd == sum(line["cost_nusd"] for line in bill_of(room))
    assert audit(room.database, room.settings.home) == []
