"""The recipes: each of the twelve questions has one SQL query that answers it."""

from __future__ import annotations

import json
import re
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from scrapy.utils.project import get_project_settings

from mplus_crawler.datasets.database import Database, views
from mplus_crawler.datasets.relations import kind_table
from mplus_crawler.datasets.snapshots import kinds
from mplus_crawler.records.items import ITEM_CLASSES
from mplus_crawler.records.tables.columns import columns_of
from mplus_crawler.records.tables.table import Table
from tests.conftest import ROOT
from tests.every_kind import Feeds, rows, spider_kind
from tests.tables import load

RECIPES = (ROOT / "docs" / "recipes.md").read_text("utf-8")
_QUESTION = re.compile(
    r"^## (\d+)\. .*?^```sql\n(.*?)^```\n\nIn a package:\n\n```sql\n(.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
QUERIES = {int(question[1]): question[2] for question in _QUESTION.finditer(RECIPES)}
PACKAGE_QUERIES = {int(question[1]): question[3] for question in _QUESTION.finditer(RECIPES)}
TABLES = ("objects", "agents", "concepts", "exhibitions", "mplus_objects", "mplus_constituents")

Row = dict[str, Any]
Data = dict[str, list[Row]]


def a_belgian_chair(data: Data) -> None:
    """Make one of the chairs Belgian, of the fifties, with a free picture."""
    chair = {row["id"] for row in data["concepts"] if row["label_nl"] == "stoel"}
    narrower = {row["id"] for row in data["concepts"] if chair & {*row["broader"]}}
    assert narrower, "the thesaurus has no chairs of a narrower kind"
    object_ = next(
        row for row in data["objects"] if narrower & {*row["type_ids"]} and row["designer_ids"]
    )
    object_ |= {"date_begin": 1950, "date_end": 1958, "image_licence": "Public Domain"}
    designer = next(row for row in data["agents"] if row["id"] == object_["designer_ids"][0])
    designer["nationalities"] = ["België"]
    designer["same_as"] = ["https://www.wikidata.org/entity/Q1", "http://vocab.getty.edu/ulan/1"]


def formerly(objects: list[Row]) -> list[Row]:
    """The objects as they were: one changed since, one gone, and one was not there yet."""
    changed = {**objects[1], "label": "before", "digest": "0" * 64}
    gone = {**objects[2], "uri": f"{objects[2]['uri']}-gone"}
    return [changed, *objects[2:], gone]


@pytest.fixture(scope="module")
def data(feeds: Feeds) -> Data:
    """The rows of each table."""
    found = {name: rows(feeds[name]) for name in TABLES}
    a_belgian_chair(found)
    return found | {"former_objects": formerly(found["objects"])}


@pytest.fixture(scope="module")
def database(data: Data, tmp_path_factory: pytest.TempPathFactory) -> duckdb.DuckDBPyConnection:
    """The same as tables."""
    folder = tmp_path_factory.mktemp("tables")
    connection = duckdb.connect()
    for name, records in data.items():
        feed: Path = folder / f"{name}.jsonl"
        feed.write_text("".join(json.dumps(row) + "\n" for row in records), "utf-8")
        load(connection, name, spider_kind(name.removeprefix("former_")), feed)
    return connection


def by(records: Iterable[Row], column: str) -> dict[str, Row]:
    return {row[column]: row for row in records}


def decades(objects: list[Row], ids: str, people: set[str]) -> list[tuple[int, int]]:
    counts = Counter(
        row["date_begin"] // 10 * 10
        for row in objects
        if row["date_begin"] is not None and people & {*row[ids]}
    )
    return sorted(counts.items())


def women_of_mplus(data: Data) -> list[tuple[Any, ...]]:
    people = {row["id"] for row in data["mplus_constituents"] if row["gender_en"] == "Female"}
    return [*decades(data["mplus_objects"], "maker_ids", people)]


def women_of_gent(data: Data) -> list[tuple[Any, ...]]:
    people = {row["id"] for row in data["agents"] if row["gender"] == "female"}
    return [*decades(data["objects"], "designer_ids", people)]


def belgian_chairs(data: Data) -> list[tuple[Any, ...]]:
    chairs = {row["id"] for row in data["concepts"] if row["label_nl"] == "stoel"}
    while more := {row["id"] for row in data["concepts"] if chairs & {*row["broader"]}} - chairs:
        chairs |= more
    belgians = {row["id"] for row in data["agents"] if "België" in row["nationalities"]}
    return sorted(
        (row["object_number"], row["label"], row["date_label"], row["image"])
        for row in data["objects"]
        if chairs & {*row["type_ids"]}
        and belgians & {*row["maker_ids"], *row["designer_ids"]}
        and row["image_licence"] == "Public Domain"
        and row["date_begin"] is not None
        and row["date_begin"] <= 1970
        and row["date_end"] >= 1950
    )


def birthplaces(data: Data) -> list[tuple[Any, ...]]:
    agents = by(data["agents"], "id")
    found: dict[str, tuple[str, set[str], set[str]]] = {}
    for row in data["objects"]:
        for id_ in {*row["maker_ids"], *row["designer_ids"]} & agents.keys():
            if place := agents[id_]["birth_place_id"]:
                _, people, objects = found.setdefault(
                    place, (agents[id_]["birth_place"], set(), set())
                )
                people.add(id_)
                objects.add(row["id"])
    counted = [(id_, name, len(who), len(what)) for id_, (name, who, what) in found.items()]
    return sorted(counted, key=lambda line: (-line[3], line[0]))


def largest(data: Data) -> list[tuple[Any, ...]]:
    sides = ("height_cm", "width_cm", "depth_cm", "diameter_cm")
    found = [
        (row["object_number"], row["title_en"], row["measured"], max(sizes))
        for row in data["mplus_objects"]
        if (sizes := [row[side] for side in sides if row[side] is not None])
    ]
    return sorted(found, key=lambda line: (-line[3], line[0]))[:10]


def uncertain(data: Data) -> list[tuple[Any, ...]]:
    columns = ("object_number", "display_date_en", "date_edtf", "date_certainty")
    found = [tuple(row[name] for name in columns) for row in data["mplus_objects"]]
    found = [line for line in found if line[3] in ("approximate", "uncertain")]
    return sorted(found, key=lambda line: (line[3], line[0]))


def materials(data: Data) -> list[tuple[Any, ...]]:
    concepts = by(data["concepts"], "id")
    counts: Counter[tuple[Any, ...]] = Counter()
    for row in data["objects"]:
        if row["date_begin"] is not None:
            for id_ in {*row["material_ids"]} & concepts.keys():
                term = concepts[id_]
                aat = tuple(uri for uri in term["same_as"] if "/aat/" in uri)
                label = (term["label_nl"], term["label_en"])
                counts[row["date_begin"] // 50 * 50, *label, aat] += 1
    return [(*key[:3], [*key[3]], count) for key, count in counts.items()]


def changes(data: Data) -> list[tuple[Any, ...]]:
    now, former = by(data["objects"], "uri"), by(data["former_objects"], "uri")
    found = [
        (uri, (now.get(uri) or former[uri])["label"], how)
        for uri in now.keys() | former.keys()
        if (how := _change(now.get(uri), former.get(uri)))
    ]
    return sorted(found, key=lambda line: (line[2], line[0]))


def _change(now: Row | None, former: Row | None) -> str:
    if now is None or former is None:
        return "gone" if now is None else "new"
    return "changed" if now["digest"] != former["digest"] else ""


def exhibitions(data: Data) -> list[tuple[Any, ...]]:
    there = by(data["exhibitions"], "id")
    shown = Counter(id_ for row in data["objects"] for id_ in {*row["exhibitions"]} & there.keys())
    found = [(id_, there[id_]["label"], there[id_]["date_begin"], n) for id_, n in shown.items()]
    return sorted(found, key=lambda line: (-line[3], line[0]))[:10]


def gifts(data: Data) -> list[tuple[Any, ...]]:
    given = [row["acquired"] for row in data["objects"] if row["acquisition"] == "schenking"]
    return sorted(Counter(int(day[:4]) for day in given if day and day[:4].isdigit()).items())


def colors(data: Data) -> list[tuple[Any, ...]]:
    found = Counter(
        color
        for row in data["mplus_objects"]
        if row["image_count"] and row["alt_texts_en"]
        for color in {*row["color_names"]}
    )
    return sorted(found.items(), key=lambda line: (-line[1], line[0]))


def links(data: Data) -> list[tuple[Any, ...]]:
    found = Counter(
        (row["kind"], name)
        for table in ("objects", "agents", "concepts")
        for row in data[table]
        for name in ("wikidata.org", "/ulan/", "/aat/")
        if any(name in uri for uri in _elsewhere(row))
    )
    return [(*key, count) for key, count in found.items()]


def _elsewhere(row: Row) -> list[str]:
    named = ("same_as", "type_same_as", "material_same_as", "technique_same_as")
    return [uri for name in named for uri in row.get(name, ())]


ANSWERS: dict[int, Callable[[Data], list[tuple[Any, ...]]]] = dict(
    enumerate(
        (
            *(women_of_mplus, women_of_gent, belgian_chairs, birthplaces, largest, uncertain),
            *(materials, changes, exhibitions, gifts, colors, links),
        ),
        1,
    )
)
# Ties may stand in any order.
UNORDERED = {5, 7, 12}


def test_every_question_has_a_recipe() -> None:
    assert [*QUERIES] == [*PACKAGE_QUERIES] == [*ANSWERS] == [*range(1, 13)]


@pytest.mark.parametrize("number", ANSWERS)
def test_one_query_answers_the_question(
    database: duckdb.DuckDBPyConnection, data: Data, number: int
) -> None:
    expected = ANSWERS[number](data)
    found = database.execute(QUERIES[number]).fetchall()
    assert expected
    if number in UNORDERED:
        assert sorted(map(repr, found)) == sorted(map(repr, expected))
    else:
        assert found == expected


OF_MPLUS = {1, 5, 6, 11}
VOCABULARIES = {"Wikidata": "wikidata.org", "ULAN": "/ulan/", "AAT": "/aat/"}


@pytest.fixture(scope="module")
def packaged(
    data: Data, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, sqlite3.Connection]]:
    """The same records in the databases of packages, by museum."""
    folder = tmp_path_factory.mktemp("packaged")
    found = {}
    for museum in ("dmg", "mplus"):
        every = kinds(get_project_settings(), museum)
        planned = [kind for kind in every if kind.spider in data]
        path = folder / f"{museum}.sqlite"
        with Database(path, [kind_table(kind) for kind in planned], views(museum)) as database:
            for kind in planned:
                database.add(kind.table, (json.dumps(row).encode() for row in data[kind.spider]))
            if museum == "dmg":
                database.insert("changes", change_lines(data))
            database.finish()
        found[museum] = sqlite3.connect(path)
    yield found
    for connection in found.values():
        connection.close()


def change_lines(data: Data) -> Iterator[tuple[Any, ...]]:
    """The changes as the table has them, and one before the date of the query."""
    types = {"new": "Create", "changed": "Update", "gone": "Delete"}
    unused = (None,) * 5
    for number, (uri, _, how) in enumerate(changes(data), 1):
        yield ("objects", "run", "2026-11-28T00:00:00Z", number, types[how], uri, *unused)
    yield ("objects", "former run", "2026-10-31T00:00:00Z", 1, "Create", "an id", *unused)


def as_packaged(number: int, answer: list[tuple[Any, ...]], data: Data) -> list[tuple[Any, ...]]:
    """The *answer* in the form that the package's query gives."""
    if number == 7:
        return [(*row[:3], " | ".join(row[3]) or None, row[4]) for row in answer]
    if number == 8:
        types = {"new": "Create", "changed": "Update", "gone": "Delete"}
        labels = {row["id"]: row["label"] for row in data["objects"]}
        return [(types[how], uri, labels.get(uri), None) for uri, _, how in answer]
    if number == 12:
        names = {part: name for name, part in VOCABULARIES.items()}
        return [(kind, names[part], count) for kind, part, count in answer]
    return answer


@pytest.mark.parametrize("number", ANSWERS)
def test_one_query_answers_the_question_in_a_package(
    packaged: dict[str, sqlite3.Connection], data: Data, number: int
) -> None:
    expected = as_packaged(number, ANSWERS[number](data), data)
    museum = "mplus" if number in OF_MPLUS else "dmg"
    found = packaged[museum].execute(PACKAGE_QUERIES[number]).fetchall()
    assert expected
    if number in UNORDERED:
        assert sorted(map(repr, found)) == sorted(map(repr, expected))
    else:
        assert found == expected


def block_after(words: str) -> str:
    """The SQL that follows the line that begins with *words*."""
    (query,) = re.findall(rf"^{words}.*?^```sql\n(.*?)^```", RECIPES, re.MULTILINE | re.DOTALL)
    return str(query)


def test_what_is_new_this_month(packaged: dict[str, sqlite3.Connection], data: Data) -> None:
    (query,) = re.findall(
        r"^What changed in the latest month.*?^```sql\n(.*?)^```", RECIPES, re.MULTILINE | re.DOTALL
    )
    found = packaged["dmg"].execute(query).fetchall()
    expected = as_packaged(8, changes(data), data)
    assert [(row[1], row[2], row[4]) for row in found] == [row[:3] for row in expected]


def test_parquet_of_a_package_is_read_in_place(feeds: Feeds, tmp_path: Path) -> None:
    (query,) = re.findall(
        r"^DuckDB queries the file directly.*?^```sql\n(.*?)^```", RECIPES, re.MULTILINE | re.DOTALL
    )
    columns = columns_of(ITEM_CLASSES["object"].jsonschema)
    with feeds["objects"].open("rb") as lines:
        content = b"".join(Table("parquet", columns).pieces(lines, tmp_path))
    (tmp_path / "objects.parquet").write_bytes(content)
    with duckdb.connect() as database:
        found = database.execute(query.replace("'objects", f"'{tmp_path}/objects")).fetchall()
    licences = Counter(row["licence"] for row in rows(feeds["objects"]))
    assert found == licences.most_common()
