"""Numbers, names and titles of rows, derived from their keys."""

from __future__ import annotations

from zlib import crc32

from mplus_crawler.sandbox.facts.dmg import WORDS

# Beside plain numbers: whole sets, parts of sets, and what breaks careless URLs.
_SUFFIXES = ("/A", " A", "&B", "_50%", "(a)", " (1/2)", "_1-3", "_2-3", "_1-5", "_0-3")
_ONE_IN = len(_SUFFIXES) * 11

_TERMS: list[str] = WORDS["types"] + WORDS["materials"] + WORDS["techniques"]


class ObjectNumbers:
    """Object numbers by rank: ascending, unique, and as irregular as in a real inventory."""

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
            return f"DMG_T_{10 * (rank - dated):06d}_{colour}"
        if rank < boxed:
            return f"SB {rank - named + 1:05d}"
        return f"TUP-{rank - boxed + 1:05d}"

    def _dated(self, rank: int) -> str:
        year, number = 1950 + rank // self._a_year, rank % self._a_year + 1
        die = crc32(b"%d:%d" % (self._seed, rank)) % _ONE_IN
        suffix = _SUFFIXES[die] if die < len(_SUFFIXES) else ""
        return f"{year}-{number:0{self._width}d}{suffix}"


class AgentNumbers:
    """Agent numbers, wide enough to sort."""

    def __init__(self, rows: int) -> None:
        self._width = max(5, len(str(rows)))

    def __call__(self, key: int) -> str:
        return f"DMG-A-{key + 1:0{self._width}d}"


class ExhibitionNumbers:
    """Exhibition numbers: the year and a count within it."""

    def __init__(self, rows: int) -> None:
        self._a_year = max(1, -(-rows // 95))
        self._width = max(3, len(str(self._a_year)))

    def year(self, key: int) -> int:
        """Return the year of an exhibition."""
        return 1930 + key // self._a_year

    def __call__(self, key: int) -> str:
        return f"TE_{self.year(key)}-{key % self._a_year + 1:0{self._width}d}"


def concept_number(key: int) -> str:
    """Return the number of a concept."""
    return str(530_000_001 + 2 * key)


def concept_key(label: str) -> int:
    """Return the key of the concept of a type, material or technique."""
    return _TERMS.index(label)


def concept_labels(key: int) -> dict[str, str]:
    """Return a concept's labels; types, materials and techniques come first in the thesaurus."""
    if key < len(_TERMS):
        return {"NLD": _TERMS[key], "ENG": f"term {key + 1}"}
    return {"NLD": f"{_TERMS[key % len(_TERMS)]}, soort {key}"}


def agent_type(key: int) -> str:
    """Return whether an agent is a person, an organisation or of unknown type."""
    return ("individual", "individual", "individual", "organisation", "unknown")[key % 5]


def agent_name(key: int) -> str:
    """Return an agent's name, in its own record and in those of its objects."""
    forenames, surnames, houses = WORDS["forenames"], WORDS["surnames"], WORDS["houses"]
    surname = surnames[key * 7 % len(surnames)]
    if agent_type(key) == "organisation":
        return f"{houses[key % len(houses)]} {surname} {key + 1}"
    return f"{surname}, {forenames[key * 13 // 20 % len(forenames)]}"


def exhibition_titles(key: int) -> dict[str, str]:
    """Return an exhibition's titles."""
    subject = WORDS["types"][key * 11 % len(WORDS["types"])]
    dutch = f"{WORDS['adjectives'][key % len(WORDS['adjectives'])]} {subject} in design {key}"
    return {"NLD": dutch, "FRA": f"Exposition {key}"} if key % 3 else {"NLD": dutch}
