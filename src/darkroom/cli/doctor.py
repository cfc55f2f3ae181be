"""`darkroom doctor`: this machine checked, with remedies."""

from __future__ import annotations

from typing import Final

import click
from rich.text import Text

from darkroom.cli import voice
from darkroom.cli.checkup import findings
from darkroom.cli.finding import Finding, Grade
from darkroom.cli.fleet_checkup import fleet_findings
from darkroom.cli.invocation import Invocation, global_options, json_option, pass_invocation
from darkroom.cli.room import configured
from darkroom.errors import Exit

_STYLES: Final = {Grade.OK: "green", Grade.WARN: "yellow", Grade.FAIL: "bold red"}


@click.command()
@click.option("--fleet", is_flag=True, help="Also check what the machines of a fleet share.")
@json_option
@global_options
@pass_invocation
def command(invocation: Invocation, /, fleet: bool) -> Exit:
    """Check this machine, and say how to mend what is wrong.

    Nothing is rendered or paid. Exit code 1 when something would keep a job from rendering.
    """
    configuration = configured(invocation)
    found = list(findings(configuration))
    if fleet:
        found += fleet_findings(configuration.settings)
    if invocation.as_json:
        voice.write_json(found)
    else:
        for each in found:
            voice.write_table(_line(each))
    is_ill = any(each.grade is Grade.FAIL for each in found)
    return Exit.UNEXPECTED if is_ill else Exit.OK


def _line(finding: Finding) -> Text:
    line = Text.assemble(
        (f"{finding.grade:5}", _STYLES[finding.grade]), f"{finding.check:11} "
    ).append_text(voice.safe(finding.fact))
    if finding.fix:
        line.append("\n" + " " * 17).append_text(voice.safe(finding.fix, "dim"))
    return line
