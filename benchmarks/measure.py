"""A museum to harvest, two harvesters, and the cost of a run.

Nothing heavy is imported here: the kernel counts a parent's memory at the fork as a child's.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from urllib.request import urlopen

ROOT = Path(__file__).parent.parent
SCRAPY = (sys.executable, "-m", "scrapy")

PLAIN_SPIDER = ROOT / "benchmarks" / "plain_spider.py"
# Settings in the user's environment would change the figures; without bytecode, starts take longer.
_CONTRACT = (
    *("DMG_BASE_URL", "HARVEST_DIR", "BUDGET_URL", "POLICY_DIR", "RATE_SHARE"),
    *("THROTTLE_MAX_WAIT", "LOOKAHEAD", "MAX_REJECT_SHARE", "CONTACT_URL", "LOGSTATS_INTERVAL"),
    *("SCRAPY_SETTINGS_MODULE", "PYTHONDONTWRITEBYTECODE"),
)


def limits(requests: int, seconds: float) -> str:
    """Return a policy overlay with that limit of collections."""
    return (
        f'[[tier]]\nname = "collections"\n'
        f"limits = [{{ requests = {requests}, seconds = {seconds:g} }}]\n"
        'source = "the benchmark: its museum is on loopback"\nchecked = 2026-11-22\n'
    )


NO_LIMITS = limits(1_000_000, 1)


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of one process: CPU and wall seconds, peak resident memory in bytes."""

    cpu: float
    wall: float
    memory: int


@dataclass(frozen=True, slots=True)
class Run:
    """The cost of a harvest, and the records in its feed and in its rejected file."""

    cost: Cost
    delivered: int
    rejected: int = 0

    @property
    def records(self) -> int:
        """Return the number of records in both files."""
        return self.delivered + self.rejected


@contextmanager
def museum(objects: int, *options: str) -> Iterator[str]:
    """Yield the base URL of a sandbox with *objects* objects; limits only from *options*."""
    command = [*SCRAPY, "sandbox", "--limits", "off", "--objects", str(objects), *options]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, text=True
    ) as sandbox:
        try:
            assert sandbox.stdout is not None
            said = sandbox.stdout.readline()
            address = re.search(r"http://\S+", said)
            if address is None:
                raise SystemExit(f"the sandbox did not start: {said.strip()}")
            yield address[0].rstrip("/") + "/"
        finally:
            sandbox.terminate()


@contextmanager
def workplace(base_url: str, policy: str = NO_LIMITS) -> Iterator[tuple[Path, dict[str, str]]]:
    """Yield a temporary folder for harvests of *base_url*, and their environment."""
    with TemporaryDirectory(prefix="harvest") as name:
        Path(name, "dmg.toml").write_text(policy)
        places = dict.fromkeys(("HARVEST_DIR", "POLICY_DIR", "XDG_STATE_HOME"), name)
        yield Path(name), environment(DMG_BASE_URL=base_url, **places)


def first_page(base_url: str, rows: int = 100) -> str:
    """Return the URL of the first page of all objects."""
    return f"{base_url}id/objects?page=1&itemsPerPage={rows}&fullRecord=true"


def record_size(url: str) -> float:
    """Return the size of the page *url* divided by its records, in kB."""
    with urlopen(url) as response:
        page = response.read()
    return len(page) / len(json.loads(page)["hydra:member"]) / 1e3


def ours(base_url: str) -> Run:
    """Run ``scrapy crawl objects`` of this project."""
    with workplace(base_url) as (folder, settings):
        cost = run_command([*SCRAPY, "crawl", "objects"], ROOT, settings, folder / "log")
        delivered, rejected = folder / "objects.jsonl", folder / "objects.rejected.jsonl"
        return Run(cost, _lines(delivered), _lines(rejected))


def plain(base_url: str) -> Run:
    """Run the plain spider outside this project, without its settings."""
    with TemporaryDirectory(prefix="harvest") as name:
        feed = Path(name, "objects.jsonl")
        arguments = ["-a", f"url={first_page(base_url)}", "-O", str(feed)]
        command = [*SCRAPY, "runspider", str(PLAIN_SPIDER), *arguments]
        cost = run_command(command, Path(name), environment(), Path(name, "log"))
        return Run(cost, _lines(feed))


def check(run: Run, records: int) -> None:
    """Exit with code 1 unless *run* has all *records*."""
    if run.records != records:
        raise SystemExit(f"lost: {run.records:,} of {records:,} records came")


def run_command(
    command: Sequence[str], folder: Path, environment: Mapping[str, str], log: Path
) -> Cost:
    """Run *command* in *folder* and measure it; exit with code 1 if it fails."""
    cost, code = measured(command, folder, environment, log)
    if code:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
        raise SystemExit(f"{' '.join(command)}: exit {code}\n{tail}")
    return cost


def measured(
    command: Sequence[str], folder: Path, environment: Mapping[str, str], log: Path
) -> tuple[Cost, int]:
    """Run *command* in *folder*; return the cost of that process, and its exit code."""
    began = monotonic()
    with (
        open(log, "wb") as said,
        subprocess.Popen(
            command, cwd=folder, env=environment, stdout=said, stderr=subprocess.STDOUT
        ) as process,
    ):
        try:
            _, status, used = os.wait4(process.pid, 0)
        except BaseException:  # interrupted
            process.kill()
            raise
        process.returncode = os.waitstatus_to_exitcode(status)
    cost = Cost(used.ru_utime + used.ru_stime, monotonic() - began, used.ru_maxrss * _MAXRSS_UNIT)
    return cost, process.returncode


_MAXRSS_UNIT = 1 if sys.platform == "darwin" else 1024


def environment(**more: str) -> dict[str, str]:
    """Return the environment without our settings, and with *more*."""
    kept = {name: value for name, value in os.environ.items() if name not in _CONTRACT}
    return {**kept, **more}


def _lines(file: Path) -> int:
    if not file.exists():
        return 0
    with open(file, "rb") as content:
        return sum(1 for _ in content)
