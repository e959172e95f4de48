"""One harvest by one tool: its cost, and how its records compare with the museum's."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import unquote
from urllib.request import urlopen

import orjson

from benchmarks.measure import (
    PLAIN_SPIDER,
    ROOT,
    SCRAPY,
    Cost,
    environment,
    measured,
    museum,
)
from benchmarks.peers.environments import python_of

_SCRIPTS = Path(__file__).parent
OURS = "mplus_crawler"
PLAIN = "plain Scrapy"
WIDE = (OURS, "loop, 8 threads", "Crawlee")
NARROW = (PLAIN, "loop", "dlt")
PEERS = (OURS, PLAIN, "loop", "loop, 8 threads", "Crawlee", "dlt")
_ONE_WIDTH = tuple(peer for peer in PEERS if peer != "loop, 8 threads")
_LIMIT = """\
[[tier]]
name = "collections"
limits = [{{ requests = {requests}, seconds = {seconds} }}]
source = "the benchmark"
checked = 2026-11-28
"""


@dataclass(frozen=True, slots=True)
class Scenario:
    """A museum of so many *records*, harvested *rows* a page, and what happens meanwhile.

    *limit* is requests and seconds; *kill* is after how many seconds the first run is killed;
    *runs* is the most that are useful.
    """

    name: str
    records: int
    rows: int = 100
    options: tuple[str, ...] = ()
    limit: tuple[int, float] | None = None
    kill: float | None = None
    peers: tuple[str, ...] = _ONE_WIDTH
    runs: int = 100


@dataclass(frozen=True, slots=True)
class Outcome:
    """Cost, exit code, records *missing* and delivered *twice*, and what the server counted."""

    cost: Cost
    code: int
    missing: int
    twice: int
    too_many: int
    in_flight: int


def run(peer: str, scenario: Scenario, environments: Path) -> Outcome:
    """Harvest a fresh museum with *peer*."""
    options = [*scenario.options, "--links", "local", "--unlinked", "0", "--invalid", "0"]
    if scenario.limit:
        options += ["--limits", f"collections={scenario.limit[0]}/{scenario.limit[1]:g}"]
    with (
        museum(scenario.records, *options) as base_url,
        TemporaryDirectory(prefix="peer") as name,
    ):
        folder = Path(name)
        requests, seconds = scenario.limit or (1_000_000, 1)
        (folder / "dmg.toml").write_text(_LIMIT.format(requests=requests, seconds=seconds))
        command = _command(peer, base_url, folder, scenario.rows, environments)
        cwd = ROOT if peer == OURS else folder
        settings = environment(
            DMG_BASE_URL=base_url,
            RATE_SHARE="1",
            **dict.fromkeys(("HARVEST_DIR", "POLICY_DIR", "XDG_STATE_HOME"), name),
        )
        if scenario.kill:
            _killed(command, cwd, settings, scenario.kill)
        cost, code = measured(command, cwd, settings, folder / "log")
        ids = _ids(folder / "objects.jsonl", folder / "objects.incomplete.jsonl")
        server = base_url.removesuffix("v2/")
        with urlopen(f"{server}__truth") as response:
            expected = set(json.load(response)["objects"]["ids"])
        with urlopen(f"{server}__stats") as response:
            tier = json.load(response)["tiers"]["collections"]
    found = set(map(_number, ids))
    missing = len(set(map(_number, expected)) - found)
    return Outcome(
        cost, code, missing, len(ids) - len(found), tier["too_many"], tier["peak_in_flight"]
    )


def _command(
    peer: str, base_url: str, folder: Path, rows: int, environments: Path
) -> Sequence[str]:
    feed = str(folder / "objects.jsonl")
    if peer == OURS:
        return [*SCRAPY, "crawl", "objects", "-a", f"page_size={rows}"]
    if peer == PLAIN:
        given = ["-a", f"base_url={base_url}", "-a", f"rows={rows}", "-O", feed]
        return [*SCRAPY, "runspider", str(PLAIN_SPIDER), *given]
    name = {"Crawlee": "crawlee", "dlt": "dlt"}.get(peer, "loop")
    script = {"crawlee": "crawlee_peer.py", "dlt": "dlt_peer.py", "loop": "download_loop.py"}[name]
    wide = ["8"] if peer == "loop, 8 threads" else []
    return [
        *(python_of(name, environments), str(_SCRIPTS / script), base_url, feed, str(rows), *wide)
    ]


def _killed(command: Sequence[str], cwd: Path, settings: dict[str, str], seconds: float) -> None:
    with subprocess.Popen(
        command, cwd=cwd, env=settings, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        time.sleep(seconds)
        process.kill()


def _number(id_: str) -> str:
    """Return the number in *id_*: peers keep the museum's spellings, this tool has one."""
    number = unquote(id_.partition("/id/object/")[2])
    return "/".join(part for part in number.split("/") if part)


def _ids(*files: Path) -> list[str]:
    """Return the ids in the first of *files* that exists; half a line at the end has none."""
    file = next((file for file in files if file.exists()), None)
    ids = []
    for line in file.open("rb") if file else ():
        try:
            row = orjson.loads(line)
        except ValueError:
            continue
        ids.append(str(row.get("@id") or row.get("id")))
    return ids
