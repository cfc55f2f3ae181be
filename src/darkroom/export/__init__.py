"""A job's pictures handed on: back into their catalog, or as other tools read them.

Each kind has a file of its own; `Order` says what is exported, `export` does it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Final

from darkroom.errors import ConfigInvalid
from darkroom.export.catalog import write_catalog
from darkroom.export.imagefolder import write_imagefolder
from darkroom.export.kind import Kind
from darkroom.export.lines import write_jsonl
from darkroom.export.openai_batch import write_openai_batch
from darkroom.export.order import Exported, Order
from darkroom.export.place import new_file, new_folder
from darkroom.export.table import write_table
from darkroom.export.webdataset import write_webdataset

__all__ = ["Exported", "Kind", "Order", "export"]

_FILES: Final[dict[Kind, Callable[[Order, BinaryIO], Exported]]] = {
    Kind.CATALOG: write_catalog,
    Kind.CSV: write_table,
    Kind.JSONL: write_jsonl,
    Kind.OPENAI_BATCH: write_openai_batch,
}
_FOLDERS: Final[dict[Kind, Callable[[Order, Path], Exported]]] = {
    Kind.IMAGEFOLDER: write_imagefolder,
    Kind.WEBDATASET: write_webdataset,
}


def export(order: Order, kind: Kind, out: Path | BinaryIO) -> Exported:
    """Write a file or a folder, whole or not at all; an open file as it comes.

    Raises ConfigInvalid for a folder that holds something, ManifestRejected for a catalog that is
    gone, changed or no table, StorageFault for images that cannot be read.
    """
    if kind in _FOLDERS:
        if not isinstance(out, Path):
            said = f"{kind} is a folder."
            raise ConfigInvalid(said, hint="Give --out FOLDER.")
        with new_folder(out) as folder:
            return _FOLDERS[kind](order, folder)
    if not isinstance(out, Path):
        return _FILES[kind](order, out)
    with new_file(out) as file:
        return _FILES[kind](order, file)
