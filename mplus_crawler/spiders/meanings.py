"""What the spiders' arguments mean, and how their values are written: for ``--help`` and docs."""

from __future__ import annotations

from typing import NamedTuple


class Meaning(NamedTuple):
    """How a value is written, and what it does."""

    value: str
    text: str


MEANINGS: dict[str, Meaning] = {
    name: Meaning(value, text)
    for name, value, text in (
        (
            "since",
            "YYYY-MM-DD",
            "only records that the museum has generated since that day; deletions do not show",
        ),
        ("limit", "N", "only the first N records"),
        ("page_size", "N", "records per page (default: the museum's maximum)"),
        (
            *("q", "TEXT"),
            'full-text search: words, `"a phrase"`, `OR`, `-word`; exhibitions: part of a title or '
            "number",
        ),
        (
            *("language", "NLD|FRA|ENG"),
            "only records with a title in this language (concepts: with a label; agents: with a "
            "text from Wikipedia)",
        ),
        (
            *("type", "TERM,…"),
            "objects: terms in Dutch, all of which must match; agents: `individual`, "
            "`organisation` or `unknown`",
        ),
        ("material", "TERM,…", "terms in Dutch, all of which must match"),
        ("color", "COLOUR,…", "base colours in the images, all of which must be present"),
        ("cssColor", "COLOUR,…", "CSS colours in the images, all of which must be present"),
        ("colors", "true", "also request colours, for the columns `colors` and `color_codes`"),
        ("hasImages", "true", "only objects with a IIIF manifest, even if it is invalid"),
        ("hasColors", "true", "only objects with known colours"),
        ("hasParts", "true", "only objects with physical parts"),
        ("isPartOf", "true", "only objects that are part of a set"),
        (
            *("onDisplay", "true|false"),
            "only objects that are (`true`) or are not (`false`) on display; if that is unknown, "
            "an object matches neither; indexes: `true` counts only objects on display",
        ),
        (
            *("agent", "ID"),
            "number or URI of a maker or designer; other filters are refused, because the museum "
            "would ignore them",
        ),
        ("concept", "ID", "number or URI of a concept; includes narrower concepts"),
        ("conceptSearch", "TEXT", "part of a concept's label"),
        ("date", "FROM/TO", "made or designed between these years; overlap is enough"),
        ("dateFrom", "YEAR", "made or designed in that year or later; overlap is enough"),
        ("dateTo", "YEAR", "made or designed in that year or earlier; overlap is enough"),
        ("koepels", "exclude", "leave out records that represent all parts of an object"),
        ("nationality", "TERM", "only agents of this nationality, in Dutch: `Belgisch`"),
        ("role", "designer|producer", "only agents with that role"),
        (
            *("hasBio", "true"),
            "only agents with a biography; according to the museum, nearly all have one",
        ),
        ("pids", "ID,…", "numbers or URIs of records"),
        (
            *("pids_file", "FILE"),
            "file with one number or URI per line, or a feed (JSON Lines or CSV) with the column "
            "`id`",
        ),
        (
            *("source", "PLACE"),
            "the published data set: a folder, a tar or zip file, or its URL (default: "
            "the publisher's repository)",
        ),
        (
            *("feed", "FILE"),
            "file with the images and their rights: a feed of `objects` (JSON Lines or CSV)",
        ),
        (
            *("licences", "NAME,…"),
            "short names of the licences under which images are fetched (default: `public-domain`)",
        ),
        (
            *("size", "SIZE"),
            "size to request from IIIF hosts: `max`, `full`, `thm`, a width such as `800`, or "
            "`!WIDTH,HEIGHT` to fit into a box (default: as in the record)",
        ),
        ("shard", "K/N", "the K-th of N parts, for several computers: `2/4`"),
        (
            *("manifests", "true"),
            "if a record does not state image rights, request the object's IIIF manifest; slow, "
            "since each host receives one request per second",
        ),
        ("bucket", "N", "years per period, 5 to 100 (default: 10)"),
        ("yearFrom", "YEAR", "first year of the first period (default: 1600)"),
        ("yearTo", "YEAR", "last year of the last period, at most 2100 (default: 2030)"),
        (
            *("dominant", "true"),
            "also list, for each colour, the objects in which it is strongest; one request each",
        ),
        (
            *("fresh", "true"),
            "drop the saved responses of an unfinished harvest and start with the first page; "
            "single records: request them even if they have not changed",
        ),
        (
            *("accept", "RUN"),
            "publish the held-back run (exit 15) whose certificate has this `run`; sends no "
            "request",
        ),
    )
}
