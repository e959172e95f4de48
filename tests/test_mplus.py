"""M+'s API at the wire: complete in both languages, through whatever it swallows and mixes up."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mplus_crawler.errors import PageFault
from mplus_crawler.graphql.calls import read_answer
from mplus_crawler.graphql.questions import Fetch, Listing
from mplus_crawler.graphql.reading import Reader
from mplus_crawler.tms import Bilingual
from tests.conftest import Crawl, Scrapy
from tests.fixtures.mplus import PUBLISHED
from tests.graphql_museum import Museum, opened
from tests.test_usage import check_one_line
from tests.wire import Answer

KEY = "c4na7yc4na7yc4na7yc4na7yc4na7y00"
# Pages of ten, and a window of a hundred: a museum of some hundred records has it all.
SMALL = """
[paging]
window = 100
nested = 90
taken = [60, 200, 999]
source = "the test"
checked = 2026-11-22
[[tier]]
name = "calls"
limits = [{ requests = 1000, seconds = 1 }, { requests = 3000, seconds = 86400 }]
source = "the test"
checked = 2026-11-22
[[root]]
name = "objects"
per_page = 10
listed = 40
salts = ["publicAccess", "area", "category"]
[[root]]
name = "constituents"
per_page = 9
listed = 20
salts = ["publicAccess"]
[[root]]
name = "exhibitions"
per_page = 50
listed = 20
salts = []
"""


def published(folder: str) -> list[dict[str, Any]]:
    return [json.loads(f.read_bytes()) for f in sorted(PUBLISHED.glob(f"{folder}/*/*.json"))]


def objects(count: int) -> list[dict[str, Any]]:
    """Real ones, over and over, with ids that leave gaps."""
    real = published("objects_JSON")
    return [
        {**real[place % len(real)], "id": 3 * place + 2, "objectNumber": f"2026.{place}"}
        for place in range(count)
    ]


def a_museum(count: int = 120, **more: Any) -> Museum:
    return Museum(objects(count), published("constituents_JSON"), window=100, nested=90, **more)


def crawl(
    scrapy: Scrapy, museum: Museum, *arguments: str, spider: str = "mplus_objects", **env: str
) -> Crawl:
    scrapy.policy(SMALL, "mplus")
    return scrapy.crawl(
        spider, *arguments, **{"MPLUS_URL": museum.url, "MPLUS_API_KEY": KEY, **env}
    )


def ids(rows: list[dict[str, Any]]) -> set[int]:
    return {int(row["id"]) for row in rows}


def variables(museum: Museum, name: str) -> set[Any]:
    """The values of the variable *name*, in all calls and under all prefixes."""
    return {
        value if not isinstance(value, list) else tuple(value)
        for call in museum.calls
        for key, value in call["variables"].items()
        if key == name or key.endswith(f"_{name}")
    }


def test_every_record_past_the_window_in_both_languages(scrapy: Scrapy) -> None:
    with opened(a_museum(230)) as museum:
        done = crawl(scrapy, museum)
    assert done.code == 0, done.err
    rows = {int(row["id"]): row for row in done.records}
    assert ids(done.records) == {row["id"] for row in museum.objects}
    assert done.certificate["verdict"] == "complete"
    assert len(museum.times) == done.certificate["requests"]["sent"] <= 26
    # The API is asked as it wants to be.
    assert museum.sessions == 1
    assert {seen["authorization"] for seen in museum.headers} == {f"Bearer {KEY}"}
    assert KEY not in done.err + (done.folder / "mplus_objects.certificate.json").read_text()
    for _, body in museum.searches:
        assert body["from"] + body["size"] <= 100
    assert variables(museum, "per_page") <= {10, 40, 38}
    assert not any(None in call["variables"].values() for call in museum.calls)
    assert "230 records, about 24 calls, 0.8 % of the 3,000" in done.err
    # Both languages are one row, the museum's answers beside it.
    first = rows[2]
    assert (first["source"], first["kind"], first["licence"]) == ("M+", "object", "CC0 1.0")
    assert (first["title_en"], first["title_zh"]) == ("Ko Shing Street, Sheung Wan", "上環高陞街")
    assert (first["medium_en"], first["medium_zh"]) == ("black and white print", "黑白照片")
    assert (first["makers_en"], first["makers_zh"]) == (["Yau Leung"], ["邱良"])
    assert first["url"] == "https://www.mplus.org.hk/en/collection/objects/object-2/"
    assert first["attribution"] == (
        "Yau Leung, Ko Shing Street, Sheung Wan, 1956, 2026.0, source: M+, Hong Kong, mplus.org.hk"
    )
    assert first["record"]["zh"]["title"] == first["title_zh"]
    assert "_sys" not in first["record"]["en"]
    assert first["expires_at"][:10] > first["retrieved_at"][:10]
    verified = scrapy.run("verify", str(done.folder / "mplus_objects.jsonl"))
    assert verified.returncode == 0, verified.stdout + verified.stderr


def test_what_is_swallowed_cached_broken_added_and_withdrawn(scrapy: Scrapy) -> None:
    museum = a_museum(230, failing={4, 5, 16}, poor={3, 9}, poison={302})

    def change(museum: Museum) -> None:
        gone = {5, 8, 500}
        museum.objects = [row for row in museum.objects if row["id"] not in gone]
        museum.objects.append({**museum.objects[0], "id": 9001})

    museum.changes = {14: change}
    with opened(museum):
        done = crawl(scrapy, museum)
    assert done.code == 0, done.err
    truth = {row["id"] for row in museum.objects}
    assert ids(done.records) == truth - {302}
    assert done.certificate["verdict"] == "complete_with_drift"
    assert {"5", "8"} <= {*done.certificate["vanished"]} <= {"5", "8", "500"}
    told = {line["id"]: line for line in done.rejected}
    assert told["302"]["reason"] == "unreadable"
    assert "not valid JSON" in told["302"]["errors"][0]["message"]
    rich = {row["id"] for row in museum.objects if row["constituents"]}
    assert {int(row["id"]) for row in done.records if row["makers_en"]} == rich - {302}


def test_a_constituent_that_is_an_object_is_seen_through(scrapy: Scrapy) -> None:
    museum = Museum(objects(60), published("constituents_JSON"), window=100)
    # Another user has asked for objects in pages of our size: the cache has them for everyone.
    museum.search("objects", 0, _page(0, 20), inner=False)
    with opened(museum):
        done = crawl(scrapy, museum, spider="mplus_constituents")
    assert done.code == 0, done.err
    assert ids(done.records) == {row["id"] for row in museum.constituents}
    by_id = {int(row["id"]): row for row in done.records}
    assert by_id[378]["name_zh"] == "邱良"
    assert all(row["record"]["en"]["type"] for row in done.records)


def _page(page: int, size: int) -> dict[str, Any]:
    return {"from": page * size, "size": size, "sort": "asc", "ids": None}


def test_exhibitions_and_terms(scrapy: Scrapy) -> None:
    shown = [
        {"id": 95 + n, "beginDate": "2012-03-01", "venues": [{"title": f"Venue {n}"}], "artInt": n}
        for n in range(45)
    ]
    with opened(Museum([], exhibitions=shown, failing={1})) as museum:
        done = crawl(scrapy, museum, spider="mplus_exhibitions")
    assert done.code == 0, done.err
    assert ids(done.records) == {row["id"] for row in shown}
    assert {row["label"] for row in done.records if row["id"] == "95"} == {
        "Exhibition 95, Venue 0, 2012-03-01"
    }
    with opened(Museum([], failing={2})) as museum:
        done = crawl(scrapy, museum, spider="mplus_terms")
    assert done.code == 0, done.err
    assert {row["list"] for row in done.records} == {
        *("areas", "categories", "mediums", "archivalLevels", "fonds", "makertypes")
    }
    assert "areas/zh/area zh-hant 2" in {row["id"] for row in done.records}
    assert (len(museum.times), museum.sessions) == (8, 1)
    assert "tags: the list is empty" in done.certificate["notes"]


HTML = b"<!DOCTYPE html><title>M+ dashboard</title>"
INVALID = b'{"errors": [{"message": "Variable \\"$page\\" got invalid value \\"x\\""}]}'
UNKNOWN = b'{"errors": [{"message": "Cannot query field \\"title\\" on type \\"Query\\"."}]}'


@pytest.mark.parametrize(
    ("answer", "code", "asked", "words"),
    [
        ((400, [], UNKNOWN), 10, 1, ["400", "Cannot query field"]),
        ((413, [], HTML), 10, 1, ["413"]),
        ((500, [], INVALID), 10, 1, ["500", "invalid value"]),
        ((301, [("Location", "/graphql/")], b""), 10, 1, ["301", "MPLUS_URL"]),
        ((200, [("Content-Type", "text/html")], HTML), 10, 3, ["HTML", "MPLUS_API_KEY"]),
        ((401, [], b'{"errors": []}'), 12, 1, ["401", "MPLUS_API_KEY"]),
    ],
)
def test_what_cannot_be_mended_is_told_and_not_asked_again(
    scrapy: Scrapy, answer: Answer, code: int, asked: int, words: list[str]
) -> None:
    with opened(Museum([], gate=lambda number: answer)) as museum:
        done = crawl(scrapy, museum, "-s", "RETRY_TIMES=2", "-s", "RETRY_BACKOFF_BASE=0.01")
    assert (done.code, len(museum.times)) == (code, asked), done.err
    assert "Traceback" not in done.err
    for word in words:
        assert word in done.certificate["reason"]


def test_a_gate_that_says_wait_is_waited_for(scrapy: Scrapy) -> None:
    def gate(number: int) -> Answer | None:
        return (429, [("Retry-After", "1")], b"{}") if number == 2 else None

    with opened(a_museum(30, gate=gate)) as museum:
        done = crawl(scrapy, museum)
    assert (done.code, len(done.records)) == (0, 30), done.err
    assert museum.times[3] - museum.times[1] >= 1  # the third was under way already


def test_without_a_key_nothing_is_asked(scrapy: Scrapy) -> None:
    with opened(a_museum(3)) as museum:
        done = crawl(scrapy, museum, MPLUS_API_KEY="")
    check_one_line(done, 12, "mplus_objects needs a key", "https://", "MPLUS_API_KEY")
    assert museum.times == []


def test_a_backend_that_stays_away_loses_nothing_silently(scrapy: Scrapy) -> None:
    with opened(a_museum(100, failing={*range(6, 999)})) as museum:
        done = crawl(scrapy, museum, "-s", "RETRY_BACKOFF_BASE=0.01")
        assert done.code == 10, done.err
        assert "nothing that was asked for came" in done.certificate["reason"]
        assert not (done.folder / "mplus_objects.jsonl").exists()
        assert len(museum.times) < 40
        museum.failing.clear()
        museum.cache.clear()
        again = crawl(scrapy, museum)
    assert (again.code, ids(again.records)) == (0, {row["id"] for row in museum.objects})
    assert again.certificate["pages"]["replayed"] >= 4


def test_the_days_quota_ends_it_and_the_next_day_goes_on(scrapy: Scrapy) -> None:
    with opened(a_museum(120)) as museum:
        scrapy.policy(SMALL.replace("requests = 3000", "requests = 6"), "mplus")
        env = {"MPLUS_URL": museum.url, "MPLUS_API_KEY": KEY, "RATE_SHARE": "1"}
        first = scrapy.crawl("mplus_objects", **env)
        assert (first.code, len(museum.times)) == (11, 6), first.err
        assert first.certificate["resume"] == "scrapy crawl mplus_objects"
        # Another day is another state folder: the budget's file is in it.
        day = {"XDG_STATE_HOME": str(scrapy.folder / "tomorrow")}
        scrapy.policy(SMALL, "mplus")
        done = scrapy.crawl("mplus_objects", **env, **day)
    assert done.code == 0, done.err
    assert ids(done.records) == {row["id"] for row in museum.objects}
    assert done.certificate["pages"]["replayed"] >= 5
    assert len(museum.times) <= 14


def test_two_calls_a_second_and_no_more(scrapy: Scrapy) -> None:
    with opened(Museum(objects(320), published("constituents_JSON"))) as museum:
        env = {"MPLUS_URL": museum.url, "MPLUS_API_KEY": KEY}
        done = scrapy.crawl("mplus_objects", **env)
    assert (done.code, len(museum.times)) == (0, 5), done.err
    times = museum.times
    assert all(later - earlier > 1 for earlier, later in zip(times, times[2:], strict=False))
    assert done.certificate["requests"]["peak"] == {"calls": 2}


def test_a_kill_costs_no_answer_that_was_in_hand(scrapy: Scrapy) -> None:
    with opened(a_museum(150)) as museum:
        scrapy.policy(
            SMALL.replace("requests = 1000, seconds = 1", "requests = 5, seconds = 1"), "mplus"
        )
        env = {"MPLUS_URL": museum.url, "MPLUS_API_KEY": KEY}
        process = scrapy.start("crawl", "mplus_objects", **env)
        while len(museum.times) < 9:
            assert process.poll() is None
            time.sleep(0.02)
        process.kill()
        process.communicate()
        done = crawl(scrapy, museum)
    assert done.code == 0, done.err
    assert ids(done.records) == {row["id"] for row in museum.objects}
    assert len({json.dumps(row) for row in done.records}) == 150
    assert len(museum.times) <= 16 + 3  # what was under way, and the proof
    assert museum.sessions == 2


def test_the_whole_museum_in_one_process(scrapy: Scrapy) -> None:
    shown = [{"id": 95 + n, "beginDate": "2012-03-01", "venues": None} for n in range(3)]
    with opened(a_museum(30, exhibitions=shown)) as museum:
        scrapy.policy(SMALL, "mplus")
        env = {"MPLUS_URL": museum.url, "MPLUS_API_KEY": KEY}
        done = scrapy.run("harvest", "mplus", **env)
    assert done.returncode == 0, done.stderr
    data = scrapy.folder / "data"
    feeds = {file.stem: len(file.read_bytes().splitlines()) for file in data.glob("mplus_*.jsonl")}
    assert {name: n for name, n in feeds.items() if "rejected" not in name} == {
        "mplus_objects": 30,
        "mplus_constituents": len(museum.constituents),
        "mplus_exhibitions": 3,
        "mplus_terms": 29,
    }
    written = [file for file in scrapy.folder.rglob("*") if file.is_file()]
    assert written
    assert not [file for file in written if KEY.encode() in file.read_bytes()]


# Which language a text is really in


def face(**fields: Any) -> Bilingual:
    en = {name: value[0] for name, value in fields.items()}
    return Bilingual(en, {name: value[1] for name, value in fields.items()})


@pytest.mark.parametrize(
    ("texts", "columns", "fallbacks"),
    [
        (("ink on paper", "墨水紙本"), ("ink on paper", "墨水紙本"), []),
        (("ink on paper", "ink on paper"), ("ink on paper", None), ["medium_zh"]),
        (("墨水紙本", "墨水紙本"), (None, "墨水紙本"), ["medium_en"]),
        (("1956", "1956"), ("1956", "1956"), []),
        (("M+ 藏品", "M+ 藏品"), ("M+ 藏品", "M+ 藏品"), []),
        ((None, "墨水紙本"), (None, "墨水紙本"), []),
    ],
)
def test_a_text_of_the_other_language_is_told_apart(
    texts: tuple[str, str], columns: tuple[str, str], fallbacks: list[str]
) -> None:
    record = face(medium=texts)
    found = record.texts("medium", "medium")
    assert (found["medium_en"], found["medium_zh"]) == columns
    assert record.fallbacks == fallbacks


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
)


@given(st.dictionaries(st.sampled_from(["data", "errors", "x"]), ANY_JSON), ANY_JSON)
def test_no_answer_is_an_error_of_ours(document: dict[str, Any], row: Any) -> None:
    rows = {alias: [row, {"id": 1, "constituents": row, "_sys": row}] for alias in ALIASES}
    for body in (document, {**document, "data": rows}):
        try:
            answer = read_answer(json.dumps(body).encode())
        except PageFault:
            continue
        reader = Reader(("id",), "constituents", 200)
        for question in (Fetch((1,)), Listing(0, 10)):
            assert reader.outcome(question, answer, "") is not None


ALIASES = ("en", "zh", "list")


@given(ANY_JSON, ANY_JSON)
def test_no_shape_of_a_field_is_an_error(en: Any, zh: Any) -> None:
    record = face(medium=(en, zh))
    assert {*record.texts("medium", "medium")} == {"medium_en", "medium_zh"}
    assert {*map(type, record.lists("medium", "medium").values())} == {list}
    assert list(record.pairs("medium")) is not None
