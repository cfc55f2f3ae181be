"""Two hundred rows through every door at once: models, sizes, references, turns, faults."""

from __future__ import annotations

import itertools
import json
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from darkroom import Darkroom
from darkroom.audit import audit
from darkroom.registry import Model, Registry
from darkroom_manifests.tier import Tier
from darkroom_simulator.child import Ready, running

Open = Callable[..., Darkroom]

REGISTRY = Registry.load()
TODAY = datetime.now(UTC).date()
HOW_MANY = 200
ON_DEMAND = (
    Tier.AISTUDIO,
    Tier.VERTEX,
    Tier.VERTEX_FLEX,
    Tier.VERTEX_PRIORITY,
    Tier.VERTEX_PROVISIONED,
    Tier.IMAGEN,
    Tier.PROXY,
)
BATCHES = (Tier.AISTUDIO_BATCH, Tier.VERTEX_BATCH)
PRICES = {
    "gemini-nano-banana-2.1": {"text_in": "1.5", "text_out": "7.5", "image_out": "30"},
    "gemini-3-pro-image": {"text_in": "2", "text_out": "12", "image_out": "120"},
}
# What each comes to, on every door: the state of its render, and how often it is asked for.
FAULTS = {
    "429-once": ("done", 2),
    "503-once": ("done", 2),
    "500-once": ("done", 2),
    "corrupt-once": ("done", 2),
    "truncated-image-once": ("done", 2),
    "wrong-size-once": ("done", 2),
    "blank-once": ("done", 2),
    "refuse": ("refused", 1),
    "text-only": ("refused", 2),
    "drop-after-once": ("done", 2),
}

# What can befall a line of a batch; the others befall connections.
IN_BATCHES = {"corrupt-once", "wrong-size-once", "blank-once", "refuse", "text-only"}


@pytest.fixture
def google(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ready]:
    """All of Google, with a bucket for what goes to Vertex in batches."""
    (tmp_path / "buckets" / "stage").mkdir(parents=True)
    pace = ("--batch-queue", "0-0.2", "--batch-run", "0.1-0.3")
    buckets = ("--buckets", str(tmp_path / "buckets"))
    with running("--pictures", "cached", "--body-bytes", "60000", *buckets, *pace) as ready:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", ready.url)
        yield ready


def doors(url: str) -> dict[str, Any]:
    """Every tier, pointed at the simulator."""
    own = {"adaptive": "false", "concurrency": 16, "busy_seconds": 0.1}
    quick = {tier.value: own for tier in ON_DEMAND}
    quick["aistudio"] = own | {"requests_per_minute": 6_000, "spend_per_window": "none"}
    return {
        "staging_url": "gs://stage/desk",
        "batches": {"poll_interval": 0.2},
        "aistudio": {"api_key": "k", "base_url": url},
        "vertex": {"project": "p", "access_token": "t", "base_url": url},
        "proxy": {"base_url": f"{url}/v1", "api_key": "k", "prices": PRICES},
        "allow_retired": True,
        "tiers": quick,
        "rules": {"backoff_seconds": 0.1},
        "budget": {"confirm_above": "1000", "per_day": "none"},
    }


def kinds() -> Iterator[dict[str, Any]]:
    """Every model on every door that has it, in each size up to 2K and in two ratios."""
    for tier, model in itertools.product((*ON_DEMAND, *BATCHES), REGISTRY.models.values()):
        if tier is Tier.PROXY and model.id not in PRICES:
            continue
        offer = model.offers.get(tier.provider)
        is_there = model.has(tier) and (tier is Tier.IMAGEN or model.answers(tier, TODAY))
        if not is_there or (offer is None and tier is not Tier.PROXY):
            continue
        sizes = [size for size in model.draws(tier) if size in {"1K", "2K"}]
        for size, ratio in itertools.product(sizes, model.ratios[:2]):
            yield _row(tier, model, size, ratio)


def _row(tier: Tier, model: Model, size: str, ratio: str) -> dict[str, Any]:
    row = {"tier": tier.value, "model": model.id, "aspect_ratio": ratio}
    return row | ({"image_size": size} if model.sends_image_size else {})


def rows() -> list[dict[str, Any]]:
    """Deal faults, references, turns and edits out over all kinds."""
    faults = itertools.cycle([None, None, None, *FAULTS])
    looks: list[dict[str, Any]] = [
        {"references": ["shoe.png"]},
        {"turns": 2},
        {"edit_of": "r000"},
    ]
    asks = itertools.cycle(looks)
    made: list[dict[str, Any]] = []
    for number, kind in zip(range(HOW_MANY), itertools.cycle(list(kinds())), strict=False):
        fault = next(faults)
        if kind["tier"] in BATCHES and fault not in IN_BATCHES:
            fault = None
        words = "" if fault is None else f" [[sim:{fault}]]"
        row: dict[str, Any] = {"id": f"r{number:03}", "prompt": f"a lamp no. {number}{words}"}
        row |= kind
        if made and fault is None and REGISTRY.models[kind["model"]].max_references:
            row |= next(asks)
        made.append(_with_turns(row) if "turns" in row else row)
    return made


def _with_turns(row: dict[str, Any]) -> dict[str, Any]:
    """Make a conversation of it, where the door takes one."""
    prompt = row.pop("prompt")
    del row["turns"]
    if row["tier"] == Tier.PROXY:
        return row | {"prompt": prompt}
    return row | {"turns": [prompt, f"{prompt}, lit"]}


def ends(row: dict[str, Any]) -> Iterator[tuple[str, tuple[str, int]]]:
    """What each render of a row comes to, by the name that reports give it."""
    if "turns" in row:
        yield f"{row['id']}~1", ("done", 1)
    yield row["id"], FAULTS.get(fault_of(row.get("prompt", "")) or "", ("done", 1))


def fault_of(prompt: str) -> str | None:
    return prompt.partition("[[sim:")[2].removesuffix("]]") or None


def test_two_hundred_rows_through_every_door_end_as_they_should(
    open_room: Open, google: Ready, tmp_path: Path
) -> None:
    Image.new("RGB", (64, 64), (9, 90, 200)).save(tmp_path / "shoe.png")
    manifest = tmp_path / "every.jsonl"
    asked = rows()
    manifest.write_text("\n".join(map(json.dumps, asked)), encoding="utf-8")
    room = open_room(**doors(google.url))

    plan = room.plan(manifest)
    job = room.submit(plan, max_cost="100")
    state = job.wait(180)

    found = {one.id: (one.state.value, one.attempts) for one in job.results(turns=True)}
    wanted = dict(end for row in asked for end in ends(row))
    assert plan.problems == []
    assert {each.tier for each in plan.shares} == {tier.value for tier in (*ON_DEMAND, *BATCHES)}
    assert sum("turns" in row for row in asked) > 10 < sum("edit_of" in row for row in asked)
    assert {key: (found[key], wanted[key]) for key in wanted if found[key] != wanted[key]} == {}
    assert (state.rows, state.finished) == (HOW_MANY, len(wanted))
    assert Counter(end for end, _ in found.values())["done"] == state.done
    with urllib.request.urlopen(f"{google.url}/_sim/ledger/lines") as answer:  # noqa: S310  # loopback
        billed = sum(json.loads(line)["cost_nusd"] for line in answer)
    assert state.spent_nusd <= billed <= state.spent_nusd + state.at_risk_nusd
    assert audit(room.database, room.settings.home, deep=True) == []
