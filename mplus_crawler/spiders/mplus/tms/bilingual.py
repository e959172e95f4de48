"""A record in English and Chinese, and the actual language of its texts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from mplus_crawler.records.text import line_breaks

Face = Mapping[str, Any]

_HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_LATIN = re.compile("[A-Za-z\u00c0-\u024f]")


@dataclass
class Bilingual:
    """One record: the same fields in English and in Chinese.

    If a record has no text in the requested language, the API returns the other one's, without
    a mark. So if *may_fall_back*, a text that is the same in both languages belongs to one of
    them: Chinese if it has any Chinese character, else English if it has any letter.
    The other language's column stays empty, and its name goes to *fallbacks*.
    """

    en: Face
    zh: Face
    may_fall_back: bool = True
    fallbacks: list[str] = field(default_factory=list)

    def texts(self, column: str, *path: str) -> dict[str, str | None]:
        """Return the columns ``{column}_en`` and ``{column}_zh`` of the field at *path*."""
        en, zh = (text(value) for value in self.values(*path))
        missing = self._missing(column, en, zh)
        return {
            f"{column}_en": None if missing == "en" else en,
            f"{column}_zh": None if missing == "zh" else zh,
        }

    def lists(self, column: str, *path: str) -> dict[str, list[str]]:
        """Return the same columns for a field that holds a list of texts."""
        en, zh = (texts(value) for value in self.values(*path))
        missing = self._missing(column, " ".join(en), " ".join(zh))
        return {
            f"{column}_en": [] if missing == "en" else en,
            f"{column}_zh": [] if missing == "zh" else zh,
        }

    def values(self, *path: str) -> tuple[Any, Any]:
        """Return the values at *path* in both languages; ``None`` if missing."""
        return at(self.en, *path), at(self.zh, *path)

    def entries(self, name: str) -> Iterator[Bilingual]:
        """Return the entries of the list *name*, each in both languages."""
        en, zh = (nodes(value) for value in self.values(name))
        if [node.get("id") for node in en] != [node.get("id") for node in zh]:
            zh = en
        for one, other in zip(en, zh, strict=True):
            yield Bilingual(one, other, self.may_fall_back, self.fallbacks)

    def _missing(self, column: str, en: str | None, zh: str | None) -> str:
        """Return the language without a text, ``en`` or ``zh``; empty if both have one."""
        if not self.may_fall_back or not en or en != zh:
            return ""
        missing = "en" if _HAN.search(en) else "zh" if _LATIN.search(en) else ""
        if missing and f"{column}_{missing}" not in self.fallbacks:
            self.fallbacks.append(f"{column}_{missing}")
        return missing


def at(face: Any, *path: str) -> Any:
    """Return the value at *path* below *face*; ``None`` if missing."""
    for name in path:
        face = face.get(name) if isinstance(face, dict) else None
    return face


def text(value: Any) -> str | None:
    """Return *value* if it is a text that is not blank, with plain line breaks."""
    if not isinstance(value, str) or not value or value.isspace():
        return None
    return value if value.isprintable() else line_breaks(value)


def texts(value: Any) -> list[str]:
    """Return the texts in the list *value*."""
    return [found for found in map(text, value) if found] if isinstance(value, list) else []


def nodes(value: Any) -> list[Face]:
    """Return the objects in the list *value*."""
    return [node for node in value if isinstance(node, dict)] if isinstance(value, list) else []


def whole(value: Any) -> int | None:
    """Return *value* if it is a whole number."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def identity(value: Any) -> str | None:
    """Return the id *value* as feeds write it."""
    number = whole(value)
    return None if number is None else str(number)
