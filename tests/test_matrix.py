"""The fault matrix: each fault of a museum by verdict, exit code, and what the certificate says.

A passing fault heals, a lasting one is told; in no row is a record lost or doubled unmentioned.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mplus_crawler.sandbox.app import Sandbox
from tests.conftest import Crawl, Scrapy, limit
from tests.test_faults import QUICK

ALWAYS = "times=always"
PATIENCE = ("-s", "RETRY_TIMES=3", "-s", "RETRY_BACK_OFF_TIMES=3")
POLICY = limit(1_000_000, 1) + limit(1_000_000, 1, "single")

# fault (objects, 5 pages of 100), verdict, exit code, words of the reason or of a note
MATRIX = [
    ("truncate:page=3", "complete", 0, ""),
    (f"truncate:page=3,{ALWAYS}", "incomplete", 10, "page 3"),
    (f"truncate:page=3,clean=1,{ALWAYS}", "incomplete", 10, "no whole JSON"),
    ("reset:page=3,when=after", "complete", 0, ""),
    (f"reset:page=3,{ALWAYS}", "incomplete", 10, "page 3"),
    ("hang:page=3,seconds=9", "complete", 0, ""),
    (f"hang:page=3,seconds=9,{ALWAYS}", "incomplete", 10, "page 3"),
    ("status:code=503,page=3,times=2", "complete", 0, ""),
    ("status:code=502,html=1,page=1,times=2", "complete", 0, ""),
    (f"status:code=500,nth=2,{ALWAYS}", "stopped", 11, "errors in a row"),
    ("poison:row=250", "complete", 0, ""),
    ("empty:page=3", "complete", 0, ""),
    (f"empty:page=3,{ALWAYS}", "incomplete", 10, "no list of members"),
    ("html:page=3", "complete", 0, ""),
    (f"html:page=3,{ALWAYS}", "incomplete", 10, "HTML"),
    ("short:page=2,rows=3", "complete", 0, ""),
    (f"short:page=2,rows=3,{ALWAYS}", "incomplete", 10, "of 100 records"),
    ("empty_page:page=3", "complete", 0, ""),
    (f"empty_page:page=3,{ALWAYS}", "incomplete", 10, "empty before the end"),
    (f"total:delta=9,{ALWAYS}", "complete_with_drift", 0, "of all ids all"),
    (f"total:delta=-9,{ALWAYS}", "complete_with_drift", 0, "of all ids all"),
    ("total:page=2,value=77", "complete_with_drift", 0, "of all ids all"),
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
    ("insert:at=5,nth=2", "complete_with_drift", 0, "of all ids all"),
    ("delete:at=5,nth=2", "complete_with_drift", 0, "of all ids all"),
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
    sandbox = museum(objects=460, faults=[f"{kind}:path=objects,{rest}"])
    crawl = (
        scrapy.at(sandbox).policy(POLICY).crawl("objects", *QUICK, *PATIENCE, "-s", "LOOKAHEAD=2")
    )
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
