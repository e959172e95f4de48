"""Digests: of rows, of a snapshot's content, and what the verification makes of them."""

from __future__ import annotations

import hashlib
import io
import json
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mplus_crawler.feeds.order import Order
from mplus_crawler.protocols.source import parse
from mplus_crawler.records.batch import json_line
from mplus_crawler.records.digest import digest
from mplus_crawler.records.items import ITEM_CLASSES, volatile_columns
from mplus_crawler.sandbox.app import Sandbox
from mplus_crawler.verification import verify
from mplus_crawler.verification.digests import JsonLine
from tests.conftest import ROOT, Scrapy, limit

COLUMNS = (ROOT / "docs" / "columns.md").read_text("utf-8")
VOLATILE = {"retrieved_at", "expires_at", "digest"}
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=10**18, max_value=10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
)
names = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
values = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(names, inner), max_leaves=20
)


def expected(line: bytes) -> str:
    """The digest of a feed's line, by its definition."""
    row = json.loads(line, parse_float=lambda digits: f"\ue000{digits}\ue000")
    content = {name: row[name] for name in row if name not in VOLATILE}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(re.sub('"\ue000(.*?)\ue000"', r"\1", text).encode()).hexdigest()


def shuffled(value: Any) -> Any:
    """The same value with the names of objects in another order."""
    if isinstance(value, dict):
        pairs = [(name, shuffled(one)) for name, one in value.items()]
        random.Random(7).shuffle(pairs)
        return dict(pairs)
    return [shuffled(one) for one in value] if isinstance(value, list) else value


@pytest.mark.parametrize("kind", ITEM_CLASSES)
def test_every_kind_has_a_digest_and_says_what_is_volatile(kind: str) -> None:
    assert set(volatile_columns(kind)) == ITEM_CLASSES[kind].fields.keys() & VOLATILE
    assert "digest" in ITEM_CLASSES[kind].jsonschema["required"]


@settings(max_examples=50)
@given(columns=st.dictionaries(names, scalars), record=st.dictionaries(names, values))
def test_a_digest_is_that_of_the_line_whatever_is_in_it(
    columns: dict[str, Any], record: dict[str, Any]
) -> None:
    found = set()
    for content in (record, shuffled(record)):
        for spelled in (json.dumps(content), json.dumps(content, ensure_ascii=False, indent=1)):
            row = {**columns, "record": parse(spelled.encode()), "expires_at": spelled}
            ours, line = digest(row, VOLATILE), json_line(row)
            found.add(ours)
            assert JsonLine(line).digest(VOLATILE) == expected(line) == ours
    assert len(found) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1.50", "1.5"),
        ("1e2", "100"),
        ("-0", "0"),
        ("12345678901234567890123", "12345678901234567890124"),
        ("1e400", "null"),
        ("0.1000000000000000000001", "0.1"),
        ('"1"', "1"),
        ("[]", "{}"),
    ],
)
def test_numbers_count_as_the_feed_writes_them(one: str, other: str) -> None:
    digests = []
    for number in (one, other):
        row = {"id": "1", "record": parse(b'{"b":"-0","a":[%s]}' % number.encode())}
        digests.append(digest(row, VOLATILE))
        assert JsonLine(json_line(row)).digest(VOLATILE) == digests[-1]
    assert digests[0] != digests[1]


@settings(max_examples=50)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1)), st.randoms())
def test_lines_are_in_the_order_of_their_ids_in_utf_8(ids: list[str], order: random.Random) -> None:
    written = [(id_, f"{number} {id_!a}\n".encode()) for number, id_ in enumerate(ids)]
    last, gone = dict(written), {id_ for id_ in ids if order.random() < 0.2}
    known = Order()
    for id_, line in written:
        known.add([(id_, len(line))])
    file = io.BytesIO(b"".join(line for _, line in written))
    kept = sorted(last.keys() - gone, key=str.encode)
    assert b"".join(known.lines(gone, file, 0)) == b"".join(last[id_] for id_ in kept)


def lasting(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in VOLATILE - {"digest"}}


def content_digest(rows: list[dict[str, Any]]) -> str:
    lines = sorted(f"{row['id']}\t{row['digest']}\n".encode() for row in rows)
    return hashlib.sha256(b"".join(lines)).hexdigest()


def load_versions(warehouse: duckdb.DuckDBPyConnection, data: Path) -> tuple[int, int]:
    """Load the snapshot as docs/columns.md says; return how many versions there are, and ended."""
    (script,) = re.findall(
        r"```sql\n(CREATE TABLE IF NOT EXISTS versions.*?)```", COLUMNS, re.DOTALL
    )
    warehouse.execute(script.replace("'data/", f"'{data}/"))
    found = warehouse.execute("SELECT count(*), count(valid_to) FROM versions").fetchone()
    assert found is not None
    return found[0], found[1]


def findings(file: Path) -> list[str]:
    return [each.text for each in verify(file, None, file.parent)]


def test_the_same_museum_gives_the_same_snapshot(
    museum: Callable[..., Sandbox], scrapy: Scrapy
) -> None:
    sandbox = museum(objects=130, agents=3, exhibitions=3, concepts=3)
    scrapy.at(sandbox).policy(limit(1_000_000, 1))
    crawls, rows, versions = [], [], []
    warehouse = duckdb.connect()
    for look_ahead, page_size in (("1", "100"), ("8", "7"), ("3", "50")):
        given = ("-s", f"LOOKAHEAD={look_ahead}", "-a", f"page_size={page_size}")
        crawl = scrapy.crawl("objects", *given)
        assert crawl.code == 0, crawl.err
        crawls.append(crawl.certificate)
        rows.append([lasting(row) for row in crawl.records])
        raw = (crawl.folder / "objects.jsonl").read_bytes().splitlines(keepends=True)
        assert [expected(line) for line in raw] == [row["digest"] for row in rows[-1]]
        versions.append(load_versions(warehouse, crawl.folder))
    assert rows[0] == rows[1] == rows[2]
    assert versions == [(len(rows[0]), 0)] * 3
    ids = [row["id"].encode() for row in rows[0]]
    assert ids == sorted(ids)
    first, second, third = crawls
    assert first["content_digest"] == content_digest(rows[0]) == third["content_digest"]
    former = {"run": second["run"], "content_digest": second["content_digest"]}
    assert (first["former"], third["former"]) == (None, former)
    assert first["api"] == sandbox.base_url
    assert first["duration_s"] >= 0
    assert third["filled"] == {
        name: sum(row[name] not in (None, "", [], {}) for row in crawl.records)
        for name in crawl.records[0]
    }
    out = scrapy.folder / "out"
    written = scrapy.crawl("objects", *(f"-O{out / name}" for name in ("o.csv", "o.jsonl")))
    assert written.certificate["content_digest"] == first["content_digest"]
    assert written.certificate["former"] is None
    assert [findings(out / name) for name in ("o.csv", "o.jsonl")] == [
        [f"{len(ids)} records, as certified (complete)"]
    ] * 2

    sandbox.move_to(1)
    changed = scrapy.crawl("objects").certificate["changes"]
    updates, gone = changed["update"], changed["delete"] + changed["missing"] + changed["move"]
    total, closed = load_versions(warehouse, crawl.folder)
    assert (total, closed) == (len(rows[0]) + changed["create"] + updates, updates + gone)
    assert updates

    snapshot = scrapy.folder / "data" / "objects.jsonl"
    lines = snapshot.read_bytes().splitlines(keepends=True)
    edited = json.loads(lines[4])
    edited["record"]["note"] = "not the museum's"
    lines[4] = json_line(edited)
    snapshot.write_bytes(b"".join(lines))
    assert "line 5: its digest is not that of its content" in findings(snapshot)
    edited["digest"] = expected(lines[4])
    lines[4] = json_line(edited)
    snapshot.write_bytes(b"".join(lines))
    assert any(text.startswith("its digests differ from") for text in findings(snapshot))
