"""What the worker's threads share must be there whole before they begin."""

from __future__ import annotations

import subprocess
import sys


def test_a_worker_has_imported_requests_whole_before_any_thread_can_begin_to() -> None:
    seen = "import darkroom_worker.app, sys; print(hasattr(sys.modules['requests'], 'structures'))"

    done = subprocess.run([sys.executable, "-c", seen], capture_output=True, text=True, check=True)

    assert done.stdout == "True\n"
