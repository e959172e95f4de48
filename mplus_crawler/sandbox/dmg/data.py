"""The rows of the museum's tables, generated from a seed when they are needed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from random import Random
from typing import Any, TypeVar
from zlib import crc32

from mplus_crawler.sandbox.dmg.listing import Listing
from mplus_crawler.sandbox.dmg.names import (
    AgentNumbers,
    ExhibitionNumbers,
    ObjectNumbers,
    agent_name,
    agent_type,
    concept_labels,
    concept_number,
    exhibition_titles,
)
from mplus_crawler.sandbox.facts.dmg import FACTS, WORDS
from mplus_crawler.sandbox.options import Options

T = TypeVar("T")

LANGUAGES = ("NLD", "FRA", "ENG")

# Enough for a harvest of the museum's own size; larger collections are rendered again in passing.
ROWS_KEPT = 12_000

_FIRST_HARVEST = datetime(2026, 2, 1, tzinfo=UTC)
_HARVEST_SECONDS = 150 * 86_400
LAST_HARVEST = _FIRST_HARVEST + timedelta(seconds=_HARVEST_SECONDS)  # before day 1
_COLOURS = tuple(WORDS["palette"])
_NATIONALITIES = tuple(WORDS["nationalities"])
_FATES = ("removed", "unhealthy", "unresolved")


@dataclass(frozen=True, slots=True)
class Row:
    """The columns of any table, beside the stored JSON-LD."""

    key: int
    pid: str
    modified: datetime | None
    titles: Mapping[str, str]


R = TypeVar("R", bound=Row)


@dataclass(frozen=True, slots=True)
class ObjectRow(Row):
    """A row of the object table: the columns that filters, sorting and indexes use."""

    types: tuple[str, ...]
    materials: tuple[str, ...]
    makers: tuple[int, ...]
    years: tuple[int, int] | None
    images: int
    manifest: bool
    palette: tuple[tuple[str, float], ...]
    parts: int
    on_display: bool | None

    @property
    def set_number(self) -> str | None:
        """Return the number of the set that this object belongs to, taken from its own number."""
        whole, _, part = self.pid.rpartition("_")
        return whole if part in ("1-3", "2-3", "1-5") else None

    @property
    def is_koepel(self) -> bool:
        """Return whether the row is a whole set rather than one object."""
        return "_0-" in self.pid

    def base_shares(self) -> dict[str, float]:
        """Return the share of each base colour in the first image, in per cent."""
        shares: dict[str, float] = {}
        for name, share in self.palette:
            base = WORDS["palette"][name][0]
            shares[base] = round(shares.get(base, 0) + share, 2)
        return shares


@dataclass(frozen=True, slots=True)
class AgentRow(Row):
    """A row of the agent table."""

    type: str
    nationality: str | None
    roles: tuple[str, ...]
    has_bio: bool
    bios: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many rows each public collection lists."""

    objects: int
    agents: int
    exhibitions: int
    concepts: int


class Collection:
    """All tables of one invented museum."""

    def __init__(self, sizes: Sizes, options: Options) -> None:
        self.sizes = sizes
        self.seed = seed = options.seed
        self.rights = options.rights
        self.base = ""  # where images are, if not at the museum's own hosts
        self.changes: dict[tuple[str, int], list[Callable[[Any], Row]]] = {}  # since day 0
        self.listings = _listings(sizes, seed)
        for name, listing in self.listings.items():
            dice = Random(f"{seed}:{name}")
            listing.make_odd(FACTS["collection"][name], dice, options.invalid, options.unlinked)
        self.listings["exhibitions"].make_twins(options.twins)
        self.object = self._kept("object", self._object)
        self.agent = self._kept("agent", self._agent)
        self.exhibition = self._kept("exhibition", self._exhibition)
        self.concept = self._kept("concept", self._concept)

    def row(self, kind: str, key: int) -> Row:
        """Return a row of any kind."""
        match kind:
            case "object":
                return self.object(key)
            case "agent":
                return self.agent(key)
            case "exhibition":
                return self.exhibition(key)
        return self.concept(key)

    def _kept(self, kind: str, make: Callable[[int], R]) -> Callable[[int], R]:
        """Return a function that makes rows, changes them, and keeps the last ones."""

        def made(key: int) -> R:
            row: Any = make(key)
            for change in self.changes.get((kind, key), ()):
                row = change(row)
            return row  # type: ignore[no-any-return]  # a change keeps the type

        return lru_cache(ROWS_KEPT)(made)

    def random(self, what: str, key: int) -> Random:
        """Return the random numbers of one row, the same whenever the row is generated."""
        return Random(crc32(what.encode()) * 1_000_003 + key * 7_919 + self.seed)

    def fate(self, key: int) -> str | None:
        """Return why an object is not listed (removed, unhealthy or unresolved), or None."""
        numbered, listed = self.listings["objects"].numbered, self.sizes.objects
        if key >= numbered or -(-key * listed // numbered) * numbered // listed == key:
            return None
        return _FATES[crc32(b"%d" % key) % len(_FATES)]

    def _object(self, key: int) -> ObjectRow:
        dice = self.random("object", key)
        types = some(dice, WORDS["types"], (1, 1, 1, 2))
        begin = dice.randint(1820, 2020)
        images = dice.choice((0, 1, 1, 1, 1, 2, 3))
        return ObjectRow(
            key,
            self.listings["objects"].pid(key),
            _modified(dice),
            _object_titles(dice, types[0]),
            types=types,
            materials=some(dice, WORDS["materials"], (0, 1, 1, 2, 2)),
            makers=some(dice, range(self.sizes.agents), (0, 1, 1, 1, 2)),
            years=None if dice.random() < 0.06 else (begin, begin + dice.randint(0, 12)),
            images=images,
            manifest=images > 0 or dice.random() < 0.1,
            palette=_palette(dice) if images and dice.random() < 0.85 else (),
            parts=dice.choice((0, 0, 0, 0, 0, 2, 3)),
            on_display=dice.choice((False,) * 16 + (True, None)),
        )

    def _agent(self, key: int) -> AgentRow:
        dice = self.random("agent", key)
        return AgentRow(
            key,
            self.listings["agents"].pid(key),
            _modified(dice),
            {} if key % 401 == 200 else {"NLD": agent_name(key)},
            type=agent_type(key),
            nationality=None if dice.random() < 0.2 else dice.choice(_NATIONALITIES),
            roles=some(dice, WORDS["roles"], (0, 1, 1, 2)),
            has_bio=dice.random() < 0.95,
            bios=some(dice, LANGUAGES, (0, 0, 0, 0, 0, 1, 2, 3)),
        )

    def _exhibition(self, key: int) -> Row:
        titles = {} if key % 97 == 48 else exhibition_titles(key)
        modified = _modified(self.random("exhibition", key))
        return Row(key, self.listings["exhibitions"].pid(key), modified, titles)

    def _concept(self, key: int) -> Row:
        titles = {} if key % 503 == 250 else concept_labels(key)
        modified = _modified(self.random("concept", key))
        return Row(key, self.listings["concepts"].pid(key), modified, titles)


def some(dice: Random, pool: Sequence[T], counts: Sequence[int]) -> tuple[T, ...]:
    """Return different items of *pool*; *counts* lists the possible numbers of items."""
    return tuple(dice.sample(pool, min(dice.choice(counts), len(pool))))


def _listings(sizes: Sizes, seed: int) -> dict[str, Listing]:
    """Return the collections; the public objects are a part of the private ones."""
    numbered = max(sizes.objects, round(sizes.objects * FACTS["private_share"]))
    listed = [rank * numbered // sizes.objects for rank in range(sizes.objects)]
    number, everything = ObjectNumbers(numbered, seed), list(range(numbered))
    agents, exhibitions = AgentNumbers(sizes.agents), ExhibitionNumbers(sizes.exhibitions)
    listings = {
        "objects": Listing("object", listed, number, numbered),
        "agents": Listing("agent", list(range(sizes.agents)), agents, sizes.agents),
        "exhibitions": Listing(
            "exhibition", list(range(sizes.exhibitions)), exhibitions, sizes.exhibitions
        ),
        "concepts": Listing("concept", list(range(sizes.concepts)), concept_number, sizes.concepts),
        "private_objects": Listing("object", everything, number, numbered),
    }
    for name in ("inserted", "renumbered", "former"):
        setattr(listings["private_objects"], name, getattr(listings["objects"], name))
    return listings


def _object_titles(dice: Random, kind: str) -> dict[str, str]:
    die = dice.random()
    if die < 0.004:
        return {}
    if die < 0.012:
        return {"NLD": "unknown"}
    if die < 0.020:
        return {"NLD": dice.choice(WORDS["traps"])}
    titles = {"NLD": f"{dice.choice(WORDS['adjectives'])} {kind}"}
    if dice.random() < 0.4:
        titles["FRA"] = f"Objet : {kind}"
    if dice.random() < 0.3:
        titles["ENG"] = f"{kind} (en)"
    return titles


def _palette(dice: Random) -> tuple[tuple[str, float], ...]:
    names = some(dice, _COLOURS, (2, 3, 3, 4))
    weights = sorted((dice.randint(5, 50) for _ in names), reverse=True)
    return tuple((n, round(100 * w / sum(weights), 2)) for n, w in zip(names, weights, strict=True))


def _modified(dice: Random) -> datetime | None:
    """Return when the museum last harvested the row; a few rows have no date."""
    seconds = dice.randrange(_HARVEST_SECONDS)
    return _FIRST_HARVEST + timedelta(seconds=seconds) if dice.random() > 0.005 else None
