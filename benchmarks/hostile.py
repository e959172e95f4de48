"""Hostile inputs of fifteen kinds: how each crawl ends, its peak memory (Linux) and its time.

Exit code 1 if a crawl ends otherwise than it must.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic

from tests.conftest import Scrapy
from tests.hostile import Case
from tests.hostile_cases import CASES

# Run by each interpreter at its start: at its end it notes its peak of memory, in kB.
_HOOK = """\
import atexit, os

def note():
    with open("/proc/self/status") as status, open(os.environ["PEAKS"], "a") as peaks:
        peaks.writelines(line.split()[1] + "\\n" for line in status if line.startswith("VmHWM"))

def end(code, leave=os._exit):
    note()
    leave(code)

os._exit = end  # a crawl ends so
atexit.register(note)
"""


def main() -> int:
    """Run all cases and print a table."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    print("| kind | input | verdict | exit | peak MB | wall s |")
    print("| --- | --- | --- | --- | --- | --- |")
    failed = False
    for case in CASES:
        with TemporaryDirectory() as folder:
            verdict, code, memory, wall = run(case, Path(folder))
        is_right = (verdict, code) == (case.verdict, case.code)
        failed |= not is_right
        name = case.name if is_right else f"{case.name} (WRONG)"
        line = f"| {case.kind} | {name} | {verdict or 'refused'} | {code} "
        print(f"{line}| {memory:.0f} | {wall:.1f} |", flush=True)
    return int(failed)


def run(case: Case, folder: Path) -> tuple[str, int, float, float]:
    """Run *case* in *folder*; return verdict, exit code, peak memory in MB and seconds."""
    scrapy, peaks = Scrapy(folder, plain=True), folder / "peaks"
    if Path("/proc/self/status").exists():
        (folder / "hook").mkdir()
        (folder / "hook" / "sitecustomize.py").write_text(_HOOK)
        scrapy.environment |= {"PYTHONPATH": str(folder / "hook"), "PEAKS": str(peaks)}
    began = monotonic()
    crawl = case.run(scrapy)
    wall = monotonic() - began
    try:
        verdict = str(crawl.certificate["verdict"])
    except (OSError, ValueError):  # none was written
        verdict = ""
    noted = peaks.read_text().split() if peaks.exists() else []
    return verdict, crawl.code, max(map(int, noted), default=0) / 1024, wall


if __name__ == "__main__":
    sys.exit(main())
