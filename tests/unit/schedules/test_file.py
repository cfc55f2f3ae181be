from __future__ import annotations

import sqlite3
from datetime import date
from pathlib import Path

import pytest

from darkroom.errors import ConfigInvalid, SourceFailed
from darkroom.schedules import program
from darkroom.schedules.file import read
from darkroom.schedules.query import Database
from darkroom.schedules.terms import Publish
from darkroom.settings import Settings

WHOLE = """
name = "catalog-nightly"
cron = "30 1 * * MON-FRI"
timezone = "Europe/Berlin"
source = { query = "select sku, colour from products where live", database = "env:CATALOG_DSN" }
template = "hero"
ask = { grounding = "web", compression_quality = 80, output_mime_type = "jpg" }
deliver_turns = true
labels = { team = "shop" }
select = "changed"
tier = "vertex-batch"
max_cost = "75.00"
deadline = "07:30"
on_deadline = { action = "move_to", tier = "vertex", max_cost = "20.00" }
overlap = "skip"
catchup = "6h"
jitter = "5m"
pause_after_failures = 3
circuit_breaker = { failed_ratio = 0.2, min_items = 50 }
review = "required"
publish = { when = "approved", to = "gs://acme-shop/img", manifest = "published.csv" }
notify = ["apprise:ops"]
"""
HEAD = 'name = "n"\ncron = "30 1 * * *"\ntimezone = "Europe/Berlin"\n'
ROOM = Settings.model_validate(
    {
        "storage_url": "gs://acme/renders",
        "templates": {"hero": {"prompt": "A {{ colour }} lamp"}},
        "notices": {"targets": {"ops": {"url": "slack://a/b/c"}}},
    }
)


def refused(tmp_path: Path, text: str) -> str:
    path = tmp_path / "n.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigInvalid) as refusal:
        read(path, ROOM, tmp_path)
    return refusal.value.message


def test_every_key_is_read_and_what_cannot_be_tried_here_is_said(tmp_path: Path) -> None:
    path = tmp_path / "n.toml"
    path.write_text(WHOLE, encoding="utf-8")

    found = read(path, ROOM, tmp_path)

    assert (found.terms.catchup, found.terms.jitter) == (21_600, 300)
    assert found.terms.ask["output_mime_type"] == "image/jpeg"
    assert found.doubts == ("the query was not tried: CATALOG_DSN is not set.",)
    assert found.terms.review_percent == 100
    assert (found.terms.deliver_turns, found.terms.labels) == (True, {"team": "shop"})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('crone = "x"\n', "crone: no such key; did you mean cron?"),
        ('on_deadline = { acton = "stop" }', "on_deadline.acton: no such key; did you mean action"),
        ('overlap = "never"', "overlap: must be skip, buffer_one or allow"),
        ('catchup = "soon"', "no length of time"),
        ('deadline = "25:61"', "deadline"),
        ('labels = { Team = "shop" }', "no key or value of a label"),
        ('max_cost = "NaN"', "max_cost: must be a finite number"),
        ('max_cost = "-5"', "max_cost: must be at least 0"),
        ('template = "heros"', 'there is no template "heros"'),
        ('notify = ["apprise:oops"]', 'nobody is called "oops"'),
        ('on_deadline = { action = "stop" }', "on_deadline needs a deadline"),
        ('deadline = "07:30"\non_deadline = { action = "move_to" }', "move_to needs a tier"),
        ('review = "sometimes"', "review"),
        ('review = "sample:0%"', "review: sample:0% is no part"),
        ('review = "sample:101%"', "review: sample:101% is no part"),
        ('publish = { to = "s3://shop/img" }', "publish.to: 's3://shop/img' is no place"),
        ('publish = { to = "gs://" }', "publish.to: 'gs://' is no place"),
        ('publish = { to = "" }', "publish.to: '' is no place"),
        ('publish = { to = "img", manifest = "../p.csv" }', "publish.manifest: '../p.csv' is no"),
        ('publish = { to = "img", manifest = "p.txt" }', "publish.manifest: 'p.txt' is no name"),
        ('publish = { to = "gs://acme/renders/" }', "publish.to: the images lie there already"),
    ],
)
def test_what_is_wrong_with_a_key_is_said(tmp_path: Path, text: str, said: str) -> None:
    source = 'source = { manifest = "a.csv" }\n'

    assert said in refused(tmp_path, HEAD + source + text)


@pytest.mark.parametrize(
    ("cron", "zone", "said"),
    [
        ("0 0 30 2 *", "Europe/Berlin", "never fires"),
        ("0 0 1 1 *", "Europe/Berln", "did you mean Europe/Berlin?"),
        ("*/5 * * * *", "UTC", "more often than every 15 minutes"),
    ],
)
def test_a_schedule_that_never_fires_or_too_often_is_refused(
    tmp_path: Path, cron: str, zone: str, said: str
) -> None:
    text = f'name = "n"\ncron = "{cron}"\ntimezone = "{zone}"\nsource = {{ manifest = "a.csv" }}'

    assert said in refused(tmp_path, text)


@pytest.mark.parametrize(
    "query",
    [
        "delete from products",
        "select 1; drop table products",
        "with gone as (delete from products returning *) select * from gone",
        "select * into copy from products",
        "/* select */ update products set live = 0",
        "pragma writable_schema = 1",
        "",
    ],
)
def test_a_query_that_writes_is_refused(tmp_path: Path, query: str) -> None:
    text = f"source = {{ query = '''{query}''', database = \"env:NOT_SET\" }}"

    assert "source" in refused(tmp_path, HEAD + text)


def test_a_query_that_its_database_cannot_read_is_refused(tmp_path: Path) -> None:
    sqlite3.connect(tmp_path / "shop.db").close()
    text = 'source = { query = "select sku from products", database = "sqlite:///shop.db" }'

    assert "no such table: products" in refused(tmp_path, HEAD + text)


def test_words_of_writing_inside_of_texts_and_names_are_no_writing(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "shop.db") as shop:
        shop.execute("create table products (sku text, updated text)")
        shop.execute("insert into products values ('K1', 'drop; delete')")
    shop.close()
    query = "select sku, replace(updated, ';', ',') as \"update\" from products -- insert\n"
    database = Database("sqlite:///shop.db", tmp_path)

    database.require(query)

    assert list(database.rows(query, date(2026, 1, 1))) == [{"sku": "K1", "update": "drop, delete"}]


def test_a_query_that_writes_all_the_same_is_refused_by_its_database(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "shop.db") as shop:
        shop.execute("create table products (sku text)")
    shop.close()
    database = Database("sqlite:///shop.db", tmp_path)

    with pytest.raises(ConfigInvalid, match="readonly"):
        list(database.rows("insert into products values ('x')", date(2026, 1, 1)))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("no_such_module:rows", "cannot be imported: ModuleNotFoundError"),
        ("feed_of_tests:nothing", "cannot be imported: AttributeError"),
        ("feed_of_tests:number", "is no function"),
        ("feed_of_tests", "write it as"),
    ],
)
def test_a_function_that_cannot_be_called_is_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "feed_of_tests.py").write_text("number = 1\n", encoding="utf-8")

    assert said in refused(tmp_path, HEAD + f'source = {{ python = "{text}" }}')


def test_a_function_that_raises_says_what_and_where() -> None:
    def rows() -> object:
        raise RuntimeError("the feed is down")

    with pytest.raises(SourceFailed, match="raised RuntimeError: the feed is down, line"):
        program.call(rows, "feeds:rows", date(2026, 1, 1))


def test_a_password_in_a_file_is_refused_without_being_shown(tmp_path: Path) -> None:
    text = 'source = { query = "select 1", database = "postgresql://u:hush@h/d" }'

    said = refused(tmp_path, HEAD + text)

    assert "env:CATALOG_DSN" in said
    assert "hush" not in said


@pytest.mark.parametrize(
    ("to", "place"),
    [
        ("gs://acme/img/", "gs://acme/img"),
        ("img", "/shop/img"),
        ("../img", "/img"),
        ("file:///srv/img", "/srv/img"),
    ],
)
def test_images_are_published_to_a_place_that_every_process_finds(to: str, place: str) -> None:
    assert Publish(to=to).place(Path("/shop")) == place
