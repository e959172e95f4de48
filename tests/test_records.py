"""Single records by their PIDs: requests, responses of every kind, and resuming."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scrapy.settings import Settings

from mplus_crawler.errors import UsageError
from mplus_crawler.records.items import ITEM_CLASSES, errors
from mplus_crawler.sandbox.app import Sandbox
from mplus_crawler.spiders.dmg.cidoc import canonical_id, pid
from mplus_crawler.spiders.dmg.id_lists import RecordReference, cleaned, entries
from mplus_crawler.spiders.dmg.pids import record_uri
from mplus_crawler.spiders.dmg.records import ObjectSpider
from tests.conftest import Crawl, Scrapy, limit
from tests.test_exchange import recorded
from tests.wire import RawResponse, serving

BASE = "https://data.designmuseumgent.be/v2/"
HOME = f"{BASE}id/object/"
UNLIMITED = limit(1_000_000, 1, "single")
QUICK = ("-s", "RETRY_BACKOFF_BASE=0.01", "-s", "MAX_REJECT_SHARE=1")
LD_JSON = ("Content-Type", "application/ld+json; charset=utf-8")


@pytest.fixture(scope="module")
def gent() -> Iterator[Sandbox]:
    sizes = {"objects": 120, "agents": 24, "exhibitions": 12, "concepts": 30}
    with Sandbox(**sizes, limits="off", latency=0.02) as sandbox:
        yield sandbox


def listed(folder: Path, *values: str) -> str:
    """A list of records to request, as a file and an argument."""
    file = folder / "list.txt"
    file.write_text("\n".join(values), "utf-8")
    return f"pids_file={file}"


def an_object(number: str, *validators: tuple[str, str]) -> RawResponse:
    """The smallest object that its schema takes."""
    record = {
        "@id": HOME + number,
        "@type": "crm:E22_Human-Made_Object",
        "rdfs:label": number,
        "prov:generatedAtTime": {"@value": "2026-03-01T20:47:34", "@type": "xsd:dateTime"},
    }
    return 200, [LD_JSON, *validators], json.dumps(record).encode()


def reasons(crawl: Crawl) -> dict[str, str]:
    """The reason for each rejected record, by the last part of its URI."""
    return {pid(line["id"]): line["reason"] for line in crawl.rejected}


def by_id(crawl: Crawl) -> dict[str, object]:
    return {record["id"]: record["record"] for record in crawl.records}


# --- the sandbox ------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["object", "agent", "exhibition", "concept"])
def test_every_record_once_and_the_second_time_none_is_sent_again(
    gent: Sandbox, scrapy: Scrapy, tmp_path: Path, kind: str
) -> None:
    truth = gent.truth()[f"{kind}s"]
    ids, merged = {*truth["ids"]} - {*truth["untyped"]}, set(truth["merged"])
    gent.reset()
    scrapy.at(gent).policy(UNLIMITED)
    # As URI, as the API's own place spells it, as PID, and once more.
    places = [id_.replace(BASE, gent.base_url) for id_ in sorted(ids)]
    pids = list(map(pid, sorted(ids)))
    certificates = []
    for _ in range(2):
        crawl = scrapy.crawl(kind, "-a", listed(tmp_path, *sorted(ids), *places, *pids), *QUICK)
        certificates.append(certificate := crawl.certificate)
        assert (crawl.code, certificate["verdict"]) == (0, "complete"), crawl.err
        assert certificate["expected"] == {"first": len(ids), "last": len(ids)}
        assert certificate["unique"] == len(ids) - len(truth["invalid"])
        assert {record["id"] for record in crawl.records} == ids - set(truth["invalid"])
        assert reasons(crawl) == {pid(id_): "schema" for id_ in truth["invalid"]}
        aliases = {record["id"] for record in crawl.records if record.get("alias_of")}
        assert aliases == merged
    assert bool(merged) is (kind == "object")
    first, second = (certificate["requests"]["by_status"] for certificate in certificates)
    moved = {"301": len(merged)} if merged else {}
    assert first == {"200": first["200"], **moved}
    assert second == {"304": first["200"], **moved}
    assert [each["revalidated"] for each in certificates] == [0, second["304"]]
    stats = gent.stats()["tiers"]["single"]
    assert 1 < stats["peak_in_flight"] <= 8
    assert stats["requests"] == sum(each["requests"]["sent"] for each in certificates)


def test_former_responses_are_the_same_records_retrieved_now(
    gent: Sandbox, scrapy: Scrapy, tmp_path: Path
) -> None:
    scrapy.at(gent).policy(UNLIMITED)
    ids = gent.truth()["agents"]["ids"]
    arguments = ("-a", "pids=" + ",".join(map(pid, ids)), *QUICK)
    former = scrapy.crawl("agent", *arguments).records
    time.sleep(1.0)  # moments are written to the second
    now = scrapy.crawl("agent", *arguments).records
    renewed = scrapy.crawl("agent", *arguments, "-a", "fresh=true")
    for later in (now, renewed.records):
        assert sorted(({**r, "retrieved_at": ""} for r in later), key=str) == sorted(
            ({**r, "retrieved_at": ""} for r in former), key=str
        )
    assert max(r["retrieved_at"] for r in former) < min(r["retrieved_at"] for r in now)
    assert renewed.certificate["requests"]["by_status"] == {"200": len(ids)}
    assert renewed.certificate["revalidated"] == 0
    # A damaged state file is set aside, and then all records are requested.
    (state,) = (scrapy.folder / "data" / ".state").glob("*.known")
    state.write_bytes(b"no database" * 1000)
    crawl = scrapy.crawl("agent", *arguments)
    assert crawl.certificate["requests"]["by_status"] == {"200": len(ids)}
    assert list(state.parent.glob("*.known.damaged-*"))


@pytest.mark.long
def test_colours_are_requested_and_never_taken_from_records_without(
    gent: Sandbox, scrapy: Scrapy
) -> None:
    scrapy.at(gent).policy(UNLIMITED)
    truth = gent.truth()["objects"]
    odd = {id_ for name in ("invalid", "null", "merged") for id_ in truth[name]}
    pids = "pids=" + ",".join(pid(id_) for id_ in truth["ids"] if id_ not in odd)

    def crawl(folder: str, *arguments: str) -> Crawl:
        place = str(scrapy.folder / folder)
        crawl = scrapy.crawl("object", "-a", *arguments, *QUICK, HARVEST_DIR=place)
        assert crawl.code == 0, crawl.err
        return crawl

    plain = crawl("plain", pids)
    plain_feed = f"pids_file={plain.folder / 'object.jsonl'}"
    assert not any(record["colors"] for record in plain.records)
    by_state = scrapy.crawl(
        *("object", "-a", pids, "-a", "colors=true", *QUICK),
        HARVEST_DIR=str(scrapy.folder / "coloured"),
        HARVEST_STATE_DIR=str(plain.folder / ".state"),
    )
    assert by_state.certificate["revalidated"] == 0
    coloured = [record for record in by_state.records if record["colors"]]
    assert len(coloured) > 50
    # Only records of a feed that were requested in the same way: with colours, or without.
    again = crawl("all", plain_feed, "-a", "colors=true")
    assert again.certificate["revalidated"] == 0
    assert by_id(again) == by_id(by_state)
    feed = f"pids_file={by_state.folder / 'object.jsonl'}"
    again = crawl("again coloured", feed, "-a", "colors=true")
    assert again.certificate["revalidated"] == sum(bool(r["modified"]) for r in coloured)


def test_two_spiders_share_one_limit(
    museum: Callable[..., Sandbox], scrapy: Scrapy, tmp_path: Path
) -> None:
    # While its database is down, the museum says that an agent is not there.
    faults = ["database:path=agent,times=2"]
    sandbox = museum(objects=60, agents=30, invalid=0, limits="single=20/1", faults=faults)
    scrapy.at(sandbox).policy(limit(20, 1, "single"))
    truth, crawls = sandbox.truth(), {}

    def crawl(kind: str) -> None:
        pids = ",".join(map(pid, truth[f"{kind}s"]["ids"][:30]))
        crawls[kind] = scrapy.crawl(kind, "-a", f"pids={pids}", *QUICK)

    threads = [threading.Thread(target=crawl, args=(kind,)) for kind in ("object", "agent")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [crawl.code for crawl in crawls.values()] == [0, 0]
    assert crawls["agent"].certificate["rejected"] == 0 == len(crawls["agent"].rejected)
    stats = sandbox.stats()["tiers"]["single"]
    assert stats["requests"] >= 60
    assert stats["too_many"] == 0
    assert stats["peak_sliding"] <= 18


def test_stopped_by_a_limit_the_same_command_resumes(
    gent: Sandbox, scrapy: Scrapy, tmp_path: Path
) -> None:
    scrapy.at(gent).policy(limit(10, 60, "single"))
    ids = gent.truth()["concepts"]["ids"]
    arguments = ("-a", listed(tmp_path, *ids), *QUICK)
    stopped = scrapy.crawl("concept", *arguments, "-s", "THROTTLE_MAX_WAIT=0")
    assert stopped.code == 11, stopped.err
    assert stopped.certificate["pages"]["fetched"] == 9
    gone_on = scrapy.policy(UNLIMITED).crawl("concept", *arguments)
    assert gone_on.code == 0, gone_on.err
    assert gone_on.certificate["pages"] == {
        "expected": len(ids),
        "fetched": len(ids) - 9,
        "replayed": 9,
        "failed": 0,
    }


# --- the wire ---------------------------------------------------------------------------------


def test_each_recorded_response_becomes_the_right_item(scrapy: Scrapy) -> None:
    responses = {
        "object/1987-1105": "object",
        "object/SB%200012": "object-space",
        "object/2001-0003%2FA": "object-slash",
        "object/2268": "object-null",
        "object/3172": "object-media",
        "object/0288": "object-301",
        "object/2017-0914_7-7": "object",
        "object/0092": "object-301-unhealthy",
        "object/UNHEALTHY": "object-404",
        "object/nope": "object-404",
        "object/0168": "object-410",
        "agent/DMG-A-00001": "agent",
        "agent/DMG-A-00162": "agent-no-bios",
        "agent/DMG-A-99999": "agent-404",
        "exhibition/TE_1936-003": "exhibition",
        "exhibition/TE_1800-001": "exhibition-404",
        "exhibition/TE_1933-004": "exhibition-500",
        "concept/530000001": "concept",
        "concept/1": "concept-404",
    }

    def respond(path: str) -> RawResponse:
        if "s?" in path:  # a collection: the first of its records confirms a 404
            kind = path.removeprefix("/v2/id/").partition("s?")[0]
            first = next(record for record in responses if record.startswith(kind))
            page = {"hydra:member": [{"@id": f"{BASE}id/{first}"}]}
            return 200, [LD_JSON], json.dumps(page).encode()
        status, headers, body = recorded(responses[path.removeprefix("/v2/id/")])
        if path.endswith("2017-0914_7-7"):
            body = body.replace(b"1987-1105", b"2017-0914_7-7")
        return status, headers, body

    rejected = {
        "object": {"0092": "not_found", "nope": "not_found", "0168": "gone"},
        "agent": {"DMG-A-99999": "not_found"},
        "exhibition": {"TE_1800-001": "not_found", "TE_1933-004": "unreadable"},
        "concept": {"1": "not_found"},
    }
    unrequested = ("UNHEALTHY", "2017-0914_7-7")

    def pids(kind: str) -> list[str]:
        all_ = [unquote(path.partition("/")[2]) for path in responses if path.startswith(kind)]
        return [number for number in all_ if number not in unrequested]

    def harvest(kind: str) -> Crawl:
        given = ("-a", "pids=" + ",".join(pids(kind)), *QUICK, "-s", "RETRY_TIMES=1")
        return scrapy.crawl(kind, *given, DMG_BASE_URL=server.base_url)

    with serving(respond) as server, ThreadPoolExecutor() as pool:
        scrapy.policy(UNLIMITED)
        crawls = pool.map(harvest, rejected)
        for (kind, missing), crawl in zip(rejected.items(), crawls, strict=True):
            requested = pids(kind)
            assert crawl.code == 0, crawl.err
            assert reasons(crawl) == missing
            records = {pid(record["id"]): record for record in crawl.records}
            assert records.keys() == set(requested) - missing.keys()
            for number, record in records.items():
                assert errors(ITEM_CLASSES[kind], record) == []
                if number != "0288":
                    name = responses[f"{kind}/{quote(number, safe='')}"]
                    assert record["record"] == json.loads(recorded(name)[2])
            if kind == "object":
                assert records["0288"]["alias_of"] == f"{HOME}2017-0914_7-7"
                assert records["2268"]["id"] == f"{HOME}2268"
                told = {pid(line["id"]): line["errors"][0]["message"] for line in crawl.rejected}
                assert "UNHEALTHY" in told["0092"]
                assert "permanently removed" in told["0168"]
                certificate = crawl.certificate
                assert (certificate["rejected"], certificate["unreadable"]) == (0, 0)
                assert certificate["absent"] == 3
                assert certificate["rejected_by"] == {"gone": 1, "not_found": 2}
    # A 404 counts after the second, a 410 at once; the health check may request it again.
    assert server.requested.count("/v2/id/object/nope") == 2
    assert server.requested.count("/v2/id/object/0168") in (1, 2)
    assert not any("ark" in path for path in server.requested)


# --- absent records ---------------------------------------------------------------------------


def test_records_that_are_gone_or_not_found_are_facts(
    gent: Sandbox, scrapy: Scrapy, tmp_path: Path
) -> None:
    truth = gent.truth()["objects"]
    gone, there = truth["removed"][:2], [*truth["ids"]]
    for name in ("invalid", "merged"):
        there = [id_ for id_ in there if id_ not in truth[name]]
    requested = [*there[:14], *gone, "nowhere"]
    crawl = scrapy.at(gent).crawl("object", "-a", listed(tmp_path, *requested))
    certificate = crawl.certificate
    assert (crawl.code, certificate["verdict"]) == (0, "complete"), crawl.err
    assert (certificate["unique"], certificate["absent"], certificate["rejected"]) == (14, 3, 0)
    assert "absent 3: 2 gone, 1 not_found" in crawl.err
    told = {pid(line["id"]): line["errors"][0]["message"] for line in crawl.rejected}
    assert {number: " 404 " in message for number, message in told.items()} == {
        **{pid(id_): False for id_ in gone},
        "nowhere": True,
    }
    assert all(" 410 " in message for number, message in told.items() if number != "nowhere")
    assert scrapy.run("verify", str(crawl.folder / "object.jsonl")).returncode == 0


@pytest.mark.parametrize("kind", ["object", "agent", "exhibition", "concept"])
def test_a_list_of_nothing_but_absent_records_is_complete(
    gent: Sandbox, scrapy: Scrapy, kind: str
) -> None:
    gent.reset()
    pids = ",".join(f"nothing{number}" for number in range(7))
    crawl = scrapy.at(gent).policy(UNLIMITED).crawl(kind, "-a", f"pids={pids}")
    assert crawl.code == 0, crawl.err
    assert (crawl.certificate["absent"], len(crawl.records)) == (7, 0)
    assert len(crawl.rejected) == 7
    (listing,) = [path for path in gent.stats()["paths"] if path.startswith(f"id/{kind}s")]
    assert listing


@pytest.mark.parametrize(("kind", "first"), [("agent", 1), ("exhibition", 8), ("concept", 8)])
def test_a_failing_database_is_no_absence(
    museum: Callable[..., Sandbox], scrapy: Scrapy, tmp_path: Path, kind: str, first: int
) -> None:
    sizes = {"objects": 20, "agents": 30, "exhibitions": 30, "concepts": 30}
    fault = f"database:path={kind},nth={first},times=always"
    sandbox = museum(**sizes, invalid=0, unlinked=0, faults=[fault])
    ids = sandbox.truth()[f"{kind}s"]["ids"]
    arguments = ("-a", listed(tmp_path, *ids), "-s", "RETRY_BACKOFF_BASE=0.01")
    scrapy.at(sandbox).policy(UNLIMITED)
    crawl = scrapy.crawl(kind, *arguments)
    certificate = crawl.certificate
    assert (crawl.code, certificate["verdict"]) == (11, "stopped"), crawl.err
    assert "because the museum's database is down" in certificate["reason"]
    assert len(certificate["reason"]) <= 300
    assert certificate["absent"] < 5
    sandbox.reset()
    sandbox.clear()
    again = scrapy.crawl(kind, *arguments)
    assert again.code == 0, again.err
    assert (again.certificate["unique"], again.certificate["absent"]) == (len(ids), 0)


TYPES = {"agent": "crm:E21_Person", "concept": "crm:E55_Type"}


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("number", [3, 30])
def test_a_database_that_recovers_costs_no_record(scrapy: Scrapy, kind: str, number: int) -> None:
    uris = [f"https://data.designmuseumgent.be/v2/id/{kind}/{n}" for n in range(number)]
    requested: Counter[str] = Counter()

    def respond(path: str) -> RawResponse:
        if path.partition("?")[0].endswith("s"):
            return 200, [LD_JSON], json.dumps({"hydra:member": [{"@id": uris[0]}]}).encode()
        requested[path] += 1
        if max(requested.values()) < 3:  # until a record is requested for the third time
            return 404, [LD_JSON], b'{"error":"not found"}'
        uri = f"https://data.designmuseumgent.be{path}"
        return 200, [LD_JSON], json.dumps({"@id": uri, "@type": TYPES[kind]}).encode()

    with serving(respond) as server:
        scrapy.environment["DMG_BASE_URL"] = server.base_url
        crawl = scrapy.policy(UNLIMITED).crawl(
            kind, "-a", f"pids={','.join(uris)}", "-s", "RETRY_BACKOFF_BASE=0.01"
        )
    assert crawl.code == 0, crawl.err
    found = crawl.certificate
    assert (found["unique"], found["absent"], found["rejected"]) == (number, 0, 0), crawl.rejected


def test_404s_are_confirmed_by_a_record_of_the_same_harvest(scrapy: Scrapy) -> None:
    def respond(path: str) -> RawResponse:
        number = path.rpartition("/")[2]
        return an_object(number) if number == "here" else (404, [LD_JSON], b'{"error":"no"}')

    absent = [f"no{number}" for number in range(12)]
    with serving(respond) as server:
        crawl = scrapy.policy(UNLIMITED).crawl(
            *("object", "-a", "pids=" + ",".join(["here", *absent]), *QUICK),
            DMG_BASE_URL=server.base_url,
        )
    assert crawl.code == 0, crawl.err
    assert crawl.certificate["absent"] == 12
    assert 2 <= server.requested.count("/v2/id/object/here") <= 8
    assert all(server.requested.count(f"/v2/id/object/{number}") == 2 for number in absent)
    assert not any("objects" in path for path in server.requested)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (404, b"<pre>Cannot GET</pre>"),
        (500, b'{"error":"Error fetching agents"}'),
        (200, b'{"hydra:totalItems":3,"hydra:member":[]}'),
    ],
)
def test_404s_that_nothing_confirms_stop_the_harvest(
    scrapy: Scrapy, status: int, body: bytes
) -> None:
    def respond(path: str) -> RawResponse:
        return (status, [LD_JSON], body) if "agents" in path else (404, [LD_JSON], b"{}")

    with serving(respond) as server:
        crawl = scrapy.policy(UNLIMITED).crawl(
            *("agent", "-a", "pids=A,B", *QUICK, "-s", "RETRY_TIMES=1"),
            DMG_BASE_URL=server.base_url,
        )
    assert crawl.code == 11, crawl.err
    assert crawl.certificate["absent"] == 0
    assert "Traceback" not in crawl.err


def test_strange_pids_arrive_as_they_are(scrapy: Scrapy, tmp_path: Path) -> None:
    strange = [
        "A/B",
        "A%2FB",
        "A B",
        "50%",
        "50%25",
        "a&b=c",
        "why?",
        "#1",
        "é 日本",
        "...",
        "a,b",
        "+",
    ]

    def respond(path: str) -> RawResponse:
        folder, _, number = path.rpartition("/")
        assert folder == "/v2/id/object"
        # As the museum writes them, those with a per cent sign are not encoded.
        plain = unquote(number)
        return an_object(plain if "%" in plain else quote(plain, safe=""))

    with serving(respond) as server:
        crawl = scrapy.policy(UNLIMITED).crawl(
            *("object", "-a", listed(tmp_path, "\ufeff", *strange, "", *strange), *QUICK),
            DMG_BASE_URL=server.base_url,
        )
    assert crawl.code == 0, crawl.err
    assert sorted(unquote(path.rpartition("/")[2]) for path in server.requested) == sorted(strange)
    assert sorted(pid(record["id"]) for record in crawl.records) == sorted(strange)


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_a_pid_survives_its_uri(number: str) -> None:
    def canonical(uri: str) -> str:
        return canonical_id(uri, BASE)

    if number.lower().startswith(("http://", "https://")):
        return
    uri = record_uri(RecordReference(number, "pids"), HOME, canonical)
    assert pid(uri) == number
    assert uri.isascii()
    assert record_uri(RecordReference(uri, "a feed"), HOME, canonical) == uri


def test_where_merges_lead(scrapy: Scrapy) -> None:
    with serving(lambda path: (500, [], b"")) as elsewhere:
        led: dict[str, str] = {
            "near": "/v2/id/object/end",
            "twice": f"{HOME}near",
            "queried": f"{HOME}end?colors=true#top",
            "loop": f"{HOME}pool",
            "pool": f"{HOME}loop",
            "far": f"{elsewhere.base_url}id/object/end",
            "ark": f"{BASE}id/ark:/29417/object/end",
            "agent": f"{BASE}id/agent/DMG-A-00001",
            "file": "file:///etc/passwd",
            "bad": "http://[",
            "silent": "",
            **{f"long{n}": f"{HOME}long{n + 1}" for n in range(9)},
        }

        def respond(path: str) -> RawResponse:
            number = path.removeprefix("/v2/id/object/")
            if number in led:
                return 301, [LD_JSON, ("Location", led[number])], b"{}"
            return an_object(number)

        with serving(respond) as server:
            requested = [number for number in led if not number.startswith("long")] + [
                "end",
                "long0",
            ]
            crawl = scrapy.policy(UNLIMITED).crawl(
                *("object", "-a", "pids=" + ",".join(requested), *QUICK),
                DMG_BASE_URL=server.base_url,
            )
            other = scrapy.crawl(
                *("concept", "-a", "pids=1", *QUICK, "-s", "RETRY_TIMES=0"),
                DMG_BASE_URL=server.base_url,
            )
    assert crawl.code == 0, crawl.err
    aliases = {pid(record["id"]): record["alias_of"] for record in crawl.records}
    assert aliases == {**dict.fromkeys(("near", "twice", "queried"), f"{HOME}end"), "end": None}
    assert set(reasons(crawl)) == {*requested} - aliases.keys()
    assert set(reasons(crawl).values()) == {"redirect"}
    assert elsewhere.requested == []
    assert all(path.startswith(("/v2/id/object/", "/v2/id/concept/")) for path in server.requested)
    assert len([path for path in server.requested if "long" in path]) == 6
    assert other.code == 0
    assert reasons(other) == {"1": "unreadable"}


def test_faults_that_pass_cost_nothing_and_those_that_stay_one_record(scrapy: Scrapy) -> None:
    good = an_object("x")
    scripts: dict[str, list[RawResponse]] = {
        "once404": [(404, [LD_JSON], b'{"error":"Object not found"}'), an_object("once404")],
        "other": [an_object("another"), an_object("other")],
        "wrong": [good, good],
        "empty": [(200, [LD_JSON], b"{}"), an_object("empty")],
        "bare": [(200, [LD_JSON], b"{}")] * 2,
        "error": [(200, [LD_JSON], b'{"error":"Internal Server Error"}')] * 2,
        "unasked": [(304, [], b""), an_object("unasked")],
        "broken": [(500, [LD_JSON], b"{}")] * 9,
        "fine": [an_object("fine")] * 2,
    }
    page = json.dumps({"hydra:member": [{"@id": f"{HOME}fine"}]}).encode()

    def respond(path: str) -> RawResponse:
        # A 404 among so few records is confirmed by a record of the collection.
        if "/id/objects?" in path:
            return 200, [LD_JSON], page
        return scripts[path.rpartition("/")[2]].pop(0)

    with serving(respond) as server:
        crawl = scrapy.policy(UNLIMITED).crawl(
            *("object", "-a", "pids=" + ",".join(scripts), *QUICK, "-s", "RETRY_TIMES=3"),
            DMG_BASE_URL=server.base_url,
        )
    assert crawl.code == 0, crawl.err
    assert reasons(crawl) == dict.fromkeys(("broken", "error", "wrong"), "unreadable")
    assert {pid(r["id"]) for r in crawl.records} == {*scripts} - reasons(crawl).keys()
    assert by_id(crawl)[f"{HOME}bare"] == {} != by_id(crawl)[f"{HOME}empty"]
    assert crawl.certificate["unreadable"] == 3


def test_a_museum_that_is_down_is_not_sent_the_whole_list(scrapy: Scrapy) -> None:
    pids = ",".join(map(str, range(100)))
    crawl = scrapy.crawl(
        *("object", "-a", f"pids={pids}", *QUICK, "-s", "RETRY_TIMES=0"),
        DMG_BASE_URL="http://127.0.0.1:9/v2/",
    )
    assert crawl.code == 10, crawl.err
    assert crawl.certificate["requests"]["sent"] < 40


def test_ctrl_c_requests_nothing_more_of_a_server_in_distress(scrapy: Scrapy) -> None:
    with serving(lambda path: (500, [], b"")) as server:
        crawl = scrapy.policy(UNLIMITED).start(
            *("crawl", "agent", "-a", "pids=" + ",".join(map(str, range(60))), *QUICK),
            *("-s", "RETRY_BREAKER=1000", "-s", "AUTOTHROTTLE_MAX_DELAY=0.1"),
            DMG_BASE_URL=server.base_url,
        )
        while len(server.requested) < 20:
            time.sleep(0.01)
        crawl.send_signal(signal.SIGINT)
        requested = len(server.requested)
        _, errors = crawl.communicate(timeout=60)
    assert crawl.returncode == 11, errors
    assert len(server.requested) - requested <= 4  # sixteen were queueing


def test_only_sound_validators_are_sent_and_only_what_they_mean_is_believed(
    scrapy: Scrapy,
) -> None:
    date, later = "Sun, 01 Mar 2026 20:47:34 GMT", "Mon, 02 Mar 2026 00:00:00 GMT"
    sent: dict[str, list[tuple[str, str]]] = {
        "both": [("ETag", '"SB 12-1"'), ("Last-Modified", date)],
        "weak": [("ETag", 'W/"2a7-cR"')],
        "latin": [("ETag", '"é-1"')],
        "huge": [("ETag", f'"{"x" * 8_000}"')],
        "control": [("ETag", '"a\tb"'), ("Last-Modified", "yesterday")],
        "double": [("ETag", '"a"'), ("ETag", '"b"')],
        "swapped": [("ETag", '"mine"')],
        "dated": [("Last-Modified", date)],
    }
    conditions: dict[str, list[tuple[str | None, str | None]]] = {}

    def respond(path: str) -> RawResponse:
        number, requested = path.rpartition("/")[2], server.headers_seen[-1]
        held = (requested.get("if-none-match"), requested.get("if-modified-since"))
        conditions.setdefault(number, []).append(held)
        if any(held) and number == "swapped":
            return 304, [("ETag", '"another"')], b""
        if any(held) and number == "dated":
            return 304, [("Last-Modified", later)], b""
        return (304, sent[number], b"") if any(held) else an_object(number, *sent[number])

    with serving(respond) as server:
        for _ in range(2):
            crawl = scrapy.policy(UNLIMITED).crawl(
                *("object", "-a", "pids=" + ",".join(sent), *QUICK),
                *("-s", "CONCURRENT_REQUESTS=1"),
                DMG_BASE_URL=server.base_url,
            )
            assert crawl.code == 0, crawl.err
            assert len(crawl.records) == len(sent)
    none = (None, None)
    assert conditions == {
        "both": [none, ('"SB 12-1"', date)],
        "weak": [none, ('W/"2a7-cR"', None)],
        "latin": [none, ('"é-1"', None)],
        **{number: [none, none] for number in ("huge", "control", "double")},
        "swapped": [none, ('"mine"', None), none],
        "dated": [none, (None, date), none],
    }
    assert crawl.certificate["revalidated"] == 3


def test_a_feed_of_ours_is_a_list_and_its_dates_are_sent(scrapy: Scrapy, tmp_path: Path) -> None:
    date = "Sun, 01 Mar 2026 20:47:34 GMT"

    def respond(path: str) -> RawResponse:
        requested = server.headers_seen[-1].get("if-modified-since")
        known = requested == date and not path.endswith("moved")
        return (304, [], b"") if known else an_object(path.rpartition("/")[2])

    with serving(respond) as server:
        crawls: list[Crawl] = []
        scrapy.policy(UNLIMITED)
        first, table = tmp_path / "0" / "object.jsonl", tmp_path / "table.csv"
        for number, pids in enumerate(("pids=a,b,c", f"pids_file={first}", f"pids_file={table}")):
            crawls.append(
                scrapy.crawl(
                    *("object", "-a", pids, *QUICK),
                    *("-s", "CONCURRENT_REQUESTS=1", "-O", str(tmp_path / "table.csv")),
                    *("-O", str(tmp_path / str(number) / "object.jsonl")),
                    HARVEST_DIR=str(tmp_path / str(number)),
                    DMG_BASE_URL=server.base_url,
                )
            )
    assert [crawl.code for crawl in crawls] == [0, 0, 0], crawls[-1].err
    assert [crawl.certificate["revalidated"] for crawl in crawls] == [0, 3, 0]
    assert [{pid(r["id"]) for r in crawl.records} for crawl in crawls] == [{"a", "b", "c"}] * 3
    assert len({json.dumps(r["record"]) for crawl in crawls for r in crawl.records}) == 3


# --- what can be wrong with a list ------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "names no record"),
        (b"\xef\xbb\xbf\n \r\n", "names no record"),
        (b"\xff\xfe1\x00", "cannot be read"),
        (b'{"id": "a"}\n{"id": 4}\n', "line 2 has no id"),
        (b'\n{"id": "a"}\n{"id": "b"', "line 3 is not JSON"),
        (b"label,id\na,1\nb\n", "line 3 has no id"),
        (b'[{"id": "a"}]', "use JSON Lines or CSV"),
        (f"1\n{BASE}id/agent/DMG-A-00001\n".encode(), "line 2"),
        (b"1\nhttps://elsewhere.example/v2/id/object/1\n", "line 2"),
    ],
)
def test_a_list_that_cannot_be_read_is_a_usage_error(
    tmp_path: Path, content: bytes, words: str
) -> None:
    file = tmp_path / "list"
    file.write_bytes(content)
    with pytest.raises(UsageError, match=words):
        ObjectSpider.check(Settings(), {"pids_file": str(file)})


def test_lists_of_every_kind_name_the_same_records(tmp_path: Path) -> None:
    long = "x" * 200_000
    kinds = {
        "list.txt": "\ufeff1\r\n\r\n 2 x \r\n",
        "feed.jsonl": '\ufeff\n{"id": "1", "record": {}}\n\n{"id": "2 x"}\n',
        "feed.csv": f'\ufefflabel,id,record\r\n"a\nb",1,{long}\r\n\r\nc,2 x,\r\n',
        "table": "id\n1\n2 x\n",
    }
    for name, content in kinds.items():
        file = tmp_path / name
        file.write_bytes(content.encode())
        assert [entry.value for entry in entries({"pids_file": str(file)})] == ["1", "2 x"], name


@pytest.mark.parametrize(
    "content",
    [
        "\u00a01\u00a0\n\u200b2 x\u200b\n",  # NBSP, zero-width spaces
        "\u202a1\u202c\r\n\u20602 x\u00ad\ufeff\r\n",
        "\t1\t\n\u30002 x\u2028\n",
        '"1"\n"2 x",\n',
        "“1”\n\u20182 x\u2019;\n",
        "«1»\n„2 x“\n",
        "'1',\n`2 x`\n",
        "1;\n;2 x;;\n",
        "1\t\t\n\t2 x\n",
        "sep=;\nid;label\n1;a\n2 x;b\n",
        "Label\tID\na\t1\n\u00a0\n\t2 x\n",
        '\ufeff"id";"label"\r\n" 1 ";"a\nb"\r\n2 x;\u00a0\r\n',
        "\ufeffid\u00a0,label\n\u200b1,a\n2 x,b\n",
        f"<{HOME}1>\n{HOME}2%20x/\n",
        f"{HOME}1?colors=true#images\n{HOME}2%20x?fullRecord=true\n",
        f"{HOME.removeprefix('https://')}1\n{HOME.replace('https', 'http')}2%20x#\n",
        f"{BASE}/id/object/1\nHTTPS://DATA.designmuseumgent.be/v2/id/object/2%20x\n",
    ],
)
@pytest.mark.parametrize("name", ["list", "list.csv"])
def test_what_surrounds_a_number_is_removed(tmp_path: Path, name: str, content: str) -> None:
    file = tmp_path / name
    file.write_text(content, "utf-8", newline="")
    found = [
        record_uri(entry, HOME, lambda uri: canonical_id(uri, BASE))
        for entry in entries({"pids_file": str(file)})
    ]
    assert found == [f"{HOME}1", f"{HOME}2%20x"]


def test_a_list_of_one_column_is_a_list_whatever_its_name(tmp_path: Path) -> None:
    file = tmp_path / "export.csv"
    file.write_text("0004\r\n0005\r\n")
    assert [entry.value for entry in entries({"pids_file": str(file)})] == ["0004", "0005"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("1\n2\u00a03\n", r"line 2, character 2 of '2\\xa03' is U\+00A0 NO-BREAK SPACE"),
        ("1\n\n00\u200b04", r"line 3, character 3 .* U\+200B ZERO WIDTH SPACE"),
        ("0004;0005", r"line 1, character 5 .* U\+003B SEMICOLON"),
        ("0004\t0005", r"line 1, character 5 .* U\+0009 control character"),
        ('1\n"2\n', r"line 2, character 1 .* U\+0022 QUOTATION MARK"),
        ('["1", "2"]', r"line 1, character 2 .* U\+0022"),
        ("1\n“2” 3\n", r"line 2, character 1 .* LEFT DOUBLE QUOTATION MARK"),
        ("1\n2\x003\n", r"line 2, character 2 .* U\+0000"),
        (b"1\nSB 00\xe9 1\n", r"line 2, character 6 .* the byte 0xE9, which is not UTF-8"),
        (b"id,label\n1,caf\xe9\n2\xe9,b\n", r"line 3, character 2 .* 0xE9"),
        ("1\n5,3E+08\n", "line 2: a spreadsheet has rewritten a number as 5,3E"),
        (b"PK\x03\x04rest", "a spreadsheet's own format"),
        (b"\xd0\xcf\x11\xe0rest", "a spreadsheet's own format"),
        (b"\xfe\xff\x001", "UTF-16"),
        (b'{"id": "a\xc2\xa0b"}', r"line 1, character 2 .* NO-BREAK SPACE"),
        ("id;label\n1;a\n;b\n", "line 3 has no id"),
        ("www.designmuseumgent.be/en/collection/0004", "line 1: www.* is not below"),
        (f"1\n{HOME}0012/part/1\n", "line 2: .*part/1 is not below"),
    ],
)
def test_what_is_inside_a_number_is_refused_by_line_and_character(
    tmp_path: Path, content: str | bytes, words: str
) -> None:
    file = tmp_path / "list"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UsageError, match=words):
        ObjectSpider.check(Settings(), {"pids_file": str(file)})


def test_values_of_the_argument_are_cleaned_too() -> None:
    values = [e.value for e in entries({"pids": '\u00a01, "2 x" ,\u200b,`3`; , D\'Hondt'})]
    assert values == ["1", "2 x", "3", "D'Hondt"]
    for odd in ("1;2", "1\n2", "1\u00a02"):
        with pytest.raises(UsageError, match=r"pids: value 2, character 2 of "):
            list(entries({"pids": f"0,{odd}"}))


@given(st.text())
def test_a_cleaned_value_has_nothing_to_clean(given: str) -> None:
    try:
        value = cleaned(given, "line 1")
    except ValueError:
        return
    assert cleaned(value, "line 1") == value
    assert "  " in value or " ".join(value.split()) == value


@pytest.mark.parametrize("piece", [" ", "\u200b", "'", '"', ";", "a", "\u00a0a", "é", "a;"])
def test_a_long_line_costs_linear_time(piece: str) -> None:
    line = piece * (64 * 1024 // len(piece))
    began = time.process_time()
    with suppress(ValueError):
        cleaned(line, "line 1")
    assert time.process_time() - began < 0.5


@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_a_per_cent_sign_in_a_feed_is_requested_as_its_record_spells_it(
    scrapy: Scrapy, form: str
) -> None:
    numbers = ["50%25", "60%", "A/B%25", "7"]

    def respond(path: str) -> RawResponse:
        number = unquote(path.rpartition("/")[2])
        return an_object(number) if number in numbers else (404, [], b"{}")

    def listing(path: str) -> RawResponse:
        records = [json.loads(respond(quote(number, safe=""))[2]) for number in numbers]
        return (
            200,
            [LD_JSON],
            json.dumps({"hydra:totalItems": len(records), "hydra:member": records}).encode(),
        )

    with serving(lambda path: listing(path) if "objects" in path else respond(path)) as server:
        scrapy.policy(UNLIMITED).environment["DMG_BASE_URL"] = server.base_url
        feed = str(scrapy.folder / f"feed.{form}")
        assert scrapy.crawl("objects", "-o", feed).code == 0
        server.requested.clear()
        crawl = scrapy.crawl("object", "-a", f"pids_file={feed}", *QUICK)
    assert crawl.code == 0, crawl.err
    assert sorted(unquote(path.rpartition("/")[2]) for path in server.requested) == sorted(numbers)
    assert crawl.certificate["unique"] == len(numbers)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], ["pids=", "pids_file="]),
        (["-a", "pids=1", "-a", "pids_file=list"], ["either"]),
        (["-a", "pids=, ,"], ["no record"]),
        (["-a", "pids_file=/no/such/file"], ["/no/such/file"]),
        (["-a", "pids=1", "-a", "colors=false"], ["colors"]),
    ],
)
def test_without_a_list_nothing_is_requested(
    scrapy: Scrapy, arguments: list[str], words: list[str]
) -> None:
    crawl = scrapy.crawl("object", *arguments, DMG_BASE_URL="http://127.0.0.1:9/v2/")
    assert crawl.code == 2
    (line,) = [line for line in crawl.err.splitlines() if line.startswith("error: ")]
    assert all(word in line for word in words)
    assert "Traceback" not in crawl.err
