"""The server's memory of what the backend said, failures included."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from time import monotonic
from typing import Any


class Cache:
    """Keeps what was found for some seconds, for all users and all indexes alike."""

    def __init__(self, seconds: float, clock: Callable[[], float] = monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._kept: dict[Hashable, tuple[float, int, Any]] = {}

    def get(self, key: Hashable, call: int) -> tuple[Any] | None:
        """What is kept, as a tuple of one; None if there is nothing.

        The roots of one call run at the same time, so that none sees what another has found.
        """
        at, by, value = self._kept.get(key, (0.0, call, None))
        if by == call or self._clock() - at >= self._seconds:
            return None
        return (value,)

    def put(self, key: Hashable, call: int, value: Any) -> None:
        """Keep what this call has found."""
        self._kept[key] = (self._clock(), call, value)

    def clear(self) -> None:
        """Forget everything, as a restart of the server does."""
        self._kept.clear()
