"""Pages that always fail are read in parts, around the record that breaks them."""

from __future__ import annotations

from twisted.python.failure import Failure

from mplus_crawler.wire.retry import RetriesExhaustedError


def fails_on_record(failure: Failure) -> bool:
    """Whether the server responds, so that smaller pages may exclude the bad record."""
    return isinstance(failure.value, RetriesExhaustedError) and failure.value.on_record


def is_unreadable(failure: Failure) -> bool:
    """Whether the server responds, but the response cannot be parsed."""
    gave_up = failure.value
    return isinstance(gave_up, RetriesExhaustedError) and gave_up.unreadable


def halves(number: int, size: int) -> list[tuple[int, int]]:
    """Split page *number* of *size* rows; return (number, size) of its parts: 100, 50, 25, 5, 1."""
    smaller = max(part for part in range(1, size) if size % part == 0)
    first = (number - 1) * (size // smaller) + 1
    return [(first + part, smaller) for part in range(size // smaller)]
