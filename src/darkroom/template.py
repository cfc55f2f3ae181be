"""Templates filled from rows: prompts with places for a manifest's columns."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from functools import lru_cache
from typing import Any, Final

import jinja2
import msgspec
from jinja2 import StrictUndefined, TemplateError, TemplateSyntaxError, UndefinedError, meta
from jinja2.sandbox import ImmutableSandboxedEnvironment

from darkroom.errors import ConfigInvalid
from darkroom.settings import Settings
from darkroom.template_folder import TemplateText
from darkroom_manifests.limits import DEFAULT_LIMITS
from darkroom_manifests.problem import Code, FieldFault, quote
from darkroom_manifests.row import Row
from darkroom_manifests.value import unsafe

_UNDEFINED: Final = re.compile(r"'(.+)' is undefined")
_SIGNS: Final = re.compile(r"\W+")
_ALL: Final = "row"
"""In a template: every column by its own name, as in `row["Body (HTML)"]`."""

# What an expression of a template may come to with the cells of one row.
_FAILURES: Final = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)


class _Compiled(msgspec.Struct, frozen=True):
    """A template, and the names that it asks for."""

    template: jinja2.Template
    wanted: tuple[str, ...]


class Templates:
    """The templates of the settings, and perhaps one for all rows; compiled when they are used.

    They come from configuration only; a cell is a value and never a template.
    """

    def __init__(self, settings: Settings, given: str | TemplateText | None = None) -> None:
        """Raises ConfigInvalid when there is no template of the given name."""
        self._texts = {name: own.prompt for name, own in settings.templates.items()}
        self._compiled: dict[str, _Compiled] = {}
        self._sandbox = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False)
        if isinstance(given, TemplateText):
            self._texts[given.name] = given.text
        elif given is not None and given not in self._texts:
            raise ConfigInvalid(f"There is no template {quote(given)}.", hint=self._known())

    def fill(self, row: Row) -> str | FieldFault:
        """Make the prompt of a row that names a template. Raises ConfigInvalid for a broken one."""
        name = row.template or ""
        if name not in self._texts:
            said = f"There is no template {quote(name)}."
            return ("template", Code.TEMPLATE_UNKNOWN, said, self._known())
        compiled = self._compiled.get(name) or self._compile(name)
        own = {**row.variables, **row.tags, "id": row.id}
        try:
            filled = compiled.template.render(_context(compiled.wanted, own)).strip()
        except UndefinedError as error:
            return _undefined(name, error, own)
        except (TemplateError, *_FAILURES) as error:
            said = f"Template {quote(name)} cannot be filled: {error}."
            return ("template", Code.TEMPLATE_UNFILLED, said, "Mend the template or the row.")
        return _unfit(name, filled) or filled

    def _known(self) -> str:
        named = [name for name in self._texts if name[0] not in "./"]
        return f"Templates are {', '.join(named) or 'none yet'}; see darkroom.toml."

    def _compile(self, name: str) -> _Compiled:
        text = self._texts[name]
        try:
            tree = self._sandbox.parse(text)
            template = self._sandbox.from_string(text)
        except TemplateSyntaxError as error:
            said = f"Template {quote(name)}, line {error.lineno}: {error.message}."
            raise ConfigInvalid(said, hint="Columns are written {{ colour }}.") from error
        if any(True for _ in meta.find_referenced_templates(tree)):
            said = f"Template {quote(name)} uses another template."
            raise ConfigInvalid(said, hint="Write all of a prompt into one.")
        wanted = tuple(sorted(meta.find_undeclared_variables(tree)))
        found = self._compiled[name] = _Compiled(template, wanted)
        return found


def _context(wanted: Iterable[str], own: Mapping[str, Any]) -> dict[str, Any]:
    """Give a template what it asks for; what is missing stays undefined, which is an error."""
    context: dict[str, Any] = {}
    names: tuple[str, ...] | None = None
    for name in wanted:
        if name in own:
            context[name] = own[name]
        elif name == _ALL:
            context[name] = dict(own)
        else:
            names = names or tuple(own)
            column = _spelled(name, names)
            if column is not None:
                context[name] = own[column]
    return context


@lru_cache(maxsize=4_096)
def _spelled(name: str, columns: tuple[str, ...]) -> str | None:
    """Find the column that is written so where only letters, digits and `_` may be."""
    return next((column for column in columns if _as_name(column) == name), None)


@lru_cache(maxsize=4_096)
def _as_name(column: str) -> str:
    return _SIGNS.sub("_", column.lower()).strip("_")


def _undefined(name: str, error: UndefinedError, own: Mapping[str, Any]) -> FieldFault:
    found = _UNDEFINED.fullmatch(error.message or "")
    if found is None:
        said = f"Template {quote(name)} cannot be filled: {error.message}."
        return ("template", Code.TEMPLATE_UNFILLED, said, "Mend the template or the row.")
    wanted = found[1]
    known = {_as_name(column): column for column in own}
    near = get_close_matches(wanted.lower(), known, n=3, cutoff=0.6)
    hint = f"Did you mean {' or '.join(near)}?" if near else _columns(known)
    said = f"Template {quote(name)} asks for {quote(wanted)}, which the row does not have."
    return (wanted, Code.TEMPLATE_UNFILLED, said, hint)


def _columns(known: Iterable[str]) -> str:
    return f"The row has {', '.join(sorted(filter(None, known)))[:200]}."


def _unfit(name: str, filled: str) -> FieldFault | None:
    """Judge the prompt as one that stands in a cell is judged."""
    longest = DEFAULT_LIMITS.prompt_chars
    if not filled:
        said = f"Template {quote(name)} makes an empty prompt of this row."
        return ("template", Code.PROMPT_EMPTY, said, "Fill the columns that it asks for.")
    if len(filled) > longest:
        said = f"Template {quote(name)} makes {len(filled):,} characters, above {longest:,}."
        return ("template", Code.PROMPT_TOO_LONG, said, "Shorten a column that it asks for.")
    fault = unsafe(filled)
    return None if fault is None else ("template", fault.code, fault.message, fault.hint)
