"""False alarms: ``python -m benchmarks.clean [--runs 50]``.

Harvests a healthy museum repeatedly. Every certificate must be ``complete``, without notes,
problems, duplicates and failed pages.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.kills import harvest
from benchmarks.measure import museum


def main() -> None:
    """Run the harvests; exit 1 at the first alarm."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=50)
    options = parser.parse_args()
    with museum(1_000) as base_url:
        for run in range(1, options.runs + 1):
            with TemporaryDirectory(prefix="clean") as folder:
                harvest(Path(folder), base_url)
                certificate = json.loads(Path(folder, "objects.certificate.json").read_text())
            alarms = [certificate["notes"], certificate["problems"], certificate["vanished"]]
            alarms += [certificate["duplicates"], certificate["pages"]["failed"]]
            if certificate["verdict"] != "complete" or any(alarms):
                raise SystemExit(f"run {run}: {certificate['verdict']}, {alarms}")
    print(f"{options.runs} harvests, each complete, no alarm")


if __name__ == "__main__":
    main()
