"""Bugs in what is sent, and in who may still say how it ended."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import Mutant

_BOOKS: Final = "tests/contract/test_books.py"
_STEPS: Final = "tests/unit/core/test_steps.py"
_SLOW_ANSWER: Final = (
    "tests/fault/test_workers.py::test_an_answer_slower_than_a_lease_is_not_given_up"
)
_KILLED: Final = (
    "tests/fault/test_killpoints.py"
    "::test_who_dies_there_loses_nothing_that_had_come_further_than_memory"
)
_A_SIZE: Final = (
    "tests/contract/test_fallback.py"
    "::test_of_a_model_of_which_a_size_rests_that_size_alone_goes_on_elsewhere"
)
_NO_BUCKET: Final = (
    "tests/contract/test_staged_files.py"
    "::test_nothing_is_sent_while_the_bucket_of_what_is_too_large_does_not_answer"
)
_ONE_POST: Final = (
    "tests/contract/test_backends.py::test_each_answer_has_its_class_and_costs_exactly_one_post"
)

SENDING: Final = (
    Mutant(
        name="intent-after-the-call",
        plants="the attempt is committed when its request has left already",
        file="worker/darkroom_worker/taker.py",
        old="""\
            if claims:
                reach(Point.RESERVED, claims)

        try:
            db.transact(self._database, reserve)
        except DBAPIError:
""",
        new="""\
            claimed.set()
            if claims:
                threading.Event().wait(0.3)  # the requests leave meanwhile
                reach(Point.RESERVED, claims)

        claimed = threading.Event()
        try:
            threading.Thread(target=db.transact, args=(self._database, reserve)).start()
            claimed.wait()
        except DBAPIError:
""",
        red=(f"{_KILLED}[sqlite-P1]",),
    ),
    Mutant(
        name="lost-is-not-sent",
        plants="what a dead worker had sent counts as not sent",
        file="src/darkroom/jobs/leases.py",
        old="ended=AttemptState.LOST, message=message)",
        new="ended=AttemptState.NOT_SENT, message=message)",
        red=(
            f"{_BOOKS}::test_a_render_that_killed_two_workers_is_held_and_not_given_to_a_third[sqlite]",
            f"{_KILLED}[sqlite-P3]",
        ),
    ),
    Mutant(
        name="no-rule-written-down",
        plants="a lost answer is asked for again, and nothing says who allowed it",
        file="src/darkroom/jobs/steps.py",
        old="losses=1, resend_rule=rules.on_lost.value)",
        new="losses=1)",
        red=(
            f"{_STEPS}::test_a_first_loss_names_the_rule_that_allows_the_re_send",
            f"{_BOOKS}::test_a_lost_answer_is_sent_again_once_and_then_held[sqlite]",
        ),
    ),
    Mutant(
        name="beyond-the-rule",
        plants="a lost answer is asked for again as often as it is lost",
        file="src/darkroom/jobs/steps.py",
        old="if rules.on_lost is OnLost.RETRY_ONCE and tally.losses == 0:",
        new="if rules.on_lost is OnLost.RETRY_ONCE:",
        red=(
            f"{_STEPS}::test_a_second_loss_waits_for_a_person",
            f"{_BOOKS}::test_a_third_attempt_takes_a_persons_word_each_time[sqlite]",
        ),
    ),
    Mutant(
        name="against-the-rule",
        plants="a lost answer is asked for again although the rule is to hold it",
        file="src/darkroom/jobs/steps.py",
        old="if rules.on_lost is OnLost.RETRY_ONCE and tally.losses == 0:",
        new="if tally.losses == 0:",
        red=(f"{_BOOKS}::test_a_lost_answer_is_held_at_once_when_the_rule_says_so[sqlite]",),
    ),
    Mutant(
        name="lease-shorter-than-the-call",
        plants="an attempt is given up after two seconds, whether its worker lives or not",
        file="src/darkroom/jobs/leases.py",
        old="Attempt.state == AttemptState.SENT, Worker.lease_until < now)",
        new="Attempt.state == AttemptState.SENT, Attempt.sent_at < now - timedelta(seconds=2))",
        red=(_SLOW_ANSWER,),
    ),
    Mutant(
        name="heart-too-slow",
        plants="a worker says too seldom that it lives: answers are given up, and adopted later",
        file="worker/darkroom_worker/app.py",
        old="_BEATS_A_LEASE: Final = 4",
        new="_BEATS_A_LEASE: Final = 0.2",
        red=(_SLOW_ANSWER,),
    ),
    Mutant(
        name="sdk-repeats-errors",
        plants="the SDK sends a request again after an error",
        file="worker/darkroom_worker/backends/gemini.py",
        old="types.HttpRetryOptions(attempts=1)",
        new="types.HttpRetryOptions(attempts=2)",
        red=(
            f"{_ONE_POST}[aistudio-a lamp [[sim:500]]]",
            f"{_ONE_POST}[vertex-a lamp [[sim:504]]]",
        ),
    ),
    Mutant(
        name="sdk-repeats-what-was-cut-off",
        plants="the SDK is not told to send once: it sends again when the connection breaks",
        file="worker/darkroom_worker/backends/gemini.py",
        old="        retry_options=_ONCE,\n",
        new="",
        red=(f"{_ONE_POST}[vertex-a lamp [[sim:drop-after]]]",),
    ),
    Mutant(
        name="connections-keep-answers",
        plants="each connection that stays open holds the first answer that it brought",
        file="worker/darkroom_worker/backends/raw.py",
        old="        body, self._body = self._body, None\n",
        new="        body = self._body\n",
        red=("tests/contract/test_seats.py::test_connections_that_stay_open_keep_no_answer",),
    ),
    Mutant(
        name="no-fence",
        plants="a late worker closes an attempt that was given up, over the head of its heir",
        file="src/darkroom/jobs/close.py",
        old="""\
        .where(bulk.among(connection, Attempt.id, ids), Attempt.state == AttemptState.SENT)
        .where(Render.fence == Attempt.fence)
""",
        new="""\
        .where(bulk.among(connection, Attempt.id, ids))
""",
        red=(f"{_BOOKS}::test_a_late_writer_loses_by_its_fence[sqlite]",),
    ),
    Mutant(
        name="a-size-that-rests-moves-its-model",
        plants="where one size of a model rests, all of it goes on elsewhere",
        file="src/darkroom/fallback.py",
        old="and_(rests.concerns(rest.model), _answered(instead, resting))",
        new="and_(_answered(instead, resting))",
        red=(_A_SIZE,),
    ),
    Mutant(
        name="a-request-too-large-for-its-bucket-is-sent",
        plants="images go along that are too large together, when the bucket does not answer",
        file="worker/darkroom_worker/backends/gemini_images.py",
        old="(must_lie or len(data) > INLINE_BYTES)",
        new="len(data) > INLINE_BYTES",
        red=(_NO_BUCKET,),
    ),
)
