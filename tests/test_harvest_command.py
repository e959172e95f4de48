"""``scrapy harvest``: a whole museum in one process, and one verdict."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from scrapy.spiderloader import get_spider_loader
from scrapy.utils.project import get_project_settings

from mplus_crawler.cli.words import museums
from mplus_crawler.sandbox.app import Sandbox
from tests.conftest import Scrapy, last_certificate, limit
from tests.fixtures.mplus import PUBLISHED, as_tar
from tests.wire import serving

SIZES = {"objects": 430, "agents": 150, "exhibitions": 30, "concepts": 240}
MUSEUM = {**SIZES, "invalid": 0}


def rows(err: str) -> dict[str, list[str]]:
    """The summary's rows by spider: verdict, exit, records, rejects, requests, time, unit."""
    lines = [line.split() for line in err.splitlines()]
    (head,) = [place for place, words in enumerate(lines) if words[:2] == ["spider", "verdict"]]
    return {words[0]: words[1:] for words in lines[head + 1 : head + 1 + len(SIZES)]}


def certified(scrapy: Scrapy, spider: str) -> dict[str, Any]:
    return last_certificate(scrapy.folder / "data", spider)


def test_a_whole_museum_comes_out_under_one_budget(
    museum: Callable[..., Sandbox], scrapy: Scrapy
) -> None:
    sandbox = museum(**MUSEUM, limits="collections=20/2", latency=0.1)
    scrapy.at(sandbox).policy(limit(20, 2))
    done = scrapy.run("harvest", "dmg", LOGSTATS_INTERVAL="0.04")  # within one response
    assert done.returncode == 0, done.stderr
    truth, told = sandbox.truth(), rows(done.stderr)
    for spider, records in SIZES.items():
        certificate = json.loads(
            (scrapy.folder / "data" / f"{spider}.certificate.json").read_text()
        )
        assert certificate["verdict"] == "complete"
        assert (
            certificate["unique"] + certificate["rejected"] == len(truth[spider]["ids"]) == records
        )
        assert told[spider][:3] == ["complete", "0", str(certificate["unique"])]
        assert f"{spider}: page " in done.stderr
    stats = sandbox.stats()["tiers"]["collections"]
    assert stats["too_many"] == 0
    assert stats["peak_sliding"] <= 18
    assert stats["peak_in_flight"] <= 8


def test_the_worst_verdict_is_the_exit_code_and_the_others_are_delivered(
    museum: Callable[..., Sandbox], scrapy: Scrapy
) -> None:
    sandbox = museum(**MUSEUM, faults=["status:code=404,path=agents,page=2,times=always"])
    scrapy.at(sandbox)
    done = scrapy.run("harvest", "dmg")
    assert done.returncode == 10, done.stderr
    told = rows(done.stderr)
    assert told["agents"][:2] == ["incomplete", "10"]
    assert {told[spider][1] for spider in SIZES if spider != "agents"} == {"0"}
    certificate = certified(scrapy, "agents")
    assert certificate["resume"] == "scrapy harvest dmg"
    assert f"agents: {certificate['reason']}" in done.stderr
    command = done.stderr.splitlines()[-1].removeprefix("to resume: ")
    assert command.startswith(f"DMG_BASE_URL={sandbox.base_url} HARVEST_DIR=")
    assert command.endswith(" scrapy harvest dmg")


def test_ctrl_c_stops_all_of_it_and_the_same_command_resumes(
    museum: Callable[..., Sandbox], scrapy: Scrapy
) -> None:
    sandbox = museum(**MUSEUM, latency=0.4)
    scrapy.at(sandbox)
    crawl = scrapy.start("harvest", "dmg", LOOKAHEAD="1")
    while sandbox.stats()["tiers"]["collections"]["requests"] < 8:
        assert crawl.poll() is None
        time.sleep(0.05)
    crawl.send_signal(signal.SIGINT)
    _, err = crawl.communicate(timeout=60)
    assert crawl.returncode == 11, err
    assert "Traceback" not in err
    again = scrapy.run("harvest", "dmg")
    assert again.returncode == 0, again.stderr
    assert sum(certified(scrapy, spider)["pages"]["replayed"] for spider in SIZES) >= 4


def test_what_is_wrong_is_reported_before_any_request(
    museum: Callable[..., Sandbox], scrapy: Scrapy, tmp_path: Path
) -> None:
    sandbox = museum(objects=10)
    scrapy.at(sandbox)
    one_feed = f'FEEDS={{"{tmp_path}/all.csv": {{"format": "csv"}}}}'
    for arguments in (
        ["harvest"],
        ["harvest", "louvre"],
        ["harvest", "dmg", "-s", "LOOKAHEAD=0"],
        ["harvest", "dmg", "-s", one_feed],
        ["harvest", "dmg", "-a", "limit=5"],
    ):
        done = scrapy.run(*arguments)
        assert done.returncode == 2, done.stderr
        assert "Traceback" not in done.stderr
    assert "name a museum to harvest: dmg" in scrapy.run("harvest", "louvre").stderr
    assert sandbox.stats()["tiers"]["collections"]["requests"] == 0


def test_the_published_data_set_is_harvested_by_its_name_only(
    scrapy: Scrapy, tmp_path: Path
) -> None:
    archives = [as_tar(tmp_path / "set.gz").read_bytes()]
    with serving(lambda path: (200, [], archives[-1])) as server:
        scrapy.policy(f'base_url = "{server.base_url}"\n', "mplus_open")
        done = scrapy.run("harvest", "mplus_open")
        assert done.returncode == 0, done.stderr
        assert {*server.requested} == {"/v2/archive/HEAD.tar.gz"}
        for spider in ("mplus_open_objects", "mplus_open_constituents"):
            assert certified(scrapy, spider)["snapshot"]

        shutil.copytree(PUBLISHED, tmp_path / "half")
        shutil.rmtree(tmp_path / "half" / "objects_JSON" / "8000")
        archives.append(as_tar(tmp_path / "half.gz", tmp_path / "half").read_bytes())
        held = scrapy.run("harvest", "mplus_open")
        assert held.returncode == 15, held.stderr
        (command,) = re.findall("^to publish it: .* scrapy (.*)$", held.stderr, re.MULTILINE)
        assert command.startswith("crawl mplus_open_objects -a accept=")
        assert f" scrapy {command}\n" in scrapy.run("status").stdout
        published = scrapy.run(*shlex.split(command))
        assert published.returncode == 0, published.stderr

    everything = set(museums(get_spider_loader(get_project_settings()))["all"])
    assert {"objects", "mplus_terms"} < everything
    assert not {"mplus_open_objects", "private_objects", "object"} & everything


def test_a_reason_that_concerns_all_spiders_is_printed_once(scrapy: Scrapy) -> None:
    done = scrapy.run("harvest", "mplus")
    assert done.returncode == 12, done.stderr
    (line,) = [line for line in done.stderr.splitlines() if "needs a key" in line]
    spiders = "mplus_objects, mplus_constituents, mplus_exhibitions, mplus_terms"
    assert line.startswith(f"{spiders}: needs a key: register at https://")
