"""What notebooks show: static HTML, without scripts or styles."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape


def table(caption: str, figures: Mapping[str, object]) -> str:
    """Write names and figures, a row each."""
    rows = "".join(
        f"<tr><th>{escape(name)}</th><td>{escape(str(value))}</td></tr>"
        for name, value in figures.items()
    )
    return f"<table><caption>{escape(caption)}</caption>{rows}</table>"
