"""Jobs handed on, on SQLite and PostgreSQL alike."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import json
import tarfile
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import Engine, update

from darkroom import db
from darkroom.errors import ConfigInvalid, ManifestRejected, StorageFault
from darkroom.export import Exported, Kind, Order, export
from darkroom.export.address import Address
from darkroom.ids import new_id
from darkroom.jobs import load
from darkroom.jobs.load import Loaded, NewJob, NewRender
from darkroom.manifest import Manifest
from darkroom.models import Render, RenderState
from darkroom.reviews import Reviews
from darkroom.settings import GCS
from darkroom_manifests.tier import Tier

SAMPLES = Path(__file__).parents[1] / "dialects"
CDN = "https://cdn.example/shop"
IMAGE = b"\x89PNG a picture"


class Shop:
    """A job whose renders are as a test says, without any worker."""

    def __init__(self, database: Engine, folder: Path) -> None:
        self.database = database
        self.folder = folder
        self.out = folder / "out"

    def submit(
        self, source: Path, rows: dict[int, int], failed: tuple[int, ...] = (), labels: str = ""
    ) -> str:
        """Store a job with so many pictures of the rows on these lines."""
        sha256 = Manifest.of_file(source).sha256()
        job = NewJob(
            name="j",
            source=str(source),
            manifest_sha256=sha256,
            output_path="{job}/{id}_{variant}.{ext}",
            storage_url=str(self.out),
        )
        renders = [
            render(number, line, variant, n, labels)
            for number, (line, n) in enumerate(rows.items())
            for variant in range(1, n + 1)
        ]
        with db.writing(self.database) as connection:
            job_id = load.begin(connection, job)
            load.add(connection, job_id, renders)
            load.finish(connection, job_id, Loaded(len(rows), len(renders), 0, 0, 0))
        for each in renders:
            self._end(job_id, each, is_done=each.line not in failed)
        return job_id

    def _end(self, job_id: str, each: NewRender, *, is_done: bool) -> None:
        uri = f"{job_id}/{each.row_id}_{each.variant}.png"
        ended = {"state": RenderState.DONE, "uri": uri, "mime": "image/png"}
        refused = {"state": RenderState.REFUSED, "reason": "SAFETY", "message": "no"}
        with db.writing(self.database) as connection:
            this = (Render.job_id == job_id) & (Render.fingerprint == each.fingerprint)
            connection.execute(update(Render).where(this).values(ended if is_done else refused))
        if is_done:
            (self.out / job_id).mkdir(parents=True, exist_ok=True)
            (self.out / uri).write_bytes(IMAGE)

    def order(self, job_id: str, base: str | None = CDN, source: Path | None = None) -> Order:
        return Order(
            database=self.database,
            gcs=GCS(),
            job_id=job_id,
            address=Address.below(base),
            source=source,
        )

    def catalog(self, job_id: str) -> bytes:
        path = self.folder / "catalog.out"
        export(self.order(job_id), Kind.CATALOG, path)
        return path.read_bytes().replace(job_id.encode(), b"JOB")

    def written(self, job_id: str, kind: Kind) -> tuple[Path, Exported]:
        path = self.folder / kind.value
        return path, export(self.order(job_id), kind, path)


def render(number: int, line: int, variant: int, n: int, labels: str) -> NewRender:
    return NewRender(
        row_no=number,
        line=line,
        row_id=f"r{line}",
        variant=variant,
        n=n,
        fingerprint=new_id("f"),
        tier=Tier.SIMULATOR,
        model="m",
        request='{"prompt":"a kettle"}',
        labels=labels or None,
        output_path=None,
        rank=0,
        reserve_nusd=10,
        max_cost_nusd=None,
    )


@pytest.fixture
def shop(database: Engine, tmp_path: Path) -> Shop:
    return Shop(database, tmp_path)


def manifest(shop: Shop, content: str | bytes, name: str = "catalog.csv") -> Path:
    path = shop.folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_a_shopify_catalog_gets_images_and_every_other_byte_stays(shop: Shop) -> None:
    source = SAMPLES / "shopify.csv"
    before = source.read_bytes()

    after = shop.catalog(shop.submit(source, {2: 1, 4: 1}))

    kettle = before.replace(b"https://cdn.example/k1.jpg,1,,", b"%s/JOB/r2_1.png,1,Steel Kettle,")
    lamp = kettle.replace(
        b"29.00,,,,,active", b'29.00,%s/JOB/r4_1.png,1,"Desk ""Dusk"" Lamp",,active'
    )
    assert after == lamp.replace(b"%s", CDN.encode())


def test_a_products_further_images_come_below_its_last_row(shop: Shop) -> None:
    source = SAMPLES / "shopify.csv"
    lines = source.read_bytes().splitlines(keepends=True)

    after = shop.catalog(shop.submit(source, {2: 3})).splitlines(keepends=True)

    extra = b"steel-kettle,,,,,,,,,%s/JOB/r2_%d.png,%d,Steel Kettle,,\r\n"
    assert after[3:5] == [extra % (CDN.encode(), n, n + 1) for n in (2, 3)]
    assert [after[0], after[2], after[5]] == [lines[0], lines[2], lines[3]]


def test_a_file_without_a_last_line_end_gets_none(shop: Shop) -> None:
    header = "Handle,Title,Image Src,Image Position\r\n"
    source = manifest(shop, header + "a,A,,")

    after = shop.catalog(shop.submit(source, {2: 2})).decode()

    assert after == f"{header}a,A,{CDN}/JOB/r2_1.png,1\r\na,,{CDN}/JOB/r2_2.png,2"


def test_words_and_positions_of_people_are_kept(shop: Shop) -> None:
    header = "Title,URL handle,Product image URL,Image position,Image alt text\n"
    source = manifest(shop, header + "Kettle,k,old.jpg,4,A kettle from above\n")

    after = shop.catalog(shop.submit(source, {2: 1})).decode()

    assert after == f"{header}Kettle,k,{CDN}/JOB/r2_1.png,4,A kettle from above\n"


def test_a_table_without_a_column_for_images_gets_one(shop: Shop) -> None:
    source = manifest(shop, 'sep=;\nid;prompt\nr2;"a; b"\n\nr4;c\nr5;d\n')

    after = shop.catalog(shop.submit(source, {3: 2, 6: 1}, failed=(6,))).decode()

    both = f"{CDN}/JOB/r3_1.png|{CDN}/JOB/r3_2.png"
    assert after == f'sep=;\nid;prompt;image_url\nr2;"a; b";{both}\n\nr4;c;\nr5;d;\n'


def test_a_list_of_prompts_stays_one_that_is_never_split_on_commas(shop: Shop) -> None:
    source = manifest(shop, "prompt\na cat, on a mat\n")

    after = shop.catalog(shop.submit(source, {2: 1})).decode()

    assert after == f"prompt\timage_url\na cat, on a mat\t{CDN}/JOB/r2_1.png\n"


def test_woocommerce_gets_a_list_and_merchant_a_further_column(shop: Shop) -> None:
    woo = shop.catalog(shop.submit(SAMPLES / "woocommerce.csv", {2: 2})).decode("utf-8-sig")
    feed = shop.catalog(shop.submit(SAMPLES / "merchant.tsv", {2: 2})).decode()

    url = f"{CDN}/JOB/r2"
    assert f'"{url}_1.png, {url}_2.png",,Size' in woo
    more = f"https://cdn.example/k2.jpg,https://cdn.example/k3%2C4.jpg,{url}_2.png"
    assert f"\t{url}_1.png\t{more}\t49.00 EUR" in feed


@pytest.mark.parametrize(
    ("mark", "encoding"),
    [
        (b"", "utf-8"),
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
    ],
)
def test_marks_and_encodings_are_kept(shop: Shop, mark: bytes, encoding: str) -> None:
    def text(url: str) -> bytes:
        return mark + f"id,prompt,image_url\rr2,größe 🫖,{url}\r".encode(encoding)

    job_id = shop.submit(manifest(shop, text("")), {2: 1})
    path = shop.folder / "after.csv"
    export(shop.order(job_id), Kind.CATALOG, path)

    assert path.read_bytes() == text(f"{CDN}/{job_id}/r2_1.png")


def test_a_compressed_manifest_is_written_back_as_text(shop: Shop) -> None:
    source = manifest(shop, gzip.compress(b"id,prompt,image_url\nr2,p,\n"), "c.csv.gz")

    after = shop.catalog(shop.submit(source, {2: 1})).decode()

    assert after == f"id,prompt,image_url\nr2,p,{CDN}/JOB/r2_1.png\n"


def test_rows_that_could_not_be_read_stay_as_they_are(shop: Shop) -> None:
    text = 'id,prompt,image_url\nr2,p,\n"r3" x,p,\nr4,p\nr5,p,\n'

    after = shop.catalog(shop.submit(manifest(shop, text), {2: 1, 5: 1})).decode()

    url = f"{CDN}/JOB/r"
    assert after == f'id,prompt,image_url\nr2,p,{url}2_1.png\n"r3" x,p,\nr4,p\nr5,p,{url}5_1.png\n'


def test_a_manifest_that_changed_since_is_not_written_over(shop: Shop) -> None:
    source = manifest(shop, "id,prompt\nr2,p\n")
    job_id = shop.submit(source, {2: 1})
    kept = shop.folder / "kept.csv"
    kept.write_bytes(source.read_bytes())
    source.write_text("id,prompt\nr3,q\n")

    with pytest.raises(ManifestRejected, match="changed"):
        shop.catalog(job_id)

    out = io.BytesIO()
    export(shop.order(job_id, source=kept), Kind.CATALOG, out)
    assert b"r2_1.png" in out.getvalue()
    assert not (shop.folder / "catalog.out").exists()


@pytest.mark.parametrize(("name", "text"), [("a.jsonl", '{"prompt":"p"}\n'), ("a.txt", "p\n")])
def test_what_is_no_table_cannot_be_written_back(shop: Shop, name: str, text: str) -> None:
    job_id = shop.submit(manifest(shop, text, name), {1: 1})

    with pytest.raises(ManifestRejected, match="no table"):
        shop.catalog(job_id)


def test_a_manifest_that_is_gone_is_asked_for(shop: Shop) -> None:
    source = manifest(shop, "id,prompt\nr2,p\n")
    job_id = shop.submit(source, {2: 1})
    source.unlink()

    with pytest.raises(ManifestRejected) as refused:
        shop.catalog(job_id)

    assert refused.value.hint == "Say where it lies now: --source FILE."


def test_images_without_a_public_address_are_doubted(shop: Shop) -> None:
    job_id = shop.submit(manifest(shop, "id,prompt\nr2,p\n"), {2: 1})
    out = io.BytesIO()

    written = export(shop.order(job_id, base=None), Kind.CATALOG, out)

    assert f"{shop.out}/{job_id}/r2_1.png" in out.getvalue().decode()
    assert len(written.doubts) == 1


@pytest.mark.parametrize(
    "base", ["ftp://x", "cdn.example", "https://", "https://x/?a=b", "https://[x"]
)
def test_a_base_that_is_no_public_address_is_refused(base: str) -> None:
    with pytest.raises(ConfigInvalid):
        Address.below(base)


def test_a_table_for_people_holds_no_formula(shop: Shop) -> None:
    labels = '{"variables":{"note":"=1+1"}}'
    job_id = shop.submit(manifest(shop, "id,prompt\nr2,p\n"), {2: 1}, labels=labels)

    path, _ = shop.written(job_id, Kind.CSV)
    (row,) = csv.DictReader(io.StringIO(path.read_text()))
    lines, _ = shop.written(job_id, Kind.JSONL)

    assert (row["note"], row["output_uri"]) == ("'=1+1", f"{CDN}/{job_id}/r2_1.png")
    assert json.loads(lines.read_text())["note"] == "=1+1"


def test_an_openai_batch_has_a_line_a_row(shop: Shop) -> None:
    job_id = shop.submit(manifest(shop, "id,prompt\n"), {2: 2, 3: 1}, failed=(3,))

    path, written = shop.written(job_id, Kind.OPENAI_BATCH)

    done, failed = (json.loads(line) for line in path.read_text().splitlines())
    assert (done["custom_id"], done["error"]) == ("r2", None)
    data = done["response"]["body"]["data"]
    assert data == [{"url": f"{CDN}/{job_id}/r2_{n}.png"} for n in (1, 2)]
    assert (failed["response"], failed["error"]["code"]) == (None, "SAFETY")
    assert (written.rows, written.images) == (2, 2)


def test_an_image_folder_has_copies_and_their_prompts(shop: Shop) -> None:
    job_id = shop.submit(manifest(shop, "id,prompt\n"), {2: 2, 3: 1}, failed=(3,))

    path, _ = shop.written(job_id, Kind.IMAGEFOLDER)

    lines = [json.loads(line) for line in (path / "metadata.jsonl").read_text().splitlines()]
    assert [line["file_name"] for line in lines] == ["r2_1.png", "r2_2.png"]
    assert {line["text"] for line in lines} == {"a kettle"}
    assert (path / "r2_1.png").read_bytes() == IMAGE


def test_an_image_that_was_rejected_is_handed_on_to_nobody(shop: Shop) -> None:
    source = manifest(shop, "id,prompt,image_url\nr2,a,\nr3,b,old.jpg\n")
    job_id = shop.submit(source, {2: 1, 3: 1})
    Reviews(shop.database, job_id).reject("r3")

    folder, _ = shop.written(job_id, Kind.IMAGEFOLDER)
    table, _ = shop.written(job_id, Kind.CSV)

    assert shop.catalog(job_id).decode().splitlines()[1:] == [
        f"r2,a,{CDN}/JOB/r2_1.png",
        "r3,b,old.jpg",
    ]
    assert sorted(path.name for path in folder.iterdir()) == ["metadata.jsonl", "r2_1.png"]
    with table.open(encoding="utf-8", newline="") as file:
        assert [line["review"] for line in csv.DictReader(file)] == ["", "rejected"]


def test_shards_of_a_web_dataset_are_the_same_each_time(shop: Shop) -> None:
    job_id = shop.submit(manifest(shop, "id,prompt\n"), {2: 2})

    path, _ = shop.written(job_id, Kind.WEBDATASET)
    again = shop.folder / "again"
    export(shop.order(job_id), Kind.WEBDATASET, again)

    shard = path / "shard-000000.tar"
    assert shard.read_bytes() == (again / shard.name).read_bytes()
    with tarfile.open(shard) as tar:
        names = tar.getnames()
        text = tar.extractfile("000001.txt")
        assert text is not None
        assert text.read() == b"a kettle"
    assert names == [f"00000{n}.{ending}" for n in (1, 2) for ending in ("png", "json", "txt")]


@pytest.mark.parametrize("kind", [Kind.IMAGEFOLDER, Kind.WEBDATASET])
def test_a_folder_that_holds_something_is_left_alone(shop: Shop, kind: Kind) -> None:
    job_id = shop.submit(manifest(shop, "id,prompt\n"), {2: 1})
    (shop.folder / kind.value).mkdir()
    (shop.folder / kind.value / "mine").touch()

    with pytest.raises(ConfigInvalid):
        shop.written(job_id, kind)


def test_an_image_that_is_missing_leaves_nothing_half_done(shop: Shop) -> None:
    job_id = shop.submit(manifest(shop, "id,prompt\n"), {2: 2})
    (shop.out / job_id / "r2_2.png").unlink()

    with pytest.raises(StorageFault):
        shop.written(job_id, Kind.IMAGEFOLDER)

    assert {path.name for path in shop.folder.iterdir()} <= {"out", "catalog.csv", "books.db"} | {
        f"books.db-{suffix}" for suffix in ("wal", "shm")
    }


def test_what_was_written_is_counted(shop: Shop) -> None:
    job_id = shop.submit(manifest(shop, "id,prompt\nr2,p\nr3,q\n"), {2: 2, 3: 1})

    _, written = shop.written(job_id, Kind.CATALOG)

    assert msgspec.structs.astuple(written) == (2, 3, 0, ())
