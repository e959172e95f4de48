"""The options of a sandbox, under the names of the command's flags."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

from mplus_crawler.sandbox.facts.dmg import FACTS
from mplus_crawler.sandbox.facts.mplus import LIMIT

LOOPBACK = ("127.0.0.1", "::1")

_ROWS = {name: facts["rows"] for name, facts in FACTS["collection"].items()}
_CHOICES = {"host": LOOPBACK, "links": ("museum", "local"), "v1": ("missing", "gone", "live")}


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options of one sandbox; raises ValueError with a readable message."""

    host: str = LOOPBACK[0]
    port: int = 0
    objects: int = _ROWS["objects"]
    agents: int = _ROWS["agents"]
    exhibitions: int = _ROWS["exhibitions"]
    concepts: int = _ROWS["concepts"]
    seed: int = 1
    invalid: float = 1.0
    unlinked: float = 1.0
    twins: int = 0
    limits: str = "museum"
    window_scale: float = 1.0
    links: str = "museum"
    rights: float = 0.0
    v1: str = "missing"
    api_key: str = FACTS["private_key"]
    latency: float = 0.0
    faults: Sequence[str] = ()
    day: int = 0
    schema_changes: Sequence[str] = ()
    mplus_data: str = ""
    mplus_window: int = LIMIT["window"]
    mplus_cache: float = LIMIT["cache_seconds"]
    mplus_key: str = ""
    mplus_faults: Sequence[str] = ()

    def __post_init__(self) -> None:
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                raise ValueError(f"{name}: {getattr(self, name)!r} is not {' or '.join(choices)}")
        for name in (
            "port",
            "objects",
            "agents",
            "exhibitions",
            "concepts",
            "invalid",
            "unlinked",
            "twins",
            "rights",
            "latency",
            "day",
            "mplus_window",
            "mplus_cache",
        ):
            if not 0 <= getattr(self, name) < inf:
                raise ValueError(f"{name}: {getattr(self, name)} is not 0 or more")
        if self.port > 65_535:
            raise ValueError(f"port: {self.port} is above 65535")
