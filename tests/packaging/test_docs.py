"""The reference keeps in step with the code, and the docs with themselves."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from prometheus_client import CollectorRegistry
from pydantic import BaseModel

from darkroom import cli, db, errors
from darkroom.export import Kind
from darkroom.metrics import Books
from darkroom.models import AttemptState, RenderState
from darkroom.registry import Registry
from darkroom.report import FIELDS
from darkroom.settings import Limits, Settings
from darkroom_manifests.dialect import dialects
from darkroom_worker.meters import Meters
from darkroom_worker.telemetry import Telemetry

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [*ROOT.glob("*.md"), *DOCS.rglob("*.md"), *ROOT.glob("*/README.md")]
EVERYWHERE = {"--home", "--quiet", "--debug", "--help", "--json"}


def page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def cells(text: str) -> list[list[str]]:
    """The rows of all tables, without backticks."""
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip().replace("`", "") for cell in row.split("|")[1:-1]] for row in rows]


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_to_a_file(path: Path) -> None:
    targets = re.findall(r"\]\((?!https?://)([^)#]+)", path.read_text(encoding="utf-8"))

    assert [target for target in targets if not (path.parent / target).exists()] == []


def test_every_program_in_the_docs_is_python() -> None:
    programs = [each for path in DOCS.rglob("*.md") for each in blocks(path.read_text(), "python")]

    for program in programs:
        compile(program, "docs", "exec")
    assert programs


def test_every_configuration_in_the_docs_is_accepted(tmp_path: Path) -> None:
    examples = [each for path in DOCS.rglob("*.md") for each in blocks(path.read_text(), "toml")]

    for example in examples:
        tree = tomllib.loads(example)
        if tree.keys() & {"models", "prices"}:
            (tmp_path / "registry.toml").write_text(example, encoding="utf-8")
            Registry.load(tmp_path / "registry.toml")
        else:
            Settings.model_validate(tree)
    assert examples


def commands(group: click.Group, path: str = "darkroom") -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


def test_the_page_of_commands_names_every_command_and_option() -> None:
    text, found = page("reference/cli.md"), dict(commands(cli.main))
    headings = re.findall(r"^### `(darkroom [a-z ]*[a-z])", text, re.MULTILINE)
    options = {
        name
        for command in found.values()
        for option in command.params
        if isinstance(option, click.Option)
        for name in (*option.opts, *option.secondary_opts)
        if name.startswith("--")
    }

    assert sorted(headings) == sorted(found)
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", text)) | EVERYWHERE == options | EVERYWHERE


def read(words: list[str]) -> None:
    """Read a command line as click does, without running it."""
    command: click.Command = cli.main
    context = click.Context(command, info_name="darkroom")
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        name = words.pop(0)
        found = command.get_command(context, name)
        assert found is not None, f"there is no command {name}"
        command, context = found, click.Context(found, parent=context, info_name=name)
    if not isinstance(command, click.Group):
        command.make_context(context.info_name, words, parent=context.parent)


def called(line: str) -> Iterator[list[str]]:
    """The calls of ours in a line of shell, in a container or not."""
    for part in re.split(r"&&|\|\||[|;]", re.sub(r"[<>] *\S+", "", line)):
        words = shlex.split(part, comments=True)
        if words[:3] == ["docker", "compose", "run"]:
            _, *rest = [word for word in words[3:] if word != "--rm"]  # after the service's name
            words = ["darkroom", *rest] if rest else []
        if words[:1] == ["darkroom"]:
            yield words[1:]


def test_every_command_in_the_docs_is_one_that_the_command_line_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    pages = [path.read_text(encoding="utf-8") for path in PAGES]
    lines = [
        line for text in pages for block in blocks(text, "console") for line in block.split("\n")
    ]
    calls = [words for line in lines if line.startswith("$ ") for words in called(line[2:])]

    assert calls
    for words in calls:
        read(words)


def settings(model: type[BaseModel], path: tuple[str, ...] = ()) -> Iterator[tuple[str, str]]:
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from settings(kind, (*path, name))
        else:
            default = field.get_default(call_default_factory=True, validated_data={})
            yield ".".join((*path, name)), "" if default in (None, {}) else str(default)


def test_the_page_of_settings_names_each_with_its_default_and_variable() -> None:
    rows = {row[0]: row for row in cells(page("reference/settings.md")) if len(row) == 4}
    del rows["setting"]
    found = dict(settings(Settings))

    assert {name: row[1] for name, row in rows.items()} == found
    tables = {"tiers", "templates", "mapping", "sets", "notices.targets"}
    tables |= {"proxy.models", "proxy.prices", "proxy.extra_body"}
    for name in found.keys() - tables:
        assert rows[name][2] == f"DARKROOM_{name.upper().replace('.', '__')}"


def test_the_page_of_settings_names_every_limit_of_a_tier() -> None:
    named = {row[0] for row in cells(page("reference/settings.md")) if len(row) == 2}

    assert named >= set(Limits.model_fields)


def test_the_page_of_manifests_names_every_dialect() -> None:
    named = {row[0] for row in cells(page("reference/manifest.md")) if len(row) == 3}

    assert named >= {dialect.name for dialect in dialects()} | {"text"}


def test_the_page_of_commands_names_every_kind_of_export() -> None:
    named = {row[0] for row in cells(page("reference/cli.md")) if len(row) == 2}

    assert named >= set(Kind)


def test_the_page_of_the_report_names_its_fields_in_their_order() -> None:
    _, *rows = cells(page("reference/report.md"))

    assert [row[0] for row in rows] == list(FIELDS)


def test_the_page_of_exit_codes_names_them_and_every_error() -> None:
    rows = cells(page("reference/exit-codes.md"))
    codes = [int(row[0]) for row in rows if row[0].isdigit()]
    told = {row[0]: row[1] for row in rows}
    leaves = [each for each in vars(errors).values() if isinstance(each, type)]
    own = [
        each for each in leaves if issubclass(each, errors.DarkroomError) and "code" in vars(each)
    ]

    assert codes == [int(code) for code in errors.Exit]
    for error in own:
        if not error.__subclasses__():
            assert told[error.code] == str(int(error.exit_code))


def test_the_page_of_states_names_every_state_and_every_end() -> None:
    named = {row[0] for row in cells(page("explanation/states.md"))}

    assert named >= {state.value for state in RenderState}
    assert named >= {state.value for state in AttemptState if state is not AttemptState.SENT}


def test_decisions_are_numbered_without_holes() -> None:
    names = sorted(path.name for path in (DOCS / "adr").glob("*.md"))

    assert [int(name[:4]) for name in names] == list(range(1, len(names) + 1))
    for number, name in enumerate(names, 1):
        assert page(f"adr/{name}").startswith(f"# {number}. ")


def test_the_page_of_metrics_names_every_one(tmp_path: Path) -> None:
    engine = db.open_engine(f"sqlite:///{tmp_path / 'books.db'}")
    db.upgrade(engine)
    books, meters = CollectorRegistry(), Meters()
    books.register(Books(engine, lambda: None))
    meters.watch(Telemetry())
    families = [*books.collect(), *meters.registry.collect()]
    own = [family for family in families if family.name.startswith("darkroom_")]
    found = {f.name + "_total" * (f.type == "counter") for f in own}
    named = [row for row in cells(page("reference/metrics.md")) if row[0].startswith("darkroom_")]

    assert sorted(row[0] for row in named if len(row) == 3) == sorted(found)
    engine.dispose()
