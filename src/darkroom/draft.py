"""Turns a row into renders: settles model, tier and prompt, and asks the registry if it can."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Final

import msgspec

from darkroom.jobs.load import NewRender
from darkroom.reference import Fault, resolve
from darkroom.registry import Estimate, Load, Model, Refusal
from darkroom.request import Reference, Request, fingerprints
from darkroom.router import Bid, Kind, Market
from darkroom.row_names import RowNames
from darkroom.settings import Settings
from darkroom.template import Templates
from darkroom.template_folder import TemplateText
from darkroom.weight import too_heavy
from darkroom_manifests.filename import unknown_field
from darkroom_manifests.problem import Code, Problem, Severity
from darkroom_manifests.row import Row
from darkroom_manifests.tier import TierChoice

_ENCODER: Final = msgspec.json.Encoder(order="deterministic")


class Choices(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line or the caller says for all rows that do not say it themselves.

    `mapping` says which columns give which fields, whatever their names: `{"prompt": "Title"}`.
    `template` is the name of one in the settings, or a text, for rows that name none.
    """

    tier: TierChoice | None = None
    model: str | None = None
    aspect_ratio: str | None = None
    image_size: str | None = None
    n: int | None = None
    deliver_by: datetime | None = None
    mapping: dict[str, str] = {}
    template: str | TemplateText | None = None


class Draft(msgspec.Struct, frozen=True):
    """A row that can be rendered by any of `bids`, the cheapest first; one of them is to be chosen.

    `prints` has the fingerprints of the variants 1 … n.
    """

    row: Row
    row_no: int
    model: str
    row_id: str
    kind: Kind
    request: Request
    prompt_chars: int
    prints: tuple[str, ...]
    bids: tuple[Bid, ...]
    deliver_by: datetime | None
    doubts: tuple[Problem, ...] = ()

    def estimate(self, bid: Bid) -> Estimate | None:
        """What one image costs by a bid; None: nobody knows."""
        return None if bid.tariff is None else bid.tariff.of(Load.of(self.prompt_chars))

    def renders(self, bid: Bid, variants: Iterable[int]) -> list[NewRender]:
        """Make some of its renders, where that bid was made."""
        row, estimate = self.row, self.estimate(bid)
        text = _ENCODER.encode(self.request).decode()
        labels = _labels(row)
        return [
            NewRender(
                row_no=self.row_no,
                line=row.line,
                row_id=self.row_id,
                variant=variant,
                n=len(self.prints),
                fingerprint=self.prints[variant - 1],
                tier=bid.tier.value,
                model=self.model,
                request=text,
                labels=labels,
                output_path=row.output,
                rank=-(row.priority or 0),
                reserve_nusd=0 if estimate is None else estimate.high,
                max_cost_nusd=row.max_cost_nusd,
            )
            for variant in variants
        ]


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
        self._templates = Templates(settings, choices.template)

    def draft(self, row: Row, file: str, manifest: Path | None) -> Draft | list[Problem]:
        """Judge a row, or say all that is wrong with it."""
        where = str(manifest) if manifest else file
        model = self._market.registry.find(row.model or self._model)
        request = self._request(row, model if isinstance(model, Model) else None, manifest)
        if isinstance(request, list):
            return [_problem(where, row, *said) for said in request]
        model_id = model.id if isinstance(model, Model) else model.name
        kind = Kind.of(request, model_id, row.tier or self._tier)
        chars = request.prompt_chars
        found = self._market.bids(kind, chars)
        bids = _affordable(found.bids, row.max_cost_nusd, chars)
        faults = [*map(_fault, found.refusals), *self._bad_output(row)]
        if found.bids and not bids:
            faults.append(_TOO_DEAR)
        heavy = {bid.tier: said for bid in bids if (said := too_heavy(request, bid.tier))}
        if bids and len(heavy) == len(bids):
            faults.append(_too_heavy(heavy[bids[0].tier]))
        bids = tuple(bid for bid in bids if bid.tier not in heavy)
        if faults:
            return [_problem(where, row, *said) for said in faults]
        return self._draft(row, where, kind, request, bids)

    def _draft(
        self, row: Row, where: str, kind: Kind, request: Request, bids: tuple[Bid, ...]
    ) -> Draft:
        self._row_no += 1
        n = row.n or self._choices.n or self._settings.defaults.n
        prints = tuple(fingerprints(kind.ask.model, request, n))
        row_id, doubt = (row.id, None) if row.id else self._names.of(prints[0], row.line)
        return Draft(
            row=row,
            row_no=self._row_no,
            model=kind.ask.model,
            row_id=row_id,
            kind=kind,
            request=request,
            prompt_chars=request.prompt_chars,
            prints=prints,
            bids=bids,
            deliver_by=self._deliver_by(row),
            doubts=() if doubt is None else (doubt.at(where, row.line),),
        )

    def _deliver_by(self, row: Row) -> datetime | None:
        return self._choices.deliver_by if row.deliver_by is None else _moment(row.deliver_by)

    def _request(
        self, row: Row, model: Model | None, manifest: Path | None
    ) -> Request | list[Fault]:
        prompt = row.prompt if row.prompt is not None else self._templates.fill(row)
        if isinstance(prompt, tuple):
            return [prompt]
        references = _found(row, model, manifest)
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
            thinking=row.thinking,
            references=tuple(found for found in references if not isinstance(found, tuple)),
        )

    def _bad_output(self, row: Row) -> Iterator[Fault]:
        path = row.output or self._settings.output.path
        fault = unknown_field(path, row.variables)
        if fault is not None:
            yield "output", fault.code, fault.message, fault.hint


def _found(row: Row, model: Model | None, manifest: Path | None) -> list[Reference | Fault]:
    """Find the references, unless they are more than the model takes: it will be refused for that.

    To look for each of them would only bury that refusal.
    """
    if model is not None and len(row.references) > model.max_references:
        return [Reference(uri=reference.uri, mime="") for reference in row.references]
    return [resolve(reference, manifest) for reference in row.references]


_CODES: Final = {"model": Code.MODEL_UNKNOWN}
_TOO_DEAR: Final[Fault] = (
    "max_cost",
    Code.MODEL_CANNOT,
    "One image may cost more than the row's max_cost.",
    "Raise it, or choose a smaller size or model.",
)


def _fault(refusal: Refusal) -> Fault:
    code = _CODES.get(refusal.column, Code.MODEL_CANNOT)
    return (refusal.column, code, refusal.message, refusal.hint)


def _affordable(bids: tuple[Bid, ...], most_nusd: int | None, prompt_chars: int) -> tuple[Bid, ...]:
    """Leave out the bids of which one image may cost more than the row allows."""
    if most_nusd is None:
        return bids
    one = Load.of(prompt_chars)
    return tuple(bid for bid in bids if not bid.tariff or bid.tariff.of(one).high <= most_nusd)


def _labels(row: Row) -> str | None:
    kept = {"tags": row.tags, "variables": row.variables, "meta": row.meta}
    given = {name: value for name, value in kept.items() if value}
    return _ENCODER.encode(given).decode() if given else None


def _too_heavy(said: str) -> Fault:
    hint = "Make its references smaller, put them into a bucket, or choose vertex."
    return ("references", Code.MODEL_CANNOT, said, hint)


@lru_cache(maxsize=1_024)
def _moment(text: str) -> datetime:
    """Read what was checked when the row was read."""
    return datetime.fromisoformat(text.upper())


def _problem(
    file: str, row: Row, column: str, code: Code, message: str, hint: str | None
) -> Problem:
    own = row.columns.get(column, column)
    return Problem(file, row.line, own, code, message, hint, Severity.ERROR)
