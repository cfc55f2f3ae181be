"""One planted bug: a passage of the source replaced, and the tests that must turn red for it."""

from __future__ import annotations

import msgspec


class Rotten(Exception):
    """A mutant no longer applies: the source that it was made for has changed."""


class Mutant(msgspec.Struct, frozen=True, kw_only=True):
    """`old` stands exactly once in `file`. With `new` in its place each test of `red` fails.

    A test is named as pytest does; without a parameter in brackets, one of its cases has to fail.
    """

    name: str
    plants: str
    file: str
    old: str
    new: str
    red: tuple[str, ...]

    def planted(self, source: str) -> str:
        """Put the bug into its file's text. Raises Rotten."""
        found = source.count(self.old)
        if found != 1:
            raise Rotten(
                f"{self.name} no longer applies: {self.file} has its text {found} times, not once."
            )
        return source.replace(self.old, self.new)
