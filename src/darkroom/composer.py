"""Makes the requests of a row: its prompt, references and wishes settled, one a turn."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from darkroom.draft import Choices
from darkroom.labelling import Labelling
from darkroom.lineage import Origin, turns
from darkroom.references import Finder
from darkroom.registry import Family, Model
from darkroom.request import Request
from darkroom.settings import Settings
from darkroom.template import Templates
from darkroom.wish_list import Wished, WishList
from darkroom_manifests.problem import Fault, FieldFault
from darkroom_manifests.row import Row


class Composed(msgspec.Struct, frozen=True):
    """The requests of a row's turns. `told` are the names of what is wished; see `Kind`."""

    requests: tuple[Request, ...]
    told: tuple[str, ...]


class Composer:
    """Composes rows one after the other. What it looked at it remembers."""

    def __init__(self, settings: Settings, choices: Choices) -> None:
        self._settings = settings
        self._choices = choices
        self._templates = Templates(settings, choices.template)
        self._finder = Finder(settings)
        self._wishes = WishList(settings, choices.ask)
        self._labelling = Labelling(settings, choices.labels)

    def gather(self, rows: Iterable[Row]) -> None:
        """Fetch what rows that are to be composed go by, many at a time."""
        self._finder.gather(rows)

    def doubts(self, request: Request) -> Iterator[Fault]:
        """Warn of labels that Google may not tell apart, each key once."""
        return self._labelling.doubts(dict(request.labels))

    def notes(self, request: Request) -> Iterator[str]:
        """How its images were made to fit, each told once."""
        for each in request.references:
            if (note := self._finder.note_of(each)) is not None:
                yield note

    def compose(
        self, row: Row, model: Model | None, name: str, manifest: Path | None, origin: Origin
    ) -> Composed | list[FieldFault]:
        """Make its requests; `model` is None where nobody knows the name."""
        wished = self._wishes.of(row, Family.GEMINI if model is None else model.family)
        if isinstance(wished, tuple):
            return [wished]
        labels = self._labelling.of(row)
        if isinstance(labels, list):
            return labels
        asked = self._request(row, model, manifest, origin.prints, wished)
        if isinstance(asked, list):
            return asked
        told = self._labelling.told(row)
        if labels:
            given = tuple(labels.items())
            asked = msgspec.structs.replace(asked, labels=given, must_label=bool(told))
        return Composed(turns(row, asked, name), (*wished.told, *told))

    def _prompt(self, row: Row) -> str | FieldFault:
        if row.turns:
            return row.turns[0]
        return row.prompt if row.prompt is not None else self._templates.fill(row)

    def _request(
        self,
        row: Row,
        model: Model | None,
        manifest: Path | None,
        edits: tuple[str, ...],
        wished: Wished,
    ) -> Request | list[FieldFault]:
        """Make the request of its first or only turn."""
        prompt = self._prompt(row)
        if isinstance(prompt, tuple):
            return [prompt]
        most = None if model is None else model.max_references
        references = self._finder.all_of(row, most, manifest)
        bad = [found for found in references if isinstance(found, tuple)]
        if bad:
            return bad
        size = row.image_size or self._choices.image_size or self._settings.defaults.image_size
        ratio = row.aspect_ratio or self._choices.aspect_ratio
        if model is not None and not model.sends_image_size and size == model.default_size:
            size = None
        return Request(
            prompt=prompt,
            negative_prompt=row.negative_prompt,
            aspect_ratio=ratio or self._settings.defaults.aspect_ratio,
            image_size=size,
            seed=row.seed,
            temperature=row.temperature,
            thinking=wished.thinking,
            references=tuple(found for found in references if not isinstance(found, tuple)),
            wishes=wished.wishes,
            edits=edits[0] if edits else None,
            shown=1 if edits else 0,
        )
