"""Templates that are files: `templates/NAME.j2` is the template NAME."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import msgspec

from darkroom.errors import ConfigInvalid

FOLDER: Final = "templates"
_SUFFIX: Final = ".j2"
_MOST_BYTES: Final = 1_000_000

Layer = dict[str, Any]


class TemplateText(msgspec.Struct, frozen=True):
    """A template as it was when it was read, so that a plan and its job are filled from one text.

    Its name begins with a dot or a slash, so that no row's `template` can mean it.
    """

    name: str
    text: str

    @classmethod
    def of_file(cls, path: str | Path) -> TemplateText:
        """Read a file. Raises ConfigInvalid."""
        shown = str(path)
        return cls(shown if shown.startswith((".", "/")) else f"./{shown}", _read(Path(path)))


def template_layers(folder: Path) -> list[tuple[str, Layer]]:
    """Read the folder beside `darkroom.toml` as settings are read. Raises ConfigInvalid."""
    layers: list[tuple[str, Layer]] = []
    for path in sorted((folder / FOLDER).glob(f"*{_SUFFIX}")):
        tree: Layer = {"templates": {path.stem: {"prompt": _read(path)}}}
        layers.append((str(path), tree))
    return layers


def require_one_home(layers: list[tuple[str, Layer]]) -> None:
    """Refuse a template that is both a setting and a file. Raises ConfigInvalid."""
    homes: dict[str, str] = {}
    for origin, tree in layers:
        given = tree.get("templates")
        for name in given if isinstance(given, dict) else ():
            other = homes.setdefault(str(name), origin)
            if other != origin:
                said = f"The template {name} is in {other} and in {origin}."
                raise ConfigInvalid(said, hint="Keep one of them.")


def _read(path: Path) -> str:
    try:
        data = path.read_bytes()
    except OSError as error:
        said = f"The template {path} cannot be read: {error.strerror or error}."
        raise ConfigInvalid(said, hint="Give a file, or the name of a template.") from error
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigInvalid(f"The template {path} is not UTF-8.", hint="Save it so.") from error
    if len(data) > _MOST_BYTES or not text.strip():
        said = "is empty" if not text.strip() else "has more than 1 MB"
        raise ConfigInvalid(f"The template {path} {said}.", hint="Write one prompt into it.")
    return text
