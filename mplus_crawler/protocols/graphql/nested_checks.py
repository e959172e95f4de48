"""NestedChecks: records that are known to have others nested in them.

A record that comes without may have none, or the server has failed to look them up, for all
records of an answer at once: what a witness in the same answer has tells which.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import replace

from mplus_crawler.protocols.graphql.outcomes import Fetched
from mplus_crawler.protocols.graphql.questions import Fetch

_KNOWN = 8
# How often records are asked for again that come without what is nested in them; after so many
# pages in a row without any of it, they are taken as they come: later where a witness is known,
# since it is the server then that fails, for some seconds and many questions.
_MENDS = 6
_BARE = 12
_BARE_BESIDE_WITNESSES = 30


class NestedChecks:
    """The witnesses of one walk, and what is to be asked again beside them."""

    def __init__(self) -> None:
        self._ids: deque[int] = deque(maxlen=_KNOWN)
        self._bare = 0

    def __bool__(self) -> bool:
        """Whether any record is known to have something nested in it."""
        return bool(self._ids)

    def hear(self, outcome: Fetched) -> None:
        """Take up the witness in *outcome*, whose records are good to keep."""
        if outcome.rich is not None:
            self._bare = 0
            if outcome.rich not in self._ids:
                self._ids.appendleft(outcome.rich)

    def not_retryable(self, fetch: Fetch, outcome: Fetched) -> bool:
        """Whether *fetch*, of which *outcome* came, is not to be asked again."""
        self._bare += outcome.bare
        crowd_of_one = outcome.crowded and fetch.single
        patience = _BARE_BESIDE_WITNESSES if self._ids else _BARE
        return fetch.mends >= _MENDS or self._bare > patience or crowd_of_one

    def beside(self, fetch: Fetch) -> Iterator[Fetch]:
        """*fetch* in parts, each time beside another witness: the server's cache has the
        look-up that failed."""
        witness = self._ids[fetch.mends % len(self._ids)] if self._ids else None
        for part in [fetch] if fetch.single else fetch.parts(parts=2):
            yield replace(part.again(), witness=witness, mends=fetch.mends + 1)
