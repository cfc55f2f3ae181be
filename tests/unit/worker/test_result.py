from __future__ import annotations

import json

import pybase64
import pytest

from darkroom.models import AttemptState
from darkroom_worker.backends.asking import fingerprint
from darkroom_worker.backends.batch import Unreadable
from darkroom_worker.backends.result import LABEL, read_result

IMAGE = bytes(range(256)) * 3
REQUEST: dict[str, object] = {
    "contents": [{"role": "user", "parts": [{"text": "a lamp"}]}],
    "generationConfig": {"responseModalities": ["IMAGE"]},
}


def response(*pictures: bytes, reason: str = "STOP") -> dict[str, object]:
    parts = [
        {"inlineData": {"mimeType": "image/png", "data": pybase64.b64encode(each).decode()}}
        for each in pictures
    ]
    candidate = {"content": {"parts": parts}, "finishReason": reason}
    usage = {"promptTokenCount": 3, "candidatesTokenCount": 1120, "trafficType": "ON_DEMAND"}
    return {"candidates": [candidate], "usageMetadata": usage}


def studio(**said: object) -> bytes:
    return json.dumps({"key": "att_1", **said}).encode()


def vertex(**said: object) -> bytes:
    request = {**REQUEST, "labels": {LABEL: "att_1"}}
    line = {"status": "", "processed_time": "2026-12-01T10:00:00Z", "request": request}
    return json.dumps({**line, "response": {}, **said}).encode()


@pytest.mark.parametrize(
    "line", [studio(response=response(IMAGE)), vertex(response=response(IMAGE))]
)
def test_a_picture_is_read_with_whose_it_says_it_is(line: bytes) -> None:
    result = read_result(line)

    assert (result.attempt_id, result.outcome.ended) == ("att_1", AttemptState.DELIVERED)
    assert result.outcome.image == IMAGE
    assert result.outcome.usage is not None


def test_a_byte_that_is_no_text_spoils_a_word_and_not_the_picture() -> None:
    line = studio(note="cafe!", response=response(IMAGE)).replace(b"cafe!", b"caf\xe9")
    said = vertex(status="cafe!").replace(b"cafe!", b"caf\xe9")

    assert read_result(line).outcome.image == IMAGE
    assert read_result(said).outcome.ended is AttemptState.TRANSIENT


def test_of_two_pictures_the_last_is_the_result() -> None:
    assert read_result(studio(response=response(b"draft!", IMAGE))).outcome.image == IMAGE


def test_a_line_is_charged_as_a_batch_whatever_level_its_usage_names() -> None:
    assert read_result(vertex(response=response(IMAGE))).outcome.level is None


def test_only_vertex_echoes_what_was_asked() -> None:
    assert read_result(studio(response=response(IMAGE))).asked is None
    assert read_result(vertex(response=response(IMAGE))).asked == fingerprint(REQUEST)


@pytest.mark.parametrize("labels", [None, {}, [], {"other": "x"}, {LABEL: ""}])
def test_without_its_label_a_line_does_not_say_whose_it_is(labels: object) -> None:
    line = vertex(request={**REQUEST, "labels": labels}, response=response(IMAGE))

    assert read_result(line).attempt_id is None


def said(code: int) -> str:
    return f'Oh: {{"error": {{"code": {code}, "message": "m"}}}}'


FAILED = [
    (studio(error={"code": 3, "message": "m"}), AttemptState.INVALID, None),
    (studio(error={"code": 5, "message": "m"}), AttemptState.INVALID, None),
    (studio(error={"code": 7, "message": "m"}), AttemptState.INVALID, None),
    (studio(error={"code": 8, "message": "m"}), AttemptState.BUSY, None),
    (studio(error={"code": 14, "message": "m"}), AttemptState.BUSY, None),
    (studio(error={"code": 1, "message": "m"}), AttemptState.NOT_SENT, None),
    (studio(error={"code": 13, "message": "m"}), AttemptState.TRANSIENT, None),
    (studio(error={"code": 4, "message": "m"}), AttemptState.TRANSIENT, None),
    (studio(error={}), AttemptState.TRANSIENT, None),
    (studio(error={"code": 503, "message": "m"}), AttemptState.BUSY, 503),
    (vertex(status=said(400)), AttemptState.INVALID, 400),
    (vertex(status=said(403)), AttemptState.INVALID, 403),
    (vertex(status=said(429)), AttemptState.BUSY, 429),
    (vertex(status=said(500)), AttemptState.TRANSIENT, 500),
    (vertex(status="Something went wrong"), AttemptState.TRANSIENT, None),
    (vertex(status="Bad Request: {half"), AttemptState.TRANSIENT, None),
    (vertex(status="Bad Request: {half}"), AttemptState.TRANSIENT, None),
]


@pytest.mark.parametrize(("line", "ended", "status"), FAILED, ids=range(len(FAILED)))
def test_a_line_that_failed_ends_by_its_code_and_says_why(
    line: bytes, ended: AttemptState, status: int | None
) -> None:
    result = read_result(line)

    assert (result.attempt_id, result.outcome.ended) == ("att_1", ended)
    assert result.outcome.http_status == status
    assert result.outcome.message


def test_a_refusal_is_a_line_that_was_worked() -> None:
    outcome = read_result(studio(response=response(reason="IMAGE_SAFETY"))).outcome

    assert (outcome.ended, outcome.finish_reason) == (AttemptState.REFUSED, "IMAGE_SAFETY")
    assert outcome.usage is not None


WHOLE = vertex(response=response(IMAGE))
GARBAGE = [
    b"",
    b"{}",
    b"[]",
    b"null",
    b"<html>",
    b"\xff\xfe",
    b'{"key": 7, "response": {}}',
    b'{"key": "att_1"}',
    b'{"request": [], "response": {}}',
    WHOLE[: len(WHOLE) // 2],
    WHOLE[:-1],
    WHOLE[1:],
    WHOLE + WHOLE,
]


@pytest.mark.parametrize("line", GARBAGE, ids=range(len(GARBAGE)))
def test_what_google_would_not_write_is_unreadable(line: bytes) -> None:
    with pytest.raises(Unreadable):
        read_result(line)


def test_every_beginning_of_a_line_is_unreadable_and_none_is_a_defect() -> None:
    line = vertex(response=response(b"tiny"))

    for end in range(len(line)):
        with pytest.raises(Unreadable):
            read_result(line[:end])
