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
    first_page,
    measured,
    museum,
    record_size,
)
from benchmarks.peers.environments import python_of

_SCRIPTS = Path(__file__).parent
OURS = "mplus_crawler"
PLAIN = "plain Scrapy"
WIDE = (OURS, "loop, 8 threads", "Crawlee")
NARROW = (PLAIN, "loop", "dlt", "Airbyte CDK")
PEERS = (OURS, PLAIN, "loop", "loop, 8 threads", "Crawlee", "dlt", "Airbyte CDK")
# Records without an id would count as missing; rights of images make records larger.
_MUSEUM = ("--links", "local", "--unlinked", "0", "--invalid", "0", "--rights", "1")
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

    *limit* is requests and seconds; *colors* adds colours to the records, which makes them
    larger; *kill* is after how many seconds the first run is killed; *runs* is the most that
    are useful.
    """

    name: str
    records: int
    rows: int = 100
    options: tuple[str, ...] = ()
    limit: tuple[int, float] | None = None
    colors: bool = False
    kill: float | None = None
    peers: tuple[str, ...] = _ONE_WIDTH
    runs: int = 100


@dataclass(frozen=True, slots=True)
class Outcome:
    """Cost, exit code, *records* of the museum, how many of them are *missing* or delivered
    *twice*, and what the server counted.
    """

    cost: Cost
    code: int
    records: int
    missing: int
    twice: int
    too_many: int
    in_flight: int


def run(peer: str, scenario: Scenario, environments: Path) -> Outcome:
    """Harvest a fresh museum with *peer*."""
    options = [*_MUSEUM, *scenario.options]
    if scenario.limit:
        options += ["--limits", f"collections={scenario.limit[0]}/{scenario.limit[1]:g}"]
    with (
        museum(scenario.records, *options) as base_url,
        TemporaryDirectory(prefix="peer") as name,
    ):
        folder = Path(name)
        requests, seconds = scenario.limit or (1_000_000, 1)
        (folder / "dmg.toml").write_text(_LIMIT.format(requests=requests, seconds=seconds))
        command = _command(peer, scenario, first_url(base_url, scenario), folder, environments)
        cwd = ROOT if peer == OURS else folder
        settings = environment(
            DMG_BASE_URL=base_url,
            RATE_SHARE="1",
            **dict.fromkeys(("HARVEST_DIR", "POLICY_DIR", "XDG_STATE_HOME"), name),
        )
        if scenario.kill:
            _killed(command, cwd, settings, scenario.kill)
        cost, code = measured(command, cwd, settings, folder / "log")
        ids = _ids(folder)
        server = base_url.removesuffix("v2/")
        with urlopen(f"{server}__truth") as response:
            expected = set(json.load(response)["objects"]["ids"])
        with urlopen(f"{server}__stats") as response:
            tier = json.load(response)["tiers"]["collections"]
    found = set(map(_number, ids))
    return Outcome(
        cost=cost,
        code=code,
        records=len(expected),
        missing=len(set(map(_number, expected)) - found),
        twice=len(ids) - len(found),
        too_many=tier["too_many"],
        in_flight=tier["peak_in_flight"],
    )


def size(scenario: Scenario) -> float:
    """Return the size of a record of *scenario*, in kB."""
    with museum(500, *_MUSEUM) as base_url:
        return record_size(first_url(base_url, scenario))


def first_url(base_url: str, scenario: Scenario) -> str:
    """Return the URL of the first page."""
    return first_page(base_url, scenario.rows) + "&colors=true" * scenario.colors


def _command(
    peer: str, scenario: Scenario, first: str, folder: Path, environments: Path
) -> Sequence[str]:
    """Return the command of *peer*, with the limit if the tool has an option for it."""
    feed, limit = str(folder / "objects.jsonl"), scenario.limit
    if peer == OURS:
        given = ["-a", "colors=true"] if scenario.colors else []
        return [*SCRAPY, "crawl", "objects", "-a", f"page_size={scenario.rows}", *given]
    if peer == PLAIN:
        given = ["-s", f"DOWNLOAD_DELAY={limit[1] / limit[0]}"] if limit else []
        return [*SCRAPY, "runspider", str(PLAIN_SPIDER), "-a", f"url={first}", "-O", feed, *given]
    pace = [str(limit[0]), f"{limit[1]:g}"] if limit else []
    name, script, place, more = {
        "loop": ("loop", "download_loop.py", feed, []),
        "loop, 8 threads": ("loop", "download_loop.py", feed, ["8"]),
        "Crawlee": ("crawlee", "crawlee_peer.py", feed, pace),
        "dlt": ("dlt", "dlt_peer.py", str(folder), []),
        "Airbyte CDK": ("airbyte", "airbyte_peer.py", feed, pace),
    }[peer]
    return [python_of(name, environments), str(_SCRIPTS / script), first, place, *more]


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


def _ids(folder: Path) -> list[str]:
    """Return the ids in the feed in *folder*; half a line at the end has none."""
    feeds = (folder / f"objects{kind}.jsonl" for kind in ("", ".selection", ".incomplete"))
    parts = folder.glob("museum/objects/*.jsonl")  # dlt's, where the name of "@id" is "aid"
    ids = []
    for line in (line for file in (*feeds, *parts) if file.exists() for line in file.open("rb")):
        try:
            row = orjson.loads(line)
        except ValueError:
            continue
        ids.append(str(row.get("id") or row.get("@id") or row["aid"]))
    return ids
