"""What an error looks like from outside: a sentence, a remedy, an exit code."""

from __future__ import annotations

import os
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click
import msgspec

from darkroom.cli import voice
from darkroom.cli.invocation import Invocation
from darkroom.errors import DarkroomError, Exit, ManifestRejected
from darkroom.redaction import Redactor

_SECRETS: Final = ("API_KEY", "ACCESS_TOKEN")


def report(error: Exception, invocation: Invocation) -> int:
    """Say it on stderr and give the exit code."""
    match error:
        case DarkroomError():
            return _expected(error, invocation)
        case click.UsageError():
            return _usage(error, invocation)
        case click.ClickException():
            return _said(invocation, "error", error.format_message(), None, Exit.UNEXPECTED)
        case click.Abort():
            return _said(invocation, "interrupted", "Interrupted.", None, Exit.INTERRUPTED)
        case OSError(strerror=str(strerror), filename=name):
            said = f"{os.fsdecode(name)}: {strerror}" if name else strerror
            hint = "`darkroom doctor` looks into it."
            return _said(invocation, "system", said, hint, Exit.UNEXPECTED)
        case _:
            return _defect(error, invocation)


def _said(
    invocation: Invocation,
    code: str,
    message: str,
    hint: str | None,
    exit_code: Exit,
    **more: Any,
) -> int:
    message, hint = _redact()(message), hint and _redact()(hint)
    if invocation.as_json:
        body = {"code": code, "message": message, "hint": hint, **more}
        voice.stderr_json({"error": body})
    elif exit_code is Exit.INTERRUPTED:
        voice.say("\n".join(filter(None, (message, hint))))
    else:
        voice.complain(message, hint)
    return int(exit_code)


def _expected(error: DarkroomError, invocation: Invocation) -> int:
    more: dict[str, Any] = {}
    if isinstance(error, ManifestRejected):
        more["problems"] = msgspec.to_builtins(error.problems)
    return _said(invocation, error.code, error.message, error.hint, error.exit_code, **more)


def _usage(error: click.UsageError, invocation: Invocation) -> int:
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        click.echo(error.format_message(), err=True)
        return int(Exit.USAGE)
    path = error.ctx.command_path if error.ctx else "darkroom"
    return _said(invocation, "usage", error.format_message(), f"{path} --help", Exit.USAGE)


def _defect(error: Exception, invocation: Invocation) -> int:
    text = _redact()("".join(traceback.format_exception(error)))
    said = str(error).strip().splitlines() or [""]
    message = f"{type(error).__name__}: {said[0]}".removesuffix(": ")
    if invocation.debug:
        click.echo(text, err=True)
        return _said(invocation, "defect", message, "This is a defect.", Exit.UNEXPECTED)
    hint = f"This is a defect; {_kept(text, invocation)}."
    return _said(invocation, "defect", message, hint, Exit.UNEXPECTED)


def _redact() -> Redactor:
    """Hide what looks like a secret, and those of the environment: the settings may not be read."""
    return Redactor(value for name, value in os.environ.items() if name.endswith(_SECRETS))


def _kept(text: str, invocation: Invocation) -> str:
    """Put a traceback into the crash log; say where it is."""
    home = invocation.home or Path(os.environ.get("DARKROOM_HOME") or ".darkroom")
    log = home / "logs" / "crash.log"
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(f"{datetime.now(UTC).isoformat()}\n{text}\n")
    except OSError:
        return "run it with --debug to see the traceback"
    return f"the traceback is in {log}"
