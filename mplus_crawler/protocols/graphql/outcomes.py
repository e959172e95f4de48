"""What a question can bring."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Listed:
    """Ids that came, and how many the museum says there are."""

    ids: tuple[int, ...]
    total: int | None


@dataclass(frozen=True, slots=True)
class Fetched:
    """Ids of the records that came.

    *bare*: none of them has anything nested in it. *crowded*: so many have that some may be
    lost. *rich*: one that has, to be a witness.
    """

    ids: tuple[int, ...]
    bare: bool = False
    crowded: bool = False
    rich: int | None = None


@dataclass(frozen=True, slots=True)
class Broken:
    """A record in it has broken the answer, with these words."""

    reason: str


@dataclass(frozen=True, slots=True)
class Wrong:
    """Nothing came, or not what was asked for."""

    reason: str


Outcome = Listed | Fetched | Broken | Wrong
