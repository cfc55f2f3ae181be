"""Mishaps around the simulator's batches: creation, looking, downloads; and the rules for them."""

from __future__ import annotations

import http.client
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.genai import types
from tests.contract.test_simulator_batch_faults import (
    EVERY,
    LINES,
    MAKERS,
    Make,
    keys,
    places,
    play,
    read,
    state,
    studio,
)
from tests.contract.test_simulator_batches import JOBS, PRO, Google, line, simulated

from darkroom_simulator.child import running


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Google]:
    with simulated(tmp_path_factory.mktemp("buckets")) as google:
        yield google


@pytest.fixture
def google(process: Google) -> Google:
    process.ask("PUT", "/_sim/batches/rules", b"[]")
    assert process.ask("POST", "/_sim/reset")[0] == 204
    return process


@MAKERS
def test_a_download_fails_breaks_off_or_is_torn_down(google: Google, make: Make) -> None:
    name = make(google)
    [place] = places(google, name)
    whole = read(google, place)
    play(
        google,
        {"fault": "download-503", "times": 1},
        {"fault": "download-reset", "times": 2},
        {"fault": "download-truncated", "times": 1},
    )

    assert google.ask("GET", place)[0] == 503
    for _ in range(2):
        with pytest.raises(ConnectionResetError):
            read(google, place)
    with pytest.raises(http.client.IncompleteRead) as broken:
        read(google, place)
    come = len(broken.value.partial)
    assert come == len(whole) // 2
    assert broken.value.partial + read(google, place, Range=f"bytes={come}-") == whole


@MAKERS
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_connection_is_reset_before_or_after_a_job_is_made(
    google: Google, make: Make, when: str
) -> None:
    play(google, {"fault": f"create-reset-{when}", "times": 1})
    with pytest.raises(Exception, match="reset"):
        make(google)

    assert len(google.ask("GET", "/_sim/batches")[1]["jobs"]) == (when == "after")


def test_a_job_is_made_though_the_answer_says_503(google: Google) -> None:
    play(google, {"fault": "create-503-after"})
    body = {"batch": {"displayName": "d", "inputConfig": {"fileName": google.upload(line("a"))}}}

    assert google.ask("POST", f"/v1/models/{PRO}:batchGenerateContent", body)[0] == 503
    assert google.ask("GET", "/_sim/batches")[1]["creates"] == {"d": 1}


def test_a_job_is_made_though_the_answer_comes_too_late(google: Google) -> None:
    play(google, {"fault": "create-timeout-after", "seconds": 1})
    impatient = types.CreateBatchJobConfig(http_options=types.HttpOptions(timeout=200))
    with pytest.raises(Exception, match="timed out"):
        google.studio.batches.create(model=PRO, src=google.upload(line("a")), config=impatient)

    assert len(google.ask("GET", "/_sim/batches")[1]["jobs"]) == 1


@MAKERS
def test_a_job_is_told_of_later(google: Google, make: Make) -> None:
    play(google, {"fault": "create-late", "seconds": 30})
    name = make(google, run=False)
    place = "/v1/batches" if make is studio else JOBS

    assert google.ask("GET", f"/v1/{name}")[0] == 404
    assert google.ask("GET", place)[1] == {}
    google.advance(31)
    assert state(google, name) == "RUNNING"
    assert name in json.dumps(google.ask("GET", place)[1])


@MAKERS
def test_a_job_vanishes_while_it_is_worked_and_billed(google: Google, make: Make) -> None:
    play(google, {"fault": "vanish", "seconds": 50})
    name = make(google, run=False)
    before = google.ask("GET", f"/v1/{name}")[0]
    google.advance(110)

    assert (before, google.ask("GET", f"/v1/{name}")[0], len(google.bill())) == (200, 404, LINES)


@MAKERS
def test_a_job_is_over_before_its_results_are_there(google: Google, make: Make) -> None:
    play(google, {"fault": "output-late", "seconds": 60})
    name = make(google)
    over = google.ask("GET", f"/v1/{name}")[1]
    google.advance(60)

    assert state(google, name) == "SUCCEEDED"
    assert "response" not in over
    assert "outputInfo" not in over
    assert sorted(keys(google, name)) == EVERY


def test_looking_and_uploading_fail_for_a_while(google: Google) -> None:
    name = studio(google)
    play(google, *({"fault": f"{deed}-503", "times": 2} for deed in ("poll", "list", "upload")))

    for path in (f"/v1/{name}", "/v1/batches"):
        assert [google.ask("GET", path)[0] for _ in range(3)] == [503, 503, 200]
    assert [google.ask("POST", "/upload/v1/files", {})[0] for _ in range(3)] == [503, 503, 404]


def test_rules_choose_jobs_by_model_name_and_chance(google: Google) -> None:
    play(
        google,
        {"fault": "stuck-pending", "model": "flash"},
        {"fault": "fail", "name": "^bad", "platform": "aistudio"},
        {"fault": "shuffled", "probability": 0.5},
    )
    source = google.upload(line("a"))
    for number in range(20):
        config = types.CreateBatchJobConfig(display_name=f"good {number}")
        google.studio.batches.create(model=PRO, src=source, config=config)
    google.studio.batches.create(model=PRO, src=source, config={"display_name": "bad"})

    jobs = google.ask("GET", "/_sim/batches")[1]["jobs"]
    met = Counter(mishap for job in jobs for mishap in job["mishaps"])
    assert (met["stuck-pending"], met["fail"]) == (0, 1)
    assert 3 < met["shuffled"] < 18


def test_rules_that_nobody_understands_are_refused(google: Google) -> None:
    for rule in ({"fault": "earthquake"}, {"fault": "fail", "code": 99}, {"fault": "fail", "x": 1}):
        assert google.ask("PUT", "/_sim/batches/rules", [rule])[0] == 400


def test_a_scenario_holds_rules_and_batch_time_goes_by_itself(tmp_path: Path) -> None:
    rules = tmp_path / "scenario.toml"
    rules.write_text('seed = 1\n[[batch]]\nfault = "fail"\nname = "^bad$"\nshare = 0.0\n')
    flags = ["--batch-queue", "600-1200", "--batch-run", "3600", "--batch-speed", "10000"]
    with running("--pictures", "cached", "--scenario", str(rules), *flags) as ready:
        google = Google(ready.url)
        source = google.upload(line("a"))
        jobs = [
            google.studio.batches.create(model=PRO, src=source, config={"display_name": name})
            for name in ("good", "bad")
        ]
        while not all(job.done for job in jobs):
            jobs = [google.studio.batches.get(name=str(job.name)) for job in jobs]

    assert [str(job.state).rpartition("_")[2] for job in jobs] == ["SUCCEEDED", "FAILED"]
