"""The Files API's files: uploaded by clients, or the results of batches."""

from __future__ import annotations

import datetime as dt
import itertools
import re
import secrets
import string
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from darkroom_simulator.intake import Intake
from darkroom_simulator.problem import Problem, invalid
from darkroom_simulator.scratch import Scratch

LIFE = dt.timedelta(hours=48)  # Google, Gemini API, Files; said, not enforced
# Google, Gemini API, Files: at most 40 of these, no dash at either end
NAME = re.compile(r"files/[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")
LETTERS = string.ascii_lowercase + string.digits


@dataclass(frozen=True, slots=True)
class Named:
    """What a client may say of a file; the name is whole, `files/...`, or "" to be given one."""

    name: str = ""
    display: str = ""
    mime: str = ""


@dataclass(frozen=True, slots=True)
class File:
    """A whole file. Only what batches made may be downloaded: google-genai 3.4.0, files.py."""

    number: int
    named: Named
    data: Intake
    made_by_batch: bool
    created: dt.datetime = field(default_factory=lambda: dt.datetime.now(dt.UTC))

    @property
    def path(self) -> Path:
        """Where it is."""
        return self.data.path

    def resource(self, origin: str) -> dict[str, Any]:
        """Describe it; addresses begin with `origin`, so that nobody is led to the real Google."""
        uri = f"{origin}/v1beta/{self.named.name}"
        created, until = (each.isoformat() for each in (self.created, self.created + LIFE))
        described = {
            "name": self.named.name,
            "displayName": self.named.display,
            "mimeType": self.named.mime,
            "sizeBytes": str(self.data.size),
            "createTime": created.replace("+00:00", "Z"),
            "updateTime": created.replace("+00:00", "Z"),
            "expirationTime": until.replace("+00:00", "Z"),
            "sha256Hash": self.data.digest,
            "uri": uri,
            "state": "ACTIVE",
            "source": "GENERATED" if self.made_by_batch else "UPLOADED",
            "downloadUri": f"{uri}:download?alt=media" if self.made_by_batch else "",
        }
        return {name: value for name, value in described.items() if value}


class Files:
    """All files, by their names."""

    def __init__(self, scratch: Scratch) -> None:
        self.scratch = scratch
        self._numbers = itertools.count(1)
        self._files: dict[str, File] = {}

    def intake(self) -> Intake:
        """Begin a new file."""
        return Intake(self.scratch.path(), "sha256")

    def add(self, named: Named, data: Intake, *, made_by_batch: bool = False) -> File | Problem:
        """Add a whole file; for the sentence see googleapis/python-genai#913."""
        name = named.name or f"files/{random_word(12)}"
        if name in self._files:
            return Problem(409, f"'{name.removeprefix('files/')}' already exists.", "taken")
        named = Named(name, named.display, named.mime)
        self._files[name] = File(next(self._numbers), named, data, made_by_batch)
        return self._files[name]

    def find(self, name: str) -> File | Problem:
        """Return a file; whether it is missing or another's is not told."""
        if name in self._files:
            return self._files[name]
        word = name.removeprefix("files/")
        message = f"You do not have permission to access the File {word} or it may not exist."
        return Problem(403, message, "denied")

    def every(self) -> list[File]:
        """List all, the newest last."""
        return list(self._files.values())

    def delete(self, name: str) -> Problem | None:
        """Delete a file."""
        found = self.find(name)
        if isinstance(found, Problem):
            return found
        self._files.pop(name).data.drop()
        return None

    def reset(self) -> None:
        """Delete all."""
        for name in list(self._files):
            self.delete(name)


def named(said: dict[str, Any]) -> Named | Problem:
    """Check what a client says of a file."""
    name = said.get("name", "")
    if name and not NAME.fullmatch(name):
        return invalid(f"Invalid file name {name!r}.")
    return Named(name, said.get("displayName", ""), said.get("mimeType", ""))


def random_word(length: int) -> str:
    """Make up a name as Google's are."""
    return "".join(secrets.choice(LETTERS) for _ in range(length))
