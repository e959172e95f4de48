"""Feeds as Parquet, spreadsheet and SQLite: whole or not at all, certified, and verified."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import shutil
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest

from mplus_crawler.errors import UsageError
from mplus_crawler.feeds.retention.contents import Contents, examine
from mplus_crawler.feeds.retention.names import read_name
from mplus_crawler.feeds.retention.terms import Term
from mplus_crawler.records.batch import SEVERAL, stamp
from mplus_crawler.records.items import ITEM_CLASSES
from mplus_crawler.records.tables.columns import Column, columns_of
from mplus_crawler.records.tables.table import FORMATS, Table
from mplus_crawler.sandbox.app import Sandbox
from mplus_crawler.verification import verify
from mplus_crawler.verification.tables import parquet_rows, spreadsheet_rows
from tests.conftest import ROOT, Crawl, Scrapy
from tests.every_kind import SPIDERS, Feeds, spider_kind
from tests.every_kind import rows as records_of

Row = dict[str, Any]
COLUMNS = columns_of(ITEM_CLASSES["object"].jsonschema)
# Their records have the columns of another spider's.
LIKE_ANOTHER = (
    "private_objects",
    "v1_agents",
    "v1_exhibitions",
    "v1_concepts",
    "materials",
    "roles",
)
TABLES = ("o.parquet", "o.xlsx", "o.sqlite")


@pytest.fixture(scope="module")
def museum() -> Iterator[Sandbox]:
    with Sandbox(objects=150, invalid=0) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def scrapy(museum: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Scrapy:
    return Scrapy(tmp_path_factory.mktemp("formats")).at(museum)


@pytest.fixture(scope="module")
def crawl(scrapy: Scrapy) -> Crawl:
    """One harvest in every format."""
    feeds = [part for name in ("o.jsonl", "o.csv", *TABLES) for part in ("-O", at(scrapy, name))]
    done = scrapy.crawl("objects", *feeds)
    assert done.code == 0, done.err
    return done


@pytest.fixture(scope="module")
def rows(crawl: Crawl, scrapy: Scrapy) -> list[Row]:
    """The records, from JSON lines."""
    return lines(Path(at(scrapy, "o.jsonl")))


def at(scrapy: Scrapy, name: str) -> str:
    return str(scrapy.folder / name)


def lines(file: Path) -> list[Row]:
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


def sqlite_rows(file: Path, columns: list[Column]) -> list[Row]:
    """The records of a database, their lists put together from its link tables."""
    with closing(sqlite3.connect(file)) as database:
        database.row_factory = sqlite3.Row
        rows = [dict(row) for row in database.execute("SELECT * FROM records ORDER BY rowid")]
        for column in columns:
            if column.repeats:
                lists: dict[str, list[Any]] = {row["id"]: [] for row in rows}
                query = f'SELECT * FROM "{column.name}" ORDER BY record_id, position'
                for link in map(dict, database.execute(query)):
                    record_id, _ = link.pop("record_id"), link.pop("position")
                    lists[record_id].append(link if column.fields else link["value"])
                for row in rows:
                    row[column.name] = lists[row["id"]]
    return rows


def test_parquet_sqlite_and_json_lines_are_equal_cell_by_cell(
    rows: list[Row], scrapy: Scrapy
) -> None:
    parquet = pq.read_table(at(scrapy, "o.parquet")).to_pylist()
    sqlite = sqlite_rows(Path(at(scrapy, "o.sqlite")), COLUMNS)
    for found in (parquet, sqlite):
        for row in found:
            row["record"] = json.loads(row["record"])
            row["on_display"] = bool(row["on_display"])
        assert found == rows
    with duckdb.connect() as database:
        query = f"SELECT * EXCLUDE (record) FROM '{at(scrapy, 'o.parquet')}'"
        duck = database.execute(query)
        names = [column[0] for column in duck.description or ()]
        found = [dict(zip(names, row, strict=True)) for row in duck.fetchall()]
    assert found == [{name: row[name] for name in names} for row in rows]


@pytest.mark.parametrize("spider", [one for one in SPIDERS if one not in LIKE_ANOTHER])
def test_every_kind_is_the_same_in_every_format(feeds: Feeds, spider: str, tmp_path: Path) -> None:
    """M+'s kinds include real records of its published data set."""
    expected = records_of(feeds[spider])
    columns = columns_of(ITEM_CLASSES[spider_kind(spider)].jsonschema)
    for format_ in ("parquet", "sqlite"):
        table, file, scratch = Table(format_, columns), tmp_path / format_, tmp_path / "scratch"
        scratch.mkdir()
        with feeds[spider].open("rb") as feed:
            file.write_bytes(b"".join(table.pieces(feed, scratch)))
        shutil.rmtree(scratch)
        found = (
            pq.read_table(file).to_pylist() if format_ == "parquet" else sqlite_rows(file, columns)
        )
        assert not table.unfit
        for row, other in zip(found, expected, strict=True):
            for column in columns:
                value = row[column.name]
                if column.kind == "json":
                    value = json.loads(value)
                is_list = column.repeats and format_ == "sqlite"  # it has no list that is null
                assert value == ((other[column.name] or []) if is_list else other[column.name])


@pytest.mark.parametrize("format_", FORMATS)
def test_retention_reads_the_age_of_a_table(feeds: Feeds, format_: str, tmp_path: Path) -> None:
    term = Term("M+", timedelta(days=14))
    for spider, ours in (("mplus_terms", True), ("mplus_open_constituents", False)):
        columns = columns_of(ITEM_CLASSES[spider_kind(spider)].jsonschema)
        scratch = tmp_path / spider
        scratch.mkdir()
        with feeds[spider].open("rb") as feed:
            content = b"".join(Table(format_, columns).pieces(feed, scratch))
        rows = records_of(feeds[spider])
        found = examine(io.BytesIO(content), term)
        assert (found.ours, found.others) == ((len(rows), 0) if ours else (0, len(rows)))
        assert not ours or stamp(found.oldest or datetime.now(UTC)) == min(
            row["retrieved_at"] for row in rows
        )
    assert examine(io.BytesIO(content[: len(content) // 2]), term) == Contents(0, 0)


@pytest.mark.parametrize("name", ["mplus_objects.parquet", "mplus_objects.incomplete.xlsx"])
def test_a_table_is_found_by_its_name(name: str) -> None:
    found = read_name(name, ["mplus_objects"])
    assert found
    assert found.spider == "mplus_objects"


def test_parquet_without_its_package_names_the_extra(
    crawl: Crawl, scrapy: Scrapy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)  # as if it were not installed
    with pytest.raises(UsageError, match="the extra parquet: pip install pyarrow"):
        next(parquet_rows(Path(at(scrapy, "o.parquet"))))


def test_a_record_is_the_museums_own_text(scrapy: Scrapy, rows: list[Row]) -> None:
    with open(at(scrapy, "o.jsonl"), encoding="utf-8") as file:
        own = [line.partition('"record":')[2].rstrip("\n")[:-1] for line in file]
    assert pq.read_table(at(scrapy, "o.parquet"))["record"].to_pylist() == own


def test_a_spreadsheet_has_every_cell_but_records(rows: list[Row], scrapy: Scrapy) -> None:
    found = list(spreadsheet_rows(Path(at(scrapy, "o.xlsx"))))
    assert list(found[0]) == [column.name for column in COLUMNS if column.name != "record"]
    assert [row["object_number"] for row in found] == [row["object_number"] for row in rows]
    for column in COLUMNS:
        if column.kind == "text" and column.repeats:
            assert [row[column.name] or "" for row in found] == [
                SEVERAL.join(row[column.name]) for row in rows
            ]


def test_a_csv_has_its_table_schema_beside_it(rows: list[Row], scrapy: Scrapy) -> None:
    schema = json.loads(Path(at(scrapy, "o.schema.json")).read_bytes())
    with open(at(scrapy, "o.csv"), encoding="utf-8", newline="") as file:
        head, first = next(reader := csv.reader(file)), next(reader)
    assert [field["name"] for field in schema["fields"]] == head == list(rows[0])
    cells = dict(zip(head, first, strict=True))
    for field in schema["fields"]:
        value = rows[0][field["name"]]
        if field["type"] == "list":
            assert cells[field["name"]].split(field["delimiter"]) == (value or [""])
        elif field["type"] in ("array", "any"):
            assert json.loads(cells[field["name"]] or "[]") == value


def test_every_format_is_certified_and_verified(crawl: Crawl, scrapy: Scrapy) -> None:
    feeds = json.loads(Path(at(scrapy, "o.certificate.json")).read_bytes())["feeds"]
    assert [feed["items"] for feed in feeds] == [150] * 5
    assert [feed["cut"] for feed in feeds if "cut" in feed] == [0]
    done = scrapy.run("verify", *(at(scrapy, name) for name in TABLES))
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("150 records, as certified") == 3


def test_the_table_schema_is_certified(crawl: Crawl, scrapy: Scrapy) -> None:
    schema, certificate = (Path(at(scrapy, f"o.{one}.json")) for one in ("schema", "certificate"))
    content = schema.read_bytes()
    (entry,) = json.loads(certificate.read_bytes())["table_schemas"]
    assert entry["uri"] == str(schema)
    assert (entry["bytes"], entry["sha256"]) == (
        len(content),
        hashlib.sha256(content).hexdigest(),
    )
    csv_file = Path(at(scrapy, "o.csv"))
    try:
        assert all(one.agrees for one in verify(schema, None, crawl.folder))
        schema.write_bytes(content.replace(b"string", b"number", 1))
        for file in (csv_file, schema, certificate):
            assert [one.file for one in verify(file, None, crawl.folder) if not one.agrees] == [
                schema
            ], file
        schema.unlink()
        # A feed may be copied without it, but the certificate names it.
        assert all(one.agrees for one in verify(csv_file, None, crawl.folder))
        found = [one for one in verify(certificate, None, crawl.folder) if not one.agrees]
        assert [one.text for one in found] == ["cannot be read: no such file"]
    finally:
        schema.write_bytes(content)


@pytest.mark.parametrize("name", TABLES)
def test_one_changed_byte_is_found(crawl: Crawl, scrapy: Scrapy, name: str) -> None:
    file = Path(at(scrapy, name))
    content = file.read_bytes()
    middle = len(content) // 2
    file.write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])
    found = list(verify(file, None, crawl.folder))
    file.write_bytes(content)
    assert [finding.agrees for finding in found] == [False]
    assert "sha256 is" in found[0].text


# Kills the command before it reads the row KILL_AT_ROW of all tables, or after KILL_AT_PIECE.
KILLED_WHILE_CONVERTING = """
import itertools, os, signal
from mplus_crawler.records.tables.rows import RowReader
from mplus_crawler.records.tables.table import Table

def killing(variable):
    counted = itertools.count(1)
    def step():
        if next(counted) == int(os.environ.get(variable, 0)):
            os.kill(os.getpid(), signal.SIGKILL)
    return step

cells, pieces = RowReader.cells, Table.pieces
row, piece = killing("KILL_AT_ROW"), killing("KILL_AT_PIECE")

def counted_cells(self, line):
    row()
    return cells(self, line)

def counted_pieces(self, lines, scratch):
    for each in pieces(self, lines, scratch):
        yield each
        piece()

RowReader.cells, Table.pieces = counted_cells, counted_pieces
"""


@pytest.mark.long
@pytest.mark.parametrize(
    "moment",
    [
        *({"KILL_AT_ROW": row} for row in ("10", "160", "310")),  # in each of the three tables
        *({"KILL_AT_PIECE": piece} for piece in ("1", "2", "3", "4")),
    ],
    ids=str,
)
def test_a_kill_while_tables_are_written_leaves_the_former_ones(
    museum: Sandbox, tmp_path: Path, moment: dict[str, str]
) -> None:
    scrapy = Scrapy(tmp_path).at(museum)
    out = tmp_path / "out"
    feeds = [part for name in TABLES for part in ("-O", str(out / name))]
    assert scrapy.crawl("objects", "-a", "limit=3", *feeds).code == 0
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    first = scrapy.first(KILLED_WHILE_CONVERTING)
    assert scrapy.crawl("objects", *feeds, RUN_FIRST=first, **moment).code < 0
    assert {name: (out / name).read_bytes() for name in before} == before
    crawl = scrapy.crawl("objects", *feeds)
    assert crawl.code == 0, crawl.err
    assert {path.name for path in out.iterdir()} == before.keys()
    done = scrapy.run("verify", *(str(out / name) for name in TABLES))
    assert (done.returncode, done.stdout.count("150 records, as certified")) == (0, 3)


def test_without_records_and_with_chosen_columns(scrapy: Scrapy) -> None:
    names = ("r.jsonl", "r.csv", "r.parquet", "r.sqlite")
    feeds = [part for name in names for part in ("-O", at(scrapy, name))]
    crawl = scrapy.crawl("objects", "-s", "RECORD=0", *feeds)
    assert crawl.code == 0, crawl.err
    assert "record" not in lines(Path(at(scrapy, "r.jsonl")))[0]
    assert pq.read_schema(at(scrapy, "r.parquet")).names[-1] != "record"
    assert b"record" not in Path(at(scrapy, "r.csv")).read_bytes().partition(b"\n")[0]
    done = scrapy.run("verify", *(at(scrapy, name) for name in names))
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_spreadsheet_has_records_on_request(scrapy: Scrapy) -> None:
    fields = {"id": "id", "record": "source"}
    feeds = {
        at(scrapy, "all.xlsx"): {"format": "xlsx"},
        at(scrapy, "two.xlsx"): {"format": "xlsx", "fields": fields},
        at(scrapy, "two.parquet"): {"format": "parquet", "fields": fields},
        at(scrapy, "names.jsonl"): {"format": "jsonlines", "fields": {"label": "name"}},
    }
    chosen = ("-a", "limit=2", "-s", "RECORD=1", "-s", f"FEEDS={json.dumps(feeds)}")
    crawl = scrapy.crawl("objects", *chosen)
    assert crawl.code == 0, crawl.err
    found = list(spreadsheet_rows(Path(at(scrapy, "all.xlsx"))))
    assert json.loads(found[0]["record"])["@id"] == found[0]["id"]
    assert list(next(spreadsheet_rows(Path(at(scrapy, "two.xlsx"))))) == ["id", "source"]
    done = scrapy.run("verify", *feeds)
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_record_at_all(scrapy: Scrapy) -> None:
    feeds = [part for name in TABLES for part in ("-O", at(scrapy, f"none-{name}"))]
    crawl = scrapy.crawl("objects", "-a", "q=there-is-none", *feeds)
    assert crawl.code == 0, crawl.err
    done = scrapy.run("verify", *(at(scrapy, f"none-{name}") for name in TABLES))
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_queries_of_the_page_run(crawl: Crawl, scrapy: Scrapy, rows: list[Row]) -> None:
    page = (ROOT / "docs" / "formats.md").read_text("utf-8")
    types, different = re.findall(r"^```sql\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    with closing(sqlite3.connect(at(scrapy, "o.sqlite"))) as database:
        found = sorted(database.execute(types).fetchall(), key=str)
    assert found == sorted(((row["label"], one) for row in rows for one in row["types"]), key=str)
    with duckdb.connect() as duck:
        assert duck.execute(different.replace("'objects.", f"'{at(scrapy, 'o.')}")).fetchall() == []
