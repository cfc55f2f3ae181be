"""When a file counts as whole."""

from __future__ import annotations

from darkroom.inbox.place import Seen
from darkroom.inbox.settling import Settling

SECONDS = 10.0


def settled(settling: Settling, now: float, *seen: Seen) -> list[str]:
    return [one.name for one in settling.settled(seen, now)]


def ended(_: Seen) -> bool:
    return True


def test_a_file_settles_while_nothing_is_written_to_it() -> None:
    settling = Settling(SECONDS, ended)

    assert settled(settling, 0, Seen("a", "1")) == []
    assert settled(settling, 9, Seen("a", "2")) == []
    assert settled(settling, 18, Seen("a", "2")) == []
    assert settling.due == 19
    assert settled(settling, 19, Seen("a", "2")) == ["a"]


def test_a_file_that_went_and_came_begins_anew() -> None:
    settling = Settling(SECONDS, ended)
    settled(settling, 0, Seen("a", "1"))
    settled(settling, 5)

    assert settled(settling, 11, Seen("a", "1")) == []


def test_a_file_without_a_lines_end_waits_three_times_as_long() -> None:
    settling = Settling(SECONDS, lambda _: False)
    settled(settling, 0, Seen("a", "1"))

    assert settled(settling, 29, Seen("a", "1")) == []
    assert settling.due == 30
    assert settled(settling, 30, Seen("a", "1")) == ["a"]


def test_a_file_that_its_writer_calls_whole_is_not_waited_for() -> None:
    settling = Settling(SECONDS, ended)

    assert settled(settling, 0, Seen("a", "1", is_whole=True), Seen("b", "1")) == ["a"]


def test_files_that_nobody_asked_about_yet_go_on_settling() -> None:
    settling = Settling(SECONDS, ended)
    both = (Seen("a", "1"), Seen("b", "1"))
    settled(settling, 0, *both)

    assert next(settling.settled(both, 10)).name == "a"
    assert settled(settling, 11, *both) == ["a", "b"]
