"""What beginners get wrong: one clear line with the cure, and the exit code of the contract."""

from __future__ import annotations

import signal
import subprocess
import time
import tomllib
from pathlib import Path
from zipfile import ZipFile

import pytest
from packaging.specifiers import SpecifierSet

from mplus_crawler.sandbox.app import Sandbox
from tests.conftest import ROOT, Scrapy
from tests.wire import serving

NOBODY = "http://127.0.0.1:9/v2/"
ONCE = ("-s", "RETRY_TIMES=0", "-s", "RETRY_BACKOFF_BASE=0.001", "-s", "RETRY_BACKOFF_MAX=0.001")


def cured(done: subprocess.CompletedProcess[str], code: int, *words: str) -> None:
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    lines = [line for line in done.stderr.splitlines() if all(word in line for word in words)]
    assert lines, done.stderr


@pytest.mark.parametrize(
    ("line", "cure"),
    [
        ("crawl objects -a limi=2", "did you mean limit?"),
        ("crawl objects -a pagesize=50", "did you mean page_size?"),
        ("crawl objects -s HARVESTDIR=x", "did you mean HARVEST_DIR?"),
        ("crawl objets", "did you mean objects?"),
        ("crawl mplus_object", "did you mean mplus_objects?"),
        ("crawl objects limit=2", "spider arguments need -a: scrapy crawl objects -a limit=2"),
        ("crawl limit=2 objects", "scrapy crawl objects -a limit=2"),
        ("crawl objects --type=vaas", "scrapy crawl objects -a type=vaas"),
        ("crawl objects agents", "name one spider"),
        ("crawl", "scrapy crawl SPIDER"),
        ("crawl dmg", "scrapy harvest dmg"),
        ("crawl all", "scrapy harvest all"),
        ("harvest objects", "scrapy crawl objects"),
        ("harvest mplus_terms", "scrapy crawl mplus_terms"),
        ("harvest dmg -a limit=2", "scrapy crawl SPIDER -a NAME=VALUE"),
        ("harvest mplus-open", "did you mean mplus_open?"),
        ("crawl mplus_open", "scrapy harvest mplus_open"),
        ("harvest ghent", "name a museum to harvest: dmg, mplus, mplus_open, all, not ghent"),
        ("budget --wacth", "scrapy budget --help"),
        ("spiders objetcs", "did you mean objects?"),
        ("crawl objects -a since=1.5.2026", "write a date as YYYY-MM-DD: 2026-05-01"),
        ("crawl objects -a since=31/12/2025", "write a date as YYYY-MM-DD: 2025-12-31"),
        ("crawl objects -a since=5/1/2026", "write a date as YYYY-MM-DD"),
        (
            "crawl objects -O x.parquett",
            "x.parquett has an unsupported format",
        ),
        ("crawl objects -o -", "write -o -:jsonl"),
        ("report dmg -o -", "give -o FILE"),
        ("dataset dmg -o -", "give -o FOLDER"),
        ("crawl objects -o objects.xls", ".jsonl, .csv, .json, .parquet, .xlsx, .sqlite"),
        ("crawl mplus_objects -s MPLUS_API_KEY=k", "set it in the environment"),
        ("crawl object -a pids=https://www.museum.example/0004", "give the record's number"),
        ("crawl mplus_objects -a key=k", "set it in the environment (DMG_API_KEY, MPLUS_API_KEY)"),
        ("crawl mplus_objects -a limit=no", "limit=no is not valid"),
    ],
)
def test_a_word_in_the_wrong_place(scrapy: Scrapy, line: str, cure: str) -> None:
    done = scrapy.run(*line.split(), DMG_BASE_URL=NOBODY)
    cured(done, 2, "error: ", cure)
    assert not Path(scrapy.environment["HARVEST_DIR"]).exists()


def test_no_sandbox_is_running(scrapy: Scrapy) -> None:
    done = scrapy.run("crawl", "objects", *ONCE, DMG_BASE_URL=NOBODY)
    cured(done, 10, "is the sandbox running? Start it with: scrapy sandbox --port 9")


def test_another_server_has_the_port(scrapy: Scrapy) -> None:
    with serving(lambda path: (404, [], b"<html>")) as server:
        done = scrapy.run("crawl", "objects", *ONCE, DMG_BASE_URL=server.base_url)
    cured(done, 10, f"404; is {server.base_url} the address of the API?")


def test_there_is_no_key(scrapy: Scrapy) -> None:
    done = scrapy.run("crawl", "mplus_objects")
    cured(done, 12, "https://api.mplus.org.hk/login", "MPLUS_API_KEY")


def test_the_folder_cannot_be_written(scrapy: Scrapy) -> None:
    done = scrapy.run("crawl", "objects", HARVEST_DIR="/proc/harvests", DMG_BASE_URL=NOBODY)
    cured(done, 14, "/proc/harvests", "change its permissions or choose another")


def test_two_at_once(scrapy: Scrapy) -> None:
    with Sandbox(objects=30, limits="off", latency=60) as museum:
        first = scrapy.at(museum).start("crawl", "objects")
        while not museum.stats()["tiers"].get("collections", {}).get("peak_in_flight"):
            assert first.poll() is None
            time.sleep(0.05)
        second = scrapy.run("crawl", "objects")
        # Ctrl-C, and a second signal, since the page never comes; two SIGINT may arrive as one.
        for number in (signal.SIGINT, signal.SIGTERM):
            first.send_signal(number)
        _, err = first.communicate(timeout=30)
    cured(second, 2, "already running", str(first.pid))
    assert first.returncode == 11, err
    assert "Traceback" not in err
    assert "to resume: " in err


def test_a_workbook_for_a_list(scrapy: Scrapy, tmp_path: Path) -> None:
    with ZipFile(tmp_path / "list.xlsx", "w") as workbook:
        workbook.writestr("xl/workbook.xml", "<workbook/>")
    done = scrapy.run("crawl", "object", "-a", f"pids_file={tmp_path}/list.xlsx")
    cured(done, 2, "error: ", "list.xlsx", "CSV")


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_table_without_the_column_id(scrapy: Scrapy, tmp_path: Path, delimiter: str) -> None:
    table = tmp_path / "list.csv"
    table.write_text(f"number{delimiter}title\n0004{delimiter}chair, red\n")
    done = scrapy.run("crawl", "object", "-a", f"pids_file={table}", DMG_BASE_URL=NOBODY)
    cured(done, 2, "error: ", "list.csv", "rename the column with the numbers to id")


@pytest.mark.parametrize("end", ["?view=full#images", "/", ""])
def test_a_browsers_url_for_a_number(scrapy: Scrapy, end: str) -> None:
    with Sandbox(objects=30, invalid=0, limits="off") as museum:
        pid = museum.truth()["objects"]["ids"][0].rpartition("/")[2]
        uri = f"data.designmuseumgent.be/v2/id/object/{pid}{end}"
        crawl = scrapy.at(museum).crawl(
            "object", "-a", f"pids={uri}", "-O", f"{scrapy.folder}/x.jsonl"
        )
    assert crawl.code == 0, crawl.err


def test_there_is_no_network(scrapy: Scrapy) -> None:
    done = scrapy.run("crawl", "objects", *ONCE, DMG_BASE_URL="https://museum.invalid/v2/")
    cured(done, 10, "name not found: museum.invalid; check the URL and the network connection")


def test_the_proxy_is_away(scrapy: Scrapy) -> None:
    proxy = {"https_proxy": "http://127.0.0.1:9", "DMG_BASE_URL": "https://museum.invalid/v2/"}
    done = scrapy.run("crawl", "objects", *ONCE, **proxy)
    cured(done, 10, "connection refused by the proxy 127.0.0.1:9; check https_proxy")


def test_python_is_too_old() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert SpecifierSet(project["requires-python"]) == SpecifierSet(">=3.11")


def test_the_docs_say_how_excel_opens_csv() -> None:
    page = (ROOT / "docs" / "output.md").read_text("utf-8")
    assert "Excel" in page
    assert "utf-8-sig" in page
