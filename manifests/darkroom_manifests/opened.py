"""JSON lines of other people's batches, whose parts become columns: `body.prompt`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache

from darkroom_manifests.dialect import ELEMENTS, Dialect
from darkroom_manifests.field import plain_name
from darkroom_manifests.problem import Code, Fault

Record = dict[str, object]

_fold = lru_cache(maxsize=4_096)(plain_name)  # a million lines share a few names


def opened(record: Mapping[str, object], dialect: Dialect) -> Record | Fault:
    """Make columns of a record's parts. What was read out of lists takes their place."""
    for never in dialect.never:
        found = [v for v in _walk(record, _steps(never.path)) if v is not None]
        if any(not never.values or value in never.values for value in found):
            return Fault(Code.DIALECT, never.message, never.hint)
    flat = dict(_flat(record, "", _folded(dialect.opened)))
    if dialect.blank:
        flat = {name: v for name, v in flat.items() if not _is_blank(name, v, dialect)}
    for field, paths in _through(dialect.name, tuple(dialect.fields.items())):
        for path in paths:
            flat.pop(_root(tuple(flat), path), None)
        flat |= _read_out(record, field, paths)
    return flat


@lru_cache(maxsize=64)
def _through(
    _: str, fields: tuple[tuple[str, tuple[str, ...]], ...]
) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The fields that are read out of lists, and the paths that lead through them."""
    found = ((name, tuple(path for path in paths if ELEMENTS in path)) for name, paths in fields)
    return tuple((name, paths) for name, paths in found if paths)


def _flat(
    record: Mapping[str, object], prefix: str, wanted: frozenset[str]
) -> Iterator[tuple[str, object]]:
    for name, value in record.items():
        path = f"{prefix}{name}"
        if isinstance(value, dict) and _fold(path) in wanted:
            yield from _flat(value, f"{path}.", wanted)
        else:
            yield path, value


@lru_cache(maxsize=64)
def _folded(paths: tuple[str, ...]) -> frozenset[str]:
    return frozenset(map(_fold, paths))


def _is_blank(name: str, value: object, dialect: Dialect) -> bool:
    return any(
        _fold(name) == _fold(blank) and value in values for blank, values in dialect.blank.items()
    )


@lru_cache(maxsize=1_024)
def _root(names: tuple[str, ...], path: str) -> str:
    """The column that holds the list which a path goes through."""
    root = _fold(path.partition(ELEMENTS)[0])
    return next((name for name in names if _fold(name) == root), "")


def _read_out(record: Mapping[str, object], field: str, paths: tuple[str, ...]) -> Record:
    """Join texts of a prompt, list references; under the first path that leads to any."""
    found: dict[str, list[object]] = {
        path: [v for v in _walk(record, _steps(path)) if isinstance(v, str)] for path in paths
    }
    values = [value for path in paths for value in found[path]]
    if not values:
        return {}
    name = next(path for path in paths if found[path])
    return {name: values if field == "references" else "\n".join(map(str, values))}


@lru_cache(maxsize=256)
def _steps(path: str) -> tuple[tuple[str, bool], ...]:
    parts = path.split(".")
    return tuple((_fold(p.removesuffix(ELEMENTS)), p.endswith(ELEMENTS)) for p in parts)


def _walk(value: object, steps: tuple[tuple[str, bool], ...]) -> Iterator[object]:
    if not steps:
        yield value
        return
    if not isinstance(value, dict):
        return
    (wanted, is_list), rest = steps[0], steps[1:]
    for name, inner in value.items():
        if isinstance(name, str) and _fold(name) == wanted:
            items = inner if is_list and isinstance(inner, list) else [inner]
            for item in items:
                yield from _walk(item, rest)
