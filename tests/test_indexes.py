"""The indexes and the catalogue: every member an item, under an id that no host changes."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any
from urllib.parse import parse_qs, quote, quote_plus, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scrapy.settings import Settings

from mplus_crawler.errors import UsageError
from mplus_crawler.museum.policies.reading import load_policy
from mplus_crawler.records.items import ITEM_CLASSES, errors
from mplus_crawler.sandbox.app import Sandbox
from mplus_crawler.spiders.base import MuseumSpider
from mplus_crawler.spiders.dmg.cidoc import canonical_id
from mplus_crawler.spiders.dmg.colors import ColorsSpider
from mplus_crawler.spiders.dmg.indexes import (
    DcatSpider,
    NationalitiesSpider,
    ProductionSpider,
    RolesSpider,
)
from tests.conftest import Crawl, Scrapy, limit
from tests.fixtures.dmg import FLATTEN, KINDS, body, members
from tests.test_faults import QUICK
from tests.wire import RawResponse, get, serving

BASE = load_policy("dmg").base_url
UNLIMITED = limit(1_000_000, 1, "aggregations")
JSON = [("Content-Type", "application/ld+json; charset=utf-8")]


@pytest.fixture(scope="module")
def small() -> Iterator[Sandbox]:
    with Sandbox(limits="off", objects=300, agents=120, concepts=9) as sandbox:
        yield sandbox


def in_any_order(records: Iterable[dict[str, Any]]) -> list[str]:
    """*records* as texts: a snapshot has its own order."""
    return sorted(json.dumps(record, sort_keys=True) for record in records)


def ids(crawl: Crawl) -> list[str]:
    return [record["id"] for record in crawl.records]


def listed(response: dict[str, Any]) -> list[dict[str, Any]]:
    """The members that the response of any index lists."""
    parts = [response] if "dcat:dataset" in response else []
    for name in ("hydra:member", "base_colors", "css_colors", "dcat:dataset", "buckets"):
        parts += response.get(name, [])
    return parts


# Against the sandbox


@pytest.mark.parametrize(
    ("spider", "path", "arguments"),
    [
        ("types", "id/types?onDisplay=true", ["-a", "onDisplay=True"]),
        ("types", "id/types", []),
        ("materials", "id/materials", []),
        ("nationalities", "id/nationalities", []),
        ("roles", "id/roles", []),
        ("production", "id/production", []),
        (
            "production",
            "id/production?bucket=25&yearFrom=1850&yearTo=1999&onDisplay=true&q=o",
            [
                f"-a{word}"
                for word in ("bucket=25", "yearFrom=1850", "yearTo=1999", "onDisplay=true", "q=o")
            ],
        ),
        ("colors", "id/colors", []),
        ("dcat", "dcat", []),
    ],
)
def test_every_member_is_an_item(
    small: Sandbox, scrapy: Scrapy, spider: str, path: str, arguments: list[str]
) -> None:
    there = listed(json.loads(get(small.base_url + path)))
    crawl = scrapy.at(small).policy(UNLIMITED).crawl(spider, *arguments)
    assert crawl.code == 0, crawl.err
    certificate = crawl.certificate
    assert certificate["verdict"] == "complete"
    assert certificate["expected"] == {"first": len(there), "last": len(there)}
    assert certificate["unique"] == len(there) == len(set(ids(crawl))) > 1
    assert certificate["requests"]["sent"] == 1
    assert in_any_order(record["record"] for record in crawl.records) == in_any_order(there)
    assert all(record["id"].startswith(BASE) for record in crawl.records)
    for record in crawl.records:
        assert errors(ITEM_CLASSES[record["kind"]], record) == []
    if spider == "types":
        nameless = [record for record in crawl.records if not record["record"]["@id"]]
        assert nameless, "the museum has types without a concept"
        assert all("onDisplay" not in record["id"] for record in nameless)


def test_dominant_objects_come_within_the_limit(
    museum: Callable[..., Sandbox], scrapy: Scrapy
) -> None:
    sandbox = museum(objects=150, agents=20, concepts=20, limits="aggregations=20/1")
    scrapy.at(sandbox).policy(limit(20, 1, "aggregations"))
    crawl = scrapy.crawl("colors", "-a", "dominant=true")
    assert crawl.code == 0, crawl.err
    stats = sandbox.stats()["tiers"]["aggregations"]
    colors = len(crawl.records)
    assert (stats["requests"], stats["too_many"]) == (1 + colors, 0)
    assert crawl.certificate["requests"]["peak"]["aggregations"] <= 18
    assert crawl.certificate["pages"]["expected"] == 1 + colors
    sandbox.reset()
    color = crawl.records[-1]
    query = color["record"]["dominant"].partition("?")[2]
    first = json.loads(get(f"{sandbox.base_url}id/colors/dominant?{query}&limit=100"))
    there = first["hydra:member"]
    assert [thing["dominance_pct"] for thing in color["dominant_objects"]] == [
        member["dominance_pct"] for member in there
    ]
    for thing, member in zip(color["dominant_objects"], there, strict=True):
        assert thing["id"] == canonical_id(member["@id"], BASE)
        assert "//" not in thing["id"].removeprefix("https://")
        right = member["image"]["crm:P104_is_subject_to"]["@id"]
        assert (thing["image"], thing["image_licence_uri"]) == (member["image"]["@id"], right)
        assert thing["iiif_manifest"] == member["crm:P129i_is_subject_of"]["@id"]
    assert {"Public Domain", "unknown"} <= {
        thing["image_licence"] for row in crawl.records for thing in row["dominant_objects"]
    }


def test_resuming_requests_only_the_colours_that_are_left(small: Sandbox, scrapy: Scrapy) -> None:
    small.reset()
    command = ("colors", "-a", "dominant=true")
    scrapy.at(small).policy(UNLIMITED)
    stopped = scrapy.crawl(*command, "-s", "CLOSESPIDER_PAGECOUNT=9")
    assert stopped.code == 11, stopped.err
    crawl = scrapy.crawl(*command)
    assert crawl.code == 0, crawl.err
    replayed = crawl.certificate["pages"]["replayed"]
    assert replayed >= 9
    assert small.stats()["tiers"]["aggregations"]["requests"] <= len(crawl.records) + 1 + 8
    assert all(record["dominant_objects"] for record in crawl.records)
    assert scrapy.run("verify", str(crawl.folder / "colors.selection.jsonl")).returncode == 0


# What the museum has sent


@pytest.mark.parametrize(
    ("spider", "name", "count", "first"),
    [
        ("types", "types", 55, "id/concept/530000083"),
        ("materials", "materials", 24, "id/objects?material=beukenhout"),
        ("nationalities", "nationalities", 12, "id/agents?nationality=Nederland"),
        ("roles", "roles", 4, "id/agents?role=ontwerper"),
        ("production", "production", 4, "id/objects?date=1940%2F1949"),
        ("colors", "colors", 41, "id/objects?color=grey"),
        ("dcat", "dcat", 10, ""),
    ],
)
def test_what_the_museum_has_sent(
    scrapy: Scrapy, spider: str, name: str, count: int, first: str
) -> None:
    with serving(lambda path: (200, JSON, body(name))) as server:
        scrapy.policy(UNLIMITED).environment["DMG_BASE_URL"] = server.base_url
        crawl = scrapy.crawl(spider)
    assert crawl.code == 0, crawl.err
    assert len(crawl.records) == count
    assert BASE + first in ids(crawl) == sorted(ids(crawl))
    assert in_any_order(record["record"] for record in crawl.records) == in_any_order(members(name))


def row(name: str, place: int, base: str = BASE) -> dict[str, Any]:
    canonical = partial(canonical_id, base_url=BASE, also=(base,))
    columns = FLATTEN[KINDS[name]](members(name)[place], canonical)
    return {column: value for column, value in columns.items() if value not in (None, [])}


def test_columns_of_the_indexes() -> None:
    assert row("materials", 9) == {
        "id": f"{BASE}id/objects?material=keramiek%20%28materiaal%29",
        "label": "keramiek (materiaal)",
        "filter": f"{BASE}id/objects?material=keramiek%20%28materiaal%29",
        "object_count": 424,
    }
    assert row("nationalities", 2) == {
        "id": f"{BASE}id/agents?nationality=Belgi%C3%AB",
        "label": "België",
        "filter": f"{BASE}id/agents?nationality=Belgi%C3%AB",
        "agent_count": 101,
    }
    assert row("colors", 12) == {
        "id": f"{BASE}id/objects?cssColor=Hunter%20green",
        "label": "Hunter green",
        "filter": f"{BASE}id/objects?cssColor=Hunter%20green",
        "palette": "css",
        "object_count": 1359,
        "collection_share_pct": 4.29,
        "avg_dominance_pct": 36.92,
    }
    assert row("roles", 2) == {
        "id": f"{BASE}id/agents?role=kunstenaar%20%2F%20vormgever",
        "label": "kunstenaar / vormgever",
        "filter": f"{BASE}id/agents?role=kunstenaar%20%2F%20vormgever",
        "agent_count": 9,
    }
    assert row("production", 2) == {
        "id": f"{BASE}id/objects?date=1960%2F1969",
        "label": "1960/1969",
        "filter": f"{BASE}id/objects?date=1960%2F1969",
        "year": 1960,
        "year_end": 1969,
        "weight": 812.5,
        "share_pct": 85.53,
        "object_count": 1043,
        "exact_count": 611,
        "acquired": 36,
        "acquired_pct": 94.74,
        "spread_factor": 1.3,
    }
    assert "spread_factor" not in row("production", 0)
    data_set = row("dcat", 9)
    assert (data_set["id"], data_set["part"]) == (f"{BASE}id/roles", "data set")
    assert (data_set["title_fr"], data_set["formats"]) == ("Rôles", ["application/ld+json"])
    assert (row("dcat", 0)["part"], len(row("dcat", 0)["datasets"])) == ("catalogue", 9)


def test_ids_are_the_same_whichever_host_served_them_and_whatever_is_on_display() -> None:
    local = members("types-local")[0]["filter"].partition("id/objects")[0]
    plain = [row("types", place) for place in range(55)]
    assert [row("types-local", place, local) for place in range(55)] == plain
    assert {row("types-onDisplay", place)["id"] for place in range(55)} == {
        type_["id"] for type_ in plain
    }


def test_a_period_keeps_its_id_whatever_is_selected() -> None:
    canonical = partial(canonical_id, base_url=BASE)
    for query in ("date=1960/1969", "onDisplay=true&date=1960%2F1969", "date=1960/1969&q=vaas"):
        columns = FLATTEN["production"]({"filter": f"{BASE}id/objects?{query}"}, canonical)
        assert columns["id"] == f"{BASE}id/objects?date=1960%2F1969"
        assert (columns["label"], columns["year_end"]) == ("1960/1969", 1969)


@given(st.text(), st.sampled_from(["http://127.0.0.1:8001/v2/", BASE, f"{BASE}/"]))
def test_an_id_made_of_a_filter_is_one_spelling(value: str, base: str) -> None:
    canonical = partial(canonical_id, base_url=BASE, also=("http://127.0.0.1:8001/v2/",))
    value = value.encode("utf-8", "replace").decode()
    expected = f"{BASE}id/objects?material={quote(value, safe='')}"
    for spelled in (quote(value), quote(value, safe=""), quote_plus(value)):
        record = {"filter": f"{base}id/objects?onDisplay=true&material={spelled}"}
        assert FLATTEN["material"](record, canonical)["id"] == expected
    assert canonical(expected) == expected


# What goes wrong


def index(total: Any, *labels: str) -> bytes:
    entries = [
        {
            "@type": "crm:E57_Material",
            "rdfs:label": label,
            "object_count": 1,
            "filter": f"{BASE}id/objects?material={label}",
        }
        for label in labels
    ]
    return json.dumps({"hydra:totalItems": total, "hydra:member": entries}).encode()


WHOLE = index(3, "glas", "hout", "wol")
# responses in turn (the last one repeats), verdict, exit code, items, words of the reason
FAULTS: dict[str, tuple[list[bytes], str, int, int, str]] = {
    "html, once": ([b"<html></html>", WHOLE], "complete", 0, 3, ""),
    "html": ([b"<html></html>"], "incomplete", 10, 0, "id/materials: the response is HTML"),
    "cut off": ([WHOLE[:-9]], "incomplete", 10, 0, "not complete JSON"),
    "an empty object": ([b"{}"], "incomplete", 10, 0, "no list of members"),
    "no total": ([b'{"hydra:member":[]}'], "incomplete", 10, 0, "no total"),
    "short, once": ([index(3, "glas", "hout"), WHOLE], "complete", 0, 3, ""),
    "short": ([index(3, "glas", "hout")], "incomplete", 10, 2, "2 of 3 members"),
    "a total too low": ([index(2, "a", "b", "c")], "complete_with_drift", 0, 3, "reports 2"),
    "an id twice": ([index(3, "a", "b", "a")], "complete", 0, 2, "1 further row"),
    "nothing, and a total that says so": ([index(0)], "complete", 0, 0, ""),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_index_is_requested_again_and_then_reported(scrapy: Scrapy, fault: str) -> None:
    responses, verdict, code, items, words = FAULTS[fault]

    def respond(path: str) -> RawResponse:
        return 200, JSON, responses[min(len(server.requested), len(responses)) - 1]

    with serving(respond) as server:
        scrapy.policy(UNLIMITED).environment["DMG_BASE_URL"] = server.base_url
        crawl = scrapy.crawl("materials", *QUICK, "-s", "RETRY_TIMES=1")
        requested = len(server.requested)
    certificate = crawl.certificate
    assert (certificate["verdict"], crawl.code) == (verdict, code), crawl.err
    assert words in certificate["reason"]
    assert certificate["unique"] == items
    assert certificate["duplicates"] == (fault == "an id twice")
    assert requested == (2 if code or "once" in fault else 1)
    assert "Traceback" not in crawl.err


def colors(**more: Any) -> bytes:
    def color(parameter: str, name: str) -> dict[str, Any]:
        address = f"{BASE}id/objects?{parameter}={name}"
        return {"value": name, "object_count": 2, "filter": address, **more}

    return json.dumps(
        {
            "base_colors": [color("color", "beige"), color("color", "pink")],
            "css_colors": [color("cssColor", "Pink")],
            "swatchesPerBase": 3,
        }
    ).encode()


def test_a_colour_whose_dominant_objects_cannot_be_had_is_named(scrapy: Scrapy) -> None:
    def respond(path: str) -> RawResponse:
        requested = parse_qs(urlsplit(path).query)
        if "limit" not in requested:
            return 200, JSON, colors(hex="#ffc0cb", swatches=[{"hex": "#ffc0cb", "n": 2}])
        if requested.get("color") == ["pink"]:
            return 500, JSON, b'{"error":"no"}'
        return 200, JSON, body("colors-dominant")

    with serving(respond) as server:
        scrapy.policy(UNLIMITED).environment["DMG_BASE_URL"] = server.base_url
        command = ("colors", "-a", "dominant=true", *QUICK, "-s", "RETRY_TIMES=1")
        crawl = scrapy.crawl(*command)
        again = scrapy.crawl(*command)
        requested = Counter(server.requested)
    assert (crawl.code, again.code) == (10, 10), crawl.err
    pink = f"{BASE}id/objects?color=pink"
    assert pink in crawl.certificate["reason"]
    records = {record["id"]: record for record in crawl.lines("colors.selection.incomplete.jsonl")}
    assert records[pink]["dominant_objects"] is None
    for other in (f"{BASE}id/objects?color=beige", f"{BASE}id/objects?cssColor=Pink"):
        assert [thing["id"] for thing in records[other]["dominant_objects"]] == [
            f"{BASE}id/object/{number}" for number in ("1978-1555_1-5", "1981-1163", "2010-1105")
        ]
        assert records[other]["hex"] == "#ffc0cb"
    assert requested["/v2/id/colors/dominant?color=pink&limit=100"] == 4
    assert requested["/v2/id/colors/dominant?color=beige&limit=100"] == 1


@pytest.mark.parametrize("spider", ["roles", "production", "materials"])
@pytest.mark.parametrize("content", ["text/html", "application/ld+json"])
def test_an_endpoint_that_the_museums_version_lacks_is_refused(
    scrapy: Scrapy, spider: str, content: str
) -> None:
    page = f"<!DOCTYPE html><pre>Cannot GET /v2/id/{spider}</pre>"
    body = page.encode() if content == "text/html" else b'{"error":"Not found"}'
    with serving(lambda path: (404, [("Content-Type", content)], body)) as server:
        scrapy.policy(UNLIMITED).environment["DMG_BASE_URL"] = server.base_url
        crawl = scrapy.crawl(spider)
    assert crawl.code == 12, crawl.err
    assert "Traceback" not in crawl.err
    assert f"this version of the API has no id/{spider}" in crawl.err
    assert crawl.certificate["verdict"] == "refused"


@pytest.mark.parametrize("body_", [b'{"buckets": []}', b'{"hydra:member": []}', b'{"error": "no"}'])
def test_a_time_index_without_buckets_is_incomplete(scrapy: Scrapy, body_: bytes) -> None:
    with serving(lambda path: (200, JSON, body_)) as server:
        scrapy.policy(UNLIMITED).environment["DMG_BASE_URL"] = server.base_url
        crawl = scrapy.crawl("production", *QUICK, "-s", "RETRY_TIMES=1")
        selected = scrapy.crawl("production", "-a", "q=zzz", *QUICK, "-s", "RETRY_TIMES=1")
        requested = server.requested
    assert (crawl.code, "the list id/production: the " in crawl.err) == (10, True)
    assert selected.code == (0 if b"buckets" in body_ else 10)
    assert "/v2/id/production?q=zzz" in requested


def test_a_failing_time_index_is_incomplete(scrapy: Scrapy) -> None:
    body_ = b'{"error": "Error fetching time index"}'
    with serving(lambda path: (500, JSON, body_)) as server:
        scrapy.policy(UNLIMITED).environment["DMG_BASE_URL"] = server.base_url
        assert scrapy.crawl("production", *QUICK, "-s", "RETRY_TIMES=1").code == 10


@pytest.mark.parametrize(
    ("spider", "arguments"),
    [
        (RolesSpider, {"onDisplay": "true"}),
        (ProductionSpider, {"bucket": "4"}),
        (ProductionSpider, {"bucket": "101"}),
        (ProductionSpider, {"yearTo": "2101"}),
        (ProductionSpider, {"yearFrom": "1.5.1900"}),
        (ProductionSpider, {"onDisplay": "false"}),
        (NationalitiesSpider, {"onDisplay": "true"}),
        (DcatSpider, {"onDisplay": "true"}),
        (ColorsSpider, {"onDisplay": "false"}),
        (ColorsSpider, {"dominant": "perhaps"}),
        (ColorsSpider, {"since": "2026-01-01"}),
        (ColorsSpider, {"limit": "3"}),
    ],
)
def test_arguments_that_the_index_has_not_are_refused(
    spider: type[MuseumSpider], arguments: dict[str, str]
) -> None:
    with pytest.raises(UsageError, match=re.escape(next(iter(arguments)))):
        spider.check(Settings(), arguments)


def test_an_entry_twice_with_another_count_is_kept_and_no_drift(scrapy: Scrapy) -> None:
    page = json.loads(index(4, "a", "b", "a", "a"))
    page["hydra:member"][2]["object_count"] = 2
    body = json.dumps(page).encode()
    with serving(lambda path: (200, JSON, body)) as server:
        scrapy.policy(UNLIMITED).environment["DMG_BASE_URL"] = server.base_url
        crawl = scrapy.crawl("materials", *QUICK)
    found = crawl.certificate
    assert (crawl.code, found["verdict"], found["duplicates"]) == (0, "complete", 2), crawl.err
    (line,) = crawl.rejected
    assert (line["reason"], line["record"]["object_count"]) == ("duplicate", 2)
