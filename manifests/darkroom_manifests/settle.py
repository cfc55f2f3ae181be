"""Fields that stand for one another, settled: the shape of a picture, and when it is due."""

from __future__ import annotations

from typing import Any, Final

from darkroom_manifests import picture
from darkroom_manifests.layout import Layout
from darkroom_manifests.problem import Code, Fault, Severity

Found = dict[str, Any]  # by Row's names; Row has their types
Faults = list[tuple[str, Fault, object]]  # column, what is wrong there, the value

_NO_PIXELS: Final = Fault(
    Code.COLUMN_NEAR_MISS,
    "Width and height are no pixels, so they are kept as variables.",
    "The shape of a picture goes into aspect_ratio and image_size.",
    Severity.WARNING,
)


class Shapes:
    """Settles the size and ratio of one manifest's rows."""

    def __init__(self) -> None:
        self._has_doubted_sides = False

    def settle(self, layout: Layout, found: Found, faults: Faults) -> Fault | None:
        """Leave a size and a ratio by Row's names. A doubt is told once a file."""
        doubt = self._settle_sides(layout, found, faults)
        _settle_size(layout, found, faults)
        return doubt

    def _settle_sides(self, layout: Layout, found: Found, faults: Faults) -> Fault | None:
        """Make a size of width and height, or doubt that they are pixels."""
        sides = [found.pop(name, None) for name in ("pixel_width", "pixel_height")]
        if sides == [None, None]:
            return None
        if all(sides):
            size = picture.from_pixels(*sides)
            if isinstance(size, Fault):
                faults.append((layout.column("pixel_width"), size, None))
            else:
                found["image_size"] = size
            return None
        if self._has_doubted_sides:
            return None
        self._has_doubted_sides = True
        return _NO_PIXELS


def _settle_size(layout: Layout, found: Found, faults: Faults) -> None:
    """Take the ratio out of a size written as width and height."""
    size = found.get("image_size")
    if size is None:
        return
    found["image_size"] = size.name
    if not size.ratio:
        return
    ratio = found.setdefault("aspect_ratio", size.ratio)
    if ratio != size.ratio:
        message = f"The size is {size.ratio}, but aspect_ratio says {ratio}."
        fault = Fault(Code.SIZE_CONFLICT, message, f"Write the size as {size.name}.")
        faults.append((layout.column("image_size"), fault, size.name))


def settle_deadline(layout: Layout, found: Found, faults: Faults) -> None:
    """Take a time from a window that is not given beside one."""
    window = found.pop("completion_window", None)
    if window is None:
        return
    if "deliver_by" in found:
        fault = Fault(Code.COLUMN_CONFLICT, "There is a deliver_by too.", "Keep one of them.")
        faults.append((layout.column("completion_window"), fault, None))
    found["deliver_by"] = window
