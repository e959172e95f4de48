"""Saved responses: what is read is what was written, or is named as damaged."""

from __future__ import annotations

import random
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mplus_crawler.responses.store import DamagedError, ResponseStore, SavedResponse
from mplus_crawler.sandbox.app import Sandbox
from mplus_crawler.storage.sqlite import connect
from tests.conftest import Scrapy, limit

PAGES = {
    str(number): SavedResponse(
        f"https://museum.test/?page={number}",
        f"2026-11-2{number}T00:00:00Z",
        {"Link": ['<https://museum.test/?page=2>; rel="next"'], "X-Name": ["Mus\xe9e"]},
        b'{"member": [%d]}' % number * 3000,
    )
    for number in range(1, 6)
}


def fill(path: Path) -> None:
    store = ResponseStore(path)
    store.recall("began", "1.5")
    for key, page in PAGES.items():
        store.put(key, page)
    store.close()


def read(path: Path) -> dict[str, SavedResponse | None]:
    """What a later process finds: each page, or None for one that is gone or damaged."""
    store = ResponseStore(path)
    began = store.recall("began", "2.5")
    assert began in ("1.5", "2.5")
    found = {}
    for key in PAGES:
        try:
            found[key] = store.get(key)
        except DamagedError:
            found[key] = None
    assert {page.url for page in store.all()} <= {page.url for page in PAGES.values()}
    assert len(store) <= len(PAGES)
    # It can be written again, whatever it was.
    store.put("new", PAGES["1"])
    assert store.get("new") == PAGES["1"]
    store.close()
    return found


def test_what_is_read_is_what_was_written(tmp_path: Path) -> None:
    fill(tmp_path / "a.ledger")
    assert read(tmp_path / "a.ledger") == PAGES


NO_UTF_8 = "CAST(x'ff20fe' AS TEXT)"


@pytest.mark.parametrize(
    "value", ["NULL", "7", "2.5", NO_UTF_8, "x'00'", "''", "'[]'", "'{\"a\": 1}'", "'tomorrow'"]
)
@pytest.mark.parametrize("column", ["key", "url", "retrieved_at", "headers", "body", "sha256"])
def test_a_change_in_any_column_is_found(tmp_path: Path, column: str, value: str) -> None:
    path = tmp_path / "a.ledger"
    fill(path)
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(f"UPDATE response SET {column} = {value} WHERE key = '3'")
    assert read(path) == {**PAGES, "3": None}


@pytest.mark.parametrize(
    "command",
    [
        f"UPDATE harvest SET value = {NO_UTF_8}",
        "UPDATE harvest SET value = '9e99'",
        "UPDATE harvest SET sha256 = NULL",
        "DROP TABLE response",
        "ALTER TABLE response DROP COLUMN headers",
        "ALTER TABLE harvest RENAME COLUMN value TO wert",
        "CREATE VIEW wrong AS SELECT * FROM nowhere; DROP TABLE harvest",
        # A file whose own description is damaged.
        "PRAGMA writable_schema=ON; UPDATE sqlite_master SET sql = 'no such statement'",
        f"PRAGMA writable_schema=ON; UPDATE sqlite_master SET sql = {NO_UTF_8}",
        f"PRAGMA writable_schema=ON; UPDATE sqlite_master SET name = {NO_UTF_8}",
        f"PRAGMA writable_schema=ON; UPDATE sqlite_master SET type = {NO_UTF_8}",
    ],
)
def test_a_damaged_file_is_set_aside_and_nothing_of_it_is_used(
    tmp_path: Path, command: str
) -> None:
    path = tmp_path / "a.ledger"
    fill(path)
    with closing(sqlite3.connect(path)) as db:
        db.executescript(command)
    assert read(path) in (PAGES, dict.fromkeys(PAGES))


@given(st.integers(0, 2**32), st.integers(1, 4000), st.booleans())
@settings(max_examples=60)
def test_damaged_bytes_are_never_taken_for_responses(seed: int, length: int, cut: bool) -> None:
    dice = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.ledger")
        fill(path)
        content = bytearray(path.read_bytes())
        start = dice.randrange(len(content))
        if cut:
            del content[start : start + length]
        else:
            content[start : start + length] = dice.randbytes(length)
        path.write_bytes(content)
        for key, page in read(path).items():
            assert page in (None, PAGES[key])


def test_damage_that_shows_while_the_harvest_runs_is_overcome(tmp_path: Path) -> None:
    path = tmp_path / "a.ledger"
    store = ResponseStore(path)
    assert store.recall("run", "the first") == "the first"
    store.put("1", PAGES["1"])
    with closing(sqlite3.connect(path)) as db:
        db.executescript("DROP TABLE response; DROP TABLE harvest")
    assert store.get("1") is None
    store.put("1", PAGES["1"])
    assert store.get("1") == PAGES["1"]
    store.close()
    assert ResponseStore(path).recall("run", "the second") == "the first"


def test_a_full_disk_is_no_damage(tmp_path: Path) -> None:
    store = ResponseStore(tmp_path / "a.ledger")
    store._db.execute("PRAGMA max_page_count=4")
    with pytest.raises(sqlite3.OperationalError, match="full"):
        store.put_all(iter(PAGES.items()))
    assert store.get("1") is None
    store.put("1", PAGES["1"])
    assert not list(tmp_path.glob("*.damaged-*"))
    assert store.get("1") == PAGES["1"]


# --- at the wire ------------------------------------------------------------------------------


def stopped(museum: Callable[..., Sandbox], scrapy: Scrapy) -> tuple[Sandbox, Path]:
    """A museum, and the ledger of a harvest of it that lacks the last page."""
    sandbox = museum(objects=100, invalid=0, unlinked=0)
    sandbox.fault("html:path=objects,page=5,times=always")
    scrapy.at(sandbox).policy(limit(1_000_000, 1))
    crawl = scrapy.crawl("objects", "-a", "page_size=20", "-s", "RETRY_TIMES=0")
    assert crawl.code == 10, crawl.err
    sandbox.clear()
    sandbox.reset()
    (ledger,) = (crawl.folder / ".state").glob("*.ledger")
    return sandbox, ledger


@pytest.mark.parametrize(
    ("statement", "replayed", "words"),
    [
        ("UPDATE response SET headers = 'x', retrieved_at = 'y' WHERE rowid = 2", 3, "damaged"),
        (f"UPDATE harvest SET value = {NO_UTF_8} WHERE name = 'began'", 0, "set aside"),
        (f"PRAGMA writable_schema=ON; UPDATE sqlite_master SET sql = {NO_UTF_8}", 0, "set aside"),
    ],
)
def test_a_harvest_overcomes_a_damaged_ledger(
    museum: Callable[..., Sandbox], scrapy: Scrapy, statement: str, replayed: int, words: str
) -> None:
    sandbox, ledger = stopped(museum, scrapy)
    with closing(sqlite3.connect(ledger)) as db:
        db.executescript(statement)
    crawl = scrapy.crawl("objects", "-a", "page_size=20")
    assert (crawl.code, crawl.certificate["verdict"]) == (0, "complete"), crawl.err
    assert {record["id"] for record in crawl.records} == set(sandbox.truth()["objects"]["ids"])
    assert crawl.certificate["pages"]["replayed"] == replayed
    assert words in crawl.err


def test_a_harvest_begun_in_the_future_starts_afresh(
    museum: Callable[..., Sandbox], scrapy: Scrapy
) -> None:
    _, ledger = stopped(museum, scrapy)
    ahead = datetime.now(UTC) + timedelta(days=3650)
    store = ResponseStore(ledger)
    store._remember("began", repr(ahead.timestamp()))
    store.close()
    crawl = scrapy.crawl("objects", "-a", "page_size=20")
    assert (crawl.code, crawl.certificate["pages"]["replayed"]) == (0, 0), crawl.err
    assert "dated in the future: starting afresh" in crawl.err


def test_a_response_from_the_future_is_requested_again(
    museum: Callable[..., Sandbox], scrapy: Scrapy
) -> None:
    _, ledger = stopped(museum, scrapy)
    store = ResponseStore(ledger)
    keys = [key for (key,) in store._db.execute("SELECT key FROM response ORDER BY rowid")]
    pages = 0
    for number, key in enumerate(keys):
        saved = store.get(key)
        assert saved
        if number >= 2:
            pages += "fullRecord" in saved.url
            continue
        later = SavedResponse(saved.url, "2126-01-01T00:00:00Z", saved.headers, saved.body)
        store.put(key.decode(), later)
    store.close()
    crawl = scrapy.crawl("objects", "-a", "page_size=20")
    assert (crawl.code, crawl.certificate["pages"]["replayed"]) == (0, pages), crawl.err
    assert max(record["retrieved_at"] for record in crawl.records) < "2126"


def test_a_schema_of_a_former_version_is_no_ledger(tmp_path: Path) -> None:
    path = tmp_path / "a.ledger"
    connect(path, "CREATE TABLE harvest (name TEXT PRIMARY KEY, value TEXT)").close()
    assert read(path) == dict.fromkeys(PAGES)
