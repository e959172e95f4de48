"""Version 1 of Gent's API: complete where a server still has it, refused with its end elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mplus_crawler.errors import InvalidResponseError
from mplus_crawler.protocols.pagers import PageRequest
from mplus_crawler.records.items import ITEM_CLASSES, errors
from mplus_crawler.sandbox.app import Sandbox
from mplus_crawler.spiders.dmg.oslo.columns import columns
from mplus_crawler.spiders.dmg.oslo.pages import MEMBERS, OsloPage, OsloPages
from tests.conftest import Scrapy, limit
from tests.test_exchange import recorded
from tests.test_faults import QUICK
from tests.wire import RawResponse, Server, serving

UNLIMITED = limit(1_000_000, 1, "single")
BASE = "https://data.designmuseumgent.be/v1"


def queries(server: Server) -> list[dict[str, list[str]]]:
    """The parameters of the requests that the server received."""
    return [parse_qs(urlsplit(path).query) for path in server.requested]


def page(
    number: int, ids: list[str], size: int, rows: int, *, total: int | None = None
) -> RawResponse:
    """A page as version 1 wrote it, of a collection of *rows*; links to places that are none."""
    last = -(-rows // size)

    def link(other: int) -> str | None:
        query = f"itemsPerPage={size}&fullRecord=true&pageNumber={other}"
        return f"{BASE}id/agents?{query}" if 0 < other <= last else None

    document: dict[str, Any] = {
        "hydra:view": {
            "@id": link(number),
            "hydra:first": link(1),
            "hydra:last": link(last),
            "hydra:previous": link(number - 1),
            "hydra:next": link(number + 1),
        },
        MEMBERS: [{"@id": f"{BASE}/id/agent/{id_}"} for id_ in ids],
    }
    if total is not None:
        document["hydra:totalItems"] = total
    return 200, [("Content-Type", "application/ld+json")], orjson.dumps(document)


def read_page(body: bytes, number: int, size: int) -> OsloPage:
    """Read *body* as that page."""
    pages = OsloPages()
    url = f"{BASE}/id/agents?{urlencode(pages.query(number, size))}"
    return pages.read(body, (), PageRequest(url, number, size))


def numbers(first: int, last: int) -> list[str]:
    return [str(number) for number in range(first, last + 1)]


def number_in(path: str) -> int:
    return int(parse_qs(urlsplit(path).query)["pageNumber"][0])


# A server that still has it


def test_the_four_collections_come_out_whole(
    museum: Callable[..., Sandbox], scrapy: Scrapy
) -> None:
    """Objects without images among them."""
    sandbox = museum(objects=430, agents=230, exhibitions=130, concepts=90, v1="live")
    scrapy.at(sandbox).policy(UNLIMITED)
    for spider, total in (
        ("v1_objects", 430),
        ("v1_agents", 230),
        ("v1_exhibitions", 130),
        ("v1_concepts", 90),
    ):
        crawl = scrapy.crawl(spider, *QUICK)
        certificate = crawl.certificate
        assert (crawl.code, certificate["verdict"]) == (0, "complete"), crawl.err
        assert certificate["expected"] == {"first": total, "last": total}
        assert certificate["unique"] == len({row["id"] for row in crawl.records}) == total
        assert certificate["pages"]["fetched"] == -(-total // 100)
        assert certificate["api"].endswith("/v1/")
        assert certificate["lifecycle"]["sunset"] == "2026-12-31T23:59:59Z"
        assert certificate["requests"]["peak"].keys() == {"single"}
    assert sandbox.stats()["tiers"]["single"]["statuses"] == {"200": 11}
    assert ["hasImages=false" in path for _, path, _ in objects_requested(sandbox)] == [True] * 5
    done = scrapy.run("verify", *map(str, (scrapy.folder / "data").glob("v1_*s.jsonl")))
    assert done.returncode == 0, done.stdout + done.stderr


def objects_requested(sandbox: Sandbox) -> list[tuple[float, str, int]]:
    log: list[tuple[float, str, int]] = sandbox.stats(log=True)["log"]
    return [line for line in log if "/v1/id/objects" in line[1]]


def test_version_1_keeps_to_the_limit_of_single_records(
    museum: Callable[..., Sandbox], scrapy: Scrapy
) -> None:
    sandbox = museum(agents=90, invalid=0, v1="live", limits="single=20/1")
    scrapy.at(sandbox).policy(limit(20, 1, "single"))
    truth = sandbox.truth()["agents"]
    ids = [id_ for id_ in truth["ids"] if id_ not in truth["null"]][:30]  # requested twice
    pids = ",".join(id_.rpartition("/")[2] for id_ in ids)
    crawls = [
        scrapy.start("crawl", *arguments, "-s", "RATE_SHARE=1")
        for arguments in (("v1_agents", "-a", "page_size=3"), ("agent", "-a", f"pids={pids}"))
    ]
    said = [crawl.communicate()[1] for crawl in crawls]
    assert [crawl.returncode for crawl in crawls] == [0, 0], said
    tier = sandbox.stats()["tiers"]["single"]
    assert (tier["requests"], tier["too_many"]) == (60, 0)
    assert tier["peak_sliding"] <= 20


def test_a_short_page_and_an_empty_one_are_requested_again(scrapy: Scrapy) -> None:
    """The museum sends pages of 40, whatever is requested; two of them are damaged once."""
    spoilt = {2: numbers(41, 70), 3: []}

    def respond(path: str) -> RawResponse:
        number = number_in(path)
        ids = numbers(40 * number - 39, min(40 * number, 130))
        return page(number, spoilt.pop(number, ids), 40, 130, total=130)

    with serving(respond) as server:
        crawl = scrapy.policy(UNLIMITED).crawl("v1_agents", *QUICK, DMG_BASE_URL=server.base_url)
    assert (crawl.code, crawl.certificate["verdict"]) == (0, "complete"), crawl.err
    assert crawl.certificate["unique"] == 130
    assert sorted(map(number_in, server.requested)) == [1, 2, 2, 3, 3, 4]
    assert {urlsplit(path).path for path in server.requested} == {"/v1/id/agents"}
    assert all(query["fullRecord"] == ["true"] for query in queries(server))


@pytest.mark.parametrize(
    ("total", "spoil", "times", "code", "words"),
    [
        (9, {3: recorded("v1-objects-beyond")}, 2, 10, "9 records were expected, but 6"),
        (6, {3: recorded("v1-objects-beyond")}, 2, 0, "all 6 records"),
        (9, {2: recorded("v1-missing")}, 2, 10, "9 records were expected, but 6"),
        (None, {3: recorded("v1-objects-beyond")}, 2, 10, "page 3 was announced"),
        (9, {3: page(3, ["7", "8"], 3, 9, total=9)}, 2, 10, "the page has 2 of 3 records"),
        (None, {3: page(3, ["7", "1"], 3, 9)}, 1, 10, "8 records were expected, but 7"),
        (9, {1: recorded("v1-objects-beyond")}, 2, 10, "there is no first page"),
        (9, {2: (500, [], b"{}")}, 2, 0, "all 9 records"),
    ],
)
def test_only_the_ids_say_whether_all_came(
    scrapy: Scrapy,
    total: int | None,
    spoil: dict[int, RawResponse],
    times: int,
    code: int,
    words: str,
) -> None:
    """Three pages are announced; a 404 among them, whatever it says, is no retirement."""

    def respond(path: str) -> RawResponse:
        number, size = number_in(path), int(parse_qs(urlsplit(path).query)["itemsPerPage"][0])
        rows = numbers(size * (number - 1) + 1, size * number)
        whole = page(number, rows, size, 9, total=total)
        return spoil.get(number, whole) if size == 3 else whole

    with serving(respond) as server:
        crawl = scrapy.policy(UNLIMITED).crawl(
            *("v1_agents", *QUICK, "-a", "page_size=3", "-s", "RETRY_TIMES=1"),
            DMG_BASE_URL=server.base_url,
        )
    assert crawl.code == code, crawl.err
    assert words in crawl.certificate["reason"]
    spoilt = next(iter(spoil))
    assert [*map(number_in, server.requested)].count(spoilt) == times


@pytest.mark.parametrize("total", [9, None])
@pytest.mark.parametrize("bad", [1, 5, 7])
def test_a_record_that_cannot_be_parsed_costs_itself_alone(
    scrapy: Scrapy, total: int | None, bad: int
) -> None:
    def respond(path: str) -> RawResponse:
        number, size = number_in(path), int(parse_qs(urlsplit(path).query)["itemsPerPage"][0])
        rows = numbers(size * (number - 1) + 1, min(9, size * number))
        status, headers, body = page(number, rows, size, 9, total=total)
        return status, headers, body.replace(b'agent/%d"' % bad, b'agent/%d","x":NaN,"y":""' % bad)

    with serving(respond) as server:
        crawl = scrapy.policy(UNLIMITED).crawl(
            *("v1_agents", *QUICK, "-a", "page_size=4", "-s", "MAX_REJECT_SHARE=0.2"),
            DMG_BASE_URL=server.base_url,
        )
    assert crawl.code == 0, crawl.err
    assert len(crawl.records) == 8
    (line,) = crawl.rejected
    place = (1 + (bad - 1) // 4, 1 + (bad - 1) % 4)
    assert (line["reason"], line["page"], line["position"]) == ("unreadable", *place)


@pytest.mark.parametrize("total", [9, None])
@pytest.mark.parametrize(("other", "code"), [(True, 0), (False, 10)])
def test_two_records_with_one_id_are_kept_and_an_equal_row_has_moved(
    scrapy: Scrapy, total: int | None, other: bool, code: int
) -> None:
    def respond(path: str) -> RawResponse:
        number = number_in(path)
        ids = numbers(3 * number - 2, 3 * number)
        status, headers, body = page(number, ids, 3, 9, total=total)
        note = b'agent/2","x":"another"' if other else b'agent/2"'
        return status, headers, body.replace(b'agent/7"', note)

    with serving(respond) as server:
        crawl = scrapy.policy(UNLIMITED).crawl(
            "v1_agents", *QUICK, "-a", "page_size=3", DMG_BASE_URL=server.base_url
        )
    assert crawl.code == code, crawl.err
    assert crawl.certificate["duplicates"] == 1
    if other:
        (line,) = crawl.rejected
        assert (line["reason"], line["record"]["x"]) == ("duplicate", "another")
        assert crawl.certificate["verdict"] == "complete"
        assert "moved" not in crawl.certificate["reason"]


# Where it is retired


@pytest.mark.parametrize(
    ("spider", "name", "words"),
    [
        ("v1_objects", "v1-missing", "v1 was retired on 2026-07-01, use objects "),
        ("v1_agents", "v1-gone", "v1 was retired on 2026-07-01, use agents "),
        ("v1_concepts", "v1-gone-html", "v1 was retired on 2026-07-01, use concepts "),
        (
            "v1_exhibitions",
            "v1-root",
            "retired on 2026-12-31, but is already gone; use exhibitions ",
        ),
        ("v1_objects", "v1-private-401", "401 from "),
    ],
)
def test_a_version_that_is_gone_is_requested_once(
    scrapy: Scrapy, spider: str, name: str, words: str
) -> None:
    with serving(lambda path: recorded(name)) as server:
        crawl = scrapy.crawl(spider, *QUICK, DMG_BASE_URL=server.base_url)
    assert (crawl.code, crawl.certificate["verdict"]) == (12, "refused"), crawl.err
    assert len(server.requested) == 1
    assert words in crawl.certificate["reason"]
    assert words in crawl.err
    assert "Traceback" not in crawl.err


@pytest.mark.parametrize(
    ("headers", "body", "words"),
    [
        (
            [("Sunset", "Fri, 01 Feb 2999 00:00:00 GMT")],
            b"",
            "was to be retired on 2999-02-01, but is already gone; use",
        ),
        ([], b'{"retired_on": "2026-08-01"}', "v1 was retired on 2026-08-01, use objects"),
        ([("Sunset", "soon")], b'{"retired_on": 7}', "v1 was retired on 2025-01-02, use objects"),
    ],
)
def test_the_response_knows_its_day_best_and_else_the_policy(
    scrapy: Scrapy, headers: list[tuple[str, str]], body: bytes, words: str
) -> None:
    scrapy.policy(
        '[[version]]\nname = "v1"\npath = "../v1"\nstatus = "retired"\nsunset = 2025-01-02\n'
        'source = "the test"\nchecked = 2026-11-25\n'
    )
    with serving(lambda path: (410, headers, body)) as server:
        crawl = scrapy.crawl("v1_objects", DMG_BASE_URL=server.base_url)
    assert crawl.code == 12, crawl.err
    assert words in crawl.certificate["reason"]
    assert len(server.requested) == 1


def test_the_sandbox_has_it_gone_on_demand(museum: Callable[..., Sandbox], scrapy: Scrapy) -> None:
    sandbox = museum(objects=10, v1="gone")
    crawl = scrapy.at(sandbox).crawl("v1_objects")
    assert crawl.code == 12, crawl.err
    assert "v1 was retired on 2026-07-01, use objects" in crawl.certificate["reason"]
    assert [status for *_, status in objects_requested(sandbox)] == [410]


# Responses of the museum's own software


@pytest.mark.parametrize(
    ("spider", "name", "labels"),
    [
        ("v1_objects", "v1-objects", ["Vroege asbak", "Gestreepte zetel/maquette"]),
        ("v1_objects", "v1-objects-stub", ["0040", "0052"]),
        ("v1_agents", "v1-agents", ["DMG-A-00001", "DMG-A-00002"]),
        ("v1_agents", "v1-agents-default", ["DMG-A-00001", "DMG-A-00002"]),
        ("v1_exhibitions", "v1-exhibitions", ["TE_1930-001", "TE_1930-002"]),
        ("v1_concepts", "v1-concepts", ["vaas", "schaal"]),
    ],
)
def test_a_recorded_page_gives_its_records_untouched(
    scrapy: Scrapy, spider: str, name: str, labels: list[str]
) -> None:
    with serving(lambda path: recorded(name)) as server:
        crawl = scrapy.crawl(
            *(spider, "-a", "limit=2", "-a", "page_size=2"), DMG_BASE_URL=server.base_url
        )
    assert crawl.code == 0, crawl.err
    document = orjson.loads(recorded(name)[2])
    records = crawl.records
    assert [row["record"] for row in records] == document[MEMBERS]
    assert [row["id"] for row in records] == [member["@id"] for member in document[MEMBERS]]
    assert [row["label"] for row in records] == labels
    assert crawl.rejected == []
    assert crawl.certificate["expected"]["last"] == document.get("hydra:totalItems", 2)
    for row in records:
        assert errors(ITEM_CLASSES["v1_record"], row) == []
    if name == "v1-agents":
        texts = records[0]["biographies"]
        assert [text["language"] for text in texts] == ["nl", "fr", "en"]
        assert {text["licence"] for text in texts} == {"CC BY-SA 4.0"}
        assert texts[0]["source"] == "https://nl.wikipedia.org/wiki/Thonet_Nathalie"


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("v1-object", {"number": "1987-1105", "title_nl": "Kleine horloge"}),
        ("v1-object-json", {"number": "1987-1105", "type": "MensgemaaktObject"}),
        ("v1-agent", {"number": "DMG-A-00001", "label": "DMG-A-00001"}),
        ("v1-concept", {"number": "530000001", "title_nl": "vaas", "title_fr": None}),
        (
            "v1-exhibition",
            {
                "title_fr": "Exposition 22",
                "title_en": "Exhibition 22",
                "description_nl": "Tekst bij tentoonstelling 22.",
            },
        ),
    ],
)
def test_a_recorded_record_gives_its_columns_and_is_no_page(
    name: str, told: dict[str, str | None]
) -> None:
    body = recorded(name)[2]
    found = columns(orjson.loads(body))
    assert found["id"] == orjson.loads(body)["@id"]
    assert {column: found[column] for column in told} == told
    with pytest.raises(InvalidResponseError, match="no list of members"):
        read_page(body, 1, 100)


def test_a_record_without_an_id_is_rejected_whole(scrapy: Scrapy) -> None:
    """Stored records that are null come as objects with nothing but colours, or as null."""
    document = orjson.loads(page(1, numbers(1, 398), 400, 400, total=400)[2])
    document[MEMBERS] += [{"ex:colors": []}, None]
    with serving(lambda path: (200, [], orjson.dumps(document))) as server:
        crawl = scrapy.crawl("v1_objects", DMG_BASE_URL=server.base_url)
    assert crawl.code == 0, crawl.err
    assert (crawl.certificate["unique"], crawl.certificate["rejected"]) == (398, 2)
    assert [line["record"] for line in crawl.rejected] == [{"ex:colors": []}, None]


_json = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 10**9) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
_link = _json | st.builds(
    "{}id/objects?itemsPerPage={}&pageNumber={}".format,
    st.sampled_from([BASE, "//[", "", "http://"]),
    *[st.integers(-2, 10**12)] * 2,
)


@given(
    st.dictionaries(st.sampled_from(["@id", "hydra:first", "hydra:last", "hydra:next"]), _link),
    st.none() | st.integers(-1, 500),
    st.lists(_json, max_size=4),
    st.integers(1, 5),
)
def test_no_page_is_too_odd_to_be_judged(
    view: dict[str, Any], total: int | None, rows: list[Any], number: int
) -> None:
    """A page that is taken has what the total, or the page after it, says that it must have."""
    body = orjson.dumps({"hydra:totalItems": total, "hydra:view": view, MEMBERS: rows})
    try:
        found = read_page(body, number, 2)
    except InvalidResponseError:
        return
    assert found.members == orjson.loads(body)[MEMBERS]
    assert found.last is not None
    assert found.last >= number
    assert found.is_last is (found.last == number)
    assert len(rows) >= (found.size if not found.is_last else found.total - found.first_row)
    if total is not None and total >= 0:
        assert found.total == total
        assert found.last * found.size >= total


@given(st.dictionaries(st.sampled_from(["@id", "title", "crm:P3_has_note", "ex:colors"]), _json))
def test_columns_of_any_record_can_be_made(record: dict[str, Any]) -> None:
    id_ = record.get("@id")
    assert columns(record)["id"] == (id_ if isinstance(id_, str) and id_ else None)
