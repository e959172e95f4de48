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
        ("since", "YYYY-MM-DD", "only records generated since that day; deletions do not show"),
        ("limit", "N", "only the first N records"),
        ("page_size", "N", "records per page; the maximum of the museum unless given"),
        (
            *("q", "TEXT"),
            'full text, as the museum searches it: `"a phrase"`, `OR`, `-not`; exhibitions: part '
            "of a title or number",
        ),
        (
            *("language", "NLD|FRA|ENG"),
            "with a title in it (concepts: a label; agents: a text from Wikipedia)",
        ),
        (
            *("type", "TERM,…"),
            "objects: terms in Dutch, all of which must match; agents: `individual`, "
            "`organisation` or `unknown`",
        ),
        ("material", "TERM,…", "terms in Dutch, all of which must match"),
        ("color", "COLOUR,…", "base colours in the images, all of which must be present"),
        ("cssColor", "COLOUR,…", "the same, with CSS colour names"),
        ("colors", "true", "fill the columns `colors` and `color_codes`"),
        ("hasImages", "true", "with a IIIF manifest, valid or not"),
        ("hasColors", "true", "with known colours"),
        ("hasParts", "true", "with physical parts"),
        ("isPartOf", "true", "part of a set"),
        (
            *("onDisplay", "true|false"),
            "on display or not; neither finds objects for which this is unknown; indexes: `true` "
            "counts only objects on display",
        ),
        (
            *("agent", "ID"),
            "number or URI of a maker or designer; cannot be combined with another filter, which "
            "the museum would ignore",
        ),
        ("concept", "ID", "number or URI of a concept; includes narrower concepts"),
        ("conceptSearch", "TEXT", "part of a concept's label"),
        ("date", "FROM/TO", "made or designed between these years, at least partly"),
        ("dateFrom", "YEAR", "made or designed then or later, at least partly"),
        ("dateTo", "YEAR", "made or designed then or earlier, at least partly"),
        ("koepels", "exclude", "without records that represent all parts of an object"),
        ("nationality", "TERM", "in Dutch, for example `Belgisch`"),
        ("role", "designer|producer", "with that role"),
        ("hasBio", "true", "with a biography, according to the museum; nearly all match"),
        ("pids", "ID,…", "numbers or URIs of records"),
        (
            *("pids_file", "FILE"),
            "file with one number or URI per line, or a feed (JSON Lines or CSV) with the column "
            "`id`",
        ),
        (
            *("source", "PLACE"),
            "the published data set: a folder, a tar or zip file, or the address of one; the "
            "publisher's repository unless given",
        ),
        (
            *("feed", "FILE"),
            "file with the images and their rights: a feed of `objects` (JSON Lines or CSV)",
        ),
        (
            *("licences", "NAME,…"),
            "short names of the licences under which images are fetched; `public-domain` unless "
            "given",
        ),
        (
            *("size", "SIZE"),
            "size to request from IIIF hosts: `max`, `full`, `thm`, a width such as `800`, or "
            "`!WIDTH,HEIGHT` to fit into; as in the record unless given",
        ),
        ("shard", "K/N", "the K-th of N parts, for several computers: `2/4`"),
        (
            *("manifests", "true"),
            "if a record does not state image rights, request the object's IIIF manifest, one per "
            "second and host; slow",
        ),
        ("bucket", "N", "years in a period, 5 to 100; 10 unless given"),
        ("yearFrom", "YEAR", "first year of the first period; 1600 unless given"),
        ("yearTo", "YEAR", "last year of the last period, at most 2100; 2030 unless given"),
        (
            *("dominant", "true"),
            "also the objects in which each colour is strongest; one request per colour",
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
