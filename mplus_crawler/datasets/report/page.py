"""Renders the report's page from a package's description and the figures of its snapshots."""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from mplus_crawler.datasets.description import Description
from mplus_crawler.datasets.report import drawing, words
from mplus_crawler.datasets.report.figures import (
    MOST_PICTURES,
    figures,
    in_order,
    shortened,
)
from mplus_crawler.datasets.report.pictures import Pictures
from mplus_crawler.museum.policies.reading import policy_from

REPORT = "report.html"
# What certificates count licences of, in words.
_LICENSED = {"records": "records", "images": "images", "texts": "quoted texts"}


def report(about: Description) -> bytes:
    """Return the page about the snapshots of *about*, in UTF-8; each snapshot is read once.

    Nothing in it comes from the clock: the same snapshots give the same bytes.
    """
    pictures = Pictures(policy_from(about.museum, about.policy))
    found = [figures(snapshot, pictures) for snapshot in in_order(about.snapshots)]
    shown = [picture for one in found for picture in one.pictures][:MOST_PICTURES]
    style = _text("page.css")
    script = _text("page.js") if shown else ""
    page = _environment().get_template("page.html.j2")
    return page.render(
        about=about,
        figures=found,
        sections=[one for one in found if one.timeline or one.charts],
        pictures=shown,
        columns={table.name: table.schema for table in about.tables},
        licences=_licences(about),
        totals=words.listed(
            [f"{one.snapshot.certificate['unique']:,} {one.noun}" for one in found]
        ),
        missing=words.listed([kind.table for kind in about.missing]),
        when=_when(about),
        runs=words.listed([one.certificate["run"] for one in about.snapshots]),
        policy=_content_security(style, script, pictures.hosts),
        style=style,
        script=script,
    ).encode()


def _when(about: Description) -> str:
    first, last = words.day(about.began), words.day(about.created)
    return f"on {last}" if first == last else f"from {first} to {last}"


def _licences(about: Description) -> list[tuple[str, list[tuple[str, int]]]]:
    """Return what is licensed, with the number of each licence over all snapshots."""
    sums = {what: Counter[str]() for what in _LICENSED}
    for one in about.snapshots:
        for what, counts in one.certificate["licences"].items():
            sums.setdefault(what, Counter()).update(counts)
    return [
        (_LICENSED.get(what, what), sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))
        for what, counts in sums.items()
        if counts
    ]


def _content_security(style: str, script: str, hosts: Sequence[str]) -> str:
    """Return the page's Content Security Policy: what is not named here is not loaded.

    https://www.w3.org/TR/CSP3/
    """
    parts = ["default-src 'none'", f"style-src {_hash(style)}"]
    if script:
        parts.append(f"script-src {_hash(script)}")
    if hosts:
        parts.append(f"img-src {' '.join(f'https://{host}' for host in hosts)}")
    return "; ".join([*parts, "base-uri 'none'", "form-action 'none'"])


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


@cache
def _text(name: str) -> str:
    return (resources.files("mplus_crawler.datasets.report") / name).read_text("utf-8")


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("mplus_crawler.datasets", "report"),
        autoescape=True,
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )
    environment.filters["line"] = shortened
    functions: dict[str, Any] = {
        "day": words.day,
        "share": words.share,
        "changed": words.changed,
        "verdict": words.verdict,
        "periods": drawing.periods,
        "bars": drawing.bars,
        "length": drawing.length,
    }
    environment.globals.update(functions)
    return environment
