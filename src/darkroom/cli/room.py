"""Opens what a command works with: the settings that its flags allow, and Darkroom with them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import InterfaceError, OperationalError

from darkroom import db
from darkroom.cli.invocation import Invocation
from darkroom.client import Darkroom
from darkroom.configure import Configuration, load
from darkroom.errors import ConfigInvalid
from darkroom.registry import RegistryError


def configured(invocation: Invocation, *, out: str | None = None) -> Configuration:
    """Load the settings. Raises ConfigInvalid."""
    flags = {"home": invocation.home, "storage_url": out, "log": {"level": invocation.log_level}}
    configuration = load(flags)
    invocation.home = configuration.settings.home  # so that a crash is logged there
    return configuration


@contextmanager
def opened(invocation: Invocation, *, out: str | None = None) -> Iterator[Darkroom]:
    """Open Darkroom; a database that is away is no defect."""
    try:
        with Darkroom(configured(invocation, out=out).settings) as room:
            yield room
    except RegistryError as error:
        raise ConfigInvalid(str(error), hint="Mend the file that `registry_file` names.") from error
    except (OperationalError, InterfaceError) as error:
        raise db.unusable(error) from error
