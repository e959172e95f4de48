"""CPU time of a harvest, compared with plain Scrapy: ``python -m benchmarks.harvest_cpu``."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Sequence
from statistics import median

from benchmarks.measure import Run, check, first_page, museum, ours, plain, record_size

HARVESTERS = {"mplus_crawler": ours, "plain Scrapy": plain}


def main() -> None:
    """Harvest one museum with both, alternately, and print medians."""
    parser = ArgumentParser(prog="python -m benchmarks.harvest_cpu", description=__doc__)
    parser.add_argument("--records", type=int, default=30_000, help="default: %(default)s")
    parser.add_argument("--runs", type=int, default=3, help="of each; default: %(default)s")
    options = parser.parse_args()
    size, runs = measure(options.records, options.runs)
    print(f"\n{options.records:,} records of {size:.1f} kB; medians")
    print(table(runs, options.records))


def measure(records: int, times: int) -> tuple[float, dict[str, list[Run]]]:
    """Return the size of a record in kB, and the runs of each harvester.

    The runs alternate, so that other load affects both.
    """
    runs: dict[str, list[Run]] = {name: [] for name in HARVESTERS}
    with museum(records) as base_url:
        for number in range(1, times + 1):
            for name, harvest in HARVESTERS.items():
                run = harvest(base_url)
                runs[name].append(run)
                print(f"run {number}, {name}: {run.cost.cpu:.2f} CPU s", flush=True)
                check(run, records)
        return record_size(first_page(base_url)), runs


def table(runs: dict[str, list[Run]], records: int) -> str:
    """Return a row of medians for each harvester, and the ratio of their CPU times."""
    lines = [
        f"{'':14}{'CPU s':>8}{'a 10,000':>10}{'wall s':>8}{'peak MB':>9}"
        f"{'records':>10}{'rejected':>10}",
        *(_row(name, done, records) for name, done in runs.items()),
    ]
    first, second = (_cpu(done) for done in runs.values())
    return "\n".join([*lines, f"CPU, {' / '.join(runs)}: {first / second:.2f}"])


def _row(name: str, runs: Sequence[Run], records: int) -> str:
    wall = median(run.cost.wall for run in runs)
    memory = median(run.cost.memory for run in runs) / 1e6
    cpu = _cpu(runs)
    return (
        f"{name:14}{cpu:8.2f}{cpu / records * 1e4:10.2f}{wall:8.1f}{memory:9.0f}"
        f"{runs[0].records:10,}{runs[0].rejected:10,}"
    )


def _cpu(runs: Sequence[Run]) -> float:
    return median(run.cost.cpu for run in runs)


if __name__ == "__main__":
    main()
