"""The rows of the museum's tables: made up from a seed, the same every time, and only when asked."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from random import Random
from typing import TypeVar
from zlib import crc32

from mplus_crawler.sandbox.facts import FACTS, WORDS

T = TypeVar("T")

# Enough for a harvest of the museum's own size; larger collections are rendered again in passing.
ROWS_KEPT = 10_000

_FIRST_HARVEST = datetime(2026, 2, 1, tzinfo=UTC)
_HARVEST_SECONDS = 150 * 86_400
LANGUAGES = ("NLD", "FRA", "ENG")
_SUFFIXES = ("/A", " A", "&B", "_50%", "(a)", " (1/2)", "_1-3", "_2-3", "_1-5", "_0-3")


@dataclass(frozen=True, slots=True)
class Row:
    """What the tables say of any record beside its stored JSON-LD."""

    key: int
    pid: str
    modified: datetime | None
    titles: Mapping[str, str]


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
    def part_of(self) -> str | None:
        """The number of the set this object belongs to, if its own number says so."""
        found = re.fullmatch(r"(.+)_[1-9]\d*-\d+", self.pid)
        return found[1] if found else None

    @property
    def is_koepel(self) -> bool:
        """Whether the row stands for a whole set rather than for one object."""
        return re.search(r"_0-\d+$", self.pid) is not None


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


@dataclass
class Shelf:
    """One collection in the museum's order: keys of rows, sorted by PID, and which rows are odd."""

    kind: str
    keys: list[int]
    number: Callable[[int], str]
    numbered: int
    invalid: dict[int, int] = field(default_factory=dict)
    bare: set[int] = field(default_factory=set)
    merged: dict[int, int] = field(default_factory=dict)
    poison: set[int] = field(default_factory=set)
    inserted: dict[int, str] = field(default_factory=dict)
    deleted: set[int] = field(default_factory=set)

    def pid(self, key: int) -> str:
        """The number of a row."""
        return self.inserted.get(key) or self.number(key)

    def find(self, pid: str) -> int | None:
        """The row with this number, listed or not, unless it was deleted."""
        inserted = {number: key for key, number in self.inserted.items()}
        key = inserted.get(pid, bisect_left(range(self.numbered), pid, key=self.number))
        known = key in self.inserted or (key < self.numbered and self.number(key) == pid)
        return key if known and key not in self.deleted else None

    def insert(self, at: int) -> None:
        """Let a new row appear at a position, 1 being the first."""
        key = self.numbered + len(self.inserted)
        at = min(max(at, 1), len(self.keys) + 1)
        before = self.pid(self.keys[at - 2]) if at > 1 else ""
        self.inserted[key] = f"{before or '+'}_new{len(self.inserted) + 1}"
        self.keys.insert(at - 1, key)

    def delete(self, at: int) -> None:
        """Let the row at a position vanish, 1 being the first."""
        if 0 < at <= len(self.keys):
            self.deleted.add(self.keys.pop(at - 1))


class Collection:
    """Every table of one made-up museum."""

    def __init__(self, sizes: Sizes, seed: int, invalid: float) -> None:
        self.sizes = sizes
        self.seed = seed
        numbered = max(sizes.objects, round(sizes.objects * FACTS["private_share"]))
        listed = [rank * numbered // sizes.objects for rank in range(sizes.objects)]
        object_number = ObjectNumbers(numbered, seed)
        self.shelves = {
            "objects": Shelf("object", listed, object_number, numbered),
            "agents": self._shelf("agent", sizes.agents, self._agent_number),
            "exhibitions": self._shelf("exhibition", sizes.exhibitions, self._exhibition_number),
            "concepts": self._shelf("concept", sizes.concepts, concept_number),
            "private_objects": self._shelf("object", numbered, object_number),
        }
        self.shelves["private_objects"].inserted = self.shelves["objects"].inserted
        for name, shelf in self.shelves.items():
            _make_odd(shelf, FACTS["collection"][name], Random(f"{seed}:{name}"), invalid)
        self.object = lru_cache(ROWS_KEPT)(self._object)
        self.agent = lru_cache(ROWS_KEPT)(self._agent)
        self.exhibition = lru_cache(ROWS_KEPT)(self._exhibition)
        self.concept = lru_cache(ROWS_KEPT)(self._concept)

    @staticmethod
    def _shelf(kind: str, rows: int, number: Callable[[int], str]) -> Shelf:
        return Shelf(kind, list(range(rows)), number, rows)

    def random(self, kind: str, key: int) -> Random:
        """The dice of one row: the same throws whenever the row is made."""
        return Random(crc32(kind.encode()) * 1_000_003 + key * 7_919 + self.seed)

    def row(self, kind: str, key: int) -> Row:
        """A row of any kind."""
        makers: dict[str, Callable[[int], Row]] = {
            "object": self.object,
            "agent": self.agent,
            "exhibition": self.exhibition,
            "concept": self.concept,
        }
        return makers[kind](key)

    def fate(self, key: int) -> str | None:
        """Why an object isn't listed (``removed``, ``unhealthy``, ``unresolved``); None if it is."""
        numbered, rows = self.shelves["objects"].numbered, self.sizes.objects
        if key >= numbered or -(-key * rows // numbered) * numbered // rows == key:
            return None
        return ("removed", "unhealthy", "unresolved")[crc32(b"%d" % key) % 3]

    def _object(self, key: int) -> ObjectRow:
        dice = self.random("object", key)
        types = some(dice, WORDS["types"], (1, 1, 1, 2))
        begin = dice.randint(1820, 2020)
        images = dice.choice((0, 1, 1, 1, 1, 2, 3))
        palette = _palette(dice) if images and dice.random() < 0.85 else ()
        return ObjectRow(
            key,
            self.shelves["objects"].pid(key),
            _modified(dice),
            _object_titles(dice, types[0]),
            types=types,
            materials=some(dice, WORDS["materials"], (0, 1, 1, 2, 2)),
            makers=some(dice, range(self.sizes.agents), (0, 1, 1, 1, 2)),
            years=None if dice.random() < 0.06 else (begin, begin + dice.randint(0, 12)),
            images=images,
            manifest=images > 0 or dice.random() < 0.1,
            palette=palette,
            parts=dice.choice((0, 0, 0, 0, 0, 2, 3)),
            on_display=dice.choice((False,) * 16 + (True, None)),
        )

    def _agent(self, key: int) -> AgentRow:
        dice = self.random("agent", key)
        return AgentRow(
            key,
            self.shelves["agents"].pid(key),
            _modified(dice),
            {} if key % 400 == 399 else {"NLD": agent_name(key)},
            type=agent_type(key),
            nationality=None if dice.random() < 0.2 else dice.choice(list(WORDS["nationalities"])),
            roles=some(dice, WORDS["roles"], (0, 1, 1, 2)),
            has_bio=dice.random() < 0.95,
            bios=some(dice, LANGUAGES, (0, 0, 0, 0, 0, 1, 2, 3)),
        )

    def _exhibition(self, key: int) -> Row:
        dice = self.random("exhibition", key)
        titles = {} if key % 120 == 119 else exhibition_titles(key)
        return Row(key, self.shelves["exhibitions"].pid(key), _modified(dice), titles)

    def _concept(self, key: int) -> Row:
        dice = self.random("concept", key)
        titles = {} if key % 500 == 499 else concept_labels(key)
        return Row(key, self.shelves["concepts"].pid(key), _modified(dice), titles)

    def _agent_number(self, key: int) -> str:
        width = max(5, len(str(self.sizes.agents)))
        return f"DMG-A-{key + 1:0{width}d}"

    def _exhibition_number(self, key: int) -> str:
        a_year = -(-self.sizes.exhibitions // 95)
        return f"TE_{1930 + key // a_year}-{key % a_year + 1:03d}"


class ObjectNumbers:
    """Object numbers by rank: ascending, unique, and as irregular as a real inventory's."""

    def __init__(self, rows: int, seed: int) -> None:
        early = min(rows // 12, 249)
        named, boxed, tupper = rows // 60, rows // 40, rows // 100
        dated = rows - early - named - boxed - tupper
        self._a_year = max(1, -(-dated // 76))
        self._width = max(4, len(str(self._a_year)))
        self._ends = (early, early + dated, early + dated + named, rows - tupper)
        self._seed = seed

    def __call__(self, rank: int) -> str:
        early, dated, named, boxed = self._ends
        if rank < early:
            return f"{4 * (rank + 1):04d}"
        if rank < dated:
            return self._dated(rank - early)
        if rank < named:
            colour = WORDS["colours"][rank % len(WORDS["colours"])]
            return f"DMG_T_{10 * (rank - dated):05d}_{colour}"
        if rank < boxed:
            return f"SB {rank - named + 1:04d}"
        return f"TUP-{rank - boxed + 1:04d}"

    def _dated(self, rank: int) -> str:
        year, number = 1950 + rank // self._a_year, rank % self._a_year + 1
        die = crc32(b"%d:%d" % (self._seed, rank)) % 120
        suffix = _SUFFIXES[die] if die < len(_SUFFIXES) else ""
        return f"{year}-{number:0{self._width}d}{suffix}"


def agent_type(key: int) -> str:
    """Whether an agent is a person, an organisation or neither for sure."""
    return ("individual", "individual", "individual", "organisation", "unknown")[key % 5]


def agent_name(key: int) -> str:
    """The name an agent bears in its own record and in every object it made."""
    forenames, surnames, houses = WORDS["forenames"], WORDS["surnames"], WORDS["houses"]
    surname = surnames[key * 7 % len(surnames)]
    if agent_type(key) == "organisation":
        return f"{houses[key % len(houses)]} {surname} {key + 1}"
    return f"{surname}, {forenames[key * 13 // 20 % len(forenames)]}"


def concept_number(key: int) -> str:
    """The PID of a concept."""
    return str(530_000_001 + 2 * key)


def concept_labels(key: int) -> dict[str, str]:
    """A concept's labels: types, materials and techniques come first in the thesaurus."""
    terms = WORDS["types"] + WORDS["materials"] + WORDS["techniques"]
    if key < len(terms):
        return {"NLD": terms[key], "ENG": f"term {key + 1}"}
    return {"NLD": f"{terms[key % len(terms)]}, soort {key}"}


def concept_key(label: str) -> int:
    """The concept that stands for a type, material or technique."""
    terms: list[str] = WORDS["types"] + WORDS["materials"] + WORDS["techniques"]
    return terms.index(label)


def exhibition_titles(key: int) -> dict[str, str]:
    """An exhibition's titles."""
    subject = WORDS["types"][key * 11 % len(WORDS["types"])]
    dutch = f"{WORDS['adjectives'][key % len(WORDS['adjectives'])]} {subject} in design {key}"
    return {"NLD": dutch, "FRA": f"Exposition {key}"} if key % 3 else {"NLD": dutch}


def some(dice: Random, pool: Iterable[T], counts: Iterable[int]) -> tuple[T, ...]:
    """A few different things from a pool, as many as one of the counts says."""
    pool = pool if isinstance(pool, range) else list(pool)
    return tuple(dice.sample(pool, min(dice.choice(list(counts)), len(pool))))


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
    names = some(dice, WORDS["palette"], (2, 3, 3, 4))
    weights = sorted((dice.randint(5, 60) for _ in names), reverse=True)
    return tuple((n, round(100 * w / sum(weights), 2)) for n, w in zip(names, weights, strict=True))


def _modified(dice: Random) -> datetime | None:
    """When the museum last harvested the row; a few rows were never dated."""
    seconds = dice.randrange(_HARVEST_SECONDS)
    return _FIRST_HARVEST + timedelta(seconds=seconds) if dice.random() > 0.005 else None


def _make_odd(shelf: Shelf, facts: Mapping[str, float], dice: Random, invalid: float) -> None:
    rows = len(shelf.keys)
    spoilt = facts["invalid"] * invalid
    wanted = [
        max(1, round(spoilt * min(1, rows / facts["rows"]))) if spoilt else 0,
        max(1, round(rows * facts["bare"])) if facts["bare"] else 0,
        max(1, round(rows * facts["merged"])) if facts["merged"] else 0,
    ]
    odd = dice.sample(shelf.keys, min(sum(wanted), rows))
    spoilt_keys, odd = odd[: wanted[0]], odd[wanted[0] :]
    shelf.invalid = {key: variant for variant, key in enumerate(sorted(spoilt_keys))}
    shelf.bare = set(odd[: wanted[1]])
    merged = set(odd[wanted[1] :])
    whole = [key for key in dice.sample(shelf.keys, min(rows, 2 * len(odd) + 2)) if key not in odd]
    shelf.merged = {key: dice.choice(whole) for key in sorted(merged)} if whole else {}
