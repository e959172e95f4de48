"""Pace below the limit: ``python -m benchmarks.pace``.

1. One process, 843 pages, 300 in 6 s, RATE_SHARE=1: the time between the first and the last
   request, compared with the minimum that the windows allow (two whole windows, then the rest at
   full speed, which a run without limits measures).
2. 300 ms latency, 85 pages: as many at a time as the policy allows, compared with one.
"""

from __future__ import annotations

import json
import subprocess
from typing import Any
from urllib.request import urlopen

from benchmarks.measure import NO_LIMITS, ROOT, SCRAPY, limits, museum, workplace

WINDOW = 6.0
REQUESTS = 300


def main() -> None:
    """Print both figures; exit 1 on a 429 or a lost record."""
    free, pages = seconds_of(museum(8_430), NO_LIMITS, "-a", "page_size=10")
    limited, _ = seconds_of(
        museum(8_430, "--limits", f"collections={REQUESTS}/{WINDOW:g}"),
        limits(REQUESTS, WINDOW),
        *("-a", "page_size=10", "-s", "RATE_SHARE=1"),
    )
    whole = (pages - 1) // REQUESTS
    dictated = whole * WINDOW + free * (pages - whole * REQUESTS) / pages
    print(
        f"{pages} requests, {REQUESTS} in {WINDOW:g} s: {limited:.2f} s, the windows allow "
        f"{dictated:.2f} s: {limited / dictated:.3f}"
    )
    slow = [
        seconds_of(museum(8_430, "--latency", "0.3"), NO_LIMITS, *given)[0]
        for given in (("-s", "LOOKAHEAD=1"), ())
    ]
    print(
        f"300 ms latency: one at a time {slow[0]:.2f} s, ahead {slow[1]:.2f} s: "
        f"{slow[1] / slow[0]:.2f}"
    )


def seconds_of(opened: Any, policy: str, *arguments: str) -> tuple[float, int]:
    """Return the seconds between the first and the last request, and the number of requests."""
    with opened as base_url, workplace(base_url, policy) as (_, settings):
        done = subprocess.run(
            [*SCRAPY, "crawl", "objects", *arguments],
            cwd=ROOT,
            env=settings,
            capture_output=True,
            text=True,
            check=False,
        )
        with urlopen(f"{base_url.removesuffix('v2/')}__stats") as response:
            tier = json.load(response)["tiers"]["collections"]
    if done.returncode or tier["too_many"]:
        raise SystemExit(f"exit {done.returncode}, {tier['too_many']} refused\n{done.stderr}")
    return tier["last"] - tier["first"], tier["requests"]


if __name__ == "__main__":
    main()
