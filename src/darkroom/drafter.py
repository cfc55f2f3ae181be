"""Turns rows into drafts: asks the registry and the tiers, and says what is wrong."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Final

import msgspec

from darkroom.composer import Composer
from darkroom.draft import Choices, Draft
from darkroom.lineage import Lineage, Origin, turn_path
from darkroom.references import heic
from darkroom.registry import Load, Model, Refusal, Retired, Unknown
from darkroom.request import Request, fingerprints
from darkroom.router import Bid, Kind, Market
from darkroom.row_names import RowNames
from darkroom.settings import Settings
from darkroom.weight import heavy_hint, is_pointing, too_heavy
from darkroom_manifests.filename import turn_id, unknown_field
from darkroom_manifests.problem import Code, Fault, FieldFault, Problem, Severity
from darkroom_manifests.row import Row
from darkroom_manifests.tier import AUTO, Auto, Tier, TierChoice


class _Offer(msgspec.Struct, frozen=True, gc=False):
    """What is asked for, and who would make it."""

    kind: Kind
    request: Request
    bids: tuple[Bid, ...]


class Drafter:
    """Drafts rows one after the other; numbers them as it goes."""

    def __init__(self, settings: Settings, market: Market, choices: Choices) -> None:
        self._settings = settings
        self._market = market
        self._choices = choices
        self._row_no = -1
        self._names = RowNames()
        self._tier = choices.tier or settings.default_tier(market.served)
        self._model = choices.model or settings.defaults.model or market.registry.default_model
        self._composer = Composer(settings, choices)
        self._lineage = Lineage()

    def gather(self, rows: Iterable[Row]) -> None:
        """Fetch what rows that are to be drafted go by, many at a time."""
        self._composer.gather(rows)

    def draft(
        self, row: Row, file: str, manifest: Path | None
    ) -> tuple[Draft, ...] | list[Problem]:
        """Judge a row, one draft a turn, or say all that is wrong with it."""
        where = str(manifest) if manifest else file
        n = row.n or self._choices.n or self._settings.defaults.n
        origin = self._lineage.edited(row, n)
        if isinstance(origin, Fault):
            said = ("edit_of", origin.code, origin.message, origin.hint)
            return self._left_out(row, where, [said])
        offers, faults = self._offers(row, manifest, origin)
        if faults:
            return self._left_out(row, where, faults)
        return self._drafts(row, where, offers, n, origin)

    def _left_out(self, row: Row, where: str, faults: Iterable[FieldFault]) -> list[Problem]:
        """Say what is wrong, each once: turns of a row may share it."""
        self._lineage.note(row.id, None)
        return [_problem(where, row, *said) for said in dict.fromkeys(faults)]

    def _offers(
        self, row: Row, manifest: Path | None, origin: Origin
    ) -> tuple[list[_Offer], list[FieldFault]]:
        """Find who would make the pictures of each turn, and what is wrong with any."""
        model = self._market.registry.find(row.model or self._model)
        known = model if isinstance(model, Model) else None
        name = model.id if isinstance(model, Model) else model.name
        composed = self._composer.compose(row, known, name, manifest, origin)
        if isinstance(composed, list):
            return [], composed
        choice = row.tier or self._usual(model)
        offers: list[_Offer] = []
        faults = [*self._bad_output(row)]
        for before, each in enumerate(composed.requests, origin.before):
            kind = Kind.of(each, name, choice, before, told=composed.told)
            offer = self._offer(row, kind, each)
            if isinstance(offer, _Offer):
                offers.append(offer)
            else:
                faults += offer
        return offers, faults

    def _offer(self, row: Row, kind: Kind, request: Request) -> _Offer | list[FieldFault]:
        chars = request.prompt_chars
        found = self._market.bids(kind, chars)
        bids = _affordable(found.bids, row.max_cost_nusd, chars)
        faults = [*map(_fault, found.refusals)]
        if found.bids and not bids:
            faults.append(_TOO_DEAR)
        if request.references and bids:
            tiers = [bid.tier for bid in bids]
            closed = {tier: said for tier in tiers if (said := self._closed(request, tier))}
            if len(closed) == len(bids):
                faults.append(closed[bids[0].tier])
            bids = tuple(bid for bid in bids if bid.tier not in closed)
        return faults or _Offer(kind, request, bids)

    def _closed(self, request: Request, tier: Tier) -> FieldFault | None:
        """Say why a tier does not take the images of a request."""
        pointing = is_pointing(tier, self._settings)
        if (said := too_heavy(request, tier, pointing=pointing)) is not None:
            return "references", Code.MODEL_CANNOT, said, heavy_hint(tier, self._settings)
        if (said := heic.unreadable(request, tier)) is not None:
            return "references", Code.MODEL_CANNOT, said, heic.REMEDY
        return None

    def _usual(self, model: Model | Retired | Unknown) -> TierChoice:
        """The tier of rows that name none: no usual one is good for a model of another wire."""
        is_named = self._choices.tier or self._settings.defaults.tier
        if is_named or isinstance(self._tier, Auto) or not isinstance(model, Model):
            return self._tier
        return self._tier if model.speaks(self._tier) else AUTO

    def _drafts(
        self, row: Row, where: str, offers: Sequence[_Offer], n: int, origin: Origin
    ) -> tuple[Draft, ...]:
        """Draft its turns in their order, each with what it changes."""
        named = [_prints(each, n) for each in offers]
        row_id, doubt = (row.id, None) if row.id else self._names.of(named[-1][0], row.line)
        self._lineage.note(row.id, Origin(named[-1], origin.before + len(offers)))
        doubts = self._doubts(row, where, offers[0].request, doubt)
        drafts, edits = [], origin.prints
        for number, (offer, prints) in enumerate(zip(offers, named, strict=True), 1):
            turn = number % len(offers)  # the last is the row's own
            drafts.append(self._draft(row, row_id, offer, turn, prints, edits, doubts))
            edits, doubts = prints, ()
        return tuple(drafts)

    def _draft(
        self,
        row: Row,
        row_id: str,
        offer: _Offer,
        turn: int,
        prints: tuple[str, ...],
        edits: tuple[str, ...],
        doubts: tuple[Problem, ...],
    ) -> Draft:
        self._row_no += 1
        return Draft(
            row=row,
            row_no=self._row_no,
            model=offer.kind.ask.model,
            row_id=turn_id(row_id, turn),
            kind=offer.kind,
            request=offer.request,
            prompt_chars=offer.request.prompt_chars,
            prints=prints,
            bids=offer.bids,
            deliver_by=self._deliver_by(row),
            output_path=self._path(row, turn),
            turn=turn,
            is_delivered=self._delivers(row),
            edits=edits,
            doubts=doubts,
        )

    def _path(self, row: Row, turn: int) -> str | None:
        if not turn:
            return row.output
        template = row.output or self._settings.output.path
        return turn_path(template, turn, is_delivered=self._delivers(row))

    def _delivers(self, row: Row) -> bool:
        """Whether the images of its earlier turns are delivered: the nearest word counts."""
        said = (row.deliver_turns, self._choices.deliver_turns)
        usual = self._settings.output.deliver_turns
        return next((each for each in said if each is not None), usual)

    def _doubts(
        self, row: Row, where: str, request: Request, doubt: Fault | None
    ) -> tuple[Problem, ...]:
        """Warn of images that were made to fit, at the first row that has them, and of twins.

        Labels that have too many values are told at the row that has one more.
        """
        if not request.references and not request.labels and doubt is None:
            return ()
        column = row.columns.get("labels", "labels")
        labels = [fault.at(where, row.line, column) for fault in self._composer.doubts(request)]
        column = row.columns.get("references", "references")
        found = [
            Fault(Code.REFERENCE_FITTED, note, None, Severity.WARNING).at(where, row.line, column)
            for note in self._composer.notes(request)
        ]
        twin = [] if doubt is None else [doubt.at(where, row.line)]
        return (*labels, *found, *twin)

    def _deliver_by(self, row: Row) -> datetime | None:
        return self._choices.deliver_by if row.deliver_by is None else _moment(row.deliver_by)

    def _bad_output(self, row: Row) -> Iterator[FieldFault]:
        path = row.output or self._settings.output.path
        fault = unknown_field(path, row.variables)
        if fault is not None:
            yield "output", fault.code, fault.message, fault.hint


_CODES: Final = {"model": Code.MODEL_UNKNOWN}
_TOO_DEAR: Final[FieldFault] = (
    "max_cost",
    Code.MODEL_CANNOT,
    "One image may cost more than the row's max_cost.",
    "Raise it, or choose a smaller size or model.",
)


def _prints(offer: _Offer, n: int) -> tuple[str, ...]:
    return tuple(fingerprints(offer.kind.ask.model, offer.request, n))


def _fault(refusal: Refusal) -> FieldFault:
    code = _CODES.get(refusal.column, Code.MODEL_CANNOT)
    return (refusal.column, code, refusal.message, refusal.hint)


def _affordable(bids: tuple[Bid, ...], most_nusd: int | None, prompt_chars: int) -> tuple[Bid, ...]:
    """Leave out the bids of which one image may cost more than the row allows."""
    if most_nusd is None:
        return bids
    one = Load.of(prompt_chars)
    return tuple(bid for bid in bids if not bid.tariff or bid.tariff.of(one).high <= most_nusd)


@lru_cache(maxsize=1_024)
def _moment(text: str) -> datetime:
    """Read what was checked when the row was read."""
    return datetime.fromisoformat(text.upper())


def _problem(
    file: str, row: Row, column: str, code: Code, message: str, hint: str | None
) -> Problem:
    own = row.columns.get(column, column)
    return Problem(file, row.line, own, code, message, hint, Severity.ERROR)
