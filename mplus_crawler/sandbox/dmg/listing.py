"""The order of a collection: its listed rows, their numbers, and the odd ones among them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from random import Random


@dataclass
class Listing:
    """One collection's rows by key, sorted by number; a key may have a number and not be listed.

    ``gone`` are removed rows that the museum says are gone; ``former`` numbers redirect to rows.
    """

    kind: str
    keys: list[int]
    number: Callable[[int], str]
    numbered: int
    invalid: dict[int, int] = field(default_factory=dict)
    bare: set[int] = field(default_factory=set)
    merged: dict[int, int] = field(default_factory=dict)
    poison: set[int] = field(default_factory=set)
    inserted: dict[int, str] = field(default_factory=dict)
    twins: dict[int, str] = field(default_factory=dict)
    deleted: set[int] = field(default_factory=set)
    gone: set[int] = field(default_factory=set)
    renumbered: dict[int, str] = field(default_factory=dict)
    former: dict[str, int] = field(default_factory=dict)

    def pid(self, key: int) -> str:
        """Return the number of a row."""
        given = self.renumbered.get(key) or self.inserted.get(key) or self.twins.get(key)
        return given or self.number(key)

    def find(self, pid: str) -> int | None:
        """Return the row with this number, listed or not, unless it was deleted."""
        given = {number: key for key, number in (self.inserted | self.renumbered).items()}
        key = given.get(pid, bisect_left(range(self.numbered), pid, key=self.number))
        known = pid in given or (key < self.numbered and self.number(key) == pid)
        return key if known and pid not in self.former and key not in self.deleted else None

    def insert(self, at: int) -> None:
        """Insert a new row at a position, from 1."""
        at = min(max(at, 1), len(self.keys) + 1)
        self.keys.insert(at - 1, self.new_row(self.keys[at - 2] if at > 1 else None))

    def new_row(self, before: int | None) -> int:
        """Return the key of a new row, which is not listed yet; its number follows *before*'s."""
        key = self.numbered + len(self.inserted)
        number = "+" if before is None else self.pid(before)
        self.inserted[key] = f"{number}_new{len(self.inserted) + 1}"
        return key

    def delete(self, at: int) -> None:
        """Delete the row at a position, from 1."""
        if 0 < at <= len(self.keys):
            self.deleted.add(self.keys.pop(at - 1))

    def make_twins(self, count: int) -> None:
        """Give *count* rows the number of the row before them."""
        for first, second in zip(self.keys[::2], self.keys[1::2], strict=False):
            if len(self.twins) < count:
                self.twins[second] = self.number(first)

    def make_odd(
        self, facts: Mapping[str, float], dice: Random, invalid: float, unlinked: float
    ) -> None:
        """Choose the rows that are invalid, bare (their stored JSON-LD is null) or merged."""
        rows = len(self.keys)
        spoilt = facts["invalid"] * invalid
        shares = (
            spoilt * min(1, rows / facts["rows"]),
            rows * facts["bare"] * unlinked,
            rows * facts["merged"],
        )
        counts = [max(1, round(share)) if share else 0 for share in shares]
        odd = iter(dice.sample(self.keys, min(sum(counts), rows)))
        chosen = [set(islice(odd, count)) for count in counts]
        self.invalid = {key: variant for variant, key in enumerate(sorted(chosen[0]))}
        self.bare = chosen[1]
        whole = [key for key in self.keys if not any(key in keys for keys in chosen)]
        self.merged = {key: dice.choice(whole) for key in sorted(chosen[2]) if whole}
