"""What is said of a proxy on the command line, by the doctor and in lists of prices."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from darkroom import cli
from darkroom.cli.finding import Grade
from darkroom.cli.proxy_checkup import proxy_finding
from darkroom.settings import Settings

HOST = "https://proxy.example"
PRICES = {"gemini-nano-banana-2.1": {"per_call": "0.05"}}
DEFAULT = {"defaults": {"model": "gemini-nano-banana-2.1"}}


def found(**told: Any) -> tuple[Grade, str, str]:
    settings = Settings.model_validate({"proxy": told, **DEFAULT})
    finding = proxy_finding(settings)
    return finding.grade, finding.fact, finding.fix or ""


def test_the_doctor_says_where_the_proxy_is() -> None:
    assert found() == (Grade.OK, "no address, not used", "")

    grade, fact, fix = found(base_url=HOST, api_key="k", mode="native", prices=PRICES)

    assert (grade, fact) == (Grade.OK, f"{HOST}/v1 in mode native, with a key")
    assert "darkroom backend test proxy" in fix


def test_the_doctor_warns_of_a_key_in_the_clear_and_of_a_price_that_is_not_known() -> None:
    clear = found(base_url="http://proxy.example", api_key="k", prices=PRICES)
    here = found(base_url="http://127.0.0.1:4000", api_key="k", prices=PRICES)
    unpriced = found(base_url=HOST, api_key="k")

    assert [each[0] for each in (clear, here, unpriced)] == [Grade.WARN, Grade.OK, Grade.WARN]
    assert "https" in clear[2]
    assert "proxy.prices" in unpriced[2]


def test_an_address_keeps_its_password_to_itself() -> None:
    assert "hush" not in str(found(base_url="https://me:hush@proxy.example/v1"))


def called(*args: str) -> Result:
    return CliRunner().invoke(cli.main, list(args))


def test_what_the_proxy_charges_is_among_the_prices(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    toml = '[proxy.prices."nano-banana-2.1"]\nper_call = 0.05\n'
    (tmp_path / "darkroom.toml").write_text(toml)

    shown = called("models", "gemini-nano-banana-2.1", "--json")
    listed = called("models")

    assert re.search(r"^  proxy .*\$0.05.*by your own price list", listed.stdout, re.MULTILINE)
    assert '"proxy": "proxy.prices"' in shown.stdout
    assert '"0.050000"' in shown.stdout


def test_a_row_for_a_proxy_that_is_not_set_says_what_to_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows.csv").write_text("id,prompt\na,a lamp\n")

    ran = called("submit", "rows.csv", "--tier", "proxy", "--yes")

    assert ran.exit_code == 4
    assert "Set DARKROOM_PROXY__BASE_URL and DARKROOM_PROXY__API_KEY." in ran.stderr


def test_a_price_of_a_model_that_nobody_knows_is_a_setting_to_mend(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    toml = '[proxy.prices."dall-e-3"]\nper_call = 0.05\n'
    (tmp_path / "darkroom.toml").write_text(toml)

    listed, tried = called("models"), called("backend", "test", "proxy")

    assert (listed.exit_code, tried.exit_code) == (2, 2)
    assert "proxy.prices: dall-e-3 is not a model" in listed.stderr
    assert "proxy.prices: dall-e-3 is not a model" in tried.stderr


def test_no_such_tier_can_be_tried() -> None:
    tried = called("backend", "test", "midjourney")

    assert tried.exit_code == 2
    assert "tiers are" in tried.stderr
