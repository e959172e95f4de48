"""Records of the published data set, in the shape of the API's answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mplus_crawler.spiders.mplus.tms.bilingual import Bilingual, Face, at, nodes, text, whole

# By constituent: the name in English and in Chinese. Objects of the set have ids alone.
Names = dict[int, tuple[str | None, str | None]]

_LANGUAGES = ("en", "zh-hant")


def unfolded(record: Face, names: Names) -> Bilingual:
    """*record*, whose fields hold both languages, as two faces that hold one each."""
    en, zh = (_face(record, index, names) for index in range(2))
    return Bilingual(en, zh, silent=False)


def _face(record: Face, index: int, names: Names) -> Face:
    language = _LANGUAGES[index]
    face = {name: _told(value, language) for name, value in record.items()}
    if "classification" in record:
        levels = record["classification"] if isinstance(record["classification"], Mapping) else {}
        face["classification"] = {name: _told(value, language) for name, value in levels.items()}
    if "constituents" in record:
        face["constituents"] = [
            {
                "id": node.get("id"),
                "name": _name(names, node.get("id"), index),
                "role": at(node, "role", language),
            }
            for node in nodes(record["constituents"])
        ]
    if isinstance(details := record.get("dimensionDetails"), Mapping):
        face["dimensionDetails"] = [details]
    # Texts for images are in English alone.
    if index and isinstance(images := record.get("images"), list):
        face["images"] = [{} for _ in images]
    return face


def name_of(record: Face) -> tuple[str | None, str | None]:
    """A constituent's name in both languages."""
    en, zh = (text(at(record, "name", language)) for language in _LANGUAGES)
    return en, zh


def _told(value: Any, language: str) -> Any:
    """What *value* says in *language*; a value that is not by language says it in both."""
    return value[language] if isinstance(value, Mapping) and language in value else value


def _name(names: Names, id_: Any, index: int) -> str | None:
    number = whole(id_)
    return None if number is None else names.get(number, (None, None))[index]
