"""Scrapyd: the project as an egg on a real daemon, and two of them with one budget."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from zipfile import ZipFile

import pytest

from mplus_crawler.sandbox.app import Sandbox
from tests.conftest import ROOT, limit
from tests.scrapyd import PROJECT, Scrapyd

CANARY = "canary-of-the-scheduler"
LIMIT = 40


@pytest.fixture(scope="module")
def museum() -> Iterator[Sandbox]:
    sizes = {"objects": 120, "agents": 60, "exhibitions": 30, "concepts": 60}
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
        daemon.machine.reach(int(museum.base_url.split(":")[2].split("/")[0]))
    daemons[0].deploy(folder / "project")
    yield daemons
    for daemon in daemons:
        daemon.stop()


def asked(museum: Sandbox) -> list[str]:
    """What the museum was asked for, and has answered."""
    return [path for _, path, _ in museum.stats(log=True)["log"]]


def test_the_egg_has_all_that_the_project_reads(nodes: list[Scrapyd]) -> None:
    shipped = {
        str(file.relative_to(ROOT))
        for part in (PROJECT, "schemas")
        for file in (ROOT / part).rglob("*")
        if file.is_file() and file.suffix != ".pyc"
    }
    assert shipped - {*ZipFile(nodes[0].egg).namelist()} == set()


def test_four_jobs_at_once_share_a_budget_and_a_killed_one_goes_on(
    museum: Sandbox, nodes: list[Scrapyd]
) -> None:
    museum.reset()
    museum.fault("latency:seconds=600,path=objects,page=9,times=always")
    scrapyd, size = nodes[0], {"page_size": "3"}
    jobs = {"objects": "first", "agents": "agents 1", "exhibitions": "50%", "concepts": "4"}
    for spider, job in jobs.items():
        scrapyd.schedule(spider, job, **size)
    while not any("objects" in path and "page=5" in path for path in asked(museum)):
        time.sleep(0.05)
    scrapyd.schedule("objects", "too-many", **size)
    refused = scrapyd.finished("too-many")["too-many"]
    assert (refused["verdict"], refused["exit_code"]) == ("not_started", 2)
    assert f"job first, process {scrapyd.running('first')}, since" in refused["reason"]
    assert "already under way" in scrapyd.log("objects", "too-many")
    os.kill(scrapyd.running("first"), signal.SIGKILL)
    museum.clear()
    scrapyd.schedule("objects", "second", **size)
    ended = scrapyd.finished("second", *jobs.values())
    assert ended.pop("first") is None
    assert {job: certificate["verdict"] for job, certificate in ended.items()} == dict.fromkeys(
        ["second", "agents 1", "50%", "4"], "complete"
    )
    assert ended["second"]["job"] == "second"
    assert ended["second"]["pages"]["replayed"] >= 1
    assert ended["second"]["unique"] == 120
    assert "complete (exit 0): all 120 records" in scrapyd.log("objects", "second")
    tier = museum.stats()["tiers"]["collections"]
    assert (tier["too_many"], tier["peak_sliding"] <= LIMIT) == (0, True)
