"""Start the simulator: `python -m darkroom_simulator --help`."""

from __future__ import annotations

import asyncio
import sys

from darkroom_simulator.flags import Flags
from darkroom_simulator.server import serve


def main() -> None:
    """Run until told to stop."""
    try:
        asyncio.run(serve(Flags.parse()))
    except OSError as error:  # a port in use, a ledger that cannot be written
        sys.exit(f"simulator: {error}")


if __name__ == "__main__":
    main()
