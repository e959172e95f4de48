"""Packages, read by programs that know nothing of this project; no network."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import duckdb
import frictionless
import jsonschema
import mlcroissant
import pandas as pd
import polars as pl
import pytest
import requests
import yaml
from requests.adapters import BaseAdapter
from requests_cache import CachedSession
from urllib3 import HTTPResponse

# rocrate has a copy of the context of 1.3, which contains the former ones.
CONTEXTS = [f"https://w3id.org/ro/crate/{version}/context" for version in ("1.1", "1.2")]


class _Served(BaseAdapter):
    """Responds to every request with *body*."""

    def __init__(self, body: bytes) -> None:
        super().__init__()
        self._body = body

    def send(self, request: requests.PreparedRequest, **_: Any) -> requests.Response:
        response = requests.Response()
        response.status_code, response.url, response.request = 200, str(request.url), request
        response.headers["Content-Type"] = "application/ld+json"
        response.raw = HTTPResponse(io.BytesIO(self._body), status=200, preload_content=False)
        return response

    def close(self) -> None:
        """Nothing is open."""


@pytest.fixture(scope="session")
def contexts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache of the validator's that has the contexts."""
    cache = tmp_path_factory.mktemp("contexts") / "cache"
    body = (resources.files("rocrate") / "data" / "ro-crate.jsonld").read_bytes()
    with CachedSession(str(cache), backend="sqlite", expire_after=-1) as session:
        session.mount("https://", _Served(body))
        for context in CONTEXTS:
            accept = "application/ld+json, application/json"
            assert session.get(context, headers={"Accept": accept}).ok
    return cache


def flipped(package: Path, target: Path, name: str) -> Path:
    """A copy of *package* in which one byte of the file *name* is another."""
    shutil.copytree(package, target)
    content = bytearray((target / name).read_bytes())
    # A letter, so that the file can still be read.
    place = next(i for i in range(len(content) // 2, len(content)) if content[i : i + 1].isalpha())
    content[place] ^= 1
    (target / name).write_bytes(content)
    return target


def test_frictionless_accepts_it_and_finds_a_flipped_byte(package: Path, tmp_path: Path) -> None:
    report = frictionless.validate(str(package / "datapackage.json"))
    assert report.valid, report.flatten(["type", "message"])
    assert report.stats["tasks"] > 2
    damaged = flipped(package, tmp_path / "damaged", "objects.csv")
    found = frictionless.validate(str(damaged / "datapackage.json"))
    assert "hash-count" in {kind for (kind,) in found.flatten(["type"])}


def test_the_crate_is_valid(package: Path, contexts: Path) -> None:
    options = ["--no-paging", "--offline", "--cache-path", str(contexts), "-p", "ro-crate-1.2"]
    validator = Path(sys.executable).with_name("rocrate-validator")
    command = [validator, "--no-interactive", "validate", *options, "-v", package]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_croissant_loads_every_record_and_finds_a_flipped_byte(
    package: Path, tmp_path: Path
) -> None:
    dataset = mlcroissant.Dataset(str(package / "croissant.json"))
    assert dataset.metadata.ctx.issues.errors == set()
    assert dataset.metadata.ctx.issues.warnings == set()
    for records in dataset.metadata.record_sets:
        table = pd.read_parquet(package / f"{records.id}.parquet")
        loaded = [row[f"{records.id}/id"].decode() for row in dataset.records(records.id)]
        assert loaded == list(table["id"])
    damaged = flipped(package, tmp_path / "damaged", "objects.parquet")
    with pytest.raises(mlcroissant.GenerationError, match=r"objects\.parquet") as error:
        list(mlcroissant.Dataset(str(damaged / "croissant.json")).records("objects"))
    assert "hash" in str(error.value.__cause__).lower()


def test_the_citation_is_valid(package: Path) -> None:
    # Its code needs older libraries than the others; only its copy of the schema is used.
    found = find_spec("cffconvert")
    assert found
    assert found.origin
    schemas = Path(found.origin).parent / "schemas"
    schema = json.loads((schemas / "1.2.0" / "schema.json").read_text())
    citation = yaml.safe_load((package / "CITATION.cff").read_text())
    jsonschema.Draft7Validator(
        schema, format_checker=jsonschema.Draft7Validator.FORMAT_CHECKER
    ).validate(citation)
    assert citation["license"] in ("CC-BY-4.0", "CC0-1.0")


def test_every_reader_gives_the_cells_of_the_feed(package: Path, harvested: Path) -> None:
    before = "mplus_open_" if package.name == "mplus_open" else ""
    for file in sorted(package.glob("*.parquet")):
        feed = harvested / "data" / f"{before}{file.stem}.jsonl"
        expected = [json.loads(line) for line in feed.read_bytes().splitlines()]
        assert list(_pandas(file)) == expected
        assert list(_parsed(pl.read_parquet(file).to_dicts())) == expected
        with duckdb.connect() as database:
            relation = database.execute(f"SELECT * FROM '{file}'")
            names = [column[0] for column in relation.description]
            found = (dict(zip(names, row, strict=True)) for row in relation.fetchall())
            assert list(_parsed(found)) == expected
        with closing(sqlite3.connect(package / "museum.sqlite")) as database:
            ids = database.execute(f"SELECT id FROM {file.stem} WHERE listed ORDER BY id")
            assert [id_ for (id_,) in ids] == sorted(row["id"] for row in expected)


def _parsed(rows: Any) -> Iterator[dict[str, Any]]:
    for row in rows:
        yield {**row, "record": json.loads(row["record"])}


def _pandas(file: Path) -> Iterator[dict[str, Any]]:
    table = pd.read_parquet(file, dtype_backend="pyarrow")
    yield from _parsed(
        {name: _plain(value) for name, value in row.items()} for row in table.to_dict("records")
    )


def _plain(value: Any) -> Any:
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return None if value is pd.NA else value


def blocks(language: str, word: str) -> str:
    """The block of the recipes in *language* that has *word*."""
    recipes = (Path(__file__).parents[1] / "docs" / "recipes.md").read_text("utf-8")
    found = re.findall(rf"^```{language}\n(.*?)^```$", recipes, re.MULTILINE | re.DOTALL)
    (block,) = (text for text in found if word in text)
    return str(block)


@pytest.mark.parametrize("word", ["import pandas", "import polars"])
def test_recipes_run(
    harvested: Path, word: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(harvested / "dmg")
    exec(blocks("python", word), {})
    assert len(capsys.readouterr().out.splitlines()) > 5


def test_the_recipe_in_r_counts_as_sqlite_does(harvested: Path) -> None:
    folder = harvested / "dmg"
    done = subprocess.run(
        ["Rscript", "-e", blocks("r", "RSQLite")],
        cwd=folder,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        check=True,
    )
    head, *lines = done.stdout.splitlines()
    assert head.split() == ["name", "objects"]
    with closing(sqlite3.connect(folder / "museum.sqlite")) as database:
        query = "SELECT name, count(*) FROM object_types GROUP BY name"
        counts = dict(database.execute(query).fetchall())
    rows = (line.rpartition(" ") for line in lines)
    found = {name.strip(): int(count) for name, _, count in rows}
    assert len(found) == min(10, len(counts))
    assert found.items() <= counts.items()
    assert sorted(found.values()) == sorted(counts.values())[-len(found) :]


def test_datasette_shows_a_view(package: Path) -> None:
    command = blocks("text", "datasette").replace(
        "datasette", str(Path(sys.executable).with_name("datasette")), 1
    )
    done = subprocess.run(
        command, shell=True, cwd=package, capture_output=True, text=True, check=True
    )
    shown = json.loads(done.stdout)
    assert len(shown) == 3
    assert all(row["label"] and row["attribution"] for row in shown)
