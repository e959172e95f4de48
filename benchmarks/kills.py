"""Random kills: ``python -m benchmarks.kills [--kills 200]``.

Kills harvests (SIGKILL) at random moments, publication included, and resumes each until it is
complete. The result must equal that of an uninterrupted run, and a kill may cost at most one
repeated request per page.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import subprocess
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.request import Request, urlopen

from benchmarks.measure import NO_LIMITS, ROOT, SCRAPY, environment, museum

OBJECTS, PAGE_SIZE, LATENCY = 1_000, 20, 0.02
ARGUMENTS = ("crawl", "objects", "-a", f"page_size={PAGE_SIZE}")


def main() -> None:
    """Run the kills and print the figures; exit 1 if anything was lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    dice, killed, harvests, worst = random.Random(options.seed), 0, 0, 0
    with museum(OBJECTS, "--latency", str(LATENCY)) as base_url:
        with TemporaryDirectory(prefix="whole") as folder:
            whole, took = harvest(Path(folder), base_url), time.monotonic()
            harvest(Path(folder, "again"), base_url)
            took = time.monotonic() - took
        while killed < options.kills:
            with TemporaryDirectory(prefix="kills") as folder:
                reset(base_url)
                kills, repeated = one(Path(folder), base_url, whole, dice, took)
            killed, harvests, worst = killed + kills, harvests + 1, max(worst, repeated)
            print(f"{killed} kills, {harvests} harvests, all whole", flush=True)
    print(
        f"{killed} kills in {harvests} harvests of {OBJECTS:,} records: nothing lost, nothing "
        f"twice; a page was requested at most {worst} times"
    )


def one(
    folder: Path, base_url: str, whole: list[str], dice: random.Random, took: float
) -> tuple[int, int]:
    """Run one harvest with its kills; return their number, and the most requests of a page."""
    kills = 0
    while not (folder / "objects.certificate.json").exists() and kills < 12:
        crawl = subprocess.Popen(
            [*SCRAPY, *ARGUMENTS],
            cwd=ROOT,
            env=settings(folder, base_url),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        # The publication is short: half of the kills fall towards the end.
        moment = dice.choice([dice.uniform(0.3, took), dice.uniform(0.8 * took, 1.1 * took)])
        try:
            crawl.wait(moment)
        except subprocess.TimeoutExpired:
            crawl.send_signal(signal.SIGKILL)
            crawl.wait()
            kills += 1
    lines = harvest(folder, base_url)
    if lines != whole:
        raise SystemExit(f"after {kills} kills the lines differ: {len(lines)} of {len(whole)}")
    times = asked(base_url)
    if (repeated := max(times.values())) > kills + 2:
        raise SystemExit(f"a page was requested {repeated} times after {kills} kills")
    return kills, repeated


def harvest(folder: Path, base_url: str) -> list[str]:
    """Return the lines of a harvest into *folder*, sorted, without retrieval times."""
    folder.mkdir(exist_ok=True)
    (folder / "dmg.toml").write_text(NO_LIMITS)
    done = subprocess.run(
        [*SCRAPY, *ARGUMENTS],
        cwd=ROOT,
        env=settings(folder, base_url),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"exit {done.returncode}\n{done.stderr}")
    lines = [json.loads(line) for line in (folder / "objects.jsonl").read_text().splitlines()]
    return sorted(json.dumps({**line, "retrieved_at": None}) for line in lines)


def settings(folder: Path, base_url: str) -> dict[str, str]:
    """Return the environment of a harvest into *folder*."""
    places = {"HARVEST_DIR": str(folder), "POLICY_DIR": str(folder), "XDG_STATE_HOME": str(folder)}
    folder.mkdir(exist_ok=True)
    (folder / "dmg.toml").write_text(NO_LIMITS)
    return environment(DMG_BASE_URL=base_url, **places)


def reset(base_url: str) -> None:
    """Reset the museum's counts."""
    with urlopen(Request(f"{base_url.removesuffix('v2/')}__reset", method="POST")):
        pass


def asked(base_url: str) -> dict[str, int]:
    """How often each page was asked for."""
    with urlopen(f"{base_url.removesuffix('v2/')}__stats?log=1") as answer:
        stats: dict[str, Any] = json.load(answer)
    times: dict[str, int] = {}
    for _, path, _ in stats["log"]:
        times[path] = times.get(path, 0) + 1
    return times


if __name__ == "__main__":
    main()
