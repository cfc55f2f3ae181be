"""An image folder as Hugging Face's Datasets loads it.

Hugging Face, Datasets, ImageFolder, 2026-11: `metadata.jsonl` with `file_name`, and any columns.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec

from darkroom.export.images import Images
from darkroom.export.order import Exported, Order
from darkroom.export.table import addressed


def write_imagefolder(order: Order, folder: Path) -> Exported:
    """Copy every picture, and write a line for each with its prompt as `text`."""
    images = Images(order.gcs, order.job_id)
    copied = 0
    with (folder / "metadata.jsonl").open("wb") as lines:
        for result in order.pictures():
            name = images.name(result)
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            with images.open(result) as source, path.open("xb") as target:
                shutil.copyfileobj(source, target)
            known = addressed(order, result)
            line = {"file_name": name, "text": known.pop("prompt")} | known
            lines.write(msgspec.json.encode(line) + b"\n")
            copied += 1
    return Exported(rows=copied, images=copied)
