"""The tables of the benchmark, in Markdown: medians of costs, and the worst counts of all runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from statistics import median

from benchmarks.peers.runs import PEERS, PLAIN, Outcome, Scenario

Outcomes = Mapping[str, list[Outcome]]


def table(scenario: Scenario, size: float, outcomes: Outcomes) -> str:
    """Return the table of one scenario, whose records have a *size* in kB."""
    costs = ("CPU s", "a 10,000", f"/ {PLAIN}", "wall s", "peak MB")
    head = ("", *costs, "missing", "twice", "429", "at once", "exit")
    lines = [
        f"\n{scenario.name}: {scenario.records:,} records of {size:.1f} kB, {scenario.rows} a page "
        f"({_date()}, {len(next(iter(outcomes.values())))} runs)\n",
        f"| {' | '.join(head)} |",
        f"| --- |{' ---: |' * (len(head) - 1)}",
    ]
    for peer, runs in outcomes.items():
        cells = (
            f"{_cpu(runs):.2f}",
            _per_10_000(runs),
            _ratio(runs, outcomes),
            f"{_wall(runs):.1f}",
            _memory(runs),
            f"{max(run.missing for run in runs):,}",
            f"{max(run.twice for run in runs):,}",
            f"{max(run.too_many for run in runs):,}",
            f"{max(run.in_flight for run in runs)}",
            ", ".join(str(code) for code in sorted({run.code for run in runs})),
        )
        lines.append(f"| {peer} | {' | '.join(cells)} |")
    return "\n".join(lines)


def summary(found: Mapping[str, Outcomes]) -> str:
    """Return the table of docs/comparison.md, with the columns that were measured."""
    clean = found.get("clean", {})
    columns: list[tuple[str, Callable[[list[Outcome]], str], tuple[str, ...]]] = [
        ("CPU s per 10,000 records", _per_10_000, ("clean",)),
        (f"/ {PLAIN}", lambda runs: _ratio(runs, clean), ("clean",)),
        ("memory, MB", _memory, ("clean",)),
        ("limited to 300 requests in 6 s", _limited, ("limited",)),
        ("latency of 300 ms, s", _seconds, ("latency", "latency, one by one")),
        ("requests fail: missing", _losses, ("failures",)),
        ("pages short, empty or HTML: missing", _losses, ("short",)),
        ("killed after 2.5 s, run again: missing, twice", _killed, ("kill",)),
    ]
    columns = [column for column in columns if any(name in found for name in column[2])]
    lines = [
        f"\n| | {' | '.join(head for head, _, _ in columns)} |",
        f"|---|{'---|' * len(columns)}",
    ]
    for peer in PEERS:
        measured = [
            [run for name in names for run in found.get(name, {}).get(peer, [])]
            for _, _, names in columns
        ]
        if any(measured):
            pairs = zip(columns, measured, strict=True)
            cells = [cell(runs) if runs else "" for (_, cell, _), runs in pairs]
            lines.append(f"| {peer} | {' | '.join(cells)} |")
    return "\n".join([*lines, f"\nMeasured on {_date()}."])


def _limited(runs: list[Outcome]) -> str:
    refused = max(run.too_many for run in runs)
    return f"{_seconds(runs)} s; {refused} refused (429); missing: {_losses(runs)}"


def _killed(runs: list[Outcome]) -> str:
    return f"{_losses(runs)}, {max(run.twice for run in runs):,}"


def _losses(runs: list[Outcome]) -> str:
    """Return the most records that were missing, and the exit code that came with them."""
    worst = max(runs, key=lambda run: run.missing)
    return f"{worst.missing:,} (exit code {worst.code})" if worst.missing else "0"


def _seconds(runs: list[Outcome]) -> str:
    return f"{_wall(runs):.1f}"


def _memory(runs: list[Outcome]) -> str:
    return f"{median(run.cost.memory for run in runs) / 1e6:.0f}"


def _per_10_000(runs: list[Outcome]) -> str:
    return f"{_cpu(runs) / runs[0].records * 1e4:.2f}"


def _ratio(runs: list[Outcome], outcomes: Outcomes) -> str:
    """Return the CPU of *runs* divided by plain Scrapy's in *outcomes*, if it was measured."""
    return f"{_cpu(runs) / _cpu(outcomes[PLAIN]):.2f}" if PLAIN in outcomes else ""


def _cpu(runs: list[Outcome]) -> float:
    return median(run.cost.cpu for run in runs)


def _wall(runs: list[Outcome]) -> float:
    return median(run.cost.wall for run in runs)


def _date() -> str:
    return str(datetime.now(UTC).date())
