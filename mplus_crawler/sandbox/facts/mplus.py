"""What the sandbox knows of M+'s API, read from a data file."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from typing import Any

Json = dict[str, Any]

FACTS: Json = tomllib.loads((files(__package__) / "mplus.toml").read_text("utf-8"))
LIMIT: Json = FACTS["limit"]
MESSAGE: dict[str, str] = FACTS["message"]
LANGUAGES: tuple[str, str] = tuple(FACTS["languages"])
ENGLISH, CHINESE = LANGUAGES


def other(language: str) -> str:
    """The other of the two languages."""
    return CHINESE if language == ENGLISH else ENGLISH
