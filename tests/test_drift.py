"""Rows that move while paging: sets of ids are compared, never counts."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import lzma
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from mplus_crawler.sandbox.app import Sandbox
from tests.conftest import Crawl, Scrapy, limit
from tests.test_faults import QUICK
from tests.test_pages import LD_JSON, record, stub
from tests.wire import RawResponse, get, serving

pytestmark = pytest.mark.long

UNLIMITED = f"page_size = 50\n{limit(1_000_000, 1)}"
ONE_BY_ONE = ("-a", "page_size=25", "-s", "LOOKAHEAD=1")


def crawl_moving(scrapy: Scrapy, sandbox: Sandbox, *arguments: str) -> Crawl:
    return (
        scrapy.at(sandbox)
        .policy(UNLIMITED + limit(1_000_000, 1, "single"))
        .crawl("objects", *QUICK, *ONE_BY_ONE, *arguments)
    )


def check_all_in_hand(crawl: Crawl, sandbox: Sandbox) -> None:
    assert crawl.code == 0, crawl.err
    ids = [record["id"] for record in [*crawl.records, *crawl.rejected] if record["id"]]
    gone = crawl.certificate["vanished"]
    assert len(crawl.records) == len({record["id"] for record in crawl.records})
    assert set(ids) - set(gone) == set(sandbox.truth()["objects"]["ids"])
    assert not {record["id"] for record in crawl.records} & set(gone)


@pytest.mark.parametrize("at", [1, 30, 38])
def test_a_row_that_goes_while_paging(
    museum: Callable[..., Sandbox], scrapy: Scrapy, at: int
) -> None:
    sandbox = museum(objects=230, faults=[f"delete:path=objects,at={at},nth=4"])
    before = set(sandbox.truth()["objects"]["ids"])
    crawl = crawl_moving(scrapy, sandbox)
    check_all_in_hand(crawl, sandbox)
    assert crawl.certificate["verdict"] == "complete_with_drift"
    (gone,) = before - set(sandbox.truth()["objects"]["ids"])
    assert gone in crawl.certificate["vanished"]
    assert any(line["id"] == gone and line["reason"] == "vanished" for line in crawl.rejected)


def test_rows_that_move_before_a_record_without_an_id_is_named(
    museum: Callable[..., Sandbox], scrapy: Scrapy
) -> None:
    # The ninth request is for the stubs of a page that has such a record.
    sandbox = museum(objects=230, invalid=0, faults=["delete:path=objects,at=1,nth=9"])
    crawl = crawl_moving(scrapy, sandbox)
    check_all_in_hand(crawl, sandbox)
    assert crawl.certificate["rejected"] == 0
    assert {line["reason"] for line in crawl.rejected} == {"vanished"}


@pytest.mark.parametrize("at", [1, 30, 200])
def test_a_row_that_comes_while_paging(
    museum: Callable[..., Sandbox], scrapy: Scrapy, at: int
) -> None:
    sandbox = museum(objects=230, faults=[f"insert:path=objects,at={at},nth=4"])
    crawl = crawl_moving(scrapy, sandbox)
    check_all_in_hand(crawl, sandbox)
    assert crawl.certificate["verdict"] == "complete_with_drift"
    assert crawl.certificate["expected"] == {"first": 230, "last": 231}


def test_one_that_goes_and_one_that_comes(museum: Callable[..., Sandbox], scrapy: Scrapy) -> None:
    sandbox = museum(
        objects=230,
        faults=["delete:path=objects,at=10,nth=4", "insert:path=objects,at=200,nth=6"],
    )
    crawl = crawl_moving(scrapy, sandbox)
    check_all_in_hand(crawl, sandbox)
    assert crawl.certificate["verdict"] == "complete_with_drift"
    assert crawl.certificate["expected"] == {"first": 230, "last": 230}


def test_a_total_that_is_wrong_for_good_is_drift(
    museum: Callable[..., Sandbox], scrapy: Scrapy
) -> None:
    sandbox = museum(objects=230, faults=["total:path=objects,delta=-7,times=always"])
    crawl = crawl_moving(scrapy, sandbox)
    check_all_in_hand(crawl, sandbox)
    assert crawl.certificate["verdict"] == "complete_with_drift"


def test_rows_that_never_rest_are_incomplete(
    museum: Callable[..., Sandbox], scrapy: Scrapy
) -> None:
    sandbox = museum(objects=230, faults=["insert:path=objects,at=5,every=3,times=always"])
    crawl = crawl_moving(scrapy, sandbox)
    assert crawl.code == 10, crawl.err
    assert "passes" in crawl.certificate["reason"]


def test_a_clean_harvest_raises_no_alarm(museum: Callable[..., Sandbox], scrapy: Scrapy) -> None:
    sandbox = museum(objects=230)
    for _ in range(3):
        crawl = crawl_moving(scrapy, sandbox)
        assert crawl.certificate["verdict"] == "complete"
        assert crawl.certificate["notes"] == crawl.certificate["problems"] == {}


@pytest.mark.parametrize("row", [1, 30, 230])
def test_a_poison_record_costs_itself_alone(
    museum: Callable[..., Sandbox], scrapy: Scrapy, row: int
) -> None:
    sandbox = museum(objects=230, invalid=0, faults=[f"poison:row={row},path=objects"])
    (poisoned,) = sandbox.truth()["objects"]["poison"]
    crawl = scrapy.at(sandbox).policy(UNLIMITED).crawl("objects", *QUICK, "-s", "RETRY_TIMES=2")
    assert crawl.code == 0, crawl.err
    assert crawl.certificate["verdict"] == "complete"
    assert crawl.certificate["unreadable"] == 1
    (line,) = crawl.rejected
    assert (line["id"], line["reason"]) == (poisoned, "unreadable")
    assert "500" in line["errors"][0]["message"]
    ids = {record["id"] for record in crawl.records}
    assert ids | {poisoned} == set(sandbox.truth()["objects"]["ids"])


def test_poison_records_on_pages_that_are_requested_together_stop_nothing(
    museum: Callable[..., Sandbox], scrapy: Scrapy
) -> None:
    rows = (51, 101, 151, 201)
    sandbox = museum(objects=230, invalid=0, faults=[f"poison:row={row}" for row in rows])
    poisoned = set(sandbox.truth()["objects"]["poison"])
    share = ("-s", "MAX_REJECT_SHARE=0.02")
    crawl = scrapy.at(sandbox).policy(UNLIMITED).crawl("objects", *QUICK, *share)
    assert crawl.code == 0, crawl.err
    assert {line["id"] for line in crawl.rejected} == poisoned
    ids = {record["id"] for record in crawl.records}
    assert ids | poisoned == set(sandbox.truth()["objects"]["ids"])


def test_a_part_of_a_page_is_requested_as_often_as_any_page(
    museum: Callable[..., Sandbox], scrapy: Scrapy
) -> None:
    # Rows 101 to 105 are the 21st part of 5; the collection has five pages.
    faults = ["poison:row=125", "reset:path=objects,page=21,times=3"]
    sandbox = museum(objects=230, invalid=0, faults=faults)
    crawl = scrapy.at(sandbox).policy(UNLIMITED).crawl("objects", *QUICK)
    assert crawl.code == 0, crawl.err
    assert crawl.certificate["unreadable"] == 1


def test_too_many_poison_records_break_the_contract(
    museum: Callable[..., Sandbox], scrapy: Scrapy
) -> None:
    rows = [5, 55, 105, 155, 205]
    sandbox = museum(objects=230, invalid=0, faults=[f"poison:row={row}" for row in rows])
    crawl = scrapy.at(sandbox).policy(UNLIMITED).crawl("objects", *QUICK, "-s", "RETRY_TIMES=1")
    assert crawl.code == 13, crawl.err
    assert crawl.certificate["unreadable"] == 5


def test_what_vanishes_is_taken_out_of_every_kind_of_feed(
    museum: Callable[..., Sandbox], scrapy: Scrapy, tmp_path: Path
) -> None:
    sandbox = museum(objects=230)
    appended = ("-o", str(tmp_path / "old.csv"))
    assert crawl_moving(scrapy, sandbox, *appended, "-a", "limit=1").code == 0
    former = (tmp_path / "old.csv").read_bytes()
    sandbox.fault("delete:path=objects,at=5,nth=4")
    tables = ("a.parquet", "a.xlsx", "a.sqlite")
    plugins = {"a.jsonl.gz": "GzipPlugin", "a.csv.xz": "LZMAPlugin", "a.json.bz2": "Bz2Plugin"}
    feeds: dict[str, Any] = {
        str(tmp_path / name): {
            "format": name.split(".")[1],
            "overwrite": name != "old.csv",
            **(
                {"postprocessing": [f"scrapy.extensions.postprocessing.{plugins[name]}"]}
                if name in plugins
                else {}
            ),
        }
        for name in ("a.jsonl", "a.csv", "a.json", "old.csv", *tables, *plugins)
    }
    crawl = crawl_moving(scrapy, sandbox, "-s", f"FEEDS={json.dumps(feeds)}")
    assert crawl.code == 0, crawl.err
    (gone,) = crawl.certificate["vanished"]
    text = (tmp_path / "a.jsonl").read_bytes()
    lines = [json.loads(line)["id"] for line in text.splitlines()]
    table = (tmp_path / "a.csv").read_bytes()
    rows = [row["id"] for row in csv.DictReader(io.StringIO(table.decode(), newline=""))]
    array = [record["id"] for record in json.loads((tmp_path / "a.json").read_text())]
    assert lines == rows == array
    assert gone not in lines
    verified = scrapy.run("verify", *(str(tmp_path / name) for name in tables))
    assert verified.returncode == 0, verified.stdout
    assert verified.stdout.count(f"{len(lines)} records, as certified") == 3
    assert gzip.decompress((tmp_path / "a.jsonl.gz").read_bytes()) == text
    assert lzma.decompress((tmp_path / "a.csv.xz").read_bytes()) == table
    assert json.loads(bz2.decompress((tmp_path / "a.json.bz2").read_bytes())) == json.loads(
        (tmp_path / "a.json").read_text()
    )
    head, _, added = table.partition(b"\r\n")
    assert (tmp_path / "old.csv").read_bytes() == former + added
    assert former.startswith(head)
    assert not crawl.certificate["notes"]


def test_a_table_without_ids_keeps_what_has_vanished_and_says_so(
    museum: Callable[..., Sandbox], scrapy: Scrapy, tmp_path: Path
) -> None:
    sandbox = museum(objects=230, faults=["delete:path=objects,at=5,nth=4"])
    table = tmp_path / "a.csv"
    crawl = crawl_moving(
        scrapy, sandbox, "-O", str(table), "-s", "FEED_EXPORT_FIELDS=object_number,label"
    )
    assert crawl.code == 0, crawl.err
    assert any("still in" in note for note in crawl.certificate["notes"])
    assert "Traceback" not in crawl.err


def test_rows_that_move_between_stop_and_going_on(
    museum: Callable[..., Sandbox], scrapy: Scrapy
) -> None:
    sandbox = museum(objects=230, faults=["html:path=objects,page=4,times=always"])
    assert crawl_moving(scrapy, sandbox, "-s", "RETRY_TIMES=0").code == 10
    sandbox.clear()
    # One goes near the beginning and one comes at the end: the total stays as it was.
    sandbox.fault("delete:path=objects,at=5")
    sandbox.fault("insert:path=objects,at=229")
    get(f"{sandbox.base_url}id/objects?itemsPerPage=1")
    get(f"{sandbox.base_url}id/objects?itemsPerPage=1")
    crawl = crawl_moving(scrapy, sandbox, "-s", "RETRY_TIMES=0")
    assert crawl.certificate["pages"]["replayed"] > 0
    check_all_in_hand(crawl, sandbox)
    assert crawl.certificate["verdict"] == "complete_with_drift"


def test_two_rows_with_one_id_are_no_drift(museum: Callable[..., Sandbox], scrapy: Scrapy) -> None:
    sandbox = museum(exhibitions=30, twins=2, invalid=0, unlinked=0)
    crawl = scrapy.at(sandbox).policy(UNLIMITED).crawl("exhibitions")
    assert crawl.code == 0, crawl.err
    found = crawl.certificate
    assert (found["verdict"], found["reason"]) == (
        "complete",
        "all 28 records are accounted for; 2 further rows repeat an id",
    )
    assert (found["unique"], found["duplicates"], found["rejected"]) == (28, 2, 0)
    assert found["rejected_by"] == {"duplicate": 2}
    delivered = {record["id"]: record["record"] for record in crawl.records}
    assert len(crawl.rejected) == 2
    for line in crawl.rejected:
        assert line["reason"] == "duplicate"
        assert line["record"] != delivered[line["id"]]
    assert scrapy.run("verify", str(crawl.folder / "exhibitions.jsonl")).returncode == 0
    # Beside real drift they are told apart, and counted against no share of rejects.
    sandbox.fault("delete:path=exhibitions,at=12,nth=2")
    shares = ("-s", "MAX_REJECT_SHARE=0", "-s", "MAX_DELETE_SHARE=0.1")
    given = ("-a", "page_size=5", "-s", "LOOKAHEAD=1", *shares)
    drifted = scrapy.policy(UNLIMITED + limit(1_000_000, 1, "single")).crawl("exhibitions", *given)
    assert drifted.code == 0, drifted.err
    assert drifted.certificate["verdict"] == "complete_with_drift"
    assert drifted.certificate["rejected_by"]["duplicate"] == 2


def listed_later(
    rows: int, single: Callable[[int], RawResponse | None], stub: Callable[[int], bytes]
) -> Callable[[str], RawResponse]:
    """Objects of which the pages deliver the fourth for the third; the lists of ids have all.

    *single* responds to requests for one record, *stub* gives a row of the lists of ids.
    """

    def respond(path: str) -> RawResponse:
        url = urlsplit(path)
        if not url.path.endswith("/id/objects"):
            number = int(url.path.rpartition("/")[2])
            return single(number) or (200, [LD_JSON], record(number))
        query = parse_qs(url.query)
        full, numbers = "fullRecord" in query, range(1, rows + 1)
        parts = [record(n + (n == 3)) if full else stub(n) for n in numbers]
        number, size = int(query["page"][0]), int(query["itemsPerPage"][0])
        last = -(-rows // size)
        link = path.replace(f"page={number}", "page={}")
        view = {"hydra:last": link.format(last)}
        if number < last:
            view["hydra:next"] = link.format(number + 1)
        head = json.dumps({"hydra:totalItems": rows, "hydra:view": view}).encode()
        page = b",".join(parts[(number - 1) * size : number * size])
        return 200, [LD_JSON], head[:-1] + b',"hydra:member":[%s]}' % page

    return respond


NOT_FOUND: RawResponse = (404, [LD_JSON], b'{"message": "not found"}')


@pytest.mark.parametrize(
    ("missing", "code", "words"),
    [
        (range(1, 121), 11, "the museum's database failed"),
        ([3, 1], 11, "the museum's database failed"),
        ([3], 0, "119 records"),
    ],
)
def test_records_are_not_found_only_while_others_are(
    scrapy: Scrapy, missing: Collection[int], code: int, words: str
) -> None:
    respond = listed_later(120, lambda number: NOT_FOUND if number in missing else None, stub)
    with serving(respond) as server:
        scrapy.environment["DMG_BASE_URL"] = server.base_url
        scrapy.policy(UNLIMITED + limit(1_000_000, 1, "single"))
        crawl = scrapy.crawl("objects", *QUICK)
        assert crawl.code == code, crawl.err
        if code:
            assert words in crawl.certificate["reason"]
            assert crawl.rejected == []
            server.respond = listed_later(120, lambda number: None, stub)
            assert scrapy.crawl("objects", *QUICK).code == 0
            assert scrapy.crawl("objects", *QUICK).certificate["unique"] == 120
        else:
            assert [line["reason"] for line in crawl.rejected] == ["unreadable"]


@pytest.mark.parametrize(("bad", "code"), [([70], 0), ([1, 120], 0), ([3], 10)])
def test_rows_of_the_ids_that_cannot_be_parsed_cost_no_other(
    scrapy: Scrapy, bad: list[int], code: int
) -> None:
    """Their records have come, but for the third."""

    def spoilt(number: int) -> bytes:
        return stub(number)[:-1] + b',"x":NaN}' if number in bad else stub(number)

    with serving(listed_later(120, lambda number: None, spoilt)) as server:
        scrapy.environment["DMG_BASE_URL"] = server.base_url
        scrapy.policy(UNLIMITED + limit(1_000_000, 1, "single"))
        crawl = scrapy.crawl("objects", *QUICK)
    assert crawl.code == code, crawl.err
    assert crawl.certificate["unique"] == (120 if code == 0 else 119)
    assert crawl.rejected == []
    if code:
        assert "the ids of 1 row cannot be read" in crawl.certificate["reason"]
