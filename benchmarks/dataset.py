"""Time, memory and size of a package: ``python -m benchmarks.dataset [--records N…]``.

Each size is a harvest of the sandbox's objects; only making the package is measured.
It fails if that takes more than 300 MB, or a quarter more for more records.
"""

from __future__ import annotations

from argparse import ArgumentParser

from benchmarks.measure import ROOT, SCRAPY, museum, run_command, workplace

_SIZES = (13_412, 200_000)
_MOST = 300  # megabytes


def main() -> None:
    """Make a package of each size and print its cost; exit 1 if one takes too much memory."""
    parser = ArgumentParser(prog="python -m benchmarks.dataset", description=__doc__)
    parser.add_argument("--records", type=int, nargs="*", default=_SIZES, metavar="N")
    options = parser.parse_args()
    print(f"{'records':>10}{'CPU s':>8}{'wall s':>8}{'peak MB':>9}  files over 1 MB, in MB")
    peaks = [measure(records) for records in options.records]
    if max(peaks) > min(_MOST, 1.25 * min(peaks)):
        raise SystemExit("too much memory")


def measure(records: int) -> float:
    """Print a row for *records* objects; return the peak memory in MB."""
    with museum(records) as base_url, workplace(base_url) as (folder, settings):
        run_command([*SCRAPY, "crawl", "objects"], ROOT, settings, folder / "log")
        target = folder / "package"
        command = [*SCRAPY, "dataset", "dmg", "-o", str(target)]
        cost = run_command(command, ROOT, settings, folder / "log")
        sizes = {file.name: file.stat().st_size / 1e6 for file in sorted(target.iterdir())}
    large = ", ".join(f"{name} {size:.1f}" for name, size in sizes.items() if size > 1)
    peak = cost.memory / 1e6
    print(f"{records:10,}{cost.cpu:8.1f}{cost.wall:8.1f}{peak:9.0f}  {large}", flush=True)
    return peak


if __name__ == "__main__":
    main()
