"""Records into rows: each field read, the row as a whole checked, names kept unique."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from darkroom_manifests import filename, nested
from darkroom_manifests.ids import Seen
from darkroom_manifests.layout import Layout, no_prompt
from darkroom_manifests.limits import Limits
from darkroom_manifests.problem import Code, Fault, Problem, quote
from darkroom_manifests.row import Row, Variable
from darkroom_manifests.settle import Faults, Found, Shapes, settle_deadline
from darkroom_manifests.value import not_finite, turned

_EMPTY: Final = Fault(Code.PROMPT_EMPTY, "The prompt is empty.", "Say what the picture shows.")
_BOTH: Final = Fault(
    Code.PROMPT_AND_TEMPLATE, "The row has a prompt and a template.", "Keep one of them."
)


class Records:
    """Reads the records of one manifest, in their order."""

    def __init__(self, file: str, limits: Limits) -> None:
        self.file = file
        self.limits = limits
        self._ids = Seen()
        self._outputs = Seen()
        self._shapes = Shapes()

    def at_once(self, layout: Layout, line: int, cells: Sequence[str]) -> Row | None:
        """Read a sound row of a plain layout; None if it must be read with care.

        One look at all cells together stands for most checks: twice as quick for a million rows.
        """
        if not layout.is_plain or len(cells) != len(layout.names):
            return None
        text = "".join(cells)
        if not text.isprintable() or len(text) > self.limits.prompt_chars:
            return None
        found: Found = {}
        for name, index, read in layout.fields:
            cell = cells[index].strip()
            if cell:
                got = read(cell)
                if got.__class__ is Fault or name in found:
                    return None
                found[name] = got
        if ("prompt" in found) is ("template" in found):
            return None
        if "id" in found and self._ids.first(found["id"], line):
            return None
        variables: dict[str, Variable] = {}
        for name, index in layout.variables:
            variables[name] = cells[index]
        return Row(line=line, variables=variables, columns=layout.renamed, **found)

    def with_care(
        self, layout: Layout, line: int, values: Sequence[object]
    ) -> Sequence[Row | Problem]:
        """Return the row, perhaps with a warning before it, or everything that is wrong with it."""
        faults: Faults = []
        found = self._fields(layout, values, faults)
        _add(layout, found, "variables", self._variables(layout, values, faults), faults)
        _add(layout, found, "tags", _tags(layout, values, faults), faults)
        doubt = self._shapes.settle(layout, found, faults)
        doubts = [doubt.at(self.file, line, layout.column("pixel_width"))] if doubt else []
        settle_deadline(layout, found, faults)
        self._settle_output(layout, line, found, faults)
        self._check_prompt(layout, values, found, faults)
        if "id" in found:
            self._check_id(layout, line, found["id"], faults)
        if faults:
            return [fault.at(self.file, line, column, given) for column, fault, given in faults]
        row = Row(line=line, columns=layout.renamed, **found)
        doubt = turned(row.prompt) if row.prompt else None
        if doubt:
            doubts.append(doubt.at(self.file, line, layout.column("prompt"), row.prompt))
        return [*doubts, row]

    def _fields(self, layout: Layout, values: Sequence[object], faults: Faults) -> Found:
        found: Found = {}
        longest = self.limits.field_chars
        for name, index, read in layout.fields:
            given = values[index]
            if given is None:
                continue
            if isinstance(given, str):
                given = given.strip()
                if not given:
                    continue
                got = read(given) if len(given) <= longest else _too_long(given, longest)
            else:
                odd = not_finite(given) if isinstance(given, float) else None
                got = odd or read(given)
            if isinstance(got, Fault):
                faults.append((layout.names[index], got, given))
            elif name in found:
                faults.append((layout.names[index], _clash(layout, name, index), given))
            else:
                found[name] = got
        return found

    def _variables(
        self, layout: Layout, values: Sequence[object], faults: Faults
    ) -> dict[str, Variable]:
        found: dict[str, Variable] = {}
        longest = self.limits.field_chars
        for name, index in layout.variables:
            given = values[index]
            if isinstance(given, str) and len(given) > longest:
                got: Variable | Fault = _too_long(given, longest)
            else:
                got = nested.variable(given)
            if isinstance(got, Fault):
                faults.append((layout.names[index], got, given))
            else:
                found[name] = got
        for index in layout.unnamed:
            if values[index] is not None and values[index] != "":
                faults.append(("", _unnamed(index), values[index]))
        return found

    def _check_prompt(
        self, layout: Layout, values: Sequence[object], found: Found, faults: Faults
    ) -> None:
        prompt = found.get("prompt")
        if prompt is None:
            if "template" not in found:
                _demand_prompt(layout, values, faults)
            return
        if len(prompt) > self.limits.prompt_chars:
            fault = _long_prompt(prompt, self.limits.prompt_chars)
            faults.append((layout.column("prompt"), fault, prompt))
        if "template" in found:
            faults.append((layout.column("template"), _BOTH, found["template"]))

    def _check_id(self, layout: Layout, line: int, name: str, faults: Faults) -> None:
        first = self._ids.first(name, line)
        if first:
            fault = _repeated(Code.ID_DUPLICATE, "id", name, first)
            faults.append((layout.column("id"), fault, name))

    def _settle_output(self, layout: Layout, line: int, found: Found, faults: Faults) -> None:
        folder = found.pop("output_dir", None)
        path = found.get("output")
        if folder:
            path = found["output"] = f"{folder}/{path or filename.DEFAULT_NAME}"
        if not path:
            return
        fault = filename.unknown_field(path, found["variables"])
        if fault is None and not filename.is_own(path):
            first = self._outputs.first(path, line)
            fault = _repeated(Code.OUTPUT_DUPLICATE, "output", path, first) if first else None
        if fault:
            faults.append((layout.column("output"), fault, path))


def _demand_prompt(layout: Layout, values: Sequence[object], faults: Faults) -> None:
    places = {name: index for name, index, _ in layout.fields}
    said = {column for column, _, _ in faults}
    if any(layout.names[places[name]] in said for name in ("prompt", "template") if name in places):
        return  # there is one, and what is wrong with it is said already
    columns = [index for name, index, _ in layout.fields if name == "prompt"]
    given = [index for index in columns if values[index] is not None]
    if given:
        faults.append((layout.names[given[0]], _EMPTY, None))
    else:
        faults.append(("prompt", no_prompt(layout.names), None))


def _tags(layout: Layout, values: Sequence[object], faults: Faults) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, index in layout.tags:
        given = values[index]
        if given is None or given == "":
            continue
        got = nested.tag(given)
        if isinstance(got, Fault):
            faults.append((layout.names[index], got, given))
        else:
            found[name] = got
    return found


def _add(
    layout: Layout, found: Found, field: str, named: Mapping[str, Variable], faults: Faults
) -> None:
    """Join what stands in columns of its own with what stands in the one object."""
    inside = found.get(field, {})
    for name in inside.keys() & named.keys():
        column = layout.column(field)
        message = f"{quote(name)} is in {column} and has a column of its own."
        fault = Fault(Code.COLUMN_CONFLICT, message, "Keep one of them.")
        faults.append((column, fault, inside[name]))
    found[field] = {**named, **inside}


def _clash(layout: Layout, field: str, index: int) -> Fault:
    names = f"{quote(layout.column(field))} and {quote(layout.names[index])}"
    return Fault(
        Code.COLUMN_CONFLICT,
        f"The columns {names} both give the {field}.",
        "Leave one of them empty, or rename it.",
    )


def _repeated(code: Code, what: str, name: str, first: int) -> Fault:
    return Fault(
        code,
        f"The {what} {quote(name)} is taken by line {first}.",
        "Each row needs its own, different in more than upper and lower case.",
    )


def _long_prompt(prompt: str, longest: int) -> Fault:
    return Fault(
        Code.PROMPT_TOO_LONG,
        f"The prompt has {len(prompt):,} characters, above {longest:,}.",
        "Is a quote before it not closed?",
    )


def _too_long(given: str, longest: int) -> Fault:
    return Fault(
        Code.FIELD_TOO_LONG,
        f"The value has {len(given):,} characters, above {longest:,}.",
        "Is a quote before it not closed?",
    )


def _unnamed(index: int) -> Fault:
    return Fault(
        Code.COLUMN_UNNAMED,
        f"Column {index + 1} has a value but no name.",
        "Name the column, or quote a cell that holds the delimiter.",
    )
