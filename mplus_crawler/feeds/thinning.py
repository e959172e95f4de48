"""Columns that have lost values against the former snapshot.

While a museum's storage fails, its records may come without images, media or relations, and
nothing in the responses says so.
"""

from __future__ import annotations

from collections.abc import Mapping

# A column is thinned if it has lost more than this share of its values, and at least so many.
_SHARE, _LEAST = 0.05, 10


def thinned(former: Mapping[str, int], now: Mapping[str, int]) -> dict[str, int]:
    """Return the columns that have lost values, and how many; both count values by column.

    Values that are gone because there are fewer records do not count; the values of ``id`` count
    the records. A column that *now* lacks was dropped from the schema.
    """
    records = former.get("id", 0)
    share = min(1.0, now.get("id", 0) / records) if records else 1.0
    expected = {name: round(share * values) for name, values in former.items() if name in now}
    lost = {name: values - now[name] for name, values in expected.items()}
    return {
        name: fewer
        for name, fewer in lost.items()
        if fewer >= _LEAST and fewer > _SHARE * expected[name]
    }


def report(former: Mapping[str, int], now: Mapping[str, int]) -> str:
    """Return the thinned columns in words; empty if there are none."""
    columns = [
        f"{name} ({former[name]:,} before, {now[name]:,} now)" for name in thinned(former, now)
    ]
    if not columns:
        return ""
    return f"fewer values than in the snapshot before: {', '.join(columns)}"
