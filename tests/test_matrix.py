"""The fault matrix: each fault of a museum by verdict, exit code, and what the certificate says.

A passing fault heals, a lasting one is told; in no row is a record lost or doubled unmentioned.
"""

from __future__ import annotations

import gzip
import json
import shutil
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from mplus_crawler.sandbox.app import Sandbox
from tests.conftest import ROOT, Crawl, Scrapy, limit
from tests.fixtures.mplus import PUBLISHED
from tests.test_faults import BASE, QUICK
from tests.wire import RawResponse, serving

ALWAYS = "times=always"
CLOCK = str(ROOT / "tests" / "fixtures" / "shifted_clock.py")
PATIENCE = ("-s", "RETRY_TIMES=3", "-s", "RETRY_BACK_OFF_TIMES=3")
POLICY = limit(1_000_000, 1) + limit(1_000_000, 1, "single")

# fault (objects, 5 pages of 40), verdict, exit code, words of the reason or of a note
MATRIX = [
    ("truncate:page=3", "complete", 0, ""),
    (f"truncate:page=3,{ALWAYS}", "incomplete", 10, "page 3"),
    (f"truncate:page=3,clean=1,{ALWAYS}", "incomplete", 10, "not complete JSON"),
    ("reset:page=3,when=after", "complete", 0, ""),
    (f"reset:page=3,{ALWAYS}", "incomplete", 10, "page 3"),
    ("hang:page=3,seconds=9", "complete", 0, ""),
    (f"hang:page=3,seconds=9,{ALWAYS}", "incomplete", 10, "page 3"),
    ("status:code=503,page=3,times=2", "complete", 0, ""),
    ("status:code=502,html=1,page=1,times=2", "complete", 0, ""),
    (f"status:code=500,nth=2,{ALWAYS}", "stopped", 11, "errors in a row"),
    ("poison:row=100", "complete", 0, ""),
    ("empty:page=3", "complete", 0, ""),
    (f"empty:page=3,{ALWAYS}", "incomplete", 10, "no list of members"),
    ("html:page=3", "complete", 0, ""),
    (f"html:page=3,{ALWAYS}", "incomplete", 10, "HTML"),
    ("short:page=2,rows=3", "complete", 0, ""),
    (f"short:page=2,rows=3,{ALWAYS}", "incomplete", 10, "of 40 records"),
    ("empty_page:page=3", "complete", 0, ""),
    (f"empty_page:page=3,{ALWAYS}", "incomplete", 10, "empty before the end"),
    (f"total:delta=9,{ALWAYS}", "complete_with_drift", 0, "of all ids, all"),
    (f"total:delta=-9,{ALWAYS}", "complete_with_drift", 0, "of all ids, all"),
    ("total:page=2,value=77", "complete_with_drift", 0, "of all ids, all"),
    (f"next_offorigin:page=2,url=http://127.0.0.2:9/,{ALWAYS}", "incomplete", 10, "outside"),
    (f"next_offorigin:page=2,url=https://evil.test/?page=3,{ALWAYS}", "incomplete", 10, "outside"),
    (f"next_missing_link:{ALWAYS}", "complete", 0, "only in the header or only"),
    (f"next_missing_hydra:{ALWAYS}", "complete", 0, "only in the header or only"),
    ("slow:page=2,seconds=0.5", "complete", 0, ""),
    (f"status:code=400,page=3,{ALWAYS}", "incomplete", 10, "400"),
    (f"next_loop:page=2,to=1,{ALWAYS}", "incomplete", 10, "links back"),
    (f"next_disagree:page=2,{ALWAYS}", "complete", 0, "disagreed"),
    (f"status:code=429,retry_after=0,{ALWAYS}", "stopped", 11, "refuses"),
    ("status:code=429,retry_after=1,page=3", "complete", 0, ""),
    ("insert:at=5,nth=2", "complete_with_drift", 0, "of all ids, all"),
    ("delete:at=5,nth=2", "complete_with_drift", 0, "of all ids, all"),
    (f"last_gone:{ALWAYS}", "complete", 0, ""),
    (f"status:code=404,page=5,{ALWAYS}", "incomplete", 10, "404"),
    (f"status:code=404,{ALWAYS}", "incomplete", 10, "404"),
    (f"status:code=401,{ALWAYS}", "refused", 12, "401"),
    (f"status:code=410,{ALWAYS}", "refused", 12, "410"),
]


@pytest.mark.parametrize(
    ("fault", "verdict", "code", "words"), MATRIX, ids=[row[0] for row in MATRIX]
)
def test_fault(
    museum: Callable[..., Sandbox],
    scrapy: Scrapy,
    fault: str,
    verdict: str,
    code: int,
    words: str,
) -> None:
    kind, _, rest = fault.partition(":")
    sandbox = museum(objects=184, faults=[f"{kind}:path=objects,{rest}"])
    scrapy.at(sandbox).policy(f"page_size = 40\n{POLICY}")
    given = (*QUICK, *PATIENCE, "-s", "LOOKAHEAD=2", "-s", "MAX_REJECT_SHARE=0.02")
    crawl = scrapy.crawl("objects", *given)
    certificate = crawl.certificate
    assert (certificate["verdict"], crawl.code) == (verdict, code), crawl.err
    assert certificate["exit_code"] == code
    assert words in certificate["reason"] + str(certificate["notes"])
    assert "Traceback" not in crawl.err
    check_nothing_is_lost_unmentioned(crawl, sandbox)


def check_nothing_is_lost_unmentioned(crawl: Crawl, sandbox: Sandbox) -> None:
    complete = crawl.code == 0
    feed = "objects.jsonl" if complete else "objects.incomplete.jsonl"
    ids = [record["id"] for record in crawl.lines(feed)]
    named = {line["id"] for line in crawl.rejected}
    there = set(sandbox.truth()["objects"]["ids"])
    assert len(ids) == len(set(ids)) == crawl.certificate["unique"]
    assert not set(ids) & named
    if complete:
        assert set(ids) | named >= there
        assert set(ids) <= there
        assert crawl.certificate["resume"] is None
    else:
        assert crawl.certificate["resume"].startswith("scrapy crawl objects")
        assert not (crawl.folder / "objects.jsonl").exists()


TYPE = "crm:E22_Human-Made_Object"
COUNT = 120
Rows = list[Any]
Change = Callable[[Rows], object]
Reply = Callable[[bool, int, bytes], RawResponse | None]


def row(number: int, **more: object) -> dict[str, object]:
    return {"@id": f"{BASE}id/object/{number:04}", "@type": TYPE, "rdfs:label": "a chair", **more}


def renamed(rows: Rows, at: int, uri: str) -> None:
    rows[at] = {**rows[at], "@id": uri}


def encoded(coding: str, body: bytes) -> RawResponse:
    return 200, [("Content-Type", "application/ld+json"), ("Content-Encoding", coding)], body


def twin(rows: Rows, **more: object) -> None:
    rows[110] = {**rows[3], **more}


def flipped(body: bytes) -> bytes:
    return body[:-6] + bytes([body[-6] ^ 1]) + body[-5:]


def as_is(_: object) -> None:
    """Change nothing."""


def usual(full: bool, times: int, body: bytes) -> None:
    """Leave the response as it is."""


PORT = f"{BASE}id/object/0004".replace(".be/", ".be:443/")
CASE = f"{BASE}id/object/%30004".replace("data.", "DATA.")
NO_STUBS = (404, [("Content-Type", "text/html")], b"Cannot GET")

# a kind of fault, how the rows differ, how the second page is sent (full or not, the how many-th
# time, its body), verdict, exit code, records, rejected by reason, words
KINDS: list[tuple[str, Change, Reply, str, int, int, dict[str, int], str]] = [
    (
        *("ids: no stub page", lambda rows: rows.__setitem__(110, {})),
        *(lambda full, n, body: None if full else NO_STUBS, "incomplete", 10, 119, {}, "404"),
    ),
    (
        *("ids: stubs are HTML", lambda rows: rows.__setitem__(110, {})),
        lambda full, n, body: None if full else (200, [], b"<html>"),
        *("incomplete", 10, 119, {}, "HTML"),
    ),
    (
        *("gzip: wrong CRC, once", as_is),
        lambda full, n, body: encoded("gzip", flipped(gzip.compress(body))) if n == 1 else None,
        *("complete", 0, 120, {}, ""),
    ),
    (
        *("deflate: wrong sum, always", as_is),
        lambda full, n, body: encoded("deflate", flipped(zlib.compress(body))),
        *("incomplete", 10, 100, {}, "the deflate body is damaged"),
    ),
    (
        *("spelling: port", lambda rows: renamed(rows, 110, PORT), usual),
        *("complete", 0, 119, {"duplicate": 1}, "repeats an id"),
    ),
    (
        *("spelling: case, escape", lambda rows: renamed(rows, 110, CASE), usual),
        *("complete", 0, 119, {"duplicate": 1}, "repeats an id"),
    ),
    (
        *("number out of range", lambda rows: rows.__setitem__(5, row(6, x="HUGE")), usual),
        *("complete", 0, 120, {}, ""),
    ),
    (
        *("repeated name", lambda rows: rows.__setitem__(5, row(6, x="TWICE")), usual),
        *("complete", 0, 119, {"repeated_name": 1}, ""),
    ),
    (
        *("twin: other content", lambda rows: twin(rows, x=1), usual),
        *("complete", 0, 119, {"duplicate": 1}, "repeats an id"),
    ),
    ("twin: equal", twin, usual, "complete", 0, 119, {"duplicate": 0}, "repeats an id"),
    (
        *("no type", lambda rows: rows[7].pop("@type"), usual),
        *("complete", 0, 119, {"schema": 1}, ""),
    ),
    (
        *("label: unknown", lambda rows: rows[7].update({"rdfs:label": "unknown"}), usual),
        *("complete", 0, 120, {}, ""),
    ),
]


@pytest.mark.parametrize(
    ("change", "reply", "verdict", "code", "records", "rejected", "words"),
    [kind[1:] for kind in KINDS],
    ids=[kind[0] for kind in KINDS],
)
def test_kind(
    scrapy: Scrapy,
    change: Change,
    reply: Reply,
    verdict: str,
    code: int,
    records: int,
    rejected: dict[str, int],
    words: str,
) -> None:
    rows: Rows = [row(number) for number in range(1, COUNT + 1)]
    change(rows)
    seen: list[str] = []

    def respond(path: str) -> RawResponse:
        query = dict(parse_qsl(urlsplit(path).query))
        number, full = int(query["page"]), "fullRecord" in query
        size = int(query["itemsPerPage"])
        part = rows[(number - 1) * size : number * size]
        if not full:
            part = [one or row(111) for one in part]
        body = json.dumps(
            {
                "hydra:totalItems": COUNT,
                "hydra:view": {"hydra:next": path.replace(f"page={number}", f"page={number + 1}")}
                if number * size < COUNT
                else {},
                "hydra:member": part,
            }
        )
        body = body.replace('"HUGE"', "-1e999").replace('"x": "TWICE"', '"x": 1, "x": 2')
        seen.append(path)
        changed = reply(full, seen.count(path), body.encode()) if number == 2 else None
        return changed or (200, [("Content-Type", "application/ld+json")], body.encode())

    with serving(respond) as server:
        scrapy.environment["DMG_BASE_URL"] = server.base_url
        crawl = scrapy.policy(POLICY).crawl("objects", *QUICK, *PATIENCE)
    found = crawl.certificate
    assert (found["verdict"], crawl.code) == (verdict, code), crawl.err
    assert (found["unique"], found["rejected_by"]) == (records, rejected)
    assert words in found["reason"]
    check_reason(crawl)
    assert all(line["id"] for line in crawl.rejected)
    kept = sum(count for reason, count in rejected.items())
    assert len(crawl.rejected) == kept
    if kept:
        assert f"{kept} {next(iter(rejected))}" in crawl.err


def check_reason(crawl: Crawl) -> None:
    reason = crawl.certificate["reason"]
    assert 0 < len(reason) <= 300
    assert reason.isprintable()
    assert reason in crawl.err
    assert "Traceback" not in crawl.err


@pytest.mark.parametrize(
    ("pids", "absent"),
    [("1,gone,2,none", {"gone": 1, "not_found": 1}), ("gone,gone-2", {"gone": 2})],
)
def test_absent_records(scrapy: Scrapy, pids: str, absent: dict[str, int]) -> None:
    def respond(path: str) -> RawResponse:
        name = path.rpartition("/")[2]
        status = 410 if "gone" in name else 404 if name == "none" else 200
        record: dict[str, object] = row(1) | {"@id": f"{BASE}id/object/{name}"}
        if "objects" in path:
            record = {"hydra:member": [row(1) | {"@id": f"{BASE}id/object/1"}]}
        return status, [("Content-Type", "application/ld+json")], json.dumps(record).encode()

    with serving(respond) as server:
        scrapy.environment["DMG_BASE_URL"] = server.base_url
        crawl = scrapy.policy(POLICY).crawl("object", "-a", f"pids={pids}", *QUICK)
    assert (crawl.certificate["verdict"], crawl.code) == ("complete", 0), crawl.err
    assert crawl.certificate["rejected_by"] == absent
    assert {line["reason"] for line in crawl.rejected} == set(absent)
    counts = ", ".join(f"{count} {reason}" for reason, count in absent.items())
    assert f"absent {sum(absent.values())}: {counts}" in crawl.err
    check_reason(crawl)


def named(path: str, titles: dict[str, str], **more: object) -> dict[str, object]:
    """An object with titles by language; ``/`` in a number is spelt as the museum does."""
    language = "http://publications.europa.eu/resource/authority/language/"
    found = [
        {
            "@type": "crm:E41_Appellation",
            "rdfs:label": title,
            "crm:P72_has_language": {"@id": f"{language}{code}"},
        }
        for code, title in titles.items()
    ]
    return row(0) | {"@id": f"{BASE}id/object/{path}", "crm:P1_is_identified_by": found, **more}


def test_columns(scrapy: Scrapy) -> None:
    """Parts have the museum's own URIs, and a label in another language is better than none."""
    part = {"crm:P46_has_component": [{"@id": f"{BASE}id/object/0012/part/1"}]}
    slash = {"crm:P46_has_component": {"@id": f"{BASE}id/object/2001-0003%2FA/part/2"}}
    rows = [
        named("0012", {"NLD": "unknown", "FRA": "une chaise"}, **part, **{"rdfs:label": "unknown"}),
        named("2001-0003%2FA", {"ENG": "a chair"}, **slash, **{"rdfs:label": None}),
    ]
    body = json.dumps({"hydra:totalItems": 2, "hydra:view": {}, "hydra:member": rows}).encode()
    with serving(lambda path: (200, [("Content-Type", "application/ld+json")], body)) as server:
        scrapy.environment["DMG_BASE_URL"] = server.base_url
        crawl = scrapy.policy(POLICY).crawl("objects", *QUICK)
    assert crawl.code == 0, crawl.err
    assert [(one["label"], one["parts"]) for one in crawl.records] == [
        ("une chaise", [f"{BASE}id/object/0012/part/1"]),
        ("a chair", [f"{BASE}id/object/2001-0003%2FA/part/2"]),
    ]


@pytest.mark.parametrize("days", [2, 3653])
def test_a_ledger_from_the_future(
    museum: Callable[..., Sandbox], scrapy: Scrapy, days: int
) -> None:
    """The clock was wrong once: the harvest of that day is not resumed, however old it may get."""
    fault = f"html:path=objects,page=2,{ALWAYS}"
    sandbox = museum(objects=60, invalid=0, unlinked=0, faults=[fault])
    given = (*QUICK, *PATIENCE, "-s", "RESUME_MAX_AGE=999999999")
    scrapy.at(sandbox).policy(f"page_size = 40\n{POLICY}")
    ahead = {"RUN_FIRST": CLOCK, "CLOCK_AHEAD": str(days * 86_400)}
    assert scrapy.crawl("objects", *given, **ahead).code == 10
    sandbox.clear()
    crawl = scrapy.crawl("objects", *given)
    assert crawl.code == 0, crawl.err
    assert crawl.certificate["pages"]["replayed"] == 0
    assert "afresh" in crawl.err


def listed(folder: Path, *lines: str) -> None:
    (folder / "objects.csv").write_text('"id","sortNumber"\n' + "\n".join(lines))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda folder: listed(folder, '"777",""\n'), "1 listed record has no file"),
        (lambda folder: listed(folder, '"1","a title,'), "ends within quotation marks"),
        (lambda folder: shutil.rmtree(folder / "objects_JSON"), " no objects_JSON"),
    ],
)
def test_part_of_a_source(
    scrapy: Scrapy, tmp_path: Path, change: Callable[[Path], object], words: str
) -> None:
    shutil.copytree(PUBLISHED, tmp_path / "set")
    change(tmp_path / "set")
    crawl = scrapy.crawl("mplus_open_objects", "-a", f"source={tmp_path / 'set'}")
    assert (crawl.certificate["verdict"], crawl.code) == ("incomplete", 10), crawl.err
    assert words in crawl.certificate["reason"]
    check_reason(crawl)


# arguments, variables, exit code, words on standard error
COMMANDS: list[tuple[Sequence[str], dict[str, str], int, str]] = [
    (("-s", "JOBDIR=x"), {}, 0, "JOBDIR is ignored"),
    (("-O", "x.xml"), {}, 2, "must end in one of .jsonl, .csv, .json, .parquet, .xlsx, .sqlite"),
    (("-o", "FOLDER/open.jsonl:parquet"), {}, 2, "only JSON lines and CSV can be appended to"),
    (("-o", "FOLDER/new.xlsx"), {}, 2, "only JSON lines and CSV can be appended to"),
    (("-s", "FEED_URI=x", "-s", "FEED_FORMAT=xml"), {}, 2, "use -O FILE or FEEDS"),
    (("-o", "FOLDER/open.jsonl"), {}, 2, "last line has no line break"),
    (("-O", "x.csv", "-s", "FEED_EXPORT_ENCODING=ascii"), {}, 2, "ascii"),
    (("-O", "%(nothing)s.csv"), {}, 2, "placeholders"),
    ((), {"BUDGET_URL": "sqlite:///~nobody-here/x"}, 2, "no such user"),
    (("-O", "s3://bucket/x.csv"), {}, 14, "cannot write to S3"),
    ((), {"HARVEST_DIR": "s3://bucket/x"}, 14, "cannot write to S3"),
    ((), {"HARVSET_DIR": "x"}, 2, "did you mean HARVEST_DIR?"),
]
NO_CREDENTIALS = {
    "AWS_EC2_METADATA_DISABLED": "true",
    **dict.fromkeys(["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"], "/nowhere"),
}


@pytest.mark.parametrize(("arguments", "environment", "code", "words"), COMMANDS)
def test_command(
    museum: Callable[..., Sandbox],
    scrapy: Scrapy,
    tmp_path: Path,
    arguments: Sequence[str],
    environment: dict[str, str],
    code: int,
    words: str,
) -> None:
    (tmp_path / "open.jsonl").write_text('{"id": 1}')
    sandbox = museum(objects=5, invalid=0)
    given = [argument.replace("FOLDER", str(tmp_path)) for argument in arguments]
    done = scrapy.at(sandbox).run("crawl", "objects", *given, **NO_CREDENTIALS, **environment)
    assert done.returncode == code, done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert bool(code) != bool(sandbox.stats()["tiers"]["collections"]["requests"])


@pytest.mark.parametrize("spider", ["objects", "mplus_objects", "types"])
def test_a_server_that_is_gone(scrapy: Scrapy, spider: str) -> None:
    with serving(lambda path: NO_STUBS) as server:
        base = server.base_url
    crawl = scrapy.crawl(
        *(spider, *QUICK), DMG_BASE_URL=base, MPLUS_URL=base, MPLUS_API_KEY="k" * 32
    )
    assert (crawl.certificate["verdict"], crawl.code) == ("incomplete", 10), crawl.err
    assert "connection refused" in crawl.certificate["reason"]
    check_reason(crawl)


@pytest.mark.parametrize(
    ("environment", "options", "code", "words"),
    [
        ({"DMG_BASE_URL": "https://gent.invalid/v2/"}, (), 10, "name not found: gent.invalid"),
        (
            {"DMG_BASE_URL": "https://gent.invalid/v2/", "https_proxy": "http://127.0.0.1:9"},
            *((), 10, "connection refused by the proxy 127.0.0.1:9; check https_proxy"),
        ),
        ({}, ("-s", "DOWNLOAD_MAXSIZE=2000"), 10, "the body has more than 2,000 bytes"),
    ],
)
def test_causes(
    museum: Callable[..., Sandbox],
    scrapy: Scrapy,
    environment: dict[str, str],
    options: Sequence[str],
    code: int,
    words: str,
) -> None:
    sandbox = museum(objects=20)
    crawl = scrapy.at(sandbox).crawl("objects", *QUICK, *options, **environment)
    assert (crawl.certificate["verdict"], crawl.code) == ("incomplete", code), crawl.err
    assert words in crawl.certificate["reason"]
    assert "Error" not in crawl.certificate["reason"]
    check_reason(crawl)


@pytest.mark.long
@pytest.mark.parametrize("window", [330, 90])
def test_a_small_window(museum: Callable[..., Sandbox], scrapy: Scrapy, window: int) -> None:
    sandbox = museum(mplus_window=window)
    crawl = scrapy.crawl(
        *("mplus_constituents", *QUICK), MPLUS_URL=sandbox.mplus_url, MPLUS_API_KEY="k" * 32
    )
    assert (crawl.certificate["verdict"], crawl.code) == ("complete", 0), crawl.err
