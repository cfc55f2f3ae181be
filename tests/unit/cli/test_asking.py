"""`--ask` and `--label`: what a job wishes of all its pictures, and how its bill is told apart."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from darkroom.cli.plan import command


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (["mood=blue"], "There is nothing called"),
        (["safety"], "is no NAME=VALUE"),
        (["grounding=moon"], "is not one of web, image, web+image, off"),
        (["safety=off", "safety=block_none"], "safety is said twice"),
    ],
)
def test_the_command_line_says_at_once_what_it_cannot_ask(said: list[str], message: str) -> None:
    words = [word for each in said for word in ("--ask", each)]

    result = CliRunner().invoke(command, ["catalog.csv", *words])

    assert result.exit_code == 2
    assert message in " ".join(result.output.split())


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (["team"], "is no KEY=VALUE"),
        (["Team=shop"], "no key or value of a label"),
        (["team=a", "team=b"], "team is said twice"),
    ],
)
def test_the_command_line_says_at_once_what_is_no_label(said: list[str], message: str) -> None:
    words = [word for each in said for word in ("--label", each)]

    result = CliRunner().invoke(command, ["catalog.csv", *words])

    assert result.exit_code == 2
    assert message in " ".join(result.output.split())
