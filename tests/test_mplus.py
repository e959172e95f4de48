"""M+'s API at the wire: complete in both languages, whatever the server omits or mixes up."""

from __future__ import annotations

import json
import sqlite3
import time
import tracemalloc
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mplus_crawler.errors import InvalidResponseError
from mplus_crawler.protocols.graphql.calls import read_results
from mplus_crawler.protocols.graphql.id_list import IdList
from mplus_crawler.protocols.graphql.outcomes import Broken, Fetched, Listed, Outcome
from mplus_crawler.protocols.graphql.planner import Planner
from mplus_crawler.protocols.graphql.queries import IdQuery, Query, RecordQuery
from mplus_crawler.protocols.graphql.reading import Reader
from mplus_crawler.sandbox.app import Sandbox
from mplus_crawler.sandbox.mplus.calls import CallRequest
from mplus_crawler.sandbox.mplus.data import Collection
from mplus_crawler.sandbox.mplus.execution import Operation
from mplus_crawler.sandbox.mplus.museum import Museum
from mplus_crawler.sandbox.mplus.roots import Call as Number
from mplus_crawler.sandbox.options import Options
from mplus_crawler.spiders.mplus.tms import Bilingual, Credit
from mplus_crawler.spiders.mplus.tms.objects import object_columns
from tests.conftest import Crawl, Scrapy
from tests.fixtures.mplus import PUBLISHED
from tests.test_usage import check_one_line
from tests.wire import RawResponse, serving

pytestmark = pytest.mark.long

KEY = "c4na7yc4na7yc4na7yc4na7yc4na7y00"
# Pages of ten, and a window of a hundred: a museum of some hundred records has it all.
WINDOW = 100
SMALL = """
[graphql]
window = 100
nested = 90
reserved_sizes = [60, 200, 999]
source = "the test"
checked = 2026-11-22
[[tier]]
name = "calls"
limits = [{ requests = 1000, seconds = 1 }, { requests = 3000, seconds = 86400 }]
source = "the test"
checked = 2026-11-22
[[graphql.root]]
name = "objects"
per_page = 10
ids_per_page = 40
cache_busters = ["publicAccess", "area", "category"]
[[graphql.root]]
name = "constituents"
per_page = 9
ids_per_page = 20
cache_busters = ["publicAccess"]
[[graphql.root]]
name = "exhibitions"
per_page = 50
ids_per_page = 20
cache_busters = []
"""
Museums = Callable[..., Sandbox]


def published(folder: str) -> list[dict[str, Any]]:
    return [json.loads(f.read_bytes()) for f in sorted(PUBLISHED.glob(f"{folder}/*/*.json"))]


@pytest.fixture(scope="module")
def data_set(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], str]:
    """A data set of so many objects: real ones over and over, with ids that leave gaps."""
    real = published("objects_JSON")
    people = published("constituents_JSON")

    @cache
    def make(count: int) -> str:
        folder = tmp_path_factory.mktemp("published")
        objects = [
            {**real[place % len(real)], "id": 3 * place + 2, "objectNumber": f"2026.{place}"}
            for place in range(count)
        ]
        for name, records in (("objects_JSON", objects), ("constituents_JSON", people)):
            (folder / name / "0").mkdir(parents=True)
            for record in records:
                (folder / name / "0" / f"{record['id']}.json").write_text(json.dumps(record))
        return str(folder)

    return make


def crawl(
    scrapy: Scrapy, museum: Sandbox, *arguments: str, policy: str = SMALL, **env: str
) -> Crawl:
    scrapy.policy(policy, "mplus")
    return scrapy.crawl("mplus_objects", *arguments, **pointed_at(museum.mplus_url) | env)


def pointed_at(url: str) -> dict[str, str]:
    return {"MPLUS_URL": url, "MPLUS_API_KEY": KEY, "RATE_SHARE": "1"}


def ids(rows: list[dict[str, Any]]) -> set[int]:
    return {int(row["id"]) for row in rows}


def truth(museum: Sandbox) -> set[int]:
    return {*museum.truth("mplus")["objects"]["ids"]}


def stats(museum: Sandbox) -> dict[str, Any]:
    """What the museum saw of calls."""
    counts: dict[str, Any] = museum.stats(log=True)["mplus"]
    return counts


def test_every_record_past_the_window_in_both_languages(
    scrapy: Scrapy, museum: Museums, data_set: Callable[[int], str]
) -> None:
    opened = museum(mplus_data=data_set(230), mplus_window=WINDOW, mplus_key=KEY)
    done = crawl(scrapy, opened)
    assert done.code == 0, done.err
    rows = {int(row["id"]): row for row in done.records}
    assert ids(done.records) == truth(opened)
    assert len(done.records) == 230
    assert done.certificate["verdict"] == "complete"
    # The calls are as the API requires.
    seen = stats(opened)
    assert seen["calls"] == done.certificate["requests"]["sent"] <= 26
    assert (seen["sessions"], seen["writes"], seen["roots"].keys()) == (1, 0, {"objects"})
    requested = [root["arguments"] for call in seen["log"] for root in call["asked"]]
    assert {given["per_page"] for given in requested} <= {10, 40, 38}
    assert all((given.get("page", 0) + 1) * given["per_page"] <= WINDOW for given in requested)
    assert not any(None in given.values() for given in requested)
    assert "230 records, about 24 calls, 0.8 % of the 3,000" in done.err
    assert KEY not in done.err + (done.folder / "mplus_objects.certificate.json").read_text()
    # Both languages are one row, which has the museum's responses.
    first = rows[2]
    assert first["source"] == "M+ (invented data of the sandbox)"
    assert (first["kind"], first["licence"]) == ("object", "CC0 1.0")
    assert (first["title_en"], first["title_zh"]) == ("Ko Shing Street, Sheung Wan", "上環高陞街")
    assert (first["medium_en"], first["medium_zh"]) == ("black and white print", "黑白照片")
    assert (first["makers_en"], first["makers_zh"]) == (["Yau Leung"], ["邱良"])
    page = "https://www.mplus.org.hk/en/collection/objects/ko-shing-street-sheung-wan-20260/"
    assert first["url"] == page
    assert first["attribution"] == (
        "Yau Leung, Ko Shing Street, Sheung Wan, 1956, 2026.0, source: M+, Hong Kong, mplus.org.hk"
        " (invented data of the sandbox)"
    )
    assert first["record"]["zh"]["title"] == first["title_zh"]
    assert "_sys" not in first["record"]["en"]
    assert first["expires_at"][:10] > first["retrieved_at"][:10]
    verified = scrapy.run("verify", str(done.folder / "mplus_objects.jsonl"))
    assert verified.returncode == 0, verified.stdout + verified.stderr


def test_what_is_swallowed_cached_broken_refused_added_and_withdrawn(
    scrapy: Scrapy, museum: Museums
) -> None:
    faults = [
        *("backend:root=objects,every=7", "nested:root=objects,every=8", "poison:row=101"),
        *("crosstalk:root=objects,nth=20", "total:root=objects,nth=31"),
        *("status:code=429,retry_after=1,nth=7", "truncate:nth=9", "reset:nth=11"),
        *("delete:nth=12,at=2", "delete:nth=12,at=2", "insert:nth=13,at=150"),
    ]
    opened = museum(mplus_window=200, mplus_faults=faults)
    before = opened.truth("mplus")["objects"]["ids"]
    policy = SMALL.replace("window = 100", "window = 200").replace(
        "ids_per_page = 40", "ids_per_page = 100"
    )
    policy = policy.replace("\nper_page = 10", "\nper_page = 20")
    done = crawl(scrapy, opened, "-s", "RETRY_BACKOFF_BASE=0.01", policy=policy)
    assert done.code == 0, done.err
    (poison,) = opened.truth("mplus")["objects"]["poison"]
    assert ids(done.records) == truth(opened) - {poison}
    assert len(done.records) == 300 - 2 + 1 - 1
    assert done.certificate["verdict"] == "complete_with_drift"
    assert {*map(int, done.certificate["vanished"])} <= {*before[1:3]}
    told = {line["id"]: line for line in done.rejected}
    assert told[str(poison)]["reason"] == "unreadable"
    assert "not valid JSON" in told[str(poison)]["errors"][0]["message"]
    links = {row.id: len(row.links) for row in Collection().public("objects")}
    came = {int(row["id"]): row["record"]["en"]["constituents"] for row in done.records}
    assert [id_ for id_ in came.keys() & links if len(came[id_] or ()) != links[id_]] == []
    seen = stats(opened)
    assert (seen["sessions"], seen["writes"]) == (1, 0)
    assert seen["calls"] <= 60
    refused = next(n for n, call in enumerate(seen["log"]) if call["status"] == 429)
    # The call after it was under way already.
    assert seen["log"][refused + 2]["at"] - seen["log"][refused]["at"] >= 1


def test_bad_records_side_by_side_are_distinguished(
    scrapy: Scrapy, museum: Museums, data_set: Callable[[int], str]
) -> None:
    rows = (99, 100, 101)
    faults = [f"poison:row={row}" for row in rows]
    opened = museum(mplus_data=data_set(400), mplus_window=400, mplus_faults=faults)
    done = crawl(scrapy, opened, policy=SMALL.replace("window = 100", "window = 400"))
    assert done.code == 0, done.err
    assert ids(done.rejected) == {*opened.truth("mplus")["objects"]["poison"]}
    assert len(done.records) == 400 - len(rows)


@pytest.mark.parametrize("failing", [0, 3])
def test_a_bad_record_among_a_handful_hides_none_of_them(
    scrapy: Scrapy, museum: Museums, data_set: Callable[[int], str], failing: int
) -> None:
    failures = [f"backend:root=objects,nth={search}" for search in range(1, failing + 1)]
    opened = museum(mplus_data=data_set(5), mplus_faults=["poison:row=3", *failures])
    patience = ("-s", "RETRY_BACKOFF_BASE=0.01", "-s", "MAX_REJECT_SHARE=0.5")
    done = crawl(scrapy, opened, *patience, policy=SMALL.partition("[[graphql.root]]")[0])
    assert (done.code, len(done.records), len(done.rejected)) == (0, 4, 1), done.err
    assert stats(opened)["calls"] <= 30 + failing


def planned(
    planner: Planner,
    there: set[int],
    broken: set[int],
    leaves: Mapping[int, int] | None = None,
    cap: int | None = None,
) -> list[list[Query]]:
    """The requests of *planner* to a museum with the ids *there*; *broken* ones break pages.

    Before the calls in *leaves*, an id is withdrawn. No response has more than *cap* records.
    """
    rising, falling = sorted(there), sorted(there, reverse=True)
    calls: list[list[Query]] = []

    def outcome(query: Query) -> Outcome:
        if query.ids:
            came = sorted(there & {*query.ids})
        else:
            assert isinstance(query, IdQuery)
            first = query.page * query.size
            came = (falling if query.descending else rising)[first : first + query.size]
        total = len(came) if query.ids else len(there)
        came = came[:cap]
        if broken & {*came}:
            return Broken("it breaks")
        if isinstance(query, RecordQuery):
            return Fetched(tuple(came))
        return Listed(tuple(came), total)

    while queries := planner.next_queries():
        calls.append(queries)
        if (id_ := (leaves or {}).get(len(calls))) is not None:
            there = there - {id_}
            rising.remove(id_)
            falling.remove(id_)
        for query in queries:
            planner.process(query, outcome(query))
        planner.in_flight -= 1
    assert (planner.done, planner.problems) == (True, [])
    assert (planner.received - planner.gone, {*planner.unreadable}) == (there - broken, broken)
    return calls


def test_long_ids_fit_into_a_call() -> None:
    there = {2_000_000_000 + 60 * row for row in range(20_500)}
    calls = planned(Planner(size=100, ids_per_page=2500, window=10_000), there, set())
    assert max(sum(len(json.dumps(q.ids)) for q in queries) for queries in calls) < 100_000


@pytest.mark.parametrize("leaving", [0, 100, 240, 280])
def test_a_withdrawal_beside_a_bad_record_leaves_no_gap(leaving: int) -> None:
    planner = Planner(size=10, ids_per_page=50, window=200, cache_busters=1)
    planned(planner, {*range(300)}, {270}, leaves={20: leaving})
    assert planner.drifted


def test_a_cap_on_pages_is_found_behind_a_bad_record_too() -> None:
    planner = Planner(size=10, ids_per_page=250, window=1_000, cache_busters=4)
    planned(planner, {*range(250)}, {51, 222}, leaves={20: 100}, cap=100)
    assert (planner.drifted, planner.notes) == (True, [])


def test_a_fault_and_then_nothing_is_not_nothing_twice() -> None:
    requested = IdQuery(0, 10, ids=(7,))
    with pytest.raises(ValueError, match="retrying to confirm"):
        IdList(10, 100).take(requested.failed(), (), None)
    assert IdList(10, 100).take(replace(requested, empty=True), (), None) == []


@pytest.mark.parametrize(("came", "whole"), [((1, 3), False), ((1, 2, 3), True)])
def test_ranges_alone_prove_a_list_where_they_agree_with_the_former(
    came: tuple[int, ...], whole: bool
) -> None:
    former, second = IdList(10, 100), IdList(10, 100)
    (page,) = former.start()
    former.take(page, (1, 2, 3, 4), 4)
    former.broken(IdQuery(0, 1, ids=(4,)))
    for part in second.start(former):
        there = [id_ for id_ in came if id_ in part.ids]
        second.take(replace(part, empty=True), there, len(there))
    assert (second.done, second.whole) == (True, whole)


@pytest.mark.parametrize("bad", [0, 99, 110, 135, 229])
def test_a_bad_record_past_the_window_leaves_no_gap(bad: int) -> None:
    planned(Planner(size=10, ids_per_page=50, window=100, cache_busters=1), {*range(230)}, {bad})


@pytest.mark.parametrize(("count", "size", "most"), [(1_886, 97, 21), (13_412, 100, 140)])
@pytest.mark.parametrize("place", [0.02, 0.5, 0.9])
def test_a_bad_record_costs_hardly_a_call(count: int, size: int, most: int, place: float) -> None:
    planner = Planner(size=size, ids_per_page=2400, window=10_000, cache_busters=1)
    there = {5 * row + 1 for row in range(count)}
    assert len(planned(planner, there, {5 * round(place * count) + 1})) <= most


def test_the_whole_museum_in_one_process(
    scrapy: Scrapy, museum: Museums, data_set: Callable[[int], str]
) -> None:
    faults = [
        *("crosstalk:root=constituents", "backend:root=exhibitions", "backend:root=areas"),
        "backend:root=constituents,nth=3",
    ]
    opened = museum(mplus_data=data_set(30), mplus_key=KEY, mplus_faults=faults)
    scrapy.policy(SMALL, "mplus")
    done = scrapy.run("harvest", "mplus", **pointed_at(opened.mplus_url))
    assert done.returncode == 0, done.stderr
    data = scrapy.folder / "data"
    rows = {
        root: [
            json.loads(line) for line in (data / f"mplus_{root}.jsonl").read_bytes().splitlines()
        ]
        for root in ("objects", "constituents", "exhibitions", "terms")
    }
    for root in ("objects", "constituents", "exhibitions"):
        there = opened.truth("mplus")[root]["ids"]
        assert (len(rows[root]), ids(rows[root])) == (len(there), {*there})
    # A constituent that is an object, out of another user's cache, was seen through.
    assert {row["id"]: row["name_zh"] for row in rows["constituents"]}["378"] == "邱良"
    assert all(row["record"]["en"]["type"] for row in rows["constituents"])
    labels = {row["id"]: row["label"] for row in rows["exhibitions"]}
    assert labels["99"] == "Exhibition 99, East Galleries, 2012-03-01"
    assert {row["list"] for row in rows["terms"]} == {
        *("areas", "categories", "mediums", "archivalLevels", "tags", "makertypes")
    }
    certificate = json.loads((data / "mplus_terms.certificate.json").read_text())
    assert certificate["notes"] == {"fonds: the list is empty": 1}
    written = [file for file in scrapy.folder.rglob("*") if file.is_file()]
    assert written
    assert not [file for file in written if KEY.encode() in file.read_bytes()]
    assert stats(opened)["sessions"] <= 4


@pytest.mark.parametrize("root", ["areas", "tags", "makertypes"])
def test_a_list_of_terms_that_failed_once_is_had(
    scrapy: Scrapy, museum: Museums, root: str
) -> None:
    opened = museum(mplus_faults=[f"backend:root={root}"])
    scrapy.policy(SMALL, "mplus")
    patience = ("-s", "RETRY_BACKOFF_BASE=0.01")
    done = scrapy.crawl("mplus_terms", *patience, **pointed_at(opened.mplus_url))
    assert done.code == 0, done.err
    assert root in {row["list"] for row in done.records}
    assert stats(opened)["calls"] <= 9


@pytest.mark.parametrize(("name", "alias"), [("areas", "zh"), ("makertypes", "makertypes")])
def test_an_empty_list_of_terms_is_to_be_seen_twice(scrapy: Scrapy, name: str, alias: str) -> None:
    emptied: list[str] = []

    def empties_once(_: int, said: dict[str, Any]) -> None:
        if said["data"].get(alias) and not emptied:
            emptied.append(alias)
            said["data"][alias] = []

    with serving(rewritten(nothing, empties_once)) as server:
        scrapy.policy(SMALL, "mplus")
        patience = ("-s", "RETRY_BACKOFF_BASE=0.01")
        done = scrapy.crawl("mplus_terms", *patience, **pointed_at(server.base_url))
    assert (done.code, emptied) == (0, [alias]), done.err
    languages = {"en", "zh"} if alias == "zh" else {None}
    assert {row["language"] for row in done.records if row["list"] == name} == languages


def test_two_processes_with_one_key_never_make_three_calls_in_a_second(
    scrapy: Scrapy, museum: Museums
) -> None:
    opened = museum()
    env = pointed_at(opened.mplus_url)
    processes = [scrapy.start("crawl", f"mplus_{name}", **env) for name in ("objects", "terms")]
    for process in processes:
        _, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
    assert stats(opened)["peak_second"] == 2
    times = [call["at"] for call in stats(opened)["log"]]
    assert len(times) >= 11
    certificate = json.loads((scrapy.folder / "data/mplus_objects.certificate.json").read_text())
    assert certificate["requests"]["peak"]["calls"] <= 2


HTML = b"<!DOCTYPE html><title>M+ dashboard</title>"
UNKNOWN = b'{"errors": [{"message": "Cannot query field \\"title\\" on type \\"Query\\"."}]}'
INVALID = b'{"errors": [{"message": "Variable \\"$page\\" got invalid value \\"x\\""}]}'
REFUSED = b'{"errors": [{"message": "Bearer %s is not known"}]}' % KEY.encode()


@pytest.mark.parametrize(
    ("response", "code", "requested", "words"),
    [
        ((400, [], UNKNOWN), 10, 1, ["400", "Cannot query field"]),
        ((413, [], HTML), 10, 1, ["413", "too large"]),
        ((500, [], INVALID), 10, 1, ["500", "invalid value"]),
        ((301, [("Location", "/graphql/")], b""), 10, 1, ["301", "MPLUS_URL"]),
        ((200, [("Content-Type", "text/html")], HTML), 10, 2, ["HTML", "MPLUS_API_KEY"]),
        ((401, [], REFUSED), 12, 1, ["401", "MPLUS_API_KEY"]),
        ((410, [], b""), 12, 1, ["410"]),
    ],
)
def test_what_is_not_retryable_is_reported_and_not_requested_again(
    scrapy: Scrapy, response: RawResponse, code: int, requested: int, words: list[str]
) -> None:
    patience = ("-s", "RETRY_BACKOFF_BASE=0.01")
    with serving(lambda _: response) as gate:
        scrapy.policy(SMALL, "mplus")
        done = scrapy.crawl("mplus_objects", *patience, **pointed_at(gate.base_url))
    assert (done.code, len(gate.requested)) == (code, requested), done.err
    assert "Traceback" not in done.err
    told = done.certificate["reason"]
    assert [word for word in words if word not in told] == []
    assert KEY not in done.err + json.dumps(done.certificate)


def rewritten(
    ask: Callable[[dict[str, Any]], object],
    say: Callable[[int, dict[str, Any]], object],
    data: str = "",
) -> Callable[[str], RawResponse]:
    """The sample behind a server that rewrites requests (*ask*) and responses (*say*).

    *say* may change the response to the call of that number, or return bytes instead. *data* is
    another data set.
    """
    museum, numbers = Museum(Options(mplus_data=data)), count(1)

    def respond(body: str) -> RawResponse:
        call, number = json.loads(body), next(numbers)
        ask(call["variables"])
        sent = json.dumps(call).encode()
        operation = museum.operation(
            CallRequest("POST", "/graphql", "", "application/json", "", sent)
        )
        assert isinstance(operation, Operation)
        said = json.loads(museum.execute(operation, Number(number)).body)
        content = say(number, said)
        content = content if isinstance(content, bytes) else json.dumps(said).encode()
        return 200, [("Content-Type", "application/json")], content

    return respond


def nothing(*_: object) -> None:
    """Leave it as it is."""


def at_most_50(given: dict[str, Any]) -> None:
    for name in given:
        if name.endswith("per_page"):
            given[name] = min(given[name], 50)


def rows(said: dict[str, Any]) -> Iterator[dict[str, Any]]:
    return (row for rows in said["data"].values() for row in rows or ())


def says_more(_: int, said: dict[str, Any]) -> None:
    for row in rows(said):
        if row.get("_sys"):
            row["_sys"]["pagination"]["total"] += 7


def says_less(_: int, said: dict[str, Any]) -> None:
    for row in rows(said):
        if row.get("_sys"):
            row["_sys"]["pagination"]["total"] -= 7


def says_nothing(_: int, said: dict[str, Any]) -> None:
    for row in rows(said):
        row.pop("_sys", None)


def forgets_an_id(_: int, said: dict[str, Any]) -> None:
    for row in rows(said):
        if row["id"] == 308:
            row["id"] = None


def repeats_itself(_: int, said: dict[str, Any]) -> None:
    first = {"id": 308, "objectNumber": "1", "_sys": {"pagination": {"total": 10**12}}}
    for name in said["data"]:
        if name.endswith("list"):
            said["data"][name] = [first]


def gives_one_twice(_: int, said: dict[str, Any]) -> None:
    for name, rows in said["data"].items():
        twice = [row for row in rows or () for _ in range(1 + (row["id"] == 308))]
        if len(twice) > len(rows or ()) > 1 and twice[0].get("_sys"):
            twice[0]["_sys"]["pagination"]["total"] += 1
        said["data"][name] = twice


def speaks_no_json_of_one(_: int, said: dict[str, Any]) -> None:
    for row in rows(said):
        if row["id"] == 308 and "beginDate" in row:
            row["beginDate"] = float("nan")


def sends_too_much(number: int, said: dict[str, Any]) -> bytes:
    return json.dumps(said).encode() + b" " * (40_000_000 if number == 2 else 0)


@pytest.mark.parametrize(
    ("ask", "say", "code", "came", "most", "words"),
    [
        (at_most_50, nothing, 0, 110, 16, "all 110 records"),
        (nothing, says_more, 10, 110, 60, "lists of ids is as long as the total"),
        (nothing, says_less, 10, 110, 60, "lists of ids is as long as the total"),
        (nothing, says_nothing, 10, 110, 20, "response has no total"),
        (nothing, repeats_itself, 10, 1, 80, "contained nothing new"),
        (nothing, forgets_an_id, 10, 299, 99, "1 record cannot be read, and has no id"),
        (nothing, gives_one_twice, 0, 110, 12, "all 110 records"),
        (nothing, speaks_no_json_of_one, 0, 109, 60, "all 110 records"),
        (nothing, sends_too_much, 0, 110, 12, "all 110 records"),
    ],
)
def test_a_server_that_caps_lies_forgets_and_babbles(
    scrapy: Scrapy,
    data_set: Callable[[int], str],
    ask: Callable[[dict[str, Any]], object],
    say: Callable[[int, dict[str, Any]], object],
    code: int,
    came: int,
    most: int,
    words: str,
) -> None:
    fast = SMALL.partition("[[graphql.root]]")[0].replace("window = 100", "window = 10000")
    data = data_set(110) if came <= 110 else ""  # the sample has gaps that hide an id
    with serving(rewritten(ask, say, data)) as server:
        scrapy.policy(fast.replace("nested = 90", "nested = 200"), "mplus")
        patience = ("-s", "RETRY_BACKOFF_BASE=0.01")
        done = scrapy.crawl("mplus_objects", *patience, **pointed_at(server.base_url))
    assert done.code == code, done.err
    assert words in done.certificate["reason"]
    name = "mplus_objects" if code == 0 else "mplus_objects.incomplete"
    assert len(ids(done.lines(f"{name}.jsonl"))) == len(done.lines(f"{name}.jsonl")) == came
    assert len(server.requested) <= most


def test_without_a_key_nothing_is_requested(scrapy: Scrapy, museum: Museums) -> None:
    opened = museum()
    done = crawl(scrapy, opened, MPLUS_API_KEY="")
    check_one_line(done, 12, "mplus_objects needs a key", "https://", "MPLUS_API_KEY")
    assert stats(opened)["calls"] == 0


def test_a_backend_that_stays_away_loses_nothing_silently(
    scrapy: Scrapy, museum: Museums, data_set: Callable[[int], str]
) -> None:
    faults = ["backend:root=objects,nth=9,rate=1"]
    opened = museum(mplus_data=data_set(100), mplus_window=WINDOW, mplus_faults=faults)
    done = crawl(scrapy, opened, "-s", "RETRY_BACKOFF_BASE=0.01")
    assert done.code == 10, done.err
    assert "nothing that was requested is in the response" in done.certificate["reason"]
    assert not (done.folder / "mplus_objects.jsonl").exists()
    assert stats(opened)["calls"] < 40
    opened.clear()
    opened.reset()
    again = crawl(scrapy, opened)
    assert (again.code, ids(again.records)) == (0, truth(opened))
    assert again.certificate["pages"]["replayed"] >= 3


def test_a_museum_that_has_nothing_is_soon_given_up(scrapy: Scrapy) -> None:
    empty = b'{"data": {"list": []}}'
    with serving(lambda _: (200, [], empty)) as server:
        patience = ("-s", "RETRY_BACKOFF_BASE=0.01")
        scrapy.policy(SMALL, "mplus")
        done = scrapy.crawl("mplus_constituents", *patience, **pointed_at(server.base_url))
    assert (done.code, len(server.requested) < 15) == (10, True), done.err
    assert "nothing that was requested is in the response" in done.certificate["reason"]


def test_a_kill_and_the_days_quota_cost_no_saved_response(
    scrapy: Scrapy, museum: Museums, data_set: Callable[[int], str]
) -> None:
    opened = museum(mplus_data=data_set(150), mplus_window=WINDOW)
    policy = SMALL.replace("= 1000, seconds = 1 }", "= 5, seconds = 1 }")
    policy = policy.replace("requests = 3000", "requests = 12")
    scrapy.policy(policy, "mplus")
    process = scrapy.start("crawl", "mplus_objects", **pointed_at(opened.mplus_url))
    while stats(opened)["calls"] < 7:
        assert process.poll() is None
        time.sleep(0.02)
    process.kill()
    process.communicate()
    spent = crawl(scrapy, opened, policy=policy)
    # A call that was granted when the kill came may never have gone out.
    assert (spent.code, stats(opened)["calls"]) in ((11, 12), (11, 11), (11, 10)), spent.err
    assert "THROTTLE_MAX_WAIT" in spent.certificate["reason"]
    assert spent.certificate["resume"] == "scrapy crawl mplus_objects"
    tomorrow(scrapy)
    done = crawl(scrapy, opened, policy=policy)
    assert done.code == 0, done.err
    assert ids(done.records) == truth(opened)
    assert len(done.records) == 150
    # Uninterrupted, it takes 16; calls in flight are sent again, and so is the second list.
    assert stats(opened)["calls"] <= 16 + 5


def tomorrow(scrapy: Scrapy) -> None:
    """Set the budget's clock a day ahead."""
    (books,) = (scrapy.folder / "state").rglob("*.sqlite")
    with sqlite3.connect(books) as db:
        db.execute("UPDATE clock SET ahead = ahead + 86400")
    db.close()


# Which language a text is really in


def bilingual(**fields: Any) -> Bilingual:
    en = {name: value[0] for name, value in fields.items()}
    return Bilingual(en, {name: value[1] for name, value in fields.items()})


@pytest.mark.parametrize(
    ("texts", "columns", "fallbacks"),
    [
        (("ink on paper", "墨水紙本"), ("ink on paper", "墨水紙本"), []),
        (("ink on paper", "ink on paper"), ("ink on paper", None), ["medium_zh"]),
        (("墨水紙本", "墨水紙本"), (None, "墨水紙本"), ["medium_en"]),
        (("1956", "1956"), ("1956", "1956"), []),
        (("PDF檔案", "PDF檔案"), (None, "PDF檔案"), ["medium_en"]),
        (("M+ 藏品", "M+ 藏品"), (None, "M+ 藏品"), ["medium_en"]),
        (("M+ 藏品", "M+ collection"), ("M+ 藏品", "M+ collection"), []),
        ((None, "墨水紙本"), (None, "墨水紙本"), []),
    ],
)
def test_a_text_of_the_other_language_is_distinguished(
    texts: tuple[str, str], columns: tuple[str, str], fallbacks: list[str]
) -> None:
    record = bilingual(medium=texts)
    found = record.texts("medium", "medium")
    assert (found["medium_en"], found["medium_zh"]) == columns
    assert record.fallbacks == fallbacks


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["data", "errors", "x"]), ANY_JSON), ANY_JSON)
def test_no_response_is_an_error_of_ours(document: dict[str, Any], row: Any) -> None:
    rows = {alias: [row, {"id": 1, "constituents": row, "_sys": row}] for alias in ALIASES}
    for body in (document, {**document, "data": rows}):
        try:
            response = read_results(json.dumps(body).encode(), 10)
        except InvalidResponseError:
            continue
        reader = Reader(("id",), "constituents", 200)
        for query in (RecordQuery((1,)), IdQuery(0, 10)):
            assert reader.outcome(query, response, "") is not None


ALIASES = ("en", "zh", "list")


@given(ANY_JSON, ANY_JSON)
def test_no_shape_of_a_field_is_an_error(en: Any, zh: Any) -> None:
    record = bilingual(medium=(en, zh))
    assert {*record.texts("medium", "medium")} == {"medium_en", "medium_zh"}
    assert {*map(type, record.lists("medium", "medium").values())} == {list}
    assert list(record.entries("medium")) is not None


def test_a_list_and_a_role_of_the_other_language_are_distinguished() -> None:
    en: dict[str, Any] = {
        "id": 1,
        "classification": {"area": ["視覺藝術", "M+"], "category": ["Video"]},
        "constituents": [{"id": 2, "role": "導演 (VR)"}, {"id": 3, "role": "Maker"}],
    }
    columns = object_columns(Bilingual(en, en), Credit("M+", "mplus.org.hk", {}))
    assert (columns["areas_en"], columns["areas_zh"]) == ([], ["視覺藝術", "M+"])
    assert (columns["categories_en"], columns["categories_zh"]) == (["Video"], [])
    roles = [(person["role_en"], person["role_zh"]) for person in columns["constituents"]]
    assert roles == [(None, "導演 (VR)"), ("Maker", None)]
    assert {*columns["fallbacks"]} == {"areas_en", "categories_zh", "role_en", "role_zh"}


def changed(id_: int, **fields: Any) -> Callable[[int, dict[str, Any]], bytes | None]:
    """Give the record *id_*, where it is whole, *fields*; bytes stand for raw JSON."""
    raw = {name: value for name, value in fields.items() if isinstance(value, bytes)}

    def say(_: int, said: dict[str, Any]) -> bytes | None:
        for row in rows(said):
            if row.get("id") == id_ and "beginDate" in row:
                row.update({name: f"@{name}@" if name in raw else fields[name] for name in fields})
        content = json.dumps(said).encode()
        for name, value in raw.items():
            content = content.replace(b'"@%s@"' % name.encode(), value)
        return content

    return say


def with_id(id_: int, text: bytes) -> Callable[[int, dict[str, Any]], bytes]:
    """Put *text* in the place of the highest id, which is *id_*, wherever it is."""

    def say(_: int, said: dict[str, Any]) -> bytes:
        return json.dumps(said).encode().replace(b'"id": %d,' % id_, b'"id": %s,' % text)

    return say


def unlistable(place: int) -> Callable[[int, dict[str, Any]], bytes]:
    """Let the record at *place* break lists of ids, too."""

    def say(_: int, said: dict[str, Any]) -> bytes:
        return json.dumps(said).encode().replace(b'"2026.%d"' % place, b'"\\ud800"')

    return say


HIGHEST = 3 * 109 + 2  # of a data set of 110


@pytest.mark.parametrize(
    ("say", "id_", "reason"),
    [
        (changed(308, title=b'"\\ud800"'), "308", "unreadable"),
        (changed(308, title=b'"a\nb"'), "308", "unreadable"),
        (changed(308, medium=b"[" * 3_000 + b"]" * 3_000), "308", "unreadable"),
        (changed(308, medium=b'null, "title": "twice"'), "308", "repeated_name"),
        (unlistable(0), "2", "unreadable"),
        (unlistable(102), "308", "unreadable"),
        (with_id(HIGHEST, b"98765432109876543210"), "98765432109876543210", "unreadable"),
        (with_id(HIGHEST, b"9" * 5_000), "9" * 60 + "…", "unreadable"),
        (with_id(HIGHEST, b'"4294967296"'), "4294967296", "unreadable"),
    ],
)
def test_a_bad_record_costs_itself(
    scrapy: Scrapy,
    data_set: Callable[[int], str],
    say: Callable[[int, dict[str, Any]], object],
    id_: str,
    reason: str,
) -> None:
    fast = SMALL.partition("[[graphql.root]]")[0].replace("window = 100", "window = 10000")
    with serving(rewritten(nothing, say, data_set(110))) as server:
        scrapy.policy(fast.replace("nested = 90", "nested = 200"), "mplus")
        patience = ("-s", "RETRY_BACKOFF_BASE=0.01")
        done = scrapy.crawl("mplus_objects", *patience, **pointed_at(server.base_url))
    assert done.code == 0, done.err
    assert [(line["id"], line["reason"]) for line in done.rejected] == [(id_, reason)]
    assert (len(done.records), done.certificate["verdict"]) == (109, "complete")


def test_a_record_is_kept_as_the_museum_sent_it(scrapy: Scrapy) -> None:
    begin = b'1900, \n "more": [0.1000000000000000055511151231257827, 123456789012345678901]'
    fast = SMALL.partition("[[graphql.root]]")[0].replace("window = 100", "window = 10000")
    with serving(rewritten(nothing, changed(308, beginDate=begin))) as server:
        scrapy.policy(fast.replace("nested = 90", "nested = 200"), "mplus")
        done = scrapy.crawl("mplus_objects", **pointed_at(server.base_url))
    assert (done.code, done.rejected) == (0, []), done.err
    lines = (done.folder / "mplus_objects.jsonl").read_bytes().splitlines()
    (line,) = [line for line in lines if line.startswith(b'{"id":"308",')]
    assert line.count(begin.replace(b"\n", b" ")) == 2  # in both languages
    verified = scrapy.run("verify", str(done.folder / "mplus_objects.jsonl"))
    assert verified.returncode == 0, verified.stdout + verified.stderr


@pytest.mark.parametrize("timeout", [False, True])
def test_a_request_that_takes_too_long_is_split_at_once(scrapy: Scrapy, timeout: bool) -> None:
    slow: list[str] = []
    respond = rewritten(nothing, nothing)

    def gateway(body: str) -> RawResponse:
        if json.loads(body)["query"].count("objects(") <= 2:
            return respond(body)
        slow.append(body)
        if timeout:
            time.sleep(2.5)
        return 504, [("Content-Type", "text/html")], b"<h1>Gateway Timeout</h1>"

    with serving(gateway) as server:
        scrapy.policy(SMALL.replace("window = 100", "window = 10000"), "mplus")
        settings = ("-s", "RETRY_BACKOFF_BASE=0.01", "-s", "DOWNLOAD_TIMEOUT=2")
        done = scrapy.crawl("mplus_objects", *settings, **pointed_at(server.base_url))
    assert (done.code, len(done.records)) == (0, 300), done.err
    assert done.certificate["verdict"] == "complete"
    assert slow
    assert len(slow) == len({*slow})  # none of them was sent again as a whole
    assert len(slow) <= 4


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, {"errors": [{"message": "%s"}]}),
        (500, {"errors": [{"message": "got invalid value %s"}]}),
        (200, {"errors": [{"message": "%s"}], "data": None}),
        (200, {"errors": [{"message": "%s", "path": ["list"]}], "data": {"list": None}}),
    ],
)
def test_a_long_message_is_one_printable_line(
    scrapy: Scrapy, status: int, body: dict[str, Any]
) -> None:
    forged = "\x1b[2J\n2026-11-28 INFO: mplus_objects: complete\u202e" + "x" * 500_000
    content = json.dumps(body).replace("%s", json.dumps(forged)[1:-1]).encode()
    with serving(lambda _: (status, [], content)) as server:
        scrapy.policy(SMALL, "mplus")
        patience = ("-s", "RETRY_BACKOFF_BASE=0.001", "-s", "RETRY_TIMES=1")
        done = scrapy.crawl("mplus_objects", *patience, **pointed_at(server.base_url))
    assert done.code == 10, done.err[:2000]
    reason = done.certificate["reason"]
    assert (len(reason) <= 300, reason.isprintable()) == (True, True)
    assert len(done.err) < 20_000
    assert not any(
        line.startswith("2026-11-28 INFO: mplus_objects: c") for line in done.err.splitlines()
    )
    assert not {"\x1b", "\u202e"} & {*done.err}


def test_far_more_rows_than_requested_are_not_parsed() -> None:
    body = b'{"data": {"list": [%s]}}' % b",".join([b"{}"] * 2_000_000)
    tracemalloc.start()
    with pytest.raises(InvalidResponseError, match="1,999,999 values for at most 100 records"):
        read_results(body, 100)
    assert tracemalloc.get_traced_memory()[1] < len(body)
    tracemalloc.stop()


def test_a_smaller_window_is_learnt_from_responses(
    scrapy: Scrapy, museum: Museums, data_set: Callable[[int], str]
) -> None:
    opened = museum(mplus_data=data_set(1_300), mplus_window=700)
    fast = SMALL.partition("[[graphql.root]]")[0].replace("window = 100", "window = 10000")
    done = crawl(scrapy, opened, policy=fast.replace("nested = 90", "nested = 200"))
    assert (done.code, done.certificate["verdict"]) == (0, "complete"), done.err
    assert ids(done.records) == truth(opened)
    assert stats(opened)["calls"] <= 40
