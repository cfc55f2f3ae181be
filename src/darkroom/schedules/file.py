"""Reads schedules from their files, and refuses at once what could never run."""

from __future__ import annotations

import re
import tomllib
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

import msgspec
from pydantic import BaseModel, ValidationError

from darkroom import setting_fault
from darkroom.errors import ConfigInvalid, NotFound
from darkroom.schedules import program
from darkroom.schedules.query import Database
from darkroom.schedules.terms import Terms
from darkroom.settings import Settings
from darkroom.storage import is_remote

FOLDER: Final = "schedules"

_PLACE: Final = re.compile(
    r"gs://[a-z0-9][a-z0-9._-]+[a-z0-9](/.*)?|file://.+|(?![a-z][a-z0-9+.-]*://).+"
)
_FILE: Final = re.compile(r"[^/\\\x00-\x1f.][^/\\\x00-\x1f]*\.csv")


class Applied(msgspec.Struct, frozen=True):
    """A schedule that can run, where it was read, and what a person may want to know of it."""

    terms: Terms
    path: Path
    folder: Path
    doubts: tuple[str, ...] = ()


def files(given: list[Path]) -> list[Path]:
    """The files that are named, or lie in a folder that is. Raises NotFound."""
    found: list[Path] = []
    for path in given or [Path(FOLDER)]:
        if path.is_dir():
            found += sorted(path.glob("*.toml"))
        elif path.is_file():
            found.append(path)
        else:
            raise NotFound(f"There is no {path}.", hint="Schedules are files schedules/NAME.toml.")
    if not found:
        raise NotFound("There is no schedule there.", hint="Write schedules/nightly.toml.")
    return found


def read(path: Path, settings: Settings, folder: Path) -> Applied:
    """Read one file and check all that can be checked now. Raises ConfigInvalid."""
    terms = parse(path)
    _require_template(path, terms, settings)
    _require_targets(path, terms, settings)
    _require_review(path, terms)
    _require_outlet(path, terms, settings, folder)
    doubts: list[str] = []
    source = terms.source
    if source.python is not None:
        program.find(source.python, folder)
    if source.query is not None and source.database is not None:
        doubts += _asked(path, source.database, source.query, folder)
    return Applied(terms, path, folder, tuple(doubts))


def parse(path: Path) -> Terms:
    """Read one file by itself. Raises ConfigInvalid."""
    try:
        tree = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise ConfigInvalid(f"{path}: {error}", hint="Mend the file and apply again.") from error
    try:
        return Terms.model_validate(tree)
    except ValidationError as error:
        raise ConfigInvalid(f"{path}: {_said(error)}", hint="Mend it and apply again.") from error


def _require_review(path: Path, terms: Terms) -> None:
    said = terms.review or ""
    if said.startswith("sample:") and not 1 <= int(said[len("sample:") : -1]) <= 100:  # noqa: PLR2004  # percent
        raise ConfigInvalid(f"{path}: review: {said} is no part.", hint="From sample:1% to 100%.")


def _require_outlet(path: Path, terms: Terms, settings: Settings, folder: Path) -> None:
    """Refuse what images could never be published to."""
    publish = terms.publish
    if publish is None:
        return
    if not _PLACE.fullmatch(publish.to):
        said, hint = f"{publish.to!r} is no place", "Give a folder, or gs://bucket/prefix."
        raise ConfigInvalid(f"{path}: publish.to: {said}.", hint=hint)
    if publish.place(folder) == _absolute(settings.storage_url):
        said = "the images lie there already, under the names of their jobs"
        raise ConfigInvalid(f"{path}: publish.to: {said}.", hint="Give a place of its own.")
    name = publish.manifest
    if name is not None and not _FILE.fullmatch(name):
        said = f"{name!r} is no name of a CSV file beside the images"
        raise ConfigInvalid(f"{path}: publish.manifest: {said}.", hint="Such as published.csv.")


def _absolute(url: str) -> str:
    return url.rstrip("/") if is_remote(url) else str(Path(url.removeprefix("file://")).resolve())


def _require_targets(path: Path, terms: Terms, settings: Settings) -> None:
    known = settings.notices.targets
    for name in terms.targets:
        if name not in known:
            named = ", ".join(known) or "none yet"
            raise ConfigInvalid(
                f'{path}: notify: nobody is called "{name}".',
                hint=f"[notices.targets] of darkroom.toml has {named}.",
            )


def _require_template(path: Path, terms: Terms, settings: Settings) -> None:
    name = terms.template
    if name is None or name in settings.templates:
        return
    known = ", ".join(settings.templates) or "none yet"
    said = f'{path}: template: there is no template "{name}"'
    raise ConfigInvalid(f"{said}.", hint=f"Templates are {known}; see darkroom.toml.")


def _asked(path: Path, database: str, query: str, folder: Path) -> list[str]:
    """Ask the database of the query; where it is not known here, that is said."""
    try:
        Database(database, folder).require(query)
    except NotFound as error:
        return [f"the query was not tried: {error.message}"]
    except ConfigInvalid as error:
        raise ConfigInvalid(f"{path}: source.query: {error.message}", hint=error.hint) from error
    return []


def _said(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    path = [str(part) for part in first["loc"]]
    where = ".".join(path)
    if first["type"] == "extra_forbidden":
        near = get_close_matches(path[-1], _keys(path[:-1]), 1, 0.5)
        hint = f"; did you mean {near[0]}?" if near else ""
        return f"{where}: no such key{hint}"
    said = setting_fault.said(first["type"], first["msg"], first.get("ctx", {}))
    return f"{where}: {said}" if where else said


def _keys(path: list[str]) -> list[str]:
    """The keys of a table in the file."""
    model: Any = Terms
    for part in path:
        model = model.model_fields[part].annotation
        if not isinstance(model, type):
            model = next(each for each in model.__args__ if issubclass(each, BaseModel))
    return list(model.model_fields)
