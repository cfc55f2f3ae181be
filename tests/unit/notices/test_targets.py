"""Targets as they are set, and what keeps one from being told."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.fleet.receiver import Receiver

from darkroom.configure import hand_down, load
from darkroom.errors import ConfigInvalid
from darkroom.event import Event, EventName, encode
from darkroom.notices import Broken, open_receivers, subscribers
from darkroom.notices.people import People, fault_of
from darkroom.settings import Notices

HOOK = "https://hooks.acme.example/darkroom"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def fault(**target: object) -> str | None:
    rules = Notices.model_validate({"targets": {"ops": target}})
    receiver = open_receivers(rules)["ops"]
    return receiver.fault if isinstance(receiver, Broken) else None


def test_url_and_secret_are_read_from_variables_and_files_and_never_shown(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    (tmp_path / "darkroom.toml").write_text(
        '[notices.targets.ops]\nurl = "env:OPS_URL"\nsecret = "file:secret"\n'
    )

    found = load(env={"OPS_URL": HOOK}, folder=tmp_path)

    target = found.settings.notices.targets["ops"]
    assert target.url.get_secret_value() == HOOK
    assert target.secret is not None
    assert target.secret.get_secret_value() == SECRET
    assert {HOOK, SECRET} <= set(found.settings.secrets())
    shown = str(found.origins()) + repr(found.settings)
    assert SECRET not in shown
    assert "acme" not in shown
    assert target.shown == "https://hooks.acme.example…"
    assert load(env=hand_down(found.settings)).settings == found.settings


def test_a_variable_that_is_missing_stops_nothing_but_its_target(tmp_path: Path) -> None:
    (tmp_path / "darkroom.toml").write_text(
        f'[notices.targets.ops]\nurl = "{HOOK}"\nsecret = "env:NOT_SET"\n'
    )

    target = load(env={}, folder=tmp_path).settings.notices.targets["ops"]

    assert target.fault == "its secret is not there: env:NOT_SET"


def test_variables_set_a_target_whole(tmp_path: Path) -> None:
    start = "DARKROOM_NOTICES__TARGETS__OPS__"
    env = {f"{start}URL": HOOK, f"{start}SECRET": SECRET, f"{start}EVENTS": "job.held, budget.80"}
    env["DARKROOM_NOTICES__RETRY_SECONDS"] = "1,2.5"

    rules = load(env=env, folder=tmp_path).settings.notices

    assert rules.targets["ops"].events == (EventName.JOB_HELD, EventName.BUDGET_80)
    assert rules.retry_seconds == (1, 2.5)
    assert subscribers(rules)["ops"] == {EventName.JOB_HELD, EventName.BUDGET_80}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('url = "hooks.acme.example"', "must be https://"),
        ('url = "https://a"\nevents = ["job.done"]', "job.finished"),
        ('secret = "whsec_x"', "must be given"),
        ('url = "https://a"\ntoken = "x"', "no such setting"),
    ],
)
def test_a_target_that_cannot_be_is_refused_with_its_place(
    tmp_path: Path, line: str, said: str
) -> None:
    (tmp_path / "darkroom.toml").write_text(f"[notices.targets.ops]\n{line}\n")

    with pytest.raises(ConfigInvalid) as refused:
        load(env={}, folder=tmp_path)

    assert said in refused.value.message
    assert "notices.targets.ops" in refused.value.message


def test_a_web_server_needs_a_secret_of_the_right_form() -> None:
    assert fault(url=HOOK, secret=SECRET) is None
    assert "no secret" in str(fault(url=HOOK))
    assert "whsec_" in str(fault(url=HOOK, secret="hunter2"))


def test_people_need_the_extra_and_are_told_so() -> None:
    without = fault_of("slack://a/b/c", lambda _module: None)

    assert without == 'it needs Apprise: pip install "darkroom-render[apprise]"'


def test_a_url_that_apprise_does_not_know_is_a_fault() -> None:
    assert fault(url="nonsense://a") == "its url is none that Apprise knows"
    assert fault(url="mailto://user:pass@example.com") is None


@pytest.mark.parametrize(("status", "state"), [(200, "sent"), (500, "pending")])
def test_people_are_told_in_words(status: int, state: str) -> None:
    receiver = Receiver(status=status)
    job = {"name": "spring", "done": 3, "refused": 1, "failed": 0, "cancelled": 0, "held": 0}
    job |= {"total": 4, "simulated": False, "spent_usd": "0.120000", "folder": "out/job_1"}
    now = datetime(2026, 11, 26, tzinfo=UTC)
    event = Event(id="ntc_1", type=EventName.JOB_FAILED, timestamp=now, data={"job": job})

    verdict = People(f"json://127.0.0.1:{receiver.port}/").tell(event, encode(event))
    receiver.close()

    told = json.loads(receiver.received[0].body)
    assert verdict.state == state
    assert told["title"] == "Darkroom: spring is finished, with images missing"
    assert told["message"] == "3 done, 1 refused of 4; $0.120000\nout/job_1"
