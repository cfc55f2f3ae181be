"""Tries a tier without spending, as JSON lines: `python -m darkroom_worker.probing`."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from contextlib import suppress
from itertools import islice

import msgspec

from darkroom.configure import load
from darkroom.errors import DarkroomError
from darkroom.redaction import Redactor
from darkroom.settings import Settings
from darkroom_manifests.tier import Tier
from darkroom_worker.backends import open_backend, open_batch_backend
from darkroom_worker.backends.base import Unavailable
from darkroom_worker.backends.batch import Doubt, NotDone
from darkroom_worker.backends.faults import read_error
from darkroom_worker.backends.gemini import Gemini
from darkroom_worker.backends.imagen import Imagen
from darkroom_worker.backends.probe import Probe
from darkroom_worker.backends.proxy_probe import probe_proxy


def main(argv: Sequence[str] | None = None) -> int:
    """Write a line for each door."""
    parser = argparse.ArgumentParser(prog="darkroom backend test")
    parser.add_argument("--tier", type=Tier.parse, required=True)
    parser.add_argument("--model", required=True)
    args = parser.parse_args(argv)
    try:
        settings = load().settings
        found = probes(args.tier, args.model, settings)
    except DarkroomError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    redact = Redactor(settings.secrets())  # a provider may quote the key that it refuses
    for each in found:
        shown = msgspec.structs.replace(each, said=redact(each.said))
        sys.stdout.buffer.write(msgspec.json.encode(shown) + b"\n")
    return 0


def probes(tier: Tier, model: str, settings: Settings) -> list[Probe]:
    """Try each door of a tier."""
    try:
        if tier.is_batch:
            return [_batches(tier, settings)]
        if tier is Tier.PROXY:
            return asyncio.run(probe_proxy(settings, model))
        return [asyncio.run(_described(tier, model, settings))]
    except Unavailable as error:
        rest = error.rest
        return [Probe(door=tier, answers=False, said=rest.reason, fix=rest.hint)]


async def _described(tier: Tier, model: str, settings: Settings) -> Probe:
    """Ask for the page of a model: it takes the credential, and it is free."""
    backend = open_backend(tier, settings)
    try:
        if isinstance(backend, Gemini | Imagen):
            await backend.look_up(model)
    except Exception as error:  # noqa: BLE001  # every error is an outcome
        outcome = read_error(error)
        rest = outcome.rest
        said = outcome.message or outcome.ended
        return Probe(door=model, answers=False, said=said, fix=rest.hint if rest else None)
    finally:
        await backend.close()
    return Probe(door=model, answers=True, said="It is there, and the credential is taken.")


def _batches(tier: Tier, settings: Settings) -> Probe:
    """List a batch, if there is one."""
    try:
        backend = open_batch_backend(tier, settings)
        with suppress(StopIteration):
            next(islice(backend.listing(), 1))
    except (NotDone, Doubt) as error:
        return Probe(door="batches", answers=False, said=str(error))
    return Probe(door="batches", answers=True, said="They can be listed.")


if __name__ == "__main__":
    raise SystemExit(main())
