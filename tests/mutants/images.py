"""Bugs in where images lie."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import Mutant

_SETTLE: Final = "tests/contract/test_settle.py"
_STORAGE: Final = "tests/contract/test_storage.py"
_KILLED: Final = (
    "tests/fault/test_killpoints.py"
    "::test_who_dies_there_loses_nothing_that_had_come_further_than_memory"
)

IMAGES: Final = (
    Mutant(
        name="random-object-name",
        plants="an image gets another name each time it is published",
        file="worker/darkroom_worker/publish.py",
        old="name=expand(place.template, fields, place.labels, picture.extension),",
        new='name=__import__("secrets").token_hex(4)\n'
        "        + expand(place.template, fields, place.labels, picture.extension),",
        red=(
            f"{_SETTLE}::test_what_was_published_before_a_crash_is_booked_after_it[folder-sqlite]",
            f"{_KILLED}[sqlite-P7]",
        ),
    ),
    Mutant(
        name="folder-overwrites",
        plants="a file that has the name already is replaced",
        file="src/darkroom/storage/local.py",
        old="""\
            return _is_ours(parcel, folder, leaf)
        except OSError as error:
""",
        new="""\
            os.unlink(leaf, dir_fd=folder)
            return self._put(parcel, name)
        except OSError as error:
""",
        red=(f"{_STORAGE}::test_what_another_attempt_put_there_is_left_alone[folder-other bytes]",),
    ),
    Mutant(
        name="bucket-overwrites",
        plants="an object is created without the precondition that none is there",
        file="src/darkroom/storage/gcs.py",
        old="                if_generation_match=_ABSENT,\n",
        new="",
        red=(f"{_STORAGE}::test_what_another_attempt_put_there_is_left_alone[bucket-other bytes]",),
    ),
)
