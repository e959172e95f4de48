"""Where feeds go and what they hold: refused before the first request, or right."""

from __future__ import annotations

import csv
import gzip
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scrapy.settings import Settings
from scrapy.utils.project import get_project_settings

from mplus_crawler.cli.preflight import check_harvest_dir
from mplus_crawler.cli.values import check_values
from mplus_crawler.errors import UsageError
from mplus_crawler.feeds.checks import check_feeds, check_output, check_text
from mplus_crawler.feeds.exporters import CsvExporter
from mplus_crawler.records.batch import Records
from mplus_crawler.sandbox.app import Sandbox
from tests.conftest import Scrapy, limit

UNLIMITED = limit(1_000_000, 1)
COLUMNS = ["id", "label", "record"]
HEAD = b"id,label,record\r\n"


def settings(uri: str | Path, **options: Any) -> Settings:
    """The project's settings with one feed."""
    given = get_project_settings()
    suffix = str(uri).removesuffix(".gz").rpartition(".")[2]
    given.set("FEEDS", {str(uri): {"format": suffix, "overwrite": True, **options}})
    return given


def refusal(given: Settings) -> str:
    with pytest.raises(UsageError) as refused:
        check_feeds(given, "objects", COLUMNS)
    return str(refused.value)


@pytest.mark.parametrize("name", ["x.xml", "x.parquett", "x.pickle", "x.marshal", "x"])
def test_a_format_that_is_not_written_is_refused_with_those_that_are(name: str) -> None:
    said = refusal(settings(name))
    assert ".jsonl, .csv, .json" in said


@pytest.mark.parametrize("output", ["x.xml", "x.parquett", "x", "csv", "a.b:xml", "x:"])
def test_an_output_of_another_format_is_refused(output: str) -> None:
    with pytest.raises(UsageError, match=f"{output} has an unsupported format.*sqlite"):
        check_output(output, get_project_settings(), append=False)
    for good in ("x.jsonl", "-:csv", "s3://b/x.parquet", "x:y.xlsx", "x.y:sqlite"):
        check_output(good, get_project_settings(), append=False)


@pytest.mark.parametrize(
    ("uri", "options", "words"),
    [
        ("stdout:", {"format": "parquet"}, "parquet cannot go to standard output"),
        ("x.xlsx", {"postprocessing": ["a.Plugin"]}, "cannot be compressed"),
        ("x.sqlite", {"fields": ["label"]}, "needs the column id"),
        ("x.sqlite", {"fields": {"id": "no"}}, "needs the column id"),
        ("x.parquet", {"fields": {"id": "a", "label": "A"}}, "have the same name"),
    ],
)
def test_a_table_that_cannot_be_written_is_refused(
    uri: str, options: dict[str, Any], words: str
) -> None:
    assert words in refusal(settings(uri, **options))


@pytest.mark.parametrize(("name", "package"), [("parquet", "pyarrow"), ("xlsx", "xlsxwriter")])
def test_a_format_whose_package_is_missing_says_how_to_install_it(
    name: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)  # as if it were not installed
    assert f"the extra {name}: pip install {package}" in refusal(settings(f"x.{name}"))
    check_feeds(settings("x.sqlite"), "objects", COLUMNS)


@pytest.mark.parametrize("value", ["", "no", "2", "True"])
def test_the_setting_record_is_0_or_1(value: str) -> None:
    given = get_project_settings()
    given.set("RECORD", value)
    with pytest.raises(UsageError, match=r"RECORD=.* must be 0 or 1"):
        check_values(given)


@pytest.mark.parametrize("encoding", ["latin-1", "ascii", "cp1252", "utf-16", "nonsense", "rot13"])
@pytest.mark.parametrize("place", ["feed", "setting"])
def test_an_encoding_that_cannot_hold_every_text_is_refused(encoding: str, place: str) -> None:
    given = settings("x.csv", **({"encoding": encoding} if place == "feed" else {}))
    if place == "setting":
        given.set("FEED_EXPORT_ENCODING", encoding)
    assert encoding in refusal(given)
    check_feeds(settings("x.csv", encoding="UTF8"), "objects", COLUMNS)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.jsonl", b'{"id":"1"}\n{"id":"2"', "last line"),
        ("a.jsonl", b'{"id":"1"}\n{"id":"2"}', "last line has no line break"),
        ("a.jsonl", b'\xef\xbb\xbf{"id":"1"}\n', "byte order mark"),
        ("a.jsonl", '{"id":"1"}\n'.encode("utf-16"), "first line"),
        ("a.jsonl", b"id,label\n1,x\n", "first line"),
        ("a.jsonl", b"[\n]\n", "first line"),
        ("a.jsonl", b"[1]\n", "first line"),
        ("a.jl", b'{"id":"1"}\n\0\0\0', "last line"),
        ("a.csv", HEAD + b"1,x,y", "last line has no line break"),
        ("a.csv", HEAD + b'1,x,"y\n', "last line has no line break"),
        ("a.csv", b"id,record,label\r\n", "another order"),
        ("a.csv", b"id,label\r\n", "has no record"),
        ("a.csv", b"id,label,record,extra\r\n", "also has extra"),
        ("a.csv", "id,label,record\r\n".encode("utf-16"), "cannot be read"),
        ("a.csv", b"id;label;record\r\n", "has no id"),
        ("a.csv", b"1,x,y\n", "has no id"),
        ("a.json", b"[\n]\n", "only JSON lines and CSV"),
        ("a.json", b"[", "only JSON lines and CSV"),
        ("a.jsonl.gz", b'{"id":"1"}\n', "compressed"),
        ("a.jsonl.gz", gzip.compress(b'{"id":"1"}\n', mtime=0)[:-6], "cannot be read"),
        ("a.csv.gz", gzip.compress(b"id,label\r\n", mtime=0), "has no record"),
    ],
)
def test_what_cannot_be_appended_to_is_refused(
    tmp_path: Path, name: str, content: bytes, words: str
) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    plugins = ["scrapy.extensions.postprocessing.GzipPlugin"] if name.endswith(".gz") else []
    options = {"postprocessing": plugins} if plugins else {}
    assert words in refusal(settings(file, overwrite=False, **options))
    assert file.read_bytes() == content
    check_feeds(settings(file, **options), "objects", COLUMNS)  # -O replaces it


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", b""),
        ("a.json", b""),
        ("a.csv", b"\xef\xbb\xbf" + HEAD),
        ("a.csv", HEAD + b'1,"two\nlines","say ""x"""\n'),
        ("a.jsonl", b'{"id":"1"}\n\n{"id":"2"}\r\n'),
    ],
)
def test_what_can_be_appended_to_is_not(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    check_feeds(settings(tmp_path / name, overwrite=False), "objects", COLUMNS)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("x\udcff.jsonl", "\\xff.jsonl is not UTF-8"),
        ("\udce9t\udce9.csv", "is not UTF-8"),
        ("x\0.jsonl", "NUL"),
        ("n" * 230 + ".jsonl", "too long by"),
        ("n" * 250 + ".csv", "too long by"),
        ("é" * 120 + ".csv", "too long by"),
        ("n" * 300 + ".csv", "too long"),
        ("~nobody-of-this-name/x.csv", "cannot be used"),
        ("gopher://x/y.csv", "unknown scheme"),
    ],
)
def test_a_name_that_cannot_be_used_is_refused(tmp_path: Path, name: str, words: str) -> None:
    uri = name if name[0] in "~g" else f"{tmp_path}/{name}"
    said = refusal(settings(uri))
    assert words in said
    assert said.isprintable()
    said.encode()


def test_a_loop_of_links_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").symlink_to("b.csv")
    (tmp_path / "b.csv").symlink_to("a.csv")
    assert "cannot be used" in refusal(settings(tmp_path / "a.csv"))


def test_two_names_of_one_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "real.csv").touch()
    (tmp_path / "link.csv").symlink_to("real.csv")
    given = settings(tmp_path / "real.csv")
    given["FEEDS"][str(tmp_path / "link.csv")] = {"format": "csv", "overwrite": True}
    assert "the same file" in refusal(given)


@pytest.mark.parametrize("name", ["HARVEST_DIR", "HARVEST_STATE_DIR"])
def test_a_folder_whose_name_is_no_utf_8_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match=r"\\xe9"):
        check_harvest_dir(Settings({"HARVEST_DIR": "data", name: "caf\udce9"}))
    with pytest.raises(UsageError, match="NUL"):
        check_text("the argument feed:", "a\0b")


def table(rows: list[dict[str, Any]]) -> list[dict[str, str]]:
    file = io.BytesIO()
    exporter = CsvExporter(file)
    exporter.export_item(Records("", [], rows))
    exporter.finish_exporting()
    return list(csv.DictReader(io.StringIO(file.getvalue().decode(), newline="")))


@given(text=st.text(st.characters(exclude_categories=["Cs"])))
def test_no_control_character_stands_raw_in_a_table(text: str) -> None:
    (row,) = table([{"id": "1", "label": text, "names": [text, text], "record": {text: [text]}}])
    for cell in row.values():
        controls = [c for c in cell if c not in "\t\r\n" and not c.isprintable() and ord(c) < 160]
        assert not controls
    assert json.loads(row["record"]) == {text: [text]}


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("\x1b[31mred\x1b[0m", "[31mred[0m"),
        ("nul\0", "nul"),
        ("c1\x9b\x85", "c1"),
        ("\x1b=cmd()", "'=cmd()"),
        ("\x7f@x", "'@x"),
        ("two\nlines\tand\ttabs", "two\nlines\tand\ttabs"),
    ],
)
def test_a_text_loses_its_control_characters_and_then_its_formula(text: str, cell: str) -> None:
    assert table([{"id": "1", "label": text}])[0]["label"] == cell


def test_excel_s_byte_order_mark_stands_once(
    museum: Callable[..., Sandbox], scrapy: Scrapy, tmp_path: Path
) -> None:
    scrapy.at(museum(objects=5, invalid=0)).policy(UNLIMITED)
    file = tmp_path / "a.csv"
    for rows in (5, 10):
        crawl = scrapy.crawl("objects", "-o", str(file), "-s", "FEED_EXPORT_ENCODING=utf-8-sig")
        assert crawl.code == 0, crawl.err
        content = file.read_bytes()
        assert content.count(b"\xef\xbb\xbf") == 1
        read = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))
        assert len(read) == rows
        assert all(row["id"].startswith("http") for row in read)


@pytest.mark.parametrize(
    "arguments",
    [
        ("-O", "x.xml"),
        ("-s", "FEED_URI=x", "-s", "FEED_FORMAT=xml"),
        ("-O", "%(nothing)s.jsonl"),
        ("-O", "%(time)q.jsonl"),
        ("-O", "x.csv", "-s", "FEED_EXPORT_ENCODING=latin-1"),
        ("-a", "type=\udcff"),
        ("-s", "BUDGET_URL=sqlite:///~nobody-here/x.db"),
    ],
)
def test_what_is_refused_requests_nothing_from_the_museum(
    museum: Callable[..., Sandbox], scrapy: Scrapy, arguments: tuple[str, ...]
) -> None:
    sandbox = museum(objects=5)
    done = scrapy.at(sandbox).run("crawl", "objects", *arguments)
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("error: ")
    assert len(done.stderr.splitlines()) == 1
    assert sandbox.stats()["tiers"]["collections"]["requests"] == 0
