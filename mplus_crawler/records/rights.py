"""Rights: match the licences in records with the museum's terms of use.

A licence that matches none of the policy's terms is :data:`UNKNOWN`, which permits nothing.
This module also fills in the licences and the credit line of every row.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

from mplus_crawler.errors import printable
from mplus_crawler.museum.policies.policy import ImageLicence, Policy, Quoted
from mplus_crawler.records.batch import SEVERAL, Row

UNKNOWN = "unknown"
# Follows the museum's name in the source and credit line of records that the sandbox invented.
INVENTED = " (invented data of the sandbox)"
# A credit line that :meth:`Rights.settle` has to write; None: the spider says there is none.
UNWRITTEN = ""

# A licence's URL; its deed, legal code and translations are pages of the same licence.
_address = re.compile(
    r"(?i:https?://(?:www\.)?(?P<host>[a-z0-9.-]+))(?P<path>(?:/[\w.-]+)+?)"
    r"(?:/(?:deed|legalcode)(?:\.[A-Za-z]{2,3}(?:[_-][A-Za-z]+)?)?)?/?"
    r"(?:\?language=[A-Za-z_-]+)?",
    re.ASCII,
).fullmatch
# A URL whose host is unambiguous.
_page = re.compile(r"(?i:https?://(?P<host>[a-z0-9.-]+))(?:[/?#].*)?", re.ASCII).fullmatch


@lru_cache(maxsize=4096)
def spelled(written: str) -> str:
    """Return *written* in normal form, for comparison: ``host/path``, or a label.

    Ignored are the scheme, ``www.``, a final slash and the language of a URL, and the case,
    spaces and hyphens of a label.
    """
    written = written.strip()
    if found := _address(written):
        return f"{found['host'].lower()}{found['path']}"
    return re.sub(r"[ _-]+", " ", written).lower() if written.isascii() else written


class Rights:
    """Matches licences with the terms in one museum's policy."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy

    @cached_property
    def _terms(self) -> dict[str, ImageLicence]:
        """The image licences by each of their spellings in normal form."""
        return {
            spelled(spelling): term
            for term in self._policy.licences
            for spelling in (
                term.name,
                term.slug,
                *term.labels,
                *(f"https://{uri}" for uri in term.uris),
            )
        }

    def term(self, written: str | None) -> ImageLicence | None:
        """Return the term that *written*, a URI or a label, means; ``None`` if there is none."""
        return self._terms.get(spelled(written)) if written else None

    def name(self, written: str | None) -> str | None:
        """Return the name of that term, or ``unknown``; ``None`` if *written* is empty."""
        if not written:
            return None
        term = self.term(written)
        return term.name if term else UNKNOWN

    def settle(self, row: Row) -> None:
        """Fill in the licences in *row*, except the record's own, and the credit line."""
        if images := row.get("image_rights"):
            for image in images:
                image["licence"] = self.name(image["licence_uri"])
            row["image_licence"] = images[0]["licence"]
            row["image_licence_uri"] = images[0]["licence_uri"]
            row["image_attribution"] = images[0]["attribution"]
        for dominant in row.get("dominant_objects") or ():
            dominant["image_licence"] = self.name(dominant["image_licence_uri"])
        for text in row.get("biographies") or ():
            self._settle_text(text)
        if row["attribution"] == UNWRITTEN:
            row["attribution"] = self.credit(row)

    def credit(self, row: Row) -> str:
        """Return the credit line for *row*, ready to print.

        Designer, else maker; title; year; licence; museum. It names the licence of the first image
        if the museum's terms define it, otherwise the record's, which covers data only.
        """
        parts = (
            "; ".join(row.get("designers") or row.get("makers") or ()),
            _title(row),
            _years(row.get("date_begin"), row.get("date_end")),
            self._licence(row),
            self._policy.attribution,
        )
        return ", ".join(filter(None, map(printable, filter(None, parts))))

    def _licence(self, row: Row) -> str:
        if self.term(row.get("image_licence")):
            return str(row["image_licence"])
        return f"{row['licence']} (data)" if "image_rights" in row else row["licence"]

    def _settle_text(self, text: dict[str, Any]) -> None:
        """Fill in the licence of *text* if its source publishes under that licence."""
        quoted = self._quoted(text["source"])
        stated = text["licence_uri"]
        agrees = quoted and (not stated or spelled(stated) == spelled(quoted.licence_url))
        text["licence"] = quoted.licence if quoted and agrees else UNKNOWN
        text["licence_uri"] = stated or (quoted.licence_url if quoted else None)

    def _quoted(self, source: str | None) -> Quoted | None:
        """Return the publisher of all pages in *source*; ``None`` if it is unknown."""
        pages = [_page(page) for page in (source or "").split(SEVERAL)]
        hosts = [f".{page['host'].lower()}" if page else "" for page in pages]
        for quoted in self._policy.quoted:
            if all(host.endswith(tuple(f".{name}" for name in quoted.hosts)) for host in hosts):
                return quoted
        return None


def licences_of(row: Row) -> tuple[list[str], list[str], list[str]]:
    """Return the licences of the record, of the images and of the texts in *row*.

    An image without a statement has ``none``.
    """
    own, is_image = [row["licence"]], row["kind"] == "image"
    images = [image["licence"] or "none" for image in row.get("image_rights") or ()]
    texts = [text["licence"] for text in row.get("biographies") or ()]
    return ([], own + images, texts) if is_image else (own, images, texts)


@dataclass
class LicenceCount:
    """Counts of records, images and texts delivered, by licence."""

    records: Counter[str] = field(default_factory=Counter)
    images: Counter[str] = field(default_factory=Counter)
    texts: Counter[str] = field(default_factory=Counter)

    def add(self, licences: Iterable[Iterable[str]], rows: int = 1) -> None:
        """Count *licences*, by :func:`licences_of`, of so many *rows*."""
        for counter, names in zip((self.records, self.images, self.texts), licences, strict=True):
            for name in names:
                counter[name] += rows

    def counts(self) -> dict[str, dict[str, int]]:
        """Return the certificate's ``licences``."""
        return {
            "records": dict(sorted(self.records.items())),
            "images": dict(sorted(self.images.items())),
            "texts": dict(sorted(self.texts.items())),
        }


def _title(row: Row) -> str:
    """Return the title, else the label unless it is ``unknown`` or the object number."""
    for column in ("title_nl", "title_en", "title_fr", "title_zh"):
        if title := row.get(column):
            return str(title)
    label = row.get("label")
    uninformative = (UNKNOWN, row.get("object_number"))
    return label if isinstance(label, str) and label not in uninformative else ""


def _years(begin: Any, end: Any) -> str:
    years = [str(year) for year in dict.fromkeys((begin, end)) if isinstance(year, int)]
    return "-".join(years)
