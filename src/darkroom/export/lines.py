"""The report as JSON lines, exact."""

from __future__ import annotations

from typing import BinaryIO

import msgspec

from darkroom.export.order import Exported, Order
from darkroom.export.table import Counted, addressed


def write_jsonl(order: Order, out: BinaryIO) -> Exported:
    """Write a line a render."""
    counted = Counted(order.results())
    out.writelines(msgspec.json.encode(addressed(order, result)) + b"\n" for result in counted)
    return Exported(rows=counted.rows, images=counted.images)
