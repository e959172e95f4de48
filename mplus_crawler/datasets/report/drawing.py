"""Geometry of the report's plots, in units of an SVG ``viewBox``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT, AXIS, MARGIN = 960, 220, 28, 24
MOST_DECADES = 40
_BETWEEN_LABELS = 64


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of the timeline; *name* is its period, *mark* its label on the axis, if any."""

    name: str
    count: int
    x: float
    y: float
    width: float
    height: float
    mark: str | None

    @property
    def middle(self) -> float:
        """The horizontal centre of its label."""
        return round(self.x + self.width / 2, 2)


def periods(decades: Sequence[tuple[int, int]]) -> list[tuple[str, int]]:
    """Return a name and a count for each period; decades without records in between are kept.

    Of more than :data:`MOST_DECADES` decades, the earliest are one period.
    """
    last = decades[-1][0]
    first = max(decades[0][0], last - 10 * (MOST_DECADES - 2))
    counts = dict(decades)
    before = sum(count for decade, count in decades if decade < first)
    named = [(f"{decade}s", counts.get(decade, 0)) for decade in range(first, last + 10, 10)]
    return [(f"before {first}", before), *named] if before else named


def bars(found: Sequence[tuple[str, int]]) -> list[Bar]:
    """Return a bar for each period; the highest has the whole height."""
    highest = max(count for _, count in found)
    step = (WIDTH - 2 * MARGIN) / len(found)
    every = max(1, round(_BETWEEN_LABELS / step + 0.5))
    plot = HEIGHT - AXIS
    return [
        Bar(
            name,
            count,
            round(MARGIN + (index + 0.08) * step, 2),
            round(plot - plot * count / highest, 2),
            round(step * 0.84, 2),
            round(plot * count / highest, 2),
            name if (len(found) - 1 - index) % every == 0 else None,
        )
        for index, (name, count) in enumerate(found)
    ]


def length(count: int, longest: int, width: int = 200) -> float:
    """Return the length of a horizontal bar; anything but zero is visible."""
    return max(1.0, round(width * count / longest, 1)) if count else 0.0
