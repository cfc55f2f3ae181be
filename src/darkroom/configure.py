"""Reads the settings from flags, environment and `darkroom.toml`, and says where each came from."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
from pydantic import SecretStr, ValidationError

from darkroom import borrowed, killpoints, setting_fault
from darkroom.errors import ConfigInvalid
from darkroom.settings import Settings
from darkroom.template_folder import require_one_home, template_layers

FILE: Final = "darkroom.toml"
PREFIX: Final = "DARKROOM_"
BY_FILE: Final = "_FILE"
"""`DARKROOM_X_FILE` names a file that holds the value of `DARKROOM_X`, as containers need it."""
HANDED_DOWN: Final = "DARKROOM_SETTINGS"
"""What a process gives its children: all its settings, whatever they came from."""

# Google's own names, read in Google's own order of preference.
_GOOGLE: Final[tuple[tuple[str, tuple[str, str]], ...]] = (
    ("GOOGLE_API_KEY", ("aistudio", "api_key")),
    ("GEMINI_API_KEY", ("aistudio", "api_key")),
    ("GOOGLE_GEMINI_BASE_URL", ("aistudio", "base_url")),
    ("GOOGLE_CLOUD_PROJECT", ("vertex", "project")),
    ("GOOGLE_CLOUD_LOCATION", ("vertex", "location")),
    ("GOOGLE_APPLICATION_CREDENTIALS", ("vertex", "credentials_file")),
    ("GOOGLE_VERTEX_BASE_URL", ("vertex", "base_url")),
)

_GOOGLE_SECRETS: Final = frozenset({"GOOGLE_API_KEY", "GEMINI_API_KEY"})

Layer = dict[str, Any]


class Setting(msgspec.Struct, frozen=True):
    """One value in force. `origin` names the flag, variable, file or "default"."""

    name: str
    value: str | None
    origin: str


class Configuration(msgspec.Struct, frozen=True):
    """The settings in force, and the layers that they were made from, the weakest first."""

    settings: Settings
    layers: tuple[tuple[str, Layer], ...]

    def origins(self) -> list[Setting]:
        """Every setting with where it came from; secrets are shown as stars."""
        found = []
        for path, value in _leaves(self.settings):
            layer = next((n for n, tree in reversed(self.layers) if _holds(tree, path)), "default")
            found.append(Setting(".".join(path), _shown(value), layer))
        return found


def load(
    flags: Mapping[str, Any] | None = None,
    env: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> Configuration:
    """Merge all sources. Raises ConfigInvalid, which names the setting and where it was given.

    `flags` is a tree such as `{"storage_url": "out"}`; None values count as not given.
    """
    env = os.environ if env is None else env
    if HANDED_DOWN in env:
        tree = msgspec.json.decode(env[HANDED_DOWN])
        return Configuration(Settings.model_validate(tree), ((HANDED_DOWN, tree),))
    place = folder or Path.cwd()
    layers = [
        *template_layers(place),
        *_file_layer(place / FILE),
        *_google_layers(env),
        *_variable_layers(env),
        ("flag", _pruned(flags or {})),
    ]
    require_one_home(layers)
    merged: Layer = {}
    for _, tree in layers:
        _merge(merged, tree)
    borrowed.filled_in(merged, env, place)
    try:
        settings = Settings.model_validate(merged)
    except ValidationError as error:
        raise _explained(error, layers) from error
    return Configuration(settings, tuple(layers))


def hand_down(settings: Settings) -> dict[str, str]:
    """Write settings for the environment of a child process, secrets and all."""
    tree = settings.model_dump(mode="python", exclude_unset=True)
    return {HANDED_DOWN: msgspec.json.encode(tree, enc_hook=_plain).decode()}


def _plain(value: Any) -> str:  # noqa: ANN401  # a setting of any type
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value)


def _file_layer(path: Path) -> list[tuple[str, Layer]]:
    if not path.is_file():
        return []
    try:
        return [(str(path), tomllib.loads(path.read_text(encoding="utf-8")))]
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigInvalid(f"{path}: {error}", hint="Mend the file and run again.") from error


def _google_layers(env: Mapping[str, str]) -> list[tuple[str, Layer]]:
    layers = []
    for name, (group, setting) in reversed(_GOOGLE):
        by_file = name + BY_FILE
        if env.get(name):
            layers.append((name, {group: {setting: env[name]}}))
        elif name in _GOOGLE_SECRETS and env.get(by_file) and (held := _held(by_file, env)):
            layers.append((by_file, {group: {setting: held}}))
    return layers


def _variable_layers(env: Mapping[str, str]) -> list[tuple[str, Layer]]:
    layers = []
    for name in sorted(env):
        if name == killpoints.VARIABLE:
            continue
        if name.startswith(PREFIX) and (found := _given(name, env)) is not None:
            path, value = found
            tree: Any = value
            for part in reversed(path):
                tree = {part: tree}
            layers.append((name, tree))
    return layers


def _given(name: str, env: Mapping[str, str]) -> tuple[list[str], str] | None:
    """Read one variable: the setting's path and its value; None for an empty one."""
    if not env[name]:
        return None
    path = _path(name)
    if not name.endswith(BY_FILE) or _is_setting(path):
        return path, env[name]
    plain = name.removesuffix(BY_FILE)
    if not _is_setting(_path(plain)):
        return path, env[name]  # let it be refused under the name that was given
    if env.get(plain):
        raise ConfigInvalid(f"{plain} and {name} are both set.", hint="Leave one of them out.")
    held = _held(name, env)
    return (_path(plain), held) if held else None


def _path(name: str) -> list[str]:
    return name.removeprefix(PREFIX).lower().split("__")


def _is_setting(path: list[str]) -> bool:
    """Whether a path leads to a setting of its own: those of tiers and templates have no file."""
    model: Any = Settings
    for part in path:
        fields = getattr(model, "model_fields", {})
        if part not in fields:
            return False
        model = fields[part].annotation
    return not hasattr(model, "model_fields")


def _held(name: str, env: Mapping[str, str]) -> str:
    """Read the file that a variable names; blanks around the value are not part of it."""
    try:
        return Path(env[name]).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        said = error.strerror if isinstance(error, OSError) else "it is no text"
        hint = "Mount the file, readable for the user that runs this."
        raise ConfigInvalid(f"{name}: {env[name]}: {said}", hint=hint) from error


def _pruned(tree: Mapping[str, Any]) -> Layer:
    kept: Layer = {}
    for key, value in tree.items():
        inner = _pruned(value) if isinstance(value, Mapping) else value
        if inner is not None and inner != {}:
            kept[key] = inner
    return kept


def _merge(into: Layer, tree: Layer) -> None:
    for key, value in tree.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = _copied(value)


def _copied(value: Any) -> Any:  # noqa: ANN401  # raw configuration has any shape
    return (
        {key: _copied(inner) for key, inner in value.items()} if isinstance(value, dict) else value
    )


def _explained(error: ValidationError, layers: list[tuple[str, Layer]]) -> ConfigInvalid:
    first = error.errors(include_url=False, include_input=False)[0]
    path = tuple(str(part) for part in first["loc"] if part != "[key]")
    origin = next((name for name, tree in reversed(layers) if _holds(tree, path)), "the settings")
    reason = setting_fault.said(first["type"], first["msg"], first.get("ctx", {}))
    return ConfigInvalid(
        f"{origin}: {'.'.join(path)}: {reason}",
        hint="`darkroom config show` lists every setting with its value.",
    )


def _holds(tree: Any, path: tuple[str, ...]) -> bool:  # noqa: ANN401  # raw configuration
    for part in path:
        if not isinstance(tree, dict):
            return False
        key = next(
            (k for k in tree if str(k).lower().replace("_", "-") == part.replace("_", "-")), None
        )
        if key is None:
            return False
        tree = tree[key]
    return True


def _leaves(model: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:  # noqa: ANN401
    if hasattr(type(model), "model_fields"):
        for name in type(model).model_fields:
            yield from _leaves(getattr(model, name), (*path, name))
    elif isinstance(model, dict) and model:
        for key, value in model.items():
            yield from _leaves(value, (*path, str(key)))
    else:
        yield path, model


def _shown(value: Any) -> str | None:  # noqa: ANN401  # a setting of any type
    if value is None or value == {}:
        return None
    if isinstance(value, SecretStr):
        return "********"
    return without_password(str(value))


def without_password(url: str) -> str:
    """Show a URL with its password, if it has one, as stars."""
    scheme, mark, rest = url.partition("://")
    user, at, host = rest.rpartition("@")
    if not (mark and at and ":" in user):
        return url
    return f"{scheme}://{user.partition(':')[0]}:********@{host}"
