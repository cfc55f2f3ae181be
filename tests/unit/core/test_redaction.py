"""What looks like a secret never leaves, and what does not is left alone."""

from __future__ import annotations

import base64
import json

import pytest

from darkroom.redaction import HIDDEN, Redactor

PICTURE = base64.b64encode(bytes(range(256))).decode()


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("key AIzaSyD-1234567890abcdefghijklmnopqrstuv in use", "AIzaSyD"),
        ("Authorization: Bearer ya29.a0AfH6SMBx-1234567890", "a0AfH6"),
        ("authorization: bearer abcdef0123456789", "abcdef0123"),
        ("Proxy-Authorization: Basic dXNlcjpwYXNzd29yZA==", "dXNlcj"),
        ("postgresql+psycopg://user:pa%24s@db/darkroom is away", "pa%24s"),
        ("redis://:letmein99@host:6379/0", "letmein99"),
        ("https://host/v1?alt=json&key=not-a-google-key&x=1", "not-a-google-key"),
        ("https://storage/o?X-Goog-Signature=0a1b2c3d&Expires=1", "0a1b2c3d"),
        ('{"x-goog-api-key": "0123456789"}', "0123456789"),
        (json.dumps(json.dumps({"password": "hunter2hunter2"})), "hunter2"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl", "eyJzdWIi"),
        ("-----BEGIN PRIVATE KEY-----\nMIIEvQIB\n-----END PRIVATE KEY-----", "MIIEvQIB"),
        ("sk-proj-1234567890abcdefghij", "1234567890abc"),
        (f"data {PICTURE} end", PICTURE[100:150]),
    ],
)
def test_a_secret_is_hidden(text: str, secret: str) -> None:
    shown = Redactor()(text)

    assert HIDDEN in shown
    assert secret not in shown


@pytest.mark.parametrize(
    "text",
    [
        "attempt closed",
        "https://generativelanguage.googleapis.com/v1/models/gemini-3-pro-image",
        "redis://broker.internal:6379/0",
        "job_1m85tz09ksx4pv7966 att_1m85tz84am3cwehegw",
        "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "The request was refused: basic rules, bearer of news",
    ],
)
def test_what_is_no_secret_is_left_alone(text: str) -> None:
    assert Redactor()(text) == text


def test_secrets_that_are_told_are_hidden_in_every_form() -> None:
    redact = Redactor(['odd "key" \\ 1', "short"])

    assert redact('it is odd "key" \\ 1') == f"it is {HIDDEN}"
    assert redact(json.dumps({"said": 'odd "key" \\ 1'})) == f'{{"said": "{HIDDEN}"}}'
    assert redact("shortly") == "shortly"
