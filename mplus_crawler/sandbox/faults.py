"""Faults on demand: how a spec is parsed, and when a fault strikes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from math import inf
from random import Random
from typing import Any

Reader = Callable[[str], Any]
# How an option is parsed, and its default (... if it is required).
Option = tuple[Reader, Any]
Kinds = Mapping[str, Mapping[str, Option]]


def one_of(known: Collection[str]) -> Callable[[str], str]:
    """Return a reader that accepts one of the words *known*."""

    def read(text: str) -> str:
        if text not in known:
            raise ValueError(text)
        return text

    return read


def positive(text: str) -> int:
    """Read a positive number."""
    if int(text) < 1:
        raise ValueError(text)
    return int(text)


def _times(text: str) -> float:
    return inf if text == "always" else int(text)


def _flag(text: str) -> bool:
    return bool(int(text))


def status_code(text: str) -> HTTPStatus:
    """Read an HTTP status code."""
    return HTTPStatus(int(text))


# When a fault strikes, counted over the requests that it selects.
_SCHEDULE: Mapping[str, Reader] = {
    "nth": positive,
    "every": positive,
    "rate": float,
    "times": _times,
}

# Wrong responses of any web server, and what may happen to a response on the network.
STATUS: Kinds = {
    "status": {
        "code": (status_code, HTTPStatus.INTERNAL_SERVER_ERROR),
        "html": (_flag, False),
        "retry_after": (int, None),
    },
    "html": {},
}
WIRE: Kinds = {
    "truncate": {"clean": (_flag, False)},
    "reset": {"when": (one_of(("before", "after")), "before")},
    "hang": {"seconds": (float, 3600.0)},
    "slow": {"seconds": (float, 1.0)},
    "latency": {"seconds": (float, 0.1)},
}


@dataclass(slots=True)
class Fault:
    """One fault: its kind, its options, and the requests that it selects."""

    kind: str
    selectors: Mapping[str, Any]
    options: Mapping[str, Any]
    dice: Random
    seen: int = field(default=0)
    fired: int = field(default=0)

    def strikes(self) -> bool:
        """Count a selected request; return whether the fault strikes it."""
        self.seen += 1
        if self.fired >= self.selectors["times"] or self.seen < self.selectors["nth"]:
            return False
        if self.seen % self.selectors["every"]:
            return False
        if self.dice.random() >= self.selectors["rate"]:
            return False
        self.fired += 1
        return True


Due = Sequence[Fault]


def delay(due: Due) -> float:
    """Return the seconds by which these faults delay a response."""
    return sum((fault.options["seconds"] for fault in due if fault.kind == "latency"), 0.0)


@dataclass(frozen=True)
class Dialect:
    """The faults of a museum: kinds, selectors, and each kind's default selectors.

    With another *word* and *schedule*, it describes something other than faults.
    """

    kinds: Kinds
    selectors: Mapping[str, Reader]
    usual: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    schedule: Mapping[str, Reader] = field(default_factory=lambda: _SCHEDULE)
    word: str = "fault"

    def read_all(self, specs: Iterable[str], seed: int, first: int) -> list[Fault]:
        """Read all specs; *first* is the number of faults read before them."""
        return [
            self.read(spec, Random(f"{seed}:{number}:{spec}"))
            for number, spec in enumerate(specs, first)
        ]

    def read(self, spec: str, dice: Random) -> Fault:
        """Read ``kind[:key=value,…]``; raises ValueError with a readable message."""
        kind, _, rest = spec.partition(":")
        if kind not in self.kinds:
            raise ValueError(f"{self.word}: {kind!r} is not one of {', '.join(self.kinds)}")
        known = self.kinds[kind]
        readers = {
            **self.selectors,
            **self.schedule,
            **{name: read for name, (read, _) in known.items()},
        }
        given = dict(self._option(kind, part, readers) for part in rest.split(",") if part)
        options = {name: given.pop(name, default) for name, (_, default) in known.items()}
        if missing := [name for name, value in options.items() if value is ...]:
            raise ValueError(f"{self.word}: {kind} needs {missing[0]}=")
        usual = _usual_schedule(kind, given)
        selectors = {**usual, **self.usual.get(kind, {}), **given}
        return Fault(kind, selectors, options, dice)

    def _option(self, kind: str, part: str, readers: Mapping[str, Reader]) -> tuple[str, Any]:
        name, _, text = part.partition("=")
        try:
            return name, readers[name](text)
        except (KeyError, ValueError):
            known = ", ".join(readers)
            raise ValueError(
                f"{self.word}: {kind} does not accept {part!r}; its options are {known}"
            ) from None


def _usual_schedule(kind: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the default schedule: once, or always where a share of requests is given."""
    repeated = kind == "latency" or given.keys() & {"every", "rate"}
    return {"times": inf if repeated else 1, "nth": 1, "every": 1, "rate": 1}
