"""Our own feeds, read again and rewritten: any cell, any damage, flat memory."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import lzma
import tracemalloc
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mplus_crawler.errors import UsageError
from mplus_crawler.feeds.exporters import CsvExporter, JsonExporter, JsonLinesExporter
from mplus_crawler.feeds.withdrawal import without
from mplus_crawler.records.batch import Records
from mplus_crawler.records.reader import check_feed, format_of, read_feed, read_lines
from mplus_crawler.storage.staging import StagedFile

EXPORTERS: dict[str, Any] = {"jsonl": JsonLinesExporter, "csv": CsvExporter, "json": JsonExporter}
cells = st.text(st.characters(exclude_categories=["Cs"]))


def written(format_: str, rows: list[dict[str, Any]]) -> io.BytesIO:
    """A feed of *rows* as it is exported."""
    file = io.BytesIO()
    exporter = EXPORTERS[format_](file)
    exporter.start_exporting()
    for row in rows:
        exporter.export_item(Records("", [], [row]))
    exporter.finish_exporting()
    file.seek(0)
    return file


@pytest.mark.parametrize("format_", EXPORTERS)
@given(rows=st.lists(st.fixed_dictionaries({"id": cells.filter(str.strip), "label": cells})))
def test_put_together_the_lines_are_the_file(format_: str, rows: list[dict[str, Any]]) -> None:
    file = written(format_, rows)
    lines = list(read_lines(file, format_))
    assert b"".join(line.raw for line in lines) == file.getvalue()
    assert not [line.fault for line in lines if line.fault]
    found = [line.row for line in lines if line.row is not None]
    assert len(found) == len(rows)
    if format_ != "csv":
        assert found == rows
    if rows:
        assert format_of(file) == format_


@given(damage=st.binary(), form=st.sampled_from(["jsonl", "csv", "json"]))
def test_no_bytes_end_the_reading_with_an_error(damage: bytes, form: str) -> None:
    lines = list(read_lines(io.BytesIO(damage), form))
    assert b"".join(line.raw for line in lines) == damage


@pytest.mark.parametrize("length", [131_072, 131_073, 5_000_000])
def test_a_long_cell_is_read_beside_one_that_is_taken_out(length: int) -> None:
    file = written("csv", [{"id": "a", "label": "x" * length}, {"id": "b", "label": "y"}])
    csv.field_size_limit(131_072)  # as another library leaves it
    left = b"".join(without({"b"}, "csv", file, 0))
    assert left == file.getvalue().replace(b"b,y\r\n", b"")


def test_a_bom_is_no_part_of_a_name(tmp_path: Path) -> None:
    for name, text in {"a.csv": "id,label\n1,é\n", "a.jsonl": '{"id":"1","label":"é"}\n'}.items():
        (tmp_path / name).write_text(text, encoding="utf-8-sig")
        assert list(read_feed(tmp_path / name)) == [{"id": "1", "label": "é"}]


def test_what_is_no_row_is_named_by_its_line(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b'id,label\n1,"two\nlines"\n2,\xff\n3,x\n')
    first, second, third = read_feed(tmp_path / "a.csv")
    assert (first, third) == ({"id": "1", "label": "two\nlines"}, {"id": "3", "label": "x"})
    assert isinstance(second, str)
    assert second.startswith("line 4 is not CSV in UTF-8")


def peak_of_rewriting(folder: Path, format_: str, rows: int) -> int:
    """The most memory (bytes) that taking a record out of a feed of *rows* needs."""
    faults: list[OSError] = []
    file = StagedFile(folder / f"{rows}.{format_}", faults.append)
    exporter = EXPORTERS[format_](file)
    for number in range(rows):
        row = {"id": str(number), "record": {"text": "x" * 2_000}}
        exporter.export_item(Records("", [], [row]))
    exporter.finish_exporting()
    file.finish()
    before = file.bytes
    tracemalloc.start()
    file.rewrite(partial(without, {"7"}, format_))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert not faults
    assert 0 < before - file.bytes < 2_200
    assert orjson.loads(file.part.read_bytes()) if format_ == "json" else file.whole
    file.discard()
    return peak


@pytest.mark.parametrize("format_", EXPORTERS)
def test_taking_a_record_out_needs_no_more_memory_for_a_larger_feed(
    tmp_path: Path, format_: str
) -> None:
    small, large = (peak_of_rewriting(tmp_path, format_, rows) for rows in (200, 4_000))
    assert large < 2_000_000
    assert large < small + 200_000
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("module", [gzip, bz2, lzma])
@pytest.mark.parametrize("cut", [3, 40, -4])
def test_a_compressed_feed_that_is_cut_off_is_read_to_there(
    tmp_path: Path, module: Any, cut: int
) -> None:
    rows = [{"id": f"{number}", "note": "x" * (number % 97)} for number in range(500)]
    whole = module.compress(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    feed = tmp_path / "feed.jsonl"
    feed.write_bytes(whole[:cut])
    *read, fault = read_feed(feed)
    assert isinstance(fault, str)
    assert "it cannot be read to its end" in fault or "is not a JSON object" in fault
    assert read == rows[: len(read)]
    feed.write_bytes(whole[:3])
    with pytest.raises(UsageError):
        check_feed(feed)
