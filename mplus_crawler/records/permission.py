"""Permission: the licence that a record of a feed states for each of its images.

A missing statement permits nothing, and neither does a contradiction: all statements of a record
about an image must stand for the same term of the museum.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mplus_crawler.museum.policies.policy import ImageLicence
from mplus_crawler.protocols.iiif import image_key
from mplus_crawler.records.rights import UNKNOWN, Rights


@dataclass(frozen=True, slots=True)
class Statement:
    """What one record states about one image; *term* is a term's slug, or ``unknown``.

    *attribution* is ready to print; *note* is the museum's own text about the image.
    """

    key: str
    image: str
    term: str
    object: str
    label: str | None
    licence_uri: str | None
    attribution: str | None
    note: str | None


def statements(record: dict[str, Any], rights: Rights) -> Iterator[Statement]:
    """Yield a statement for each image that *record*, a line of a feed, names."""
    entries = [entry for entry in _list(record.get("image_rights")) if isinstance(entry, dict)]
    named = [record.get("image"), *_list(record.get("images"))]
    images: dict[str, str] = {}
    for image in [*named, *(entry.get("image") for entry in entries)]:
        if isinstance(image, str) and image.strip():
            images.setdefault(_key(image), image.strip())
    for key, image in images.items():
        about = [entry for entry in entries if _key(entry.get("image")) == key]
        stated = _licences(record, key, about)
        term = _agreed(stated, rights)
        note = next((entry.get("attribution") for entry in about), record.get("image_attribution"))
        yield Statement(
            key=key,
            image=image,
            term=term.slug if term else UNKNOWN,
            object=_text(record.get("id")) or "",
            label=_text(record.get("label")),
            licence_uri=next(filter(_is_uri, stated), term.url if term else None),
            attribution=_credit(record, term, rights) if term else None,
            note=_text(note),
        )


def _licences(record: dict[str, Any], key: str, about: list[dict[str, Any]]) -> list[Any]:
    """Return all licences that *record* states for the image *key*, with ``None`` for silence.

    The rights of each image are in ``image_rights``; a feed without that column may have those
    of the first image, in ``image_licence``.
    """
    stated = [entry.get(name) for entry in about for name in ("licence_uri", "licence")]
    if "image_licence" in record and key == _key(record.get("image")):
        stated.append(record["image_licence"])
    if "image_rights" in record and not about:
        stated.append(None)
    return stated


def _agreed(stated: list[Any], rights: Rights) -> ImageLicence | None:
    """Return the term that all licences in *stated* stand for; ``None`` if they disagree."""
    terms = {rights.term(text) if isinstance(text, str) else None for text in stated}
    return terms.pop() if len(terms) == 1 else None


def _credit(record: dict[str, Any], term: ImageLicence, rights: Rights) -> str:
    """Return the record's credit line, with the licence of this image."""
    names = {
        column: [name for name in _list(record.get(column)) if isinstance(name, str)]
        for column in ("designers", "makers")
    }
    return rights.credit({**record, **names, "image_licence": term.name})


def _is_uri(text: Any) -> bool:
    return isinstance(text, str) and text.strip().lower().startswith(("http://", "https://"))


def _key(image: Any) -> str:
    """Return the key of an image; the text itself if it is not a URL."""
    try:
        return image_key(image) if isinstance(image, str) else ""
    except ValueError:
        return str(image).strip()


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value.strip() else None


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value] if isinstance(value, str) else []
