"""`python -m darkroom` is the `darkroom` command."""

from __future__ import annotations

from darkroom.cli import main

if __name__ == "__main__":
    main(prog_name="darkroom")
