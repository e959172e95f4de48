"""Records of the published data set, in the shape of the API's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mplus_crawler.spiders.mplus.tms.bilingual import Bilingual, Face, at, nodes, text, whole

# English and Chinese name by constituent, since objects of the set hold ids only.
Names = dict[int, tuple[str | None, str | None]]

_LANGUAGES = ("en", "zh-hant")


def split_languages(record: Face, names: Names) -> Bilingual:
    """Split *record*, whose fields hold both languages, into a record for each language."""
    en, zh = (_in_language(record, index, names) for index in range(2))
    return Bilingual(en, zh, may_fall_back=False)


def _in_language(record: Face, index: int, names: Names) -> Face:
    language = _LANGUAGES[index]
    fields = {name: _text_in(value, language) for name, value in record.items()}
    if "classification" in record:
        levels = record["classification"] if isinstance(record["classification"], Mapping) else {}
        fields["classification"] = {
            name: _text_in(value, language) for name, value in levels.items()
        }
    if "constituents" in record:
        fields["constituents"] = [
            {
                "id": node.get("id"),
                "name": _name(names, node.get("id"), index),
                "role": at(node, "role", language),
            }
            for node in nodes(record["constituents"])
        ]
    if isinstance(details := record.get("dimensionDetails"), Mapping):
        fields["dimensionDetails"] = [details]
    # Alternative texts are in English only.
    if index and isinstance(images := record.get("images"), list):
        fields["images"] = [{} for _ in images]
    return fields


def name_of(record: Face) -> tuple[str | None, str | None]:
    """Return a constituent's name in both languages."""
    en, zh = (text(at(record, "name", language)) for language in _LANGUAGES)
    return en, zh


def _text_in(value: Any, language: str) -> Any:
    """Return the part of *value* in *language*; a value without languages is the same in both."""
    return value[language] if isinstance(value, Mapping) and language in value else value


def _name(names: Names, id_: Any, index: int) -> str | None:
    number = whole(id_)
    return None if number is None else names.get(number, (None, None))[index]
