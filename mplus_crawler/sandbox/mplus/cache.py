"""The server's cache of the backend's results, failures included."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from time import monotonic
from typing import Any


class Cache:
    """Keeps results for some seconds, for all users and all indexes alike."""

    def __init__(self, seconds: float, clock: Callable[[], float] = monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._kept: dict[Hashable, tuple[float, int, Any]] = {}

    def get(self, key: Hashable, call: int) -> tuple[Any] | None:
        """The cached result as a tuple of one; None if there is none.

        The roots of one call run at the same time, so none sees the result of another.
        """
        at, by, value = self._kept.get(key, (0.0, call, None))
        if by == call or self._clock() - at >= self._seconds:
            return None
        return (value,)

    def put(self, key: Hashable, call: int, value: Any) -> None:
        """Cache a result of this call."""
        self._kept[key] = (self._clock(), call, value)

    def clear(self) -> None:
        """Empty the cache, as a restart of the server does."""
        self._kept.clear()
