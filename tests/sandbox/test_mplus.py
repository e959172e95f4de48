"""M+'s sandbox at the wire, compared with recordings of the museum's own code."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from mplus_crawler.sandbox.app import Sandbox
from mplus_crawler.sandbox.mplus.cache import Cache
from mplus_crawler.sandbox.mplus.schema import RefusedError, read
from tests.conftest import Scrapy
from tests.fixtures.mplus import PUBLISHED
from tests.sandbox import wire
from tests.sandbox.wire import Reply

RECORDED = Path(__file__).parent.parent / "fixtures" / "mplus" / "recorded.jsonl"
OBJECT = "id slug title titleOther medium objectNumber fonds constituents { id name role roles }"
TOTAL = "_sys { pagination { page perPage total maxPage } }"


def send(
    museum: Sandbox, method: str, path: str, body: str = "", headers: dict[str, str] | None = None
) -> Reply:
    return wire.send(museum.mplus_url, path, method, headers or {}, body)


def request(museum: Sandbox, query: str, key: str = "any", **variables: Any) -> Reply:
    """One call, as clients make it."""
    body = json.dumps({"query": query, "variables": variables})
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {key}"}
    return send(museum, "POST", urlsplit(museum.mplus_url).path, body, headers)


def ids(rows: list[dict[str, Any]]) -> list[int]:
    return [row["id"] for row in rows]


@pytest.fixture(scope="module")
def shared() -> Iterator[Sandbox]:
    """A sandbox for tests that only look; each page size is used by one of them."""
    with Sandbox(limits="off") as museum:
        yield museum


@pytest.fixture
def museum() -> Iterator[Sandbox]:
    with Sandbox(limits="off") as opened:
        yield opened


# What was recorded


def shape(value: Any) -> Any:
    """The keys of a response; null where nothing is known, an empty list where it is empty."""
    if isinstance(value, dict):
        return {key: shape(part) for key, part in value.items()}
    if isinstance(value, list):
        merged: Any = None
        for part in value:
            merged = both(merged, shape(part))
        return [merged] if value else []
    return None if value is None else 1


def both(one: Any, other: Any) -> Any:
    if one is None or other is None:
        return other if one is None else one
    if isinstance(one, dict) and isinstance(other, dict):
        return {key: both(one.get(key), other.get(key)) for key in one | other}
    if isinstance(one, list) and isinstance(other, list):
        return [both(*(part[0] if part else None for part in (one, other)))]
    return one


def fits(ours: Any, theirs: Any) -> bool:
    """Whether two shapes are alike as far as both are known."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return ours.keys() == theirs.keys() and all(fits(ours[k], theirs[k]) for k in ours)
    if isinstance(ours, list) and isinstance(theirs, list):
        return len(ours) == len(theirs) and all(map(fits, ours, theirs))
    return ours is None or theirs is None or ours == theirs


def unlike(reply: Reply, record: dict[str, Any]) -> list[object]:
    found = [reply.status, reply.headers["Content-Type"]]
    said = [record["status"], record["type"]]
    if "messages" in record:
        # Which names are alike enough to be meant is a matter of taste.
        plain = [re.sub(" Did you mean.*", "", message) for message in reply.messages]
        found.append(plain)
        said.append([re.sub(" Did you mean.*", "", message) for message in record["messages"]])
    if "shape" in record and not fits(shape(reply.data), record["shape"]):
        return [shape(reply.data), record["shape"]]
    return [] if found == said else [found, said]


def test_responses_are_like_those_recorded(shared: Sandbox) -> None:
    records = [json.loads(line) for line in RECORDED.read_text("utf-8").splitlines()]
    assert len(records) == 88
    replies = [
        (record, send(shared, *(record[name] for name in ("method", "path", "body", "headers"))))
        for record in records
    ]
    differences = {r["name"]: found for r, reply in replies if (found := unlike(reply, r))}
    assert differences == {}


def test_a_body_that_is_too_large_and_one_that_is_not(shared: Sandbox) -> None:
    padding = "#" * 102_400
    large = request(shared, "{hello}" + padding)
    assert (large.status, large.headers["Content-Type"]) == (413, "text/html; charset=utf-8")
    assert request(shared, "{hello}" + padding[:-200]).data == {"hello": "world"}


def test_documents_with_fragments_directives_and_aliases(shared: Sandbox) -> None:
    query = """
    query A { hello }
    query B($zh: Boolean!) {
      __typename
      first: objects(per_page: 1) { ...Part ... on LevelOneObject { id } }
      first: objects(per_page: 1) { number: objectNumber }
      objects(per_page: 1, lang: "zh-hant") @include(if: $zh) { id @skip(if: true) title }
    }
    fragment Part on LevelOneObject { kind: __typename id }
    """
    body = {"query": query, "operationName": "B", "variables": {"zh": False}}
    headers = {"Content-Type": "application/json"}
    reply = send(shared, "POST", "/graphql/below", json.dumps(body), headers)
    (first,) = reply.data["first"]
    assert list(reply.data) == ["__typename", "first"]
    assert (list(first), first["kind"]) == (["kind", "id", "number"], "LevelOneObject")
    assert request(shared, query).status == 500


# Records and languages


def test_the_sample_has_the_oddities_of_the_whole_set(shared: Sandbox) -> None:
    query = f"""query($lang: String) {{ objects(per_page: 299, lang: $lang) {{
      {OBJECT} endDate images {{ altText }} color {{ search {{ google {{ value }} }} }}
      classification {{ area category }} dimensionDetails {{ rank depth }} areasSlugs
    }} }}"""
    english, chinese = (
        request(shared, query, lang=lang).data["objects"] for lang in ("en", "zh-hant")
    )
    pairs = list(zip(english, chinese, strict=True))
    assert {(en["title"] is None, zh["title"] is None) for en, zh in pairs} == {
        *((False, False), (False, True), (True, False), (True, True))
    }
    for en, zh in pairs:
        assert (en["id"], en["slug"]) == (zh["id"], zh["slug"])
        assert en["titleOther"] == (None if en["title"] == zh["title"] else zh["title"])
    fallen_back = shared.truth("mplus")["objects"]["english_for_chinese"]["medium"]
    assert fallen_back
    assert {en["medium"] == zh["medium"] for en, zh in pairs if en["id"] in fallen_back} == {True}
    assert max(len(row["title"] or "") for row in english) == 566
    assert any(row["endDate"] == 0 for row in english)
    assert any(row["constituents"] is None for row in english)
    assert {row["images"] is None for row in english} == {True, False}
    assert [] in [row["images"] for row in english]
    assert any(row["color"]["search"]["google"] is None for row in english)
    assert any(len(row["classification"]["area"]) == 2 for row in english)
    assert any(row["objectNumber"].count("/") == 4 and row["fonds"] for row in english)
    assert {d["rank"] for row in english for d in row["dimensionDetails"] or ()} == {"1"}
    slugs = json.loads(english[0]["areasSlugs"])
    assert len(slugs) == 2 * len(set(slugs.values()))
    assert request(shared, query, lang="tc").data["objects"] == english


def test_roles_stay_in_both_languages_and_venues_in_one(shared: Sandbox) -> None:
    query = """{
      en: constituents(per_page: 201) { id roles name nameOther }
      zh: constituents(per_page: 201, lang: "zh-hant") { id roles name nameOther }
      halls: exhibitions(per_page: 41) { venues { title } }
      none: exhibitions(per_page: 41, lang: "zh-hant") { venues { title } }
    }"""
    found = request(shared, query).data
    assert [row["roles"] for row in found["en"]] == [row["roles"] for row in found["zh"]]
    named = [row for row in zip(found["en"], found["zh"], strict=True) if row[0]["nameOther"]]
    assert named
    assert all(en["nameOther"] == zh["name"] for en, zh in named)
    assert {row["venues"] is None for row in found["halls"]} == {True, False}
    assert {row["venues"] is None for row in found["none"]} == {True}


def test_aggregates_count_what_is_not_public(shared: Sandbox) -> None:
    area = request(shared, "{ areas(per_page: 1) { title count } }").data["areas"][0]
    query = f"query($area: [String]) {{ objects(area: $area, per_page: 1) {{ {TOTAL} }} }}"
    (first,) = request(shared, query, area=[area["title"]]).data["objects"]
    assert first["_sys"]["pagination"]["total"] < area["count"]
    every = request(shared, "{ archivalLevels { count } }").data["archivalLevels"]
    public = request(shared, "{ archivalLevels(publicAccess: true) { count } }").data[
        "archivalLevels"
    ]
    assert sum(row["count"] for row in public) < sum(row["count"] for row in every)
    hidden = shared.truth("mplus")["objects"]["hidden"]
    assert hidden
    assert request(shared, "query($i: [Int]) { objects(ids: $i) { id } }", i=hidden).data == {
        "objects": []
    }


@pytest.mark.parametrize(
    ("filters", "field", "value"),
    [
        ("medium: $value", "medium", "ink on paper"),
        ("objectNumber: $value", "objectNumber", None),
        ("fonds: $value", "fonds", None),
        ("keyword: $value", "title", "Untitled"),
        ("title: $value", "title", "Untitled"),
    ],
)
def test_filters(shared: Sandbox, filters: str, field: str, value: str | None) -> None:
    rows = request(shared, f"{{ objects(per_page: 298) {{ id {field} }} }}").data["objects"]
    value = value or next(row[field] for row in rows if row[field])
    query = f"query($value: String) {{ objects({filters}, per_page: 298) {{ id {field} }} }}"
    found = request(shared, query, value=value).data["objects"]
    assert set(ids(found)) >= {row["id"] for row in rows if row[field] == value} > set()
    assert all(value.lower() in (row[field] or "").lower() for row in found) or field == "title"


def test_nulls_break_nothing_but_what_they_break_at_the_museum(shared: Sandbox) -> None:
    query = """{
      objects(ids: [null], area: [null], color: "red", color_threshold: null) { id }
      broken: objects(sort_field: null) { id }
      nothing: objects(per_page: null, lang: null) { id }
      areas(lang: null) { title }
      hue: objects(hue: [null], luminosity: [50], saturation: [50], hsl_range: null) { id }
    }"""
    reply = request(shared, query)
    assert reply.data == {
        "objects": [],
        "broken": None,
        "nothing": [],
        "areas": [],
        "hue": [],
    }
    assert reply.messages == ["Cannot read properties of null (reading 'toLowerCase')"]


def test_objects_of_a_constituent_and_of_an_exhibition(shared: Sandbox) -> None:
    rows = request(shared, "{ objects(per_page: 297) { id constituents { id } } }").data["objects"]
    person = next(row["constituents"][0]["id"] for row in rows if row["constituents"])
    theirs = [r["id"] for r in rows if person in {p["id"] for p in r["constituents"] or ()}]
    found = request(
        shared,
        f"""query($id: Int, $ids: [Int]) {{
          objects(constituents: $ids, per_page: 296) {{ id }}
          constituent(id: $id, per_page: 1) {{ objects {{ id {TOTAL} }} }}
          exhibition(id: 95) {{ objects {{ id }} }}
          shown: objects(exhibition: 95) {{ id }}
        }}""",
        id=person,
        ids=[person],
    ).data
    (first,) = found["constituent"]["objects"]
    assert ids(found["objects"]) == theirs
    assert (first["id"], first["_sys"]["pagination"]["total"]) == (theirs[0], len(theirs))
    assert found["exhibition"]["objects"] == found["shown"] != []


# Paging, window, cache


def test_pages_cover_everything_and_only_the_first_record_tells_the_total(shared: Sandbox) -> None:
    query = f"query($p: Int) {{ objects(page: $p, per_page: 70) {{ id {TOTAL} }} }}"
    pages = [request(shared, query, p=page).data["objects"] for page in range(6)]
    assert [len(page) for page in pages] == [70, 70, 70, 70, 20, 0]
    listed = [id_ for page in pages for id_ in ids(page)]
    assert listed == shared.truth("mplus")["objects"]["ids"]
    for number, page in enumerate(pages[:5]):
        told = {"page": number, "perPage": 70, "total": 300, "maxPage": 4}
        assert [row["_sys"] for row in page] == [{"pagination": told}] + [None] * (len(page) - 1)
    query = 'query($s: String) { objects(sort_field: "id", sort: $s, per_page: 5) { id } }'
    assert ids(request(shared, query, s="desc").data["objects"]) == listed[:-6:-1]
    assert request(shared, query, s="sideways").data == {"objects": []}


def test_past_the_window_there_is_nothing_and_no_error() -> None:
    with Sandbox(limits="off", mplus_window=120) as museum:
        query = "query($p: Int, $n: Int) { objects(page: $p, per_page: $n) { id } }"
        sizes = {
            (page, size): len(request(museum, query, p=page, n=size).data["objects"])
            for page, size in ((0, 120), (1, 60), (0, 121), (2, 60), (1, 61))
        }
        assert list(sizes.values()) == [120, 60, 0, 0, 0]
        row = request(museum, "{ objects(per_page: 3) { constituents { id } } }").data["objects"][0]
        assert row["constituents"]


def test_no_more_than_200_constituents_are_nested(shared: Sandbox) -> None:
    whole = request(shared, "{ objects(per_page: 300) { constituents { id } } }").data["objects"]
    found = {person["id"] for row in whole for person in row["constituents"] or ()}
    assert sorted(found) == shared.truth("mplus")["constituents"]["ids"][:200]


def test_failures_are_cached_until_the_key_changes(museum: Sandbox) -> None:
    museum.fault("backend:root=objects", "mplus")
    page = "{ objects(per_page: 10) { id } }"
    assert request(museum, page).data == request(museum, page).data == {"objects": []}
    for salt in ("publicAccess: true", "area: []", "category: []", "archivalLevel: []"):
        salted = request(museum, f"{{ objects(per_page: 10, {salt}) {{ id }} }}")
        assert len(salted.data["objects"]) == 10
    museum.fault("backend:times=always", "mplus")
    uncached = '{ objects(per_page: 2, keyword: "a") { id } }'
    assert request(museum, uncached).data == {"objects": []}
    areas = request(museum, "{ hello areas { title } }")
    assert (areas.status, areas.data) == (200, {"hello": "world", "areas": None})
    assert areas.messages == ["Cannot read properties of undefined (reading 'results')"]
    museum.clear()
    assert request(museum, uncached).data["objects"]
    assert request(museum, "{ hello areas { title } }").body == areas.body
    museum.reset()
    assert request(museum, page).data["objects"]


def test_the_cache_forgets_and_roots_of_one_call_are_fetched_at_once() -> None:
    now = 0.0
    cache = Cache(600, lambda: now)
    cache.put("body", 1, None)
    assert cache.get("body", 1) is None
    now = 599
    assert cache.get("body", 2) == (None,)
    now = 600
    assert cache.get("body", 2) is None
    with Sandbox(mplus_cache=0, mplus_faults=["backend:nth=2"]) as museum:
        found = request(museum, '{ en: objects { id } zh: objects(lang: "zh-hant") { id } }').data
        assert (len(found["en"]), found["zh"]) == (50, [])
        assert len(request(museum, "{ objects { id } }").data["objects"]) == 50


def test_one_root_is_taken_for_another(museum: Sandbox) -> None:
    objects = request(museum, "{ objects(per_page: 9) { id } }").data["objects"]
    people = request(museum, f"{{ constituents(per_page: 9) {{ id name type {TOTAL} }} }}")
    mixed = people.data["constituents"]
    assert ids(mixed) == ids(objects)
    assert mixed[0]["_sys"]["pagination"]["total"] == 300
    assert {(row["name"], row["type"]) for row in mixed} == {(None, None)}
    right = request(museum, "{ constituents(per_page: 9, publicAccess: true) { id name } }")
    assert all(row["name"] for row in right.data["constituents"])
    request(museum, "{ constituents(per_page: 8) { id } }")
    assert request(museum, "{ objects(per_page: 8) { id } }").data == {"objects": None}
    museum.fault("crosstalk:root=exhibitions", "mplus")
    assert request(museum, "{ exhibitions { artInt } }").data["exhibitions"]
    museum.fault("crosstalk:root=constituents", "mplus")
    mixed = request(museum, "{ constituents(per_page: 7) { id name } }").data["constituents"]
    assert ids(mixed) == ids(objects)[:7]


# Faults


def test_faults_of_the_backend(museum: Sandbox) -> None:
    page = "query($n: Int) { objects(per_page: $n) { id constituents { id } _sys { %s } } }"
    query = page % "pagination { total maxPage }"
    for spec in ("nested", "backend:seconds=0.01,nth=2", "total:nth=2"):
        museum.fault(spec, "mplus")
    nested = request(museum, query, n=20)
    assert {str(row["constituents"]) for row in nested.data["objects"]} == {"None"}
    assert nested.messages == []
    assert request(museum, query, n=21).data == {"objects": []}
    total = request(museum, query, n=22)
    assert total.data["objects"][0]["_sys"] == {"pagination": {"total": None, "maxPage": None}}
    (error,) = total.json["errors"]
    assert error["path"] == ["objects", 0, "_sys", "pagination", "total"]
    assert len(total.data["objects"]) == 22


def test_a_poison_record_spoils_its_page_and_no_other(museum: Sandbox) -> None:
    museum.fault("poison:row=12", "mplus")
    museum.fault("text:row=1", "mplus")
    (poison,) = museum.truth("mplus")["objects"]["poison"]
    reply = request(
        museum, "{ a: objects(per_page: 10) { title } b: objects(page: 1, per_page: 10) { id } }"
    )
    assert "\t" in reply.data["a"][0]["title"]
    assert (reply.status, reply.data["b"]) == (200, None)
    assert reply.json["errors"][0]["path"] == ["b"]
    found = request(museum, "query($i: [Int]) { objects(ids: $i) { id } }", i=[poison])
    assert found.messages == ['"undefined" is not valid JSON']


def test_records_come_and_go_between_calls(museum: Sandbox) -> None:
    museum.fault("delete:nth=2,at=1", "mplus")
    museum.fault("insert:nth=3,at=5", "mplus")
    before = museum.truth("mplus")["objects"]["ids"]
    query = f"query($n: Int) {{ objects(per_page: $n) {{ id {TOTAL} }} }}"
    pages = [request(museum, query, n=size).data["objects"] for size in (11, 12, 13, 14)]
    assert [p[0]["_sys"]["pagination"]["total"] for p in pages] == [300, 300, 299, 300]
    assert ids(pages[2]) == before[1:14]
    (new,) = set(museum.truth("mplus")["objects"]["ids"]) - set(before)
    assert ids(pages[3]) == [*before[1:6], new, *before[6:14]]


def test_what_stands_in_front(museum: Sandbox) -> None:
    def struck(spec: str) -> Reply:
        museum.fault(spec, "mplus")
        return request(museum, "{ hello }")

    refused = struck("status:code=429,retry_after=3")
    assert (refused.status, refused.headers["Retry-After"]) == (429, "3")
    assert refused.messages == ["Too many calls per second."]
    assert struck("status:code=403").status == 403
    html = struck("status:code=502,html=1")
    assert (html.status, html.headers["Content-Type"]) == (502, "text/html; charset=utf-8")
    dashboard = struck("html")
    assert (dashboard.status, dashboard.headers["Content-Type"]) == (
        200,
        "text/html; charset=utf-8",
    )
    moved = struck("redirect")
    assert (moved.status, moved.headers["Location"]) == (301, "https://api.mplus.org.hk/graphql")
    for spec in ("truncate", "reset"):
        with pytest.raises((HTTPException, ConnectionError)):
            struck(spec)
    assert museum.stats()["mplus"]["roots"] == {"hello": 7}
    with pytest.raises(ValueError, match="no records to insert"):
        museum.fault("insert:root=areas", "mplus")


def test_a_key_is_wanted_only_if_the_sandbox_has_one(shared: Sandbox) -> None:
    with Sandbox(mplus_key="right") as museum:
        wrong = request(museum, "{ hello }", key="wrong")
        assert (wrong.status, wrong.messages) == (401, ["A valid API key is required."])
        assert request(museum, "{ hello }", key="right").status == 200
    assert send(shared, "GET", "/graphql?query={hello}").data == {"hello": "world"}


# What it counts


def test_calls_sessions_and_writes_are_counted(museum: Sandbox) -> None:
    first = request(museum, "{ object { id } objects { id } }")
    cookie = first.headers["Set-Cookie"].partition(";")[0]
    headers = {"Cookie": cookie, "Content-Type": "application/json"}
    kept = send(museum, "POST", "/graphql", '{"query": "{ hello nonsense }"}', headers)
    assert kept.headers["Set-Cookie"] is None
    request(museum, "{ object(id: 1) { id } }")
    stats = museum.stats(log=True)["mplus"]
    log = stats.pop("log")
    assert 1 <= stats.pop("peak_second") <= 3
    assert stats == {
        "calls": 3,
        "statuses": {"200": 2, "400": 1},
        "roots": {"object": 2, "objects": 1},
        "writes": 1,
        "sessions": 2,
        "peak_day": 3,
        "in_flight": 0,
        "peak_in_flight": 1,
    }
    assert log[2]["asked"] == [{"root": "object", "arguments": {"lang": "en", "id": 1}}]
    assert museum.stats() == send(museum, "GET", "/__stats").json
    assert send(museum, "GET", "/__truth?museum=mplus").json == museum.truth("mplus")
    assert send(museum, "POST", "/__faults?museum=mplus", '["status"]').json == {"added": 1}
    assert request(museum, "{ hello }").status == 500
    museum.reset()
    assert museum.stats()["mplus"]["calls"] == 0


# Data sets, and the crawler


def test_a_data_set_in_its_published_layout(scrapy: Scrapy) -> None:
    with Sandbox(mplus_data=str(PUBLISHED)) as museum:
        files = sorted(int(f.stem) for f in PUBLISHED.glob("objects_JSON/*/*.json"))
        assert museum.truth("mplus")["objects"]["ids"] == files
    for option, value, problem in (
        ("mplus_data", str(PUBLISHED / "constituents_JSON"), "holds no objects_JSON"),
        ("mplus_faults", ["poison:row=301"], "fault: objects has no row 301 to poison"),
        ("mplus_faults", ["nonsense"], "fault: 'nonsense' is not one of status"),
    ):
        with pytest.raises(ValueError, match=problem), Sandbox(**{option: value}):
            pass
    done = scrapy.run("sandbox", "--mplus-data", "nowhere")
    assert done.returncode == 2
    assert "mplus-data: nowhere is no folder and no archive" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_crawler_finds_all_there_is(scrapy: Scrapy) -> None:
    faults = ["backend:every=9", "nested:nth=4", "crosstalk:nth=3"]
    with Sandbox(mplus_key="key", mplus_faults=faults) as museum:
        crawl = scrapy.crawl("mplus_objects", MPLUS_URL=museum.mplus_url, MPLUS_API_KEY="key")
        truth, stats = museum.truth("mplus")["objects"], museum.stats()["mplus"]
    assert crawl.code == 0, crawl.err
    found = {int(record["id"]) for record in crawl.records}
    assert found == set(truth["ids"])
    assert (stats["writes"], stats["sessions"]) == (0, 1)
    assert stats["peak_second"] <= 2


def test_documents_that_differ_in_a_tag_are_each_validated() -> None:
    one, two, three = "0123456789ab", "ba9876543210", "0123456789ac"
    document = (
        "query ($p_{0}: Int, $p_{1}: Int)"
        " {{ a: objects(page: $p_{2}) {{ id }} b: objects(page: $p_{1}) {{ id }} }}"
    )
    for tags in ((one, two, one), (two, one, two), (three, two, three)):
        assert read(document.format(*tags)).definitions
    for wrong in ((one, two, three), (one, one, one), (one, two, two)):
        with pytest.raises(RefusedError) as refused:
            read(document.format(*wrong))
        assert refused.value.status == 400
