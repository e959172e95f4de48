"""Feeds, read by programs that know nothing of this project."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import frictionless
import pandas as pd
import polars as pl
import pytest

FED = ("objects", "exhibitions")  # as proofs.packages harvests them


@pytest.fixture(params=FED)
def stem(request: pytest.FixtureRequest, harvested: Path) -> Path:
    """The path of a kind's feeds, without an ending."""
    return harvested / "feeds" / str(request.param)


def records(stem: Path) -> list[dict[str, Any]]:
    """The records, from JSON lines."""
    lines = stem.with_suffix(".jsonl").read_bytes().splitlines()
    return [json.loads(line) for line in lines]


def test_the_table_schema_of_a_csv_is_valid_and_fits(stem: Path) -> None:
    schema = f"{stem.name}.schema.json"
    report = frictionless.validate(f"{stem.name}.csv", schema=schema, basepath=str(stem.parent))
    assert report.valid, report.flatten(["type", "fieldName", "message"])
    assert report.stats["tasks"] == 1
    document = json.loads((stem.parent / schema).read_bytes())
    document["fields"][0]["type"] = "integer"
    (stem.parent / "wrong.json").write_text(json.dumps(document))
    wrong = frictionless.validate(
        f"{stem.name}.csv", schema="wrong.json", basepath=str(stem.parent)
    )
    assert "type-error" in {kind for (kind,) in wrong.flatten(["type"])}


def test_pandas_polars_and_duckdb_agree_with_json_lines(stem: Path) -> None:
    expected = records(stem)
    table = str(stem.with_suffix(".parquet"))
    for found in (pl.read_parquet(table).to_dicts(), _from_duckdb(f"FROM '{table}'")):
        assert [{**row, "record": json.loads(row["record"])} for row in found] == expected
    frame = pd.read_parquet(table)
    assert list(frame["id"]) == [row["id"] for row in expected]
    assert [list(types) for types in frame["images"]] == [row["images"] for row in expected]


def _from_duckdb(query: str) -> list[dict[str, Any]]:
    with duckdb.connect() as database:
        relation = database.execute(query)
        names = [column[0] for column in relation.description or ()]
        return [dict(zip(names, row, strict=True)) for row in relation.fetchall()]
