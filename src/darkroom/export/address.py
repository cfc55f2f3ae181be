"""How a picture is called where it will be read."""

from __future__ import annotations

from urllib.parse import quote, urlsplit

import msgspec

from darkroom.errors import ConfigInvalid
from darkroom.report import Result


class Address(msgspec.Struct, frozen=True):
    """Makes URLs of stored names. Without a base they are paths, or `gs://`."""

    base: str | None = None

    @classmethod
    def below(cls, base: str | None) -> Address:
        """Take the public URL of the storage place. Raises ConfigInvalid."""
        if base is None:
            return cls()
        try:
            parts = urlsplit(base)
        except ValueError as error:
            raise ConfigInvalid(f"{base} is no URL: {error}.") from error
        if parts.scheme not in {"http", "https"} or not parts.netloc or parts.query:
            raise ConfigInvalid(
                f"{base} is no public address.", hint="Give one such as https://cdn.example/shop."
            )
        return cls(base.rstrip("/"))

    def of(self, result: Result) -> str:
        """The address of one picture."""
        if self.base is not None:
            return f"{self.base}/{quote(result.uri or '')}"
        return f"{result.storage_url.rstrip('/')}/{result.uri}"

    @property
    def doubts(self) -> tuple[str, ...]:
        """What a shop would not take."""
        if self.base is not None:
            return ()
        return ("The images are named by where they are stored; a shop needs --base-url https://…",)
