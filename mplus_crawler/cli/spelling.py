"""Misspelt settings: names in ``-s`` or in the environment that are nearly ours."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence

from scrapy.settings import BaseSettings, default_settings
from scrapy.utils.project import get_project_settings

from mplus_crawler.errors import UsageError

_MAX_EDITS = 2
_PREFIX = 3  # letters that a variable of the environment must share with the right name


def check_spelling(given: Iterable[str], settings: BaseSettings) -> None:
    """Raise :class:`UsageError` for a name that is unknown and within two edits of one of ours.

    *given* are the ``NAME=VALUE`` settings of the command line. The environment belongs to
    other programs, too: there, a name must also begin like ours.
    """
    scrapys = {name for name in vars(default_settings) if name.isupper()}
    ours = sorted({*get_project_settings(), *_museums(settings.get("POLICY_DIR"))} - scrapys)
    for pair in given:
        name = pair.partition("=")[0].strip()
        if name not in (*ours, *scrapys):
            _refuse(name, ours, "-s")
    for name in os.environ:
        if name not in (*ours, *scrapys):
            _refuse(
                name,
                [own for own in ours if own[:_PREFIX] == name[:_PREFIX].upper()],
                "environment",
            )


def _refuse(name: str, ours: Sequence[str], where: str) -> None:
    if own := closest(name.upper(), ours):
        raise UsageError(f"unknown setting {name} ({where}); did you mean {own}?")


def closest(name: str, known: Iterable[str]) -> str | None:
    """Return the one of *known* that is most like *name*; ``None`` if none is within two edits."""
    distances = {one: edits(name, one) for one in known}
    near = min(distances, key=distances.__getitem__, default="")
    return near if near and distances[near] <= _MAX_EDITS else None


def _museums(overlay: str | None) -> Iterator[str]:
    """Yield the settings and variables that are named after museums."""
    from mplus_crawler.museum.policies.policy import base_settings
    from mplus_crawler.museum.policies.reading import key_names, policy_keys

    yield from key_names(overlay)
    for key in policy_keys(overlay):
        yield from base_settings(key)


def edits(one: str, other: str) -> int:
    """Return the Levenshtein distance: insertions, deletions and substitutions."""
    row = list(range(len(other) + 1))
    for place, letter in enumerate(one, 1):
        former, row = row, [place]
        for column, own in enumerate(other, 1):
            replaced = former[column - 1] + (letter != own)
            row.append(min(replaced, former[column] + 1, row[-1] + 1))
    return row[-1]
