"""A record in two languages, and which of its texts are really in them."""

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
    """One record: its English and its Chinese face, with the same fields.

    Where it is *silent*, a face may hold the other's text without a mark, as the API's answers
    do: a text that is the same in both, and can only be one of the languages, is taken for
    that, and the other column's name goes to *fallbacks*.
    """

    en: Face
    zh: Face
    silent: bool = True
    fallbacks: list[str] = field(default_factory=list)

    def texts(self, column: str, *path: str) -> dict[str, str | None]:
        """The columns ``{column}_en`` and ``{column}_zh`` of the field at *path*."""
        en, zh = (text(value) for value in self.values(*path))
        foreign = self.foreign(en, zh)
        return {
            f"{column}_en": None if self._fell_back(f"{column}_en", foreign) else en,
            f"{column}_zh": None if self._fell_back(f"{column}_zh", foreign) else zh,
        }

    def lists(self, column: str, *path: str) -> dict[str, list[str]]:
        """The same for a field that holds a list of texts."""
        en, zh = (texts(value) for value in self.values(*path))
        foreign = self.foreign(" ".join(en), " ".join(zh))
        return {
            f"{column}_en": [] if self._fell_back(f"{column}_en", foreign) else en,
            f"{column}_zh": [] if self._fell_back(f"{column}_zh", foreign) else zh,
        }

    def values(self, *path: str) -> tuple[Any, Any]:
        """What is at *path* in both faces, ``None`` where there is nothing."""
        return at(self.en, *path), at(self.zh, *path)

    def pairs(self, name: str) -> Iterator[tuple[Face, Face]]:
        """The entries of the list *name*, each in both faces."""
        en, zh = (nodes(value) for value in self.values(name))
        if [node.get("id") for node in en] != [node.get("id") for node in zh]:
            zh = en
        return zip(en, zh, strict=True)

    def foreign(self, en: str | None, zh: str | None) -> str:
        """The language, ``en`` or ``zh``, whose text is the other's; empty for neither."""
        if not self.silent or not en or en != zh:
            return ""
        han, latin = bool(_HAN.search(en)), bool(_LATIN.search(en))
        return "" if han == latin else "en" if han else "zh"

    def _fell_back(self, column: str, foreign: str) -> bool:
        fell = bool(foreign) and column.endswith(f"_{foreign}")
        if fell:
            self.fallbacks.append(column)
        return fell


def at(face: Any, *path: str) -> Any:
    """What is at *path* below *face*."""
    for name in path:
        face = face.get(name) if isinstance(face, Mapping) else None
    return face


def text(value: Any) -> str | None:
    """Return *value* where it is a text with something in it, with plain line breaks."""
    return line_breaks(value) if isinstance(value, str) and value.strip() else None


def texts(value: Any) -> list[str]:
    """The texts in the list *value*."""
    return [found for found in map(text, value) if found] if isinstance(value, list) else []


def nodes(value: Any) -> list[Face]:
    """The objects in the list *value*."""
    return [node for node in value if isinstance(node, Mapping)] if isinstance(value, list) else []


def whole(value: Any) -> int | None:
    """*value* where it is a whole number."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def identity(value: Any) -> str | None:
    """The id *value* as feeds write it."""
    number = whole(value)
    return None if number is None else str(number)
