"""Peers and this tool against one server: ``python -m benchmarks.peers [--quick] [--runs N]``.

Each run has a fresh museum; runs of the tools alternate, so that other load affects all of them.
Peers are installed in separate environments, in ``--environments``, which are kept. The tables
are those of the README; figures are medians.
"""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import platformdirs

from benchmarks.peers.runs import OURS, PEERS, Outcome, Scenario, run

_NARROW = tuple(peer for peer in PEERS if peer != "loop, 8 threads")
# Pages fail hard, or come short or empty as if nothing were wrong; each once or twice.
_FAULTS = (
    *("--fault", "status:code=500,path=objects,every=13,times=2"),
    *("--fault", "reset:path=objects,every=17,times=2"),
    *("--fault", "truncate:path=objects,every=29,times=1"),
    *("--fault", "short:path=objects,every=11,times=2"),
    *("--fault", "empty_page:path=objects,every=19,times=1"),
)


def scenarios(quick: bool) -> list[Scenario]:
    """Return what is harvested, in the order of the tables."""
    museum = 4_000 if quick else 8_430
    return [
        Scenario("clean", 10_000 if quick else 60_000, peers=_NARROW),
        Scenario("limited", 3_700 if quick else 8_430, 10, limit=(300, 6.0), peers=_NARROW),
        Scenario("latency", 2_000 if quick else 8_430, options=("--latency", "0.3")),
        Scenario("faults", museum, options=_FAULTS, peers=_NARROW),
        Scenario("kill", museum, options=("--latency", "0.05"), kill=2.5, peers=_NARROW),
    ]


def main() -> None:
    """Print a table for each scenario."""
    parser = ArgumentParser(prog="python -m benchmarks.peers", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one run each, smaller museums")
    parser.add_argument("--runs", type=int, default=1, help="of each tool; default: %(default)s")
    parser.add_argument("--scenario", action="append", help="only this one (repeatable)")
    parser.add_argument("--peer", action="append", choices=PEERS, help="only this one (repeatable)")
    kept = Path(platformdirs.user_cache_dir("mplus_crawler")) / "peers"
    parser.add_argument("--environments", type=Path, default=kept, help="default: %(default)s")
    options = parser.parse_args()
    for scenario in scenarios(options.quick):
        if options.scenario and scenario.name not in options.scenario:
            continue
        peers = [peer for peer in scenario.peers if not options.peer or peer in options.peer]
        outcomes: dict[str, list[Outcome]] = {peer: [] for peer in peers}
        for _ in range(options.runs):
            for peer in peers:
                outcomes[peer].append(run(peer, scenario, options.environments))
        print(table(scenario, outcomes), flush=True)


def table(scenario: Scenario, outcomes: dict[str, list[Outcome]]) -> str:
    """Return the medians of a scenario as a Markdown table; counts are those of the worst run."""
    head = ("", "CPU s", "a 10,000", "wall s", "peak MB", "missing", "twice", "429", "at once")
    lines = [
        f"\n{scenario.name}: {scenario.records:,} records, {scenario.rows} a page "
        f"({datetime.now(UTC).date()}, {len(next(iter(outcomes.values())))} runs)\n",
        f"| {' | '.join((*head, 'exit'))} |",
        f"| --- |{' ---: |' * len(head)}",
    ]
    for peer, runs in outcomes.items():
        cpu = median(run.cost.cpu for run in runs)
        cells = (
            f"{cpu:.2f}",
            f"{cpu / scenario.records * 1e4:.2f}",
            f"{median(run.cost.wall for run in runs):.1f}",
            f"{median(run.cost.memory for run in runs) / 1e6:.0f}",
            f"{max(run.missing for run in runs):,}",
            f"{max(run.twice for run in runs):,}",
            f"{max(run.too_many for run in runs):,}",
            f"{max(run.in_flight for run in runs)}",
            ", ".join(str(code) for code in sorted({run.code for run in runs})),
        )
        lines.append(f"| {peer} | {' | '.join(cells)} |")
    if {OURS, "plain Scrapy"} <= outcomes.keys():
        ours, plain = (median(r.cost.cpu for r in outcomes[p]) for p in (OURS, "plain Scrapy"))
        lines.append(f"\nCPU, {OURS} / plain Scrapy: {ours / plain:.2f}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
