"""The simulator as a process: flags, quota, ledger file, start and end."""

from __future__ import annotations

import contextlib
import gzip
import json
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from darkroom_simulator.child import running

COMMAND = [sys.executable, "-m", "darkroom_simulator"]
PREVIEW = "gemini-3-pro-image-preview"


def render(
    url: str, prompt: str = "a mug", key: str = "k", model: str = "gemini-3.1-flash-image"
) -> urllib.request.Request:
    payload = json.dumps({"contents": [{"parts": [{"text": prompt}]}]}).encode()
    return urllib.request.Request(  # noqa: S310 - loopback
        f"{url}/v1beta/models/{model}:generateContent", payload, {"x-goog-api-key": key}
    )


def ledger(url: str, path: str = "") -> urllib.request.Request:
    return urllib.request.Request(f"{url}/_sim/ledger{path}")  # noqa: S310 - loopback


def send(request: urllib.request.Request) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310 - loopback
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def test_a_quota_lets_no_request_more_in_and_names_the_wait() -> None:
    with running("--quota-rpm", "3", "--pictures", "cached") as ready:
        answers = [send(render(ready.url)) for _ in range(4)]
        summary = json.loads(send(ledger(ready.url))[1])

    details: list[dict[str, Any]] = json.loads(answers[3][1])["error"]["details"]
    assert [status for status, _ in answers] == [200, 200, 200, 429]
    assert details[0]["violations"][0]["quotaValue"] == "3"
    assert 50 < float(details[1]["retryDelay"].rstrip("s")) <= 60
    assert summary["outcomes"] == {"image": 3, "over-quota": 1}


def test_the_judge_tells_what_a_quota_let_in_and_refused() -> None:
    with running("--quota-rpm", "3", "--pictures", "cached") as ready:
        for _ in range(5):
            send(render(ready.url))
        address = urllib.request.Request(f"{ready.url}/_sim/quota")  # noqa: S310 - loopback
        report = json.loads(send(address)[1])["aistudio"]

    assert (report["per_minute"], report["let_in"], report["refused"]) == (3, 3, 2)
    assert report["use"] == {"10": None, "60": None}


def test_only_the_keys_named_are_taken() -> None:
    with running("--api-key", "one", "--api-key", "two") as ready:
        answers = [send(render(ready.url, key=key)) for key in ("one", "two", "three")]

    assert [status for status, _ in answers] == [200, 200, 400]
    assert json.loads(answers[2][1])["error"]["details"][0]["reason"] == "API_KEY_INVALID"


def test_a_retired_model_is_gone_only_where_retirement_is_strict() -> None:
    with running() as ready:
        kept = send(render(ready.url, model=PREVIEW))[0]
    with running("--strict-retirement") as ready:
        gone = send(render(ready.url, model=PREVIEW))[0]

    assert (kept, gone) == (200, 404)


def test_cached_pictures_are_at_least_as_long_as_asked() -> None:
    with running("--pictures", "cached", "--body-bytes", "700000") as ready:
        first, second = (send(render(ready.url, prompt))[1] for prompt in ("one", "two"))

    pictures = [json.loads(body)["candidates"][0]["content"]["parts"] for body in (first, second)]
    assert len(pictures[0][1]["inlineData"]["data"]) > 700_000 * 4 / 3
    assert pictures[0][1]["inlineData"] == pictures[1][1]["inlineData"]


def test_one_format_can_be_had_from_every_model() -> None:
    with running("--format", "png") as ready:
        parts = json.loads(send(render(ready.url))[1])["candidates"][0]["content"]["parts"]

    assert parts[1]["inlineData"]["mimeType"] == "image/png"
    assert parts[1]["inlineData"]["data"].startswith("iVBORw0KGgo")


def test_gzip_is_used_only_when_it_is_switched_on_and_accepted() -> None:
    with running("--gzip") as ready:
        plain = send(render(ready.url))[1]
        request = render(ready.url)
        request.add_header("Accept-Encoding", "gzip")
        packed = send(request)[1]

    assert json.loads(plain)["candidates"]
    assert json.loads(gzip.decompress(packed))["candidates"]


def test_the_ledger_file_holds_a_line_for_every_request(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    with running("--ledger", str(path)) as ready:
        send(render(ready.url))
        send(render(ready.url, "[[sim:503]]"))
        served = send(ledger(ready.url, "/lines"))[1]

    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(line["seq"], line["outcome"], line["billed"]) for line in lines] == [
        (1, "image", True),
        (2, "503", False),
    ]
    assert path.read_bytes() == served


def test_term_ends_it_cleanly_after_one_line_of_talk(tmp_path: Path) -> None:
    ready = tmp_path / "ready.json"
    with subprocess.Popen(
        [*COMMAND, "--ready-file", ready], stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        line = process.stderr.readline()
        announced = json.loads(ready.read_bytes())
        process.terminate()
        rest = process.stderr.read()

    assert line == f"simulator: listening on {announced['url']}\n"
    assert announced["pid"] == process.pid
    assert (process.returncode, rest) == (0, "")


def test_a_client_that_leaves_is_billed_without_a_word(tmp_path: Path) -> None:
    path = tmp_path / "ready.json"
    with subprocess.Popen(
        [*COMMAND, "--ready-file", path], stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        process.stderr.readline()
        url = json.loads(path.read_bytes())["url"]
        with contextlib.suppress(TimeoutError):
            urllib.request.urlopen(render(url, "[[sim:slow=0.3]]"), timeout=0.1)  # noqa: S310 - loopback
        summary = {"billed": 0, "in_flight": 0}
        while not summary["billed"] or summary["in_flight"]:
            summary = json.loads(send(ledger(url))[1])
        process.terminate()
        rest = process.stderr.read()

    assert (summary["billed"], rest) == (1, "")


def test_it_ends_with_the_process_that_it_serves() -> None:
    with (
        subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as parent,
        subprocess.Popen([*COMMAND, "--parent-pid", str(parent.pid)]) as process,
    ):
        parent.communicate(b"\n")

        assert process.wait(timeout=30) == 0


@pytest.mark.parametrize(
    "flags",
    [("--host", "0.0.0.0"), ("--latency", "2-1"), ("--latency", "nan"), ("--batch-speed", "0")],  # noqa: S104 - refused
)
def test_a_flag_that_makes_no_sense_is_refused(flags: tuple[str, str]) -> None:
    done = subprocess.run([*COMMAND, *flags], capture_output=True, text=True, check=False)

    assert done.returncode == 2
    assert flags[0] in done.stderr


def test_a_ledger_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    done = subprocess.run(
        [*COMMAND, "--ledger", tmp_path], capture_output=True, text=True, check=False
    )

    assert done.returncode == 1
    assert done.stderr == f"simulator: [Errno 21] Is a directory: '{tmp_path}'\n"


def test_a_scenario_with_an_unknown_fault_is_refused(tmp_path: Path) -> None:
    rules = tmp_path / "scenario.toml"
    rules.write_text('[[rule]]\nfault = "fire"\n')

    done = subprocess.run(
        [*COMMAND, "--scenario", rules], capture_output=True, text=True, check=False
    )

    assert done.returncode == 2
    assert "no fault is called 'fire'" in done.stderr
    assert "Traceback" not in done.stderr
