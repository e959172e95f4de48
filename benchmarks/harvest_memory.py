"""Peak memory of a small and a large harvest: ``python -m benchmarks.harvest_memory``."""

from __future__ import annotations

from argparse import ArgumentParser

from benchmarks.measure import Run, check, museum, ours


def main() -> None:
    """Harvest a museum of each size and print the cost."""
    parser = ArgumentParser(prog="python -m benchmarks.harvest_memory", description=__doc__)
    parser.add_argument("--small", type=int, default=8_430, help="default: %(default)s")
    parser.add_argument("--large", type=int, default=200_000, help="default: %(default)s")
    options = parser.parse_args()
    print(f"{'records':>10}{'rejected':>10}{'peak MB':>9}{'CPU s':>8}{'a 10,000':>10}{'wall s':>8}")
    small, large = (measure(records) for records in (options.small, options.large))
    print(f"peak, large / small: {large.cost.memory / small.cost.memory:.2f}")


def measure(records: int) -> Run:
    """Harvest *records* records and print a row."""
    with museum(records) as base_url:
        run = ours(base_url)
    cost = run.cost
    print(
        f"{run.records:10,}{run.rejected:10,}{cost.memory / 1e6:9.1f}{cost.cpu:8.2f}"
        f"{cost.cpu / run.records * 1e4:10.2f}{cost.wall:8.1f}",
        flush=True,
    )
    check(run, records)
    return run


if __name__ == "__main__":
    main()
