"""The sentinel at the wire: what changed in the records, in certificate, summary and command."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from mplus_crawler.errors import ExitCode
from mplus_crawler.sandbox.app import Sandbox
from tests.conftest import Crawl, Scrapy
from tests.test_usage import check_one_line

CHANGES = [
    "drop:field=crm:P45_consists_of",
    "retype:field=crm:P1_is_identified_by,day=2",
    "uri:field=crm:P108i_was_produced_by/@id,day=2",
    "add:field=crm:P999_new",
    "drop:field=creditLine,path=mplus_objects",
]
CLAUSE = "(Design Museum Gent promises a new version for: Removing or renaming a field)"


@pytest.fixture(scope="module")
def museum() -> Iterator[Sandbox]:
    """A museum that breaks its promise on days 1 and 2."""
    sizes = {"objects": 60, "agents": 4, "exhibitions": 4, "concepts": 4}
    with Sandbox(**sizes, invalid=0, limits="off", schema_changes=CHANGES) as sandbox:
        yield sandbox


def messages(crawl: Crawl) -> list[str]:
    return [change["message"] for change in crawl.certificate["contract"]["changes"]]


@pytest.mark.long
def test_a_broken_promise_is_reported(scrapy: Scrapy, museum: Sandbox) -> None:
    museum.move_to(0)
    scrapy.at(museum)
    first = scrapy.crawl("objects")
    assert first.code == ExitCode.COMPLETE, first.err
    run = first.certificate["run"]
    had = first.certificate["shape"]["paths"]["crm:P45_consists_of"]["records"]
    assert first.certificate["contract"] is None
    done = scrapy.run("contract", "objects")
    assert done.returncode == 0
    assert "no former run to compare with" in done.stdout

    museum.move_to(1)
    second = scrapy.crawl("objects")
    assert second.code == ExitCode.COMPLETE, second.err
    lines = messages(second)
    assert lines == [
        "breaking change within v2: crm:P45_consists_of is gone from "
        f"{had} of {had} records {CLAUSE}"
    ]
    assert second.err.count(f"\n  {lines[0]}\n") == 1
    (addition,) = (note for note in second.certificate["notes"] if "addition" in note)
    new = f"crm:P999_new is new in {second.certificate['unique']} records"
    assert addition == f"addition within v2: {new}"
    assert second.err.count(f"note: {addition}\n") == 1
    done = scrapy.run("contract", "objects")
    assert done.returncode == ExitCode.CONTRACT_BROKEN
    assert lines[0] in done.stdout

    third = scrapy.crawl("objects")
    assert messages(third) == []
    done = scrapy.run("contract", "objects")
    assert (done.returncode, "the shape is unchanged" in done.stdout) == (0, True)
    assert "promises: existing versions are never modified in a breaking way (" in done.stdout
    done = scrapy.run("contract", "objects", "--since", run)
    assert done.returncode == ExitCode.CONTRACT_BROKEN
    assert f"compared with run {run}:\n{lines[0]}" in done.stdout

    museum.move_to(2)
    selection = scrapy.crawl("objects", "-a", "limit=30")
    assert selection.certificate["contract"] is None
    fourth = scrapy.crawl("objects")
    kinds = {one["kind"]: one for one in fourth.certificate["contract"]["changes"]}
    assert kinds["retyped"]["path"] == "crm:P1_is_identified_by"
    assert kinds["retyped"]["clause"] == "Changing the type or structure of a field"
    assert kinds["uri"]["path"] == "crm:P108i_was_produced_by.@id"
    assert "/v2/data/object/*" in kinds["uri"]["message"]
    assert kinds["uri"]["clause"] == "Changing a URI pattern"


@pytest.mark.long
def test_mplus_promises_nothing(scrapy: Scrapy, museum: Sandbox) -> None:
    scrapy.environment |= {"MPLUS_URL": museum.mplus_url, "MPLUS_API_KEY": "any"}
    for day in (0, 1):
        museum.move_to(day)
        crawl = scrapy.crawl("mplus_objects")
        assert crawl.code == ExitCode.COMPLETE, crawl.err
    lines = messages(crawl)
    assert len(lines) == 2
    assert all(
        line.startswith("change: ") and "M+ promises no stable fields" in line for line in lines
    )
    assert {one["clause"] for one in crawl.certificate["contract"]["changes"]} == {None}


@pytest.mark.parametrize("code", [404, 410])
def test_an_endpoint_that_is_gone(scrapy: Scrapy, code: int) -> None:
    with Sandbox(objects=0, agents=15, exhibitions=0, concepts=0, limits="off") as gone:
        scrapy.at(gone)
        assert scrapy.crawl("agents", "-s", "MAX_REJECT_SHARE=1").code == ExitCode.COMPLETE
        gone.fault(f"status:code={code},path=agents,times=always")
        crawl = scrapy.crawl("agents", "-s", "RETRY_BACKOFF_BASE=0.01")
    assert crawl.code in (ExitCode.INCOMPLETE, ExitCode.STOPPED, ExitCode.REFUSED)
    assert messages(crawl) == [
        f"breaking change within v2: the endpoint of agents responds with {code} only "
        "(Design Museum Gent promises a new version for: Removing an endpoint)"
    ]


def test_mistakes_are_one_line(scrapy: Scrapy) -> None:
    for arguments, part in (
        ((), "name one spider"),
        (("paintings",), "there is no spider 'paintings'"),
        (("agents",), "no whole harvest of agents"),
    ):
        done: Any = scrapy.run("contract", *arguments)
        check_one_line(Crawl(done.returncode, done.stdout, done.stderr, scrapy.folder, ""), 2, part)


def test_a_part_of_the_records_is_no_evidence(scrapy: Scrapy) -> None:
    """The first page may lack what the others have."""
    changes = ["drop:field=crm:P45_consists_of"]
    with Sandbox(objects=60, invalid=0, limits="off", schema_changes=changes) as sandbox:
        scrapy.at(sandbox)
        assert scrapy.crawl("objects").code == ExitCode.COMPLETE
        sandbox.move_to(1)
        sandbox.fault("html:path=objects,page=2,times=always")
        crawl = scrapy.crawl("objects", "-a", "page_size=30", "-s", "RETRY_BACKOFF_BASE=0.01")
    assert crawl.code == ExitCode.INCOMPLETE, crawl.err
    assert crawl.certificate["contract"] is None
    assert scrapy.run("contract", "objects").returncode == ExitCode.COMPLETE
