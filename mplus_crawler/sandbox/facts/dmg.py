"""What the sandbox knows of the museum, and the words of its records, read from data files."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from typing import Any

Json = dict[str, Any]


def _read(name: str) -> Json:
    return tomllib.loads((files(__package__) / name).read_text("utf-8"))


FACTS = _read("dmg.toml")
WORDS = _read("words.toml")

BASE: str = FACTS["base_url"]
URI: dict[str, str] = FACTS["uri"]


def context(*prefixes: str) -> Json:
    """A JSON-LD ``@context`` of these prefixes."""
    return {prefix: FACTS["namespace"][prefix] for prefix in prefixes}


def iri(kind: str, pid: str, base: str = BASE) -> str:
    """The ``@id`` of a record, with its number as it is: the museum doesn't encode it."""
    return f"{base}{FACTS['record'][kind][0]}/{pid}"
