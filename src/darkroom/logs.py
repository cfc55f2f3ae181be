"""Logs: one line for each event on stderr, made in one place for us and for every library.

JSON for programs, a readable form on a terminal. A line names jobs, renders and attempts by id; no
prompt, no secret and no provider's message is in it, but at DEBUG, where messages may echo prompts.
A log that cannot be written is dropped: it never stops a render.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
import traceback
from types import TracebackType
from typing import Any, BinaryIO, Final

import msgspec
import structlog

from darkroom.redaction import Redactor
from darkroom.settings import LogFormat, LogLevel, Settings
from darkroom_manifests.problem import escape

_LONGEST: Final = 300
"""Letters of an error's first line; more may quote what a customer wrote."""

_FRAMES: Final = 20

Event = structlog.typing.EventDict


def configure(settings: Settings, process: str) -> None:
    """Send every log of this process to stderr; `process` names it in each line.

    Libraries speak from WARNING on, and from INFO on where we speak at DEBUG: below that, they
    write down whole requests.
    """
    level = _LEVELS[settings.log.level]
    target = _Target(sys.stderr.buffer)
    render = _Renderer(_format(settings), Redactor(settings.secrets()))
    shared: list[structlog.typing.Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _Named(process),
        _short_errors,
    ]
    structlog.configure(
        processors=[*shared, render],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.BytesLoggerFactory(target),  # type: ignore[arg-type]  # it writes and flushes
        cache_logger_on_first_use=True,
    )
    _route_libraries(_Handler(target, shared, render), level)
    _route_crashes()


class _Target:
    """Where lines go. What cannot be written is dropped: a full disk must not stop the books."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def write(self, line: bytes) -> None:
        try:
            self._stream.write(line)
        except (OSError, ValueError):
            self.dropped = True

    def flush(self) -> None:
        try:
            self._stream.flush()
        except (OSError, ValueError):
            self.dropped = True


class _Named:
    """Says in each line which process wrote it."""

    def __init__(self, process: str) -> None:
        self._process = process

    def __call__(self, _logger: object, _method: str, event: Event) -> Event:
        event["process"] = self._process
        event["pid"] = os.getpid()
        return event


class _Renderer:
    """Makes a line of an event: control characters escaped, secrets hidden."""

    def __init__(self, form: LogFormat, redact: Redactor) -> None:
        self._redact = redact
        self._console = structlog.dev.ConsoleRenderer() if form is LogFormat.CONSOLE else None

    def __call__(self, logger: Any, method: str, event: Event) -> bytes:  # noqa: ANN401  # structlog's signature
        if self._console is not None:
            readable = {key: _readable(value) for key, value in event.items()}
            return self._redact(str(self._console(logger, method, readable))).encode()
        return _printable(self._redact(_json(event))).encode()


def _json(event: Event) -> str:
    try:
        return msgspec.json.encode(event, enc_hook=str).decode()
    except (UnicodeEncodeError, TypeError):  # half a surrogate pair, or a key that is no text
        return json.dumps(event, default=str, skipkeys=True)


def _printable(line: str) -> str:
    """JSON allows DEL, C1 and direction marks in its strings; terminals obey them."""
    if line.isprintable():
        return line
    return "".join(c if c.isprintable() else _escaped(c) for c in line)


def _escaped(character: str) -> str:
    return "\\u007f" if character == "\x7f" else json.dumps(character)[1:-1]


def _readable(value: Any) -> Any:  # noqa: ANN401  # a field of any type
    return "\n".join(map(escape, value.splitlines())) if isinstance(value, str) else value


def _short_errors(_logger: object, _method: str, event: Event) -> Event:
    """Write errors short: the first line alone, for the others quote statements and rows."""
    error = event.get("error")
    if isinstance(error, BaseException):
        event["error"] = short(error)
    crash = event.pop("exc_info", None)
    if crash:
        event["exception"] = _frames(crash)
    return event


def short(error: BaseException) -> str:
    """Say what an error is on one line of bounded length."""
    said = str(getattr(error, "orig", None) or error).strip().partition("\n")[0][:_LONGEST]
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def _frames(crash: Any) -> str:  # noqa: ANN401  # True, an error, or what sys.exc_info gives
    """Write where an error came from, without the values of variables."""
    error = crash[1] if isinstance(crash, tuple) else crash
    if not isinstance(error, BaseException):
        error = sys.exc_info()[1]
    if error is None:
        return ""
    frames = traceback.format_list(traceback.extract_tb(error.__traceback__)[-_FRAMES:])
    return "".join([*frames, short(error)])


class _Handler(logging.Handler):
    """Takes what libraries log into the same lines."""

    def __init__(
        self, target: _Target, shared: list[structlog.typing.Processor], render: _Renderer
    ) -> None:
        super().__init__()
        self._target = target
        self._shared = shared
        self._render = render

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record; never raises."""
        try:
            event: Event = {"event": record.getMessage(), "logger": record.name}
            event["exc_info"] = record.exc_info
            for processor in self._shared:
                event = processor(None, record.levelname.lower(), event)  # type: ignore[assignment]  # ours give events
            self._target.write(self._render(None, record.levelname.lower(), event) + b"\n")
            self._target.flush()
        except Exception:  # noqa: BLE001  # logging's own rule for what a handler does then
            self.handleError(record)


def _route_libraries(handler: logging.Handler, level: int) -> None:
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.INFO if level <= logging.DEBUG else max(level, logging.WARNING))
    logging.captureWarnings(capture=True)
    logging.raiseExceptions = False


def _route_crashes() -> None:
    """Write what ends a process or a thread as a line, too."""
    log = structlog.get_logger("crash")

    def process(
        _kind: type[BaseException], error: BaseException, _trace: TracebackType | None
    ) -> None:
        log.critical("the process ends by a defect", exc_info=error)

    def thread(crash: threading.ExceptHookArgs) -> None:
        log.critical("a thread ends by a defect", exc_info=crash.exc_value)

    sys.excepthook = process
    threading.excepthook = thread


def _format(settings: Settings) -> LogFormat:
    if settings.log.format is not None:
        return settings.log.format
    return LogFormat.CONSOLE if sys.stderr.isatty() else LogFormat.JSON


_LEVELS: Final = {level: getattr(logging, level.name) for level in LogLevel}
