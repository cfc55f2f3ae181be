"""Names of models: ids, aliases, names that died, and guesses at names that never were."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Final

from darkroom.registry.catalog import RetiredEntry
from darkroom.registry.model import Model, Retired, Unknown

# As the wire (publishers/google/models/M, models/M) and proxies (google/M) write them.
PREFIXES: Final = ("publishers/", "google/", "models/")


class Names:
    """Finds what a name means."""

    __slots__ = ("_models", "_retired")

    def __init__(self, models: Mapping[str, Model], retired: Mapping[str, RetiredEntry]) -> None:
        aliases = {alias: model for model in models.values() for alias in model.aliases}
        # In lower case, as names are looked up; an id beats an alias.
        self._models = {name.lower(): model for name, model in {**aliases, **models}.items()}
        self._retired = {name.lower(): entry for name, entry in retired.items()}

    def find(self, name: str) -> Model | Retired | Unknown:
        """The model of that name, or why there is none."""
        model = self._models.get(name)
        if model is not None:  # as nearly always: a million rows ask
            return model
        plain = _plain(name)
        model = self._models.get(plain)
        if model is not None:
            return model
        retired = self._retired.get(plain)
        if retired is not None:
            return _retired(retired)
        return Unknown(name, self._suggestions(plain))

    def _suggestions(self, plain: str) -> tuple[str, ...]:
        near = get_close_matches(plain, [*self._models, *self._retired], n=6, cutoff=0.6)
        ids = [
            self._models[name].id if name in self._models else self._retired[name].successor
            for name in near
        ]
        return tuple(dict.fromkeys(ids))[:3]


def _plain(name: str) -> str:
    plain = name.strip().lower()
    for prefix in PREFIXES:
        plain = plain.removeprefix(prefix)
    return plain


def _retired(entry: RetiredEntry) -> Retired:
    message = f"{entry.id} is retired since {entry.since}"
    if entry.note:
        message = f"{message} ({entry.note.rstrip('.')})"
    return Retired(entry.id, entry.since, entry.successor, message)
