"""Peers and this tool against one server: ``python -m benchmarks.peers [--quick] [--runs N]``.

Each run has a fresh museum; runs of the tools alternate, so that other load affects all of them.
Peers are installed in separate environments, in ``--environments``, which are kept. A table is
printed for each scenario, and in the end the table of docs/comparison.md.
"""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path

import platformdirs

from benchmarks.peers.environments import PACKAGES, python_of
from benchmarks.peers.runs import NARROW, PEERS, WIDE, Outcome, Scenario, run, size
from benchmarks.peers.tables import summary, table

# Pages fail, each once or twice.
_FAILURES = (
    *("--fault", "status:code=500,path=objects,every=13,times=2"),
    *("--fault", "reset:path=objects,every=17,times=2"),
    *("--fault", "truncate:path=objects,every=29,times=1"),
)
# Pages are short, empty or HTML, as if nothing were wrong.
_SHORT = (
    *("--fault", "short:path=objects,every=11,times=2"),
    *("--fault", "empty_page:path=objects,every=19,times=1"),
    *("--fault", "html:path=objects,every=31,times=1"),
)
_SLOW = ("--latency", "0.3")


def scenarios(quick: bool) -> list[Scenario]:
    """Return what is harvested, in the order of the tables."""
    museum = 4_000 if quick else 8_430
    slow = 2_000 if quick else 8_430
    return [
        Scenario("clean", 10_000 if quick else 60_000, colors=True),
        Scenario("limited", 3_700 if quick else 8_430, 10, limit=(300, 6.0)),
        Scenario("latency", slow, options=_SLOW, peers=WIDE),
        Scenario("latency, one by one", slow, options=_SLOW, peers=NARROW, runs=1),
        Scenario("failures", museum, options=_FAILURES, runs=2),
        Scenario("short", museum, options=_SHORT, runs=2),
        Scenario("kill", museum, options=("--latency", "0.05"), kill=2.5, runs=2),
    ]


def main() -> None:
    """Print a table for each scenario, and one of all."""
    parser = ArgumentParser(prog="python -m benchmarks.peers", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one run each, smaller museums")
    parser.add_argument("--runs", type=int, default=1, help="of each tool; default: %(default)s")
    parser.add_argument("--scenario", action="append", help="only this one (repeatable)")
    parser.add_argument("--peer", action="append", choices=PEERS, help="only this one (repeatable)")
    kept = Path(platformdirs.user_cache_dir("mplus_crawler")) / "peers"
    parser.add_argument("--environments", type=Path, default=kept, help="default: %(default)s")
    options = parser.parse_args()
    chosen = [
        one
        for one in scenarios(options.quick)
        if not options.scenario or one.name in options.scenario
    ]
    if not chosen:
        parser.error(f"scenarios are {', '.join(one.name for one in scenarios(options.quick))}")
    for name in PACKAGES:  # no run waits for an installation
        python_of(name, options.environments)
    found: dict[str, dict[str, list[Outcome]]] = {}
    for scenario in chosen:
        peers = [peer for peer in scenario.peers if not options.peer or peer in options.peer]
        outcomes: dict[str, list[Outcome]] = {peer: [] for peer in peers}
        for _ in range(min(options.runs, scenario.runs)):
            for peer in peers:
                outcomes[peer].append(run(peer, scenario, options.environments))
        if peers:
            found[scenario.name] = outcomes
            print(table(scenario, size(scenario), outcomes), flush=True)
    print(summary(found))


if __name__ == "__main__":
    main()
