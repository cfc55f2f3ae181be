"""Signatures as Standard Webhooks publishes them, and what an answer means."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook as Signer
from tests.fleet.receiver import SECRET, Receiver

from darkroom.event import Event, EventName, decode, encode
from darkroom.models import DeliveryState
from darkroom.notices.webhook import Webhook, fault_of
from darkroom.safe_fetch import SafeFetcher

EVENT = Event(
    id="ntc_1",
    type=EventName.JOB_FINISHED,
    timestamp=datetime(2026, 11, 26, 19, tzinfo=UTC),
    data={"job": {"id": "job_1", "name": "Glühwürmchen ✨"}},
)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


def webhook(receiver: Receiver) -> Webhook:
    return Webhook(receiver.url, SECRET, SafeFetcher(["127.0.0.1"]), 20)


def test_the_published_example_is_signed_as_published() -> None:
    signed = Signer("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").sign(
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        datetime.fromtimestamp(1_614_265_330, UTC),
        '{"test": 2432232314}',
    )

    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_what_is_posted_is_the_body_with_a_signature_that_holds(receiver: Receiver) -> None:
    verdict = webhook(receiver).tell(EVENT, encode(EVENT))

    (one,) = receiver.received
    assert (verdict.state, verdict.said) == (DeliveryState.SENT, "answered 204")
    assert one.id == EVENT.id
    assert one.headers["content-type"] == "application/json"
    assert one.verified() == {
        "type": "job.finished",
        "timestamp": "2026-11-26T19:00:00Z",
        "data": EVENT.data,
    }
    assert decode(EVENT.id, one.body.decode()) == EVENT


@pytest.mark.parametrize(
    ("status", "state"),
    [
        (200, DeliveryState.SENT),
        (302, DeliveryState.PENDING),
        (400, DeliveryState.PENDING),
        (410, DeliveryState.GIVEN_UP),
        (500, DeliveryState.PENDING),
    ],
)
def test_only_a_good_answer_is_one_and_gone_is_for_good(
    receiver: Receiver, status: int, state: DeliveryState
) -> None:
    receiver.status = status

    verdict = webhook(receiver).tell(EVENT, encode(EVENT))

    assert verdict.state is state
    assert str(verdict.said).startswith(f"answered {status}")
    assert len(receiver.received) == 1


@pytest.mark.parametrize(
    "secret", ["", "whsec_", "whsec_%%%%%", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]
)
def test_a_secret_that_is_none_is_a_fault(secret: str) -> None:
    assert "whsec_" in str(fault_of(secret))
    assert fault_of(SECRET) is None
