"""Records into rows: each field read, the row as a whole checked, names kept unique."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from darkroom_manifests import filename, matrix, nested, row_fault
from darkroom_manifests.column_fault import no_prompt
from darkroom_manifests.ids import Seen
from darkroom_manifests.layout import Layout
from darkroom_manifests.limits import Limits
from darkroom_manifests.problem import Code, Fault, Problem, quote
from darkroom_manifests.reading import PLAIN, Reading
from darkroom_manifests.row import Row, Variable
from darkroom_manifests.settle import Faults, Found, Shapes, settle_deadline
from darkroom_manifests.value import not_finite, turned


class Records:
    """Reads the records of one manifest, in their order."""

    def __init__(self, file: str, limits: Limits, reading: Reading = PLAIN) -> None:
        self.file = file
        self.limits = limits
        self.reading = reading
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
        variables: dict[str, Variable] = {}
        for name, index in layout.variables:
            variables[name] = cells[index]
        self._give_template(found, variables)
        if ("prompt" in found) is ("template" in found):
            return None
        if "id" in found and self._ids.first(found["id"], line):
            return None
        return Row(line=line, variables=variables, columns=layout.renamed, **found)

    def with_care(
        self, layout: Layout, line: int, values: Sequence[object]
    ) -> Sequence[Row | Problem]:
        """Return the row, perhaps with a warning before it, or everything that is wrong with it.

        It may stand for many rows, by lists in its columns.
        """
        if layout.lists is None:
            return self._read(layout, line, values)
        most = self.reading.most_variants
        parts = matrix.parts(layout.lists, values, self.reading.combine, most)
        if isinstance(parts, Fault):
            return [parts.at(self.file, line, f"variants.{layout.lists.names[0]}")]
        found: dict[object, Row | Problem] = {}
        for number, part in enumerate(parts, 1):
            counted = number if len(parts) > 1 else 0
            for entry in self._read(layout, line, part.values, part.mark, counted):
                found.setdefault(entry.message if isinstance(entry, Problem) else number, entry)
        return list(found.values())

    def _read(
        self,
        layout: Layout,
        line: int,
        values: Sequence[object],
        mark: str = "",
        part: int = 0,
    ) -> Sequence[Row | Problem]:
        faults: Faults = []
        found = self._fields(layout, values, faults)
        _add(layout, found, "variables", self._variables(layout, values, faults), faults)
        _add(layout, found, "tags", _named(layout, layout.tags, values, nested.tag, faults), faults)
        found["labels"] = _named(layout, layout.labels, values, nested.label, faults)
        doubt = self._shapes.settle(layout, found, faults)
        doubts = [doubt.at(self.file, line, layout.column("pixel_width"))] if doubt else []
        settle_deadline(layout, found, faults)
        self._settle_output(layout, line, found, faults)
        self._give_template(found, found["variables"])
        self._check_prompt(layout, values, found, faults)
        if mark and "id" in found:
            _extend_id(layout, found, mark, faults)
        if "id" in found:
            for turn in range(len(found.get("turns", ())) or 1):
                name = filename.turn_id(found["id"], turn)
                self._check_id(layout, line, name, faults)
        if faults:
            return [fault.at(self.file, line, column, given) for column, fault, given in faults]
        row = Row(line=line, columns=layout.renamed, part=part, **found)
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
                got = read(given) if len(given) <= longest else row_fault.too_long(given, longest)
            else:
                odd = not_finite(given) if isinstance(given, float) else None
                got = odd or read(given)
            if isinstance(got, Fault):
                faults.append((layout.names[index], got, given))
            elif name == "references" and name in found and index in layout.said:
                found[name] += got
            elif name in found:
                faults.append((layout.names[index], row_fault.clash(layout, name, index), given))
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
                got: Variable | Fault = row_fault.too_long(given, longest)
            else:
                got = nested.variable(given)
            if isinstance(got, Fault):
                faults.append((layout.names[index], got, given))
            else:
                found[name] = got
        for index in layout.unnamed:
            if values[index] is not None and values[index] != "":
                faults.append(("", row_fault.unnamed(index), values[index]))
        return found

    def _check_prompt(
        self, layout: Layout, values: Sequence[object], found: Found, faults: Faults
    ) -> None:
        given = [name for name in ("prompt", "template", "turns") if name in found]
        if not given:
            _demand_prompt(layout, values, faults)
        texts = [("prompt", found["prompt"])] if "prompt" in found else []
        texts += [("turns", text) for text in found.get("turns", ())]
        for name, text in texts:
            if len(text) > self.limits.prompt_chars:
                fault = row_fault.long_prompt(text, self.limits.prompt_chars)
                faults.append((layout.column(name), fault, text))
        if len(given) > 1:
            column = layout.column(given[-1])
            faults.append((column, row_fault.both(*given[:2]), found[given[-1]]))

    def _give_template(self, found: Found, variables: dict[str, Variable]) -> None:
        """Let the template for all rows have the row's own prompt, where it names none."""
        if self.reading.template is None or found.keys() & {"template", "turns"}:
            return
        found["template"] = self.reading.template
        prompt = found.pop("prompt", None)
        if prompt is not None:
            variables.setdefault("prompt", prompt)

    def _check_id(self, layout: Layout, line: int, name: str, faults: Faults) -> None:
        first = self._ids.first(name, line)
        if first:
            fault = row_fault.repeated(Code.ID_DUPLICATE, "id", name, first)
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
            fault = (
                row_fault.repeated(Code.OUTPUT_DUPLICATE, "output", path, first) if first else None
            )
        if fault:
            faults.append((layout.column("output"), fault, path))


def _demand_prompt(layout: Layout, values: Sequence[object], faults: Faults) -> None:
    places = {name: index for name, index, _ in layout.fields}
    said = {column for column, _, _ in faults}
    asking = ("prompt", "template", "turns")
    if any(layout.names[places[name]] in said for name in asking if name in places):
        return  # there is one, and what is wrong with it is said already
    columns = [index for name, index, _ in layout.fields if name == "prompt"]
    given = [index for index in columns if values[index] is not None]
    if given:
        faults.append((layout.names[given[0]], row_fault.EMPTY, None))
    else:
        faults.append(("prompt", no_prompt(layout.names), None))


def _named(
    layout: Layout,
    places: Sequence[tuple[str, int]],
    values: Sequence[object],
    read: Callable[[object], str | Fault],
    faults: Faults,
) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, index in places:
        given = values[index]
        if given is None or given == "":
            continue
        got = read(given)
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


def _extend_id(layout: Layout, found: Found, mark: str, faults: Faults) -> None:
    """Tell the rows apart that one row stands for."""
    name = filename.row_id(f"{found['id']}-{mark}")
    if isinstance(name, Fault):
        faults.append((layout.column("id"), name, found["id"]))
    else:
        found["id"] = name
