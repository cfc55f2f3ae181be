"""Tells people, wherever Apprise reaches them: chat, mail, telephone. Needs the extra `apprise`."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Final

from darkroom.event import Event
from darkroom.logs import short
from darkroom.notices.sentence import sentence
from darkroom.notices.verdict import Verdict

_MODULE: Final = "apprise"


def fault_of(url: str, find: Callable[[str], object | None] = find_spec) -> str | None:
    """What keeps a URL from being used, with the remedy."""
    if find(_MODULE) is None:
        return 'it needs Apprise: pip install "darkroom-render[apprise]"'
    if not import_module(_MODULE).Apprise().add(url):
        return "its url is none that Apprise knows"
    return None


class People:
    """One URL of Apprise's."""

    def __init__(self, url: str) -> None:
        self._url = url

    def tell(self, event: Event, body: str) -> Verdict:  # noqa: ARG002  # people read sentences
        """Send it once; Apprise says no more than whether it went well."""
        if (fault := fault_of(self._url)) is not None:
            return Verdict.again(fault)
        apprise = import_module(_MODULE).Apprise()
        apprise.add(self._url)
        title, text = sentence(event)
        try:
            if apprise.notify(title=title, body=text):
                return Verdict.sent()
        except Exception as error:  # noqa: BLE001  # a hundred services' plugins
            return Verdict.again(short(error))
        return Verdict.again("Apprise could not deliver it")
