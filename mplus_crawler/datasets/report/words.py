"""Words of the report: numbers, days and sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

# A certificate's counts of changes, in the order in which people want to know them.
_CHANGES = {
    "create": "new",
    "update": "changed",
    "restore": "back again",
    "move": "moved to another address",
    "missing": "missing",
    "delete": "gone",
}


def day(moment: str) -> str:
    """Return the day of *moment* (ISO 8601), such as ``5 March 2026``."""
    found = date.fromisoformat(moment[:10])
    return f"{found.day} {found:%B %Y}"


def listed(parts: Sequence[str]) -> str:
    """Return *parts* as a list in a sentence: ``a, b and c``."""
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def share(count: int, of: int) -> str:
    """Return *count* in per cent; ``0 %`` and ``100 %`` mean none and all."""
    if not of or count in (0, of):
        return "100 %" if of and count else "0 %"
    percent = 100 * count / of
    return "under 1 %" if percent < 1 else "over 99 %" if percent > 99 else f"{percent:.0f} %"


def changed(certificate: Mapping[str, Any]) -> str:
    """Say what changed since the snapshot before, by the counts in *certificate*."""
    if not certificate.get("former"):
        return "first snapshot"
    counts = certificate.get("changes") or {}
    parts = [f"{counts[name]:,} {word}" for name, word in _CHANGES.items() if counts.get(name)]
    return listed(parts) if parts else "no change"


def verdict(certificate: Mapping[str, Any]) -> str:
    """Say what *certificate* proves."""
    if certificate["verdict"] == "complete":
        return "complete"
    return "complete; the museum changed while it was read"
