"""Tables: what each format holds of rows, with the types of their schema."""

from __future__ import annotations

import io
import json
import sqlite3
import tracemalloc
import zipfile
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pyarrow.parquet as pq
import pytest

from mplus_crawler.records.tables.columns import Column, columns_of
from mplus_crawler.records.tables.spreadsheet import LONGEST_TEXT
from mplus_crawler.records.tables.table import FORMATS, Table
from mplus_crawler.records.tables.table_schema import table_schema
from mplus_crawler.verification.tables import READERS

Row = dict[str, Any]

SCHEMA = {
    "required": ["id", "label"],
    "properties": {
        "id": {"type": "string", "description": "The number."},
        "label": {"type": ["string", "null"]},
        "modified": {"type": "null"},
        "year": {"type": ["integer", "null"]},
        "height": {"type": ["number", "null"]},
        "shown": {"type": "boolean"},
        "makers": {"type": "array", "items": {"type": "string"}},
        "seconds": {"type": "array", "items": {"type": "integer"}},
        "people": {"type": "array", "items": {"$ref": "#/definitions/person"}},
        "either": {"type": ["string", "integer"]},
        "record": {"type": "object"},
    },
    "definitions": {
        "person": {
            "type": "object",
            "additionalProperties": False,
            "properties": {"id": {"type": "string"}, "share": {"type": ["number", "null"]}},
        }
    },
}
ROWS: list[Row] = [
    {
        "id": "0012",
        "label": "2.1",
        "modified": None,
        "year": -50,
        "height": 12,
        "shown": True,
        "makers": ["1", "ÉÉ", ""],
        "seconds": [2, 1],
        "people": [{"id": "01", "share": 1}, {"id": "2", "share": None}],
        "either": 7,
        "record": {"n": [1.50, None], "t": "ü"},
    },
    {
        "id": "2",
        "label": None,
        "modified": None,
        "year": None,
        "height": 0.1,
        "shown": False,
        "makers": [],
        "seconds": [],
        "people": [],
        "either": "7",
        "record": {},
    },
]


def table(format_: str, rows: Sequence[Row], folder: Path) -> tuple[bytes, Table]:
    """The file with *rows* in that format, and the table that wrote it."""
    scratch = folder / f"scratch-{len(list(folder.iterdir()))}"
    scratch.mkdir()
    written = Table(format_, columns_of(SCHEMA))
    lines = (json.dumps(row, ensure_ascii=False).encode() for row in rows)
    return b"".join(written.pieces(lines, scratch)), written


def cells(xlsx: bytes, sheet: int = 1) -> list[list[str | None]]:
    """The texts of a sheet's cells, a list for each row."""
    with zipfile.ZipFile(io.BytesIO(xlsx)) as archive:
        root = ElementTree.fromstring(archive.read(f"xl/worksheets/sheet{sheet}.xml"))
    space = {"x": root.tag[1:].partition("}")[0]}
    found = []
    for row in root.iterfind(".//x:row", space):
        values: dict[str, str | None] = {}
        for cell in row.iterfind("x:c", space):
            values[cell.get("r", "").rstrip("0123456789")] = "".join(cell.itertext())
        found.append([values.get(chr(65 + place)) for place in range(len(SCHEMA["properties"]))])
    return found


def test_parquet_holds_every_value_in_the_type_of_its_schema(tmp_path: Path) -> None:
    content, _ = table("parquet", ROWS, tmp_path)
    found = pq.read_table(io.BytesIO(content))
    records = found.to_pylist()
    assert [{**row, "record": json.loads(row["record"])} for row in records] == [
        {**row, "either": json.dumps(row["either"])} for row in ROWS
    ]
    types = {field.name: str(field.type) for field in found.schema}
    assert types["id"] == types["record"] == types["modified"] == types["either"] == "string"
    assert (types["year"], types["height"], types["shown"]) == ("int64", "double", "bool")
    assert types["people"].startswith("list<element: struct<id: string, share: double>")
    assert found.schema.field("id").metadata == {b"description": b"The number."}


def test_sqlite_holds_lists_in_link_tables(tmp_path: Path) -> None:
    content, _ = table("sqlite", ROWS, tmp_path)
    file = tmp_path / "x.sqlite"
    file.write_bytes(content)
    with closing(sqlite3.connect(file)) as database:
        query = "SELECT id, label, modified, year, height, shown, either, record FROM records"
        assert database.execute(query).fetchall() == [
            (
                "0012",
                "2.1",
                None,
                -50,
                12.0,
                1,
                "7",
                json.dumps(ROWS[0]["record"], ensure_ascii=False),
            ),
            ("2", None, None, None, 0.1, 0, '"7"', "{}"),
        ]
        links = {
            name: database.execute(f"SELECT * FROM {name}").fetchall()
            for name in ("makers", "seconds", "people")
        }
        assert links == {
            "makers": [("0012", 1, "1"), ("0012", 2, "ÉÉ"), ("0012", 3, "")],
            "seconds": [("0012", 1, 2), ("0012", 2, 1)],
            "people": [("0012", 1, "01", 1.0), ("0012", 2, "2", None)],
        }
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_a_spreadsheet_holds_numbers_as_numbers_and_texts_as_texts(tmp_path: Path) -> None:
    content, _ = table("xlsx", ROWS, tmp_path)
    head, first, second = cells(content)
    assert head == list(SCHEMA["properties"])
    assert first[:3] == ["0012", "2.1", None]
    assert first[3:8] == ["-50", "12", "1", "1 | ÉÉ | ", "2 | 1"]
    assert json.loads(first[8] or "") == ROWS[0]["people"]
    assert second[5] == "0"
    explained = cells(content, 2)
    assert explained[1][:3] == ["id", "text", "The number."]
    sheet = zipfile.ZipFile(io.BytesIO(content)).read("xl/worksheets/sheet1.xml").decode()
    assert '<c r="A2" t="inlineStr">' in sheet
    assert '<c r="D2"><v>-50</v>' in sheet
    assert 'state="frozen"' in sheet
    assert '<autoFilter ref="A1:K3"/>' in sheet


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("=1+1", "=1+1"),
        ("a\x00\x1b\x85b\tc\nd\r\n", "ab\tc\nd\n"),
        ("_x0041_", "_x005F_x0041_"),  # as Excel spells it
        ("<r>&</r>", "<r>&</r> "),
        ("x" * (LONGEST_TEXT + 1), "x" * LONGEST_TEXT),
        ("😀" * LONGEST_TEXT, "😀" * (LONGEST_TEXT // 2)),
        ("\ufffe\uffff.", "."),
    ],
)
def test_a_spreadsheet_holds_any_text(text: str, shown: str, tmp_path: Path) -> None:
    content, written = table("xlsx", [{**ROWS[0], "label": text}], tmp_path)
    assert cells(content)[1][1] == shown
    assert written.cut == ({"label": 1} if len(text) >= LONGEST_TEXT else {})
    assert (
        "<f>" not in zipfile.ZipFile(io.BytesIO(content)).read("xl/worksheets/sheet1.xml").decode()
    )


@pytest.mark.parametrize("format_", FORMATS)
def test_a_value_that_does_not_fit_its_column_is_left_out_and_counted(
    format_: str, tmp_path: Path
) -> None:
    odd = {**ROWS[0], "year": 2**63, "height": "tall", "people": [{"share": "all"}], "id": "3"}
    content, written = table(format_, [odd, ROWS[1]], tmp_path)
    assert written.unfit == {"year": 1, "height": 1, "people": 1}
    if format_ == "parquet":
        rows = pq.read_table(io.BytesIO(content)).to_pylist()
        assert [row["year"] for row in rows] == [None, None]
        assert [row["height"] for row in rows] == [None, 0.1]
        assert rows[0]["people"] is None
        assert rows[0]["label"] == "2.1"


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize("rows", [ROWS, []], ids=["rows", "none"])
def test_equal_rows_give_equal_files(format_: str, rows: list[Row], tmp_path: Path) -> None:
    assert table(format_, rows, tmp_path)[0] == table(format_, rows, tmp_path)[0]


@pytest.mark.parametrize("format_", FORMATS)
def test_a_line_that_is_no_row_is_an_error(format_: str, tmp_path: Path) -> None:
    written = Table(format_, columns_of(SCHEMA))
    with pytest.raises(ValueError, match=r"truncated|Expected"):
        list(written.pieces([b"{", b"[1]"], tmp_path))


def test_a_table_schema_describes_the_columns_of_a_csv() -> None:
    schema = table_schema(columns_of(SCHEMA, ["id", "makers", "seconds", "people", "extra"]))
    assert schema["primaryKey"] == ["id"]
    assert schema["fields"] == [
        {
            "name": "id",
            "type": "string",
            "description": "The number.",
            "constraints": {"required": True},
        },
        {"name": "makers", "type": "list", "delimiter": " | "},
        {"name": "seconds", "type": "array"},
        {"name": "people", "type": "array"},
        {"name": "extra", "type": "string"},
    ]


def test_columns_that_the_schema_leaves_open_are_json() -> None:
    rules = {"a": {}, "b": {"type": "array", "items": {}}, "c": {"type": "object"}}
    found = columns_of({"properties": rules})
    assert found == [Column(name, "json") for name in "abc"]


def damaged_spreadsheet(folder: Path) -> bytes:
    content, _ = table("xlsx", ROWS, folder)
    start = content.index(b"sheet1.xml") + 40
    return content[:start] + bytes(40) + content[start + 40 :]


def encrypted_spreadsheet(folder: Path) -> bytes:
    content, _ = table("xlsx", ROWS, folder)
    return content.replace(b"PK\1\2\x14\3\x14\0\0", b"PK\1\2\x14\3\x14\0\1")


def endless_row(folder: Path) -> bytes:
    with zipfile.ZipFile(folder / "x", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "")
        archive.writestr("xl/worksheets/sheet1.xml", b"<row>" + b"a" * 30_000_000)
    return (folder / "x").read_bytes()


def database(script: str) -> Callable[[Path], bytes]:
    def make(folder: Path) -> bytes:
        with closing(sqlite3.connect(folder / "db")) as db:
            db.executescript(script)
        return (folder / "db").read_bytes()

    return make


@pytest.mark.parametrize(
    ("format_", "make"),
    [
        ("xlsx", damaged_spreadsheet),
        ("xlsx", encrypted_spreadsheet),
        ("xlsx", endless_row),
        (
            "sqlite",
            database("CREATE TABLE records (id); INSERT INTO records VALUES (zeroblob(2e7))"),
        ),
        (
            "sqlite",
            database(
                "CREATE VIEW records AS WITH RECURSIVE n(id) AS "
                "(SELECT 1 UNION ALL SELECT id FROM n) SELECT id FROM n"
            ),
        ),
    ],
)
def test_a_hostile_table_is_an_error_of_ours(
    format_: str, make: Callable[[Path], bytes], tmp_path: Path
) -> None:
    (tmp_path / "hostile").write_bytes(make(tmp_path))
    tracemalloc.start()
    with pytest.raises(ValueError, match=r"."):
        list(READERS[format_](tmp_path / "hostile"))
    assert tracemalloc.get_traced_memory()[1] < 50_000_000
    tracemalloc.stop()
