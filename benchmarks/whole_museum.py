"""A whole museum at once: ``python -m benchmarks.whole_museum``.

``scrapy harvest dmg`` on a museum of the real one's size, with its limits and 100 ms latency:
the time between the first and the last request, compared with the longest collection read page
by page (all requests fit into one window of the budget).
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Any
from urllib.request import urlopen

from benchmarks.measure import ROOT, SCRAPY, environment, museum

LATENCY = 0.1
SPIDERS = ("objects", "agents", "exhibitions", "concepts")


def main() -> None:
    """Print the figures; exit 1 on a 429 or an incomplete harvest."""
    with (
        museum(8_430, "--latency", f"{LATENCY}") as base_url,
        TemporaryDirectory(prefix="whole") as folder,
    ):
        began = monotonic()
        done = subprocess.run(
            [*SCRAPY, "harvest", "dmg"],
            cwd=ROOT,
            env=environment(DMG_BASE_URL=base_url, HARVEST_DIR=folder, XDG_STATE_HOME=folder),
            capture_output=True,
            text=True,
            check=False,
        )
        wall = monotonic() - began
        if done.returncode:
            raise SystemExit(done.stderr)
        counted = json.loads(urlopen(base_url.replace("/v2/", "/__stats")).read())
        tier = counted["tiers"]["collections"]
        longest = max(_pages(Path(folder, f"{name}.certificate.json")) for name in SPIDERS)
    if tier["too_many"]:
        raise SystemExit(f"{tier['too_many']} requests were refused")
    took, dictated = tier["last"] - tier["first"], longest * LATENCY
    print(
        f"{tier['requests']} requests, {tier['peak_in_flight']} at once at most, no 429: "
        f"{took:.1f} s ({wall:.1f} s with start and end) where {longest} pages in a row dictate "
        f"{dictated:.1f} s: {took / dictated:.2f} ({wall / dictated:.2f})"
    )


def _pages(certificate: Path) -> int:
    document: dict[str, Any] = json.loads(certificate.read_text())
    return int(document["pages"]["fetched"])


if __name__ == "__main__":
    main()
