"""``scrapy status``: snapshots, and harvests that are not complete."""

from __future__ import annotations

import json
import shlex
import signal
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from scrapy.settings import Settings

from mplus_crawler.cli.status import Status, read_status
from mplus_crawler.responses.harvest import read_lock
from mplus_crawler.sandbox.app import Sandbox
from tests.conftest import Scrapy

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)


def write(folder: Path, name: str, **fields: Any) -> None:
    """A certificate as a harvest writes it, with *fields* that differ."""
    (folder / "runs").mkdir(parents=True, exist_ok=True)
    certificate = {
        "spider": "objects",
        "source": "Design Museum Gent",
        "verdict": "complete",
        "reason": "all 5 records are accounted for",
        "run": "20261128T090000Z-1",
        "api": "https://data.designmuseumgent.be/v2/",
        "arguments": {},
        "unique": 5,
        "started_at": "2026-11-28T09:00:00Z",
        "finished_at": "2026-11-28T10:00:00Z",
        "policy": {"base_url": "https://data.designmuseumgent.be/v2/", "retention_days": 0},
        "resume": None,
        **fields,
    }
    (folder / f"{name}.certificate.json").write_text(json.dumps(certificate))


def status(folder: Path) -> Status:
    settings = {"HARVEST_DIR": str(folder), "SPIDER_MODULES": ["mplus_crawler.spiders"]}
    return read_status(Settings(settings), NOW)


def test_a_snapshot_with_age_expiry_and_change(tmp_path: Path) -> None:
    write(tmp_path, "objects", policy={"retention_days": 14}, changes={"create": 0})
    former = {"file": "f", "create": 2, "update": 1, "missing": 0}
    write(tmp_path, "runs/1", changes=former, finished_at="2026-11-20T10:00:00Z")
    write(tmp_path, "runs/2", changes={"delete": 7}, spider="agents")
    (one,) = status(tmp_path).snapshots
    assert (one.spider, one.records, one.verdict, one.age_s) == ("objects", 5, "complete", 7200)
    assert one.expires_at == "2026-12-12T09:00:00Z"
    assert (one.changed_at, one.changes) == ("2026-11-20T10:00:00Z", {"create": 2, "update": 1})


def test_only_snapshots_are_listed(tmp_path: Path) -> None:
    for name in ("objects.incomplete", "objects.selection", "vases"):
        write(tmp_path, name)
    write(tmp_path, "images", spider="images", snapshot=False)
    (tmp_path / "broken.certificate.json").write_text("{")
    (tmp_path / "agents.certificate.json").write_text("[1]")
    found = status(tmp_path)
    assert found.snapshots == []
    assert [Path(name).name for name in found.unreadable] == [
        "agents.certificate.json",
        "broken.certificate.json",
    ]


@pytest.mark.parametrize(
    ("fields", "resume"),
    [
        ({"verdict": "stopped"}, "scrapy crawl objects"),
        ({"verdict": "held_back"}, "scrapy crawl objects"),
        ({"verdict": "refused"}, None),
        (
            {"verdict": "incomplete", "api": "http://127.0.0.1:8000/v2/"},
            "DMG_BASE_URL=http://127.0.0.1:8000/v2/ scrapy crawl objects",
        ),
    ],
)
def test_how_a_harvest_is_finished(
    tmp_path: Path, fields: dict[str, str], resume: str | None
) -> None:
    write(tmp_path, "runs/1", **fields, resume="scrapy crawl objects")
    (one,) = status(tmp_path).unfinished
    assert (one.verdict, one.resume, one.running) == (fields["verdict"], resume, False)


def test_a_harvest_that_was_finished_later_is_not_listed(tmp_path: Path) -> None:
    write(tmp_path, "runs/1", verdict="stopped", started_at="2026-11-27T09:00:00Z")
    write(tmp_path, "runs/2")
    write(tmp_path, "runs/3", verdict="incomplete", arguments={"type": "vaas"})
    assert [one.arguments for one in status(tmp_path).unfinished] == [{"type": "vaas"}]


def test_the_command_shows_what_runs_what_was_killed_and_what_is_complete(scrapy: Scrapy) -> None:
    assert "no snapshots in" in scrapy.run("status").stdout
    with Sandbox(objects=30, agents=9, invalid=0, limits="off") as museum:
        assert scrapy.at(museum).crawl("agents").code == 0
        museum.reset()
        museum.fault("latency:seconds=60,path=objects,times=always")
        words = ("crawl", "objects", "-a", "type=vaas", "-O", f"{scrapy.folder}/vases.csv")
        process = scrapy.start(*words)
        while not museum.stats()["tiers"].get("collections", {}).get("peak_in_flight"):
            assert process.poll() is None
            time.sleep(0.05)
        running = json.loads(scrapy.run("status", "--json").stdout)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    killed = scrapy.run("status")
    data, typed = scrapy.environment["HARVEST_DIR"], shlex.join(["scrapy", *words])
    assert [one["spider"] for one in running["snapshots"]] == ["agents"]
    assert [(one["spider"], one["running"]) for one in running["unfinished"]] == [("objects", True)]
    assert killed.returncode == 0, killed.stderr
    head, agents, objects, resume = killed.stdout.splitlines()
    assert head.split() == ["snapshot", "verdict", "expires", "age", "records", "last", "change"]
    assert agents.split()[:3] == ["agents", "complete", "never"]
    assert agents.endswith(": 9 new")
    assert objects == "objects type=vaas: interrupted, its process was killed"
    assert resume == f"  to resume: DMG_BASE_URL={museum.base_url} HARVEST_DIR={data} {typed}"
    assert scrapy.run("status", "now").returncode == 2


@pytest.mark.parametrize("rest", [b"", b"[]", b"{}", b"\xff", b"[" * 100_000, b'{"arguments": 1}'])
def test_a_damaged_lock_names_no_command(tmp_path: Path, rest: bytes) -> None:
    (tmp_path / "objects.lock").write_bytes(b"process 1\n" + rest)
    assert read_lock(tmp_path / "objects.lock") is None
