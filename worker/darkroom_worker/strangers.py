"""Lists what a provider has of batches, as JSON lines: `python -m darkroom_worker.strangers`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import msgspec

from darkroom.configure import load
from darkroom.errors import DarkroomError
from darkroom_manifests.tier import Tier
from darkroom_worker.backends import open_batch_backend
from darkroom_worker.backends.base import Unavailable
from darkroom_worker.backends.batch import Doubt, NotDone


def main(argv: Sequence[str] | None = None) -> int:
    """Write a line for each batch; 1 when the provider cannot be asked."""
    parser = argparse.ArgumentParser(prog="darkroom batch ls --remote")
    parser.add_argument("--tier", type=Tier.parse, required=True)
    args = parser.parse_args(argv)
    try:
        backend = open_batch_backend(args.tier, load().settings)
        for each in backend.listing():
            told = {"name": each.name, "display_name": each.display_name, "said": each.said}
            sys.stdout.buffer.write(msgspec.json.encode(told) + b"\n")
    except (DarkroomError, Unavailable, NotDone, Doubt) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
