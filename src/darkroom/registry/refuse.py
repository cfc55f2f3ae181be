"""Why a model on a tier will not do what a row asks."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Final

from darkroom.registry.ask import Reason, Refusal
from darkroom.registry.instead import at_level, either, granted, heir, joined, known, way_out
from darkroom.registry.model import LEVELS, Parameter, Retired, Status, Unknown
from darkroom.registry.succession import succession
from darkroom.registry.wish import Models, Wish
from darkroom_manifests.problem import quote
from darkroom_manifests.tier import Tier


def refuse(wish: Wish) -> list[Refusal]:
    """Try every rule. A model that is not to be had at all is refused for that alone."""
    absent = _absence(wish)
    if absent is not None:
        return [absent]
    return [refusal for rule in RULES if (refusal := rule(wish)) is not None]


def refuse_name(models: Models, found: Retired | Unknown, tier: Tier, on: date) -> Refusal:
    """Refuse a name that is no model, and name one that the tier answers to."""
    if isinstance(found, Unknown):
        alike = [name for name in found.suggestions if models[name].answers(tier, on)]
        guess = f"Did you mean {either(alike)}?" if alike else None
        message = f"{quote(found.name)} is not a known model."
        hint = guess or joined(known(models, tier, on))
        return Refusal("model", Reason.MODEL_UNKNOWN, message, hint)
    living = heir(models, found.successor, tier, on)
    hint = f"Write {found.successor}."
    if living not in {None, found.successor}:
        hint = f"Its successor is {found.successor}; on {tier} write {living}."
    return Refusal("model", Reason.MODEL_RETIRED, f"{found.message}.", hint)


def _absence(wish: Wish) -> Refusal | None:
    offer = wish.model.offers.get(wish.tier.provider)
    google = not wish.tier.is_simulated and wish.tier is not Tier.PROXY
    if (google and offer is None) or not wish.model.speaks(wish.tier):
        message = f"{wish.model.id} is not served on {wish.tier}."
        return Refusal("model", Reason.MODEL_NOT_SERVED, message, way_out(wish))
    if offer is None or offer.alive(wish.on):
        return None
    if wish.allows_retired and offer.status(wish.on) is Status.GONE:
        return None
    if offer.status(wish.on) is Status.UNRELEASED:
        message = f"{wish.who} is served only from {offer.ga} on."
        return Refusal("model", Reason.MODEL_UNRELEASED, message, way_out(wish))
    message = f"{wish.who} was shut down on {offer.gone}."
    return Refusal("model", Reason.MODEL_GONE, message, succession(wish))


def _level(wish: Wish) -> Refusal | None:
    if wish.model.has(wish.tier, wish.level):
        return None
    if wish.level is not LEVELS[wish.tier]:
        message = f"{wish.who} has no level {wish.level}."
        hint = joined(at_level(wish), "Leave service_tier out")
        return Refusal("tier", Reason.LEVEL_NOT_OFFERED, message, hint)
    message = f"{wish.model.id} is not offered on {wish.tier}."
    hint = joined(way_out(wish), known(wish.models, wish.tier, wish.on))
    return Refusal("tier", Reason.LEVEL_NOT_OFFERED, message, hint)


def _location(wish: Wish) -> Refusal | None:
    offer = wish.model.offers.get(wish.tier.provider)
    places = None if offer is None else offer.places(wish.level)
    if wish.location is None or places is None or wish.location in places:
        return None
    message = f"{wish.who} is not served in {wish.location}."
    hint = f"Set the location to {either(places)}."
    return Refusal("location", Reason.LOCATION_NOT_OFFERED, message, hint)


def _size(wish: Wish) -> Refusal | None:
    size = wish.ask.image_size
    sizes = wish.model.draws(wish.tier)
    if size is None or size in sizes:
        return None
    message = f"{wish.who} does not draw {size}."
    elsewhere = granted(wish, f"{size} is drawn", lambda model, tier: size in model.draws(tier))
    hint = joined(elsewhere, f"Choose {either(sizes)}")
    return Refusal("image_size", Reason.SIZE_NOT_OFFERED, message, hint)


def _ratio(wish: Wish) -> Refusal | None:
    ratio = wish.ask.aspect_ratio
    if ratio is None or ratio in wish.model.ratios:
        return None
    message = f"{wish.who} does not draw {ratio}."
    elsewhere = granted(wish, f"{ratio} is drawn", lambda model, _: ratio in model.ratios)
    hint = joined(elsewhere, f"Choose {either(wish.model.ratios)}")
    return Refusal("aspect_ratio", Reason.RATIO_NOT_OFFERED, message, hint)


def _seed(wish: Wish) -> Refusal | None:
    seed, seeds = wish.ask.seed, wish.model.seeds
    if seed is None:
        return None
    if seeds is None or seeds[0] <= seed <= seeds[1]:
        return _parameter(wish, Parameter.SEED, Reason.SEED_NOT_ACCEPTED)
    message = f"{wish.who} takes no seed of {seed}."
    hint = f"Choose one from {seeds[0]} to {seeds[1]}."
    return Refusal("seed", Reason.SEED_NOT_ACCEPTED, message, hint)


def _negative_prompt(wish: Wish) -> Refusal | None:
    if wish.ask.negative_prompt is None:
        return None
    return _parameter(wish, Parameter.NEGATIVE_PROMPT, Reason.NEGATIVE_PROMPT_NOT_ACCEPTED)


def _temperature(wish: Wish) -> Refusal | None:
    warmth = wish.ask.temperature
    if warmth is None:
        return None
    if Parameter.TEMPERATURE not in wish.model.parameters:
        return _parameter(wish, Parameter.TEMPERATURE, Reason.TEMPERATURE_NOT_ACCEPTED)
    if 0 <= warmth <= wish.model.temperature_max:
        return None
    message = f"{wish.who} takes no temperature of {warmth:g}."
    hint = f"Choose one from 0 to {wish.model.temperature_max:g}."
    return Refusal("temperature", Reason.TEMPERATURE_OUT_OF_RANGE, message, hint)


def _parameter(wish: Wish, parameter: Parameter, code: Reason) -> Refusal | None:
    if parameter in wish.model.parameters:
        return None
    message = f"{wish.who} takes no {parameter}."
    elsewhere = granted(
        wish, f"{parameter} is taken", lambda model, _: parameter in model.parameters
    )
    return Refusal(parameter.value, code, message, joined(elsewhere, "Leave it out"))


def _thinking(wish: Wish) -> Refusal | None:
    level = wish.ask.thinking
    if level is None or level in set(wish.model.thinking):
        return None
    message = f"{wish.who} has no thinking level {level}."
    levels = tuple(wish.model.thinking)
    hint = f"Choose {either(levels)}." if levels else "Leave it out: this model does not think."
    return Refusal("thinking", Reason.THINKING_NOT_OFFERED, message, hint)


def _references(wish: Wish) -> Refusal | None:
    given, most = wish.ask.references, wish.model.max_references
    if given <= most:
        return None
    message = f"{wish.who} takes at most {most} reference images, not {given}."
    if most == 0:
        message = f"{wish.who} takes no reference images."
    elsewhere = granted(wish, f"{given} are taken", lambda model, _: given <= model.max_references)
    fewer = f"Give at most {most}" if most else "Leave them out"
    return Refusal("references", Reason.TOO_MANY_REFERENCES, message, joined(elsewhere, fewer))


def _grounding(wish: Wish) -> Refusal | None:
    asked = wish.ask.searches
    lacking = asked - wish.model.searches(wish.tier)
    if not lacking:
        return None
    message = f"{wish.who} has no {either(sorted(lacking))} search."
    elsewhere = granted(
        wish, f"{wish.ask.grounding} is searched", lambda model, tier: asked <= model.searches(tier)
    )
    hint = joined(elsewhere, "Leave grounding out, or write off")
    return Refusal("grounding", Reason.SEARCH_NOT_OFFERED, message, hint)


RULES: Final[tuple[Callable[[Wish], Refusal | None], ...]] = (
    _level,
    _location,
    _size,
    _ratio,
    _seed,
    _temperature,
    _thinking,
    _negative_prompt,
    _references,
    _grounding,
)
