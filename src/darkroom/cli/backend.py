"""`darkroom backend`: providers tried, without spending."""

from __future__ import annotations

import subprocess
import sys
from typing import Any, Final

import click
import msgspec
from rich.text import Text

from darkroom.cli import voice
from darkroom.cli.invocation import Invocation, global_options, json_option, pass_invocation
from darkroom.cli.launch import environment
from darkroom.cli.parameters import TIER
from darkroom.cli.room import configured
from darkroom.errors import ConfigInvalid, DarkroomError, Exit
from darkroom.price_list import registry_of
from darkroom.registry import Model, RegistryError
from darkroom.settings import Settings
from darkroom_manifests.tier import Tier

_MODES: Final = ("images", "chat", "native")


@click.group()
def command() -> None:
    """Try a tier's provider without spending, and say what works."""


@command.command()
@click.argument("tier", type=TIER, metavar="NAME")
@click.option(
    "--model", metavar="NAME", help="Which model is asked for.  [default: defaults.model]"
)
@json_option
@global_options
@pass_invocation
def test(invocation: Invocation, /, tier: Tier, model: str | None) -> Exit:
    """Try the provider of a tier: credential, model, and for a proxy each of its three wires.

    Nothing is drawn or paid: what is sent has no prompt. Exit code 1 when the tier could not
    render as it is set.
    """
    settings = configured(invocation).settings
    name = _model(settings, model)
    found = _found(tier, name, invocation)
    works = _works(tier, settings, found)
    if invocation.as_json:
        voice.write_json({"tier": tier, "model": name, "works": works, "doors": found})
        return Exit.OK if works else Exit.UNEXPECTED
    for door in found:
        voice.write_table(_line(door))
    if invocation.talks:
        voice.say(_verdict(tier, settings, found, works=works))
    return Exit.OK if works else Exit.UNEXPECTED


def _model(settings: Settings, named: str | None) -> str:
    try:
        registry = registry_of(settings)
    except RegistryError as error:
        raise ConfigInvalid(str(error), hint="Mend the file or the setting.") from error
    name = named or settings.defaults.model or registry.default_model
    found = registry.find(name)
    return found.id if isinstance(found, Model) else name


def _found(tier: Tier, model: str, invocation: Invocation) -> list[dict[str, Any]]:
    """Let the worker's side ask: only it speaks to providers."""
    module = ["-m", "darkroom_worker.probing", "--tier", tier.value, "--model", model]
    ran = subprocess.run(  # noqa: S603  # our own module
        [sys.executable, *module],
        env=environment(invocation),
        capture_output=True,
        text=True,
        check=False,
    )
    if ran.returncode:
        said = ran.stderr.strip().splitlines() or ["no reason was given"]
        raise DarkroomError(f"{tier} could not be tried: {said[-1]}", hint="darkroom doctor")
    return [msgspec.json.decode(line) for line in ran.stdout.splitlines()]


def _works(tier: Tier, settings: Settings, found: list[dict[str, Any]]) -> bool:
    """Whether the door that rows would go through answers, and knows the model."""
    if tier is not Tier.PROXY:
        return all(door["answers"] for door in found)
    own = [door for door in found if door["door"] == settings.proxy.mode]
    return any(door["answers"] and not door["fix"] for door in own)


def _verdict(tier: Tier, settings: Settings, found: list[dict[str, Any]], *, works: bool) -> str:
    nothing = "Nothing was spent."
    if tier is not Tier.PROXY or works:
        said = f"{tier} works as it is set." if works else f"{tier} does not work as it is set."
        return f"{said} {nothing}"
    mode = settings.proxy.mode
    others = [d["door"] for d in found if d["door"] in _MODES and d["answers"] and not d["fix"]]
    instead = f" Set proxy.mode to {' or '.join(others)}." if others else ""
    return f"{tier} does not work in mode {mode}.{instead} {nothing}"


def _line(door: dict[str, Any]) -> Text:
    grade, style = ("FAIL", "bold red")
    if door["answers"]:
        grade, style = ("warn", "yellow") if door["fix"] else ("ok", "green")
    line = Text.assemble((f"{grade:5}", style), f"{door['door']:11} ")
    line.append_text(voice.safe(door["said"]))
    if door["fix"]:
        line.append("\n" + " " * 17).append_text(voice.safe(door["fix"], "dim"))
    return line
