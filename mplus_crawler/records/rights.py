"""Rights: what a licence, as a record writes it, means by the museum's own terms of use.

Whatever isn't one of the policy's terms to the letter is :data:`UNKNOWN`, which is no permission.
A row's licences and its line of credit are filled in here, whichever kind it is of.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

from mplus_crawler.policies.policy import ImageLicence, Policy, Quoted
from mplus_crawler.records.batch import SEVERAL, Row

UNKNOWN = "unknown"

# A licence's address; its deed, legal code or language are other pages of the same licence.
_address = re.compile(
    r"(?i:https?://(?:www\.)?(?P<host>[a-z0-9.-]+))(?P<path>(?:/[\w.-]+)+?)"
    r"(?:/(?:deed|legalcode)(?:\.[A-Za-z]{2,3}(?:[_-][A-Za-z]+)?)?)?/?"
    r"(?:\?language=[A-Za-z_-]+)?",
    re.ASCII,
).fullmatch
# A page on the web whose host nobody can read in two ways.
_page = re.compile(r"(?i:https?://(?P<host>[a-z0-9.-]+))(?:[/?#].*)?", re.ASCII).fullmatch


@lru_cache(maxsize=4096)
def spelled(written: str) -> str:
    """*written* in the one spelling that it is compared in: ``host/path``, or a label.

    Scheme, ``www.``, a final slash and the licence's own language don't count, nor do case,
    spaces and hyphens of a label.
    """
    written = written.strip()
    if found := _address(written):
        return f"{found['host'].lower()}{found['path']}"
    return re.sub(r"[ _-]+", " ", written).lower() if written.isascii() else written


class Rights:
    """Reads licences by the terms of one museum's policy."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy

    @cached_property
    def _terms(self) -> dict[str, ImageLicence]:
        """By the spellings that mean them, terms of use for images."""
        return {
            spelled(sign): term
            for term in self._policy.licences
            for sign in (
                term.name,
                term.slug,
                *term.labels,
                *(f"https://{uri}" for uri in term.uris),
            )
        }

    def term(self, written: str | None) -> ImageLicence | None:
        """The term that *written*, a URI or a label, means; ``None`` for any other."""
        return self._terms.get(spelled(written)) if written else None

    def name(self, written: str | None) -> str | None:
        """The name of that term, or ``unknown``; ``None`` where nothing is written."""
        if not written:
            return None
        term = self.term(written)
        return term.name if term else UNKNOWN

    def settle(self, row: Row) -> None:
        """Name the licences in *row*, of the record apart, and give the line of credit."""
        if images := row.get("image_rights"):
            for image in images:
                image["licence"] = self.name(image["licence_uri"])
            row["image_licence"] = images[0]["licence"]
            row["image_licence_uri"] = images[0]["licence_uri"]
            row["image_attribution"] = images[0]["attribution"]
        for thing in row.get("dominant_objects") or ():
            thing["image_licence"] = self.name(thing["image_licence_uri"])
        for text in row.get("biographies") or ():
            self._settle_text(text)
        row["attribution"] = row["attribution"] or self.credit(row)

    def credit(self, row: Row) -> str:
        """Whom and what to name with *row*, ready to print, in one line.

        Designer, else maker; title; year; licence; the museum. The licence is that of the first
        image where it is one of the museum's terms, else the record's, which covers data alone.
        """
        parts = (
            "; ".join(row.get("designers") or row.get("makers") or ()),
            _title(row),
            _years(row.get("date_begin"), row.get("date_end")),
            self._licence(row),
            self._policy.attribution,
        )
        return ", ".join(filter(None, map(one_line, filter(None, parts))))

    def _licence(self, row: Row) -> str:
        if self.term(row.get("image_licence")):
            return str(row["image_licence"])
        return f"{row['licence']} (data)" if "image_rights" in row else row["licence"]

    def _settle_text(self, text: dict[str, Any]) -> None:
        """A licence is named only where the text has a source that publishes under it."""
        quoted = self._quoted(text["source"])
        stated = text["licence_uri"]
        agrees = quoted and (not stated or spelled(stated) == spelled(quoted.licence_url))
        text["licence"] = quoted.licence if quoted and agrees else UNKNOWN
        text["licence_uri"] = stated or (quoted.licence_url if quoted else None)

    def _quoted(self, source: str | None) -> Quoted | None:
        """Who is quoted, where all pages of *source* are theirs."""
        pages = [_page(page) for page in (source or "").split(SEVERAL)]
        hosts = [f".{page['host'].lower()}" if page else "" for page in pages]
        for quoted in self._policy.quoted:
            if all(host.endswith(tuple(f".{name}" for name in quoted.hosts)) for host in hosts):
                return quoted
        return None


@dataclass
class LicenceCount:
    """How many records, images and texts were delivered under each licence."""

    records: Counter[str] = field(default_factory=Counter)
    images: Counter[str] = field(default_factory=Counter)
    texts: Counter[str] = field(default_factory=Counter)

    def add(self, row: Row) -> None:
        """Count what *row* holds; an image of which nothing is said counts as ``none``."""
        licensed = self.images if row["kind"] == "image" else self.records
        licensed[row["licence"]] += 1
        for image in row.get("image_rights") or ():
            self.images[image["licence"] or "none"] += 1
        for text in row.get("biographies") or ():
            self.texts[text["licence"]] += 1

    def counts(self) -> dict[str, dict[str, int]]:
        """The certificate's ``licences``."""
        return {
            "records": dict(sorted(self.records.items())),
            "images": dict(sorted(self.images.items())),
            "texts": dict(sorted(self.texts.items())),
        }


def one_line(text: str) -> str:
    """*text* without line breaks, control characters and spaces in a row."""
    if not text.isprintable():
        text = "".join(character if character.isprintable() else " " for character in text)
    return " ".join(text.split())


def _title(row: Row) -> str:
    """The title, else the label, unless that says nothing or only the object's number."""
    for column in ("title_nl", "title_en", "title_fr", "title_zh"):
        if title := row.get(column):
            return str(title)
    label = row.get("label")
    nothing = (UNKNOWN, row.get("object_number"))
    return label if isinstance(label, str) and label not in nothing else ""


def _years(begin: Any, end: Any) -> str:
    years = [str(year) for year in dict.fromkeys((begin, end)) if isinstance(year, int)]
    return "-".join(years)
