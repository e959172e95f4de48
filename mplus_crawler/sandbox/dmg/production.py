"""The museum's time index: how many objects were made and acquired in each period."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from random import Random
from urllib.parse import urlencode

from mplus_crawler.sandbox.dmg.data import ObjectRow
from mplus_crawler.sandbox.dmg.query import leading_int
from mplus_crawler.sandbox.facts.dmg import FACTS, Json, context

Years = tuple[int, int]

_FACTS: Json = FACTS["production"]
_NUMBERS: Mapping[str, int] = _FACTS["defaults"]


def time_index(rows: Iterable[ObjectRow], query: Mapping[str, str], base: str) -> Json:
    """Return the time index of *rows*, in the buckets that *query* requests."""
    numbers = {name: leading_int(query.get(name)) or usual for name, usual in _NUMBERS.items()}
    size = min(max(numbers["bucket"], _FACTS["bucket"][0]), _FACTS["bucket"][1])
    first, last = numbers["yearFrom"], min(numbers["yearTo"], _FACTS["last_year"])
    counted = list(rows)
    made = [row.years for row in counted if row.years]
    acquired = [year for row in counted if first <= (year := _acquired(row)) <= last]
    periods = [(year, min(year + size - 1, last)) for year in range(first, last + 1, size)]
    buckets = [_bucket(period, made, acquired, base) for period in periods]
    while buckets and not buckets[-1]["object_count"] and not buckets[-1]["acquired"]:
        buckets.pop()
    return {
        "@context": context("crm", "rdfs", "hydra"),
        "@id": _address(query, base),
        "@type": "hydra:Collection",
        "rdfs:label": "Time index",
        "rdfs:comment": "Objects by the period in which they were made",
        "bucket_size": size,
        "year_from": first,
        "year_to": last,
        **_shared(buckets),
        "buckets": buckets,
    }


def _bucket(period: Years, made: list[Years], acquired: list[int], base: str) -> Json:
    first, last = period
    spans = [span for span in made if span[0] <= last and span[1] >= first]
    weight = sum(_share(span, period) for span in spans)
    objects = FACTS["collection"]["objects"]["path"]
    return {
        "year": first,
        "weight": round(weight, 3),
        "share_pct": 0.0,
        "object_count": len(spans),
        "exact_count": sum(begin == end for begin, end in spans),
        "acquired": sum(first <= year <= last for year in acquired),
        "acquired_pct": 0.0,
        "spread_factor": round(len(spans) / weight, 1) if weight else None,
        "filter": f"{base}{objects}?date={first}/{last}",
    }


def _share(span: Years, period: Years) -> float:
    """Return how much of an object made in *span* falls in *period*: it counts as one in all."""
    years = min(span[1], period[1]) - max(span[0], period[0]) + 1
    return years / (span[1] - span[0] + 1)


def _shared(buckets: list[Json]) -> Json:
    """Return the totals of *buckets*, and give each bucket its shares."""
    weight = sum(bucket["weight"] for bucket in buckets)
    acquired = sum(bucket["acquired"] for bucket in buckets)
    for bucket in buckets:
        bucket["share_pct"] = round(100 * bucket["weight"] / (weight or 1), 2)
        bucket["acquired_pct"] = round(100 * bucket["acquired"] / (acquired or 1), 2)
    return {"total_weight": round(weight, 3), "total_acquired": acquired}


def _acquired(row: ObjectRow) -> int:
    """Return the year of acquisition, which this index alone knows."""
    return Random(row.key).randint(*_FACTS["acquired"])


def _address(query: Mapping[str, str], base: str) -> str:
    """Return the index's address, with the parameters that differ from the defaults."""
    known = {name: query[name] for name in (*_NUMBERS, "onDisplay", "q") if query.get(name)}
    given = {name: value for name, value in known.items() if value != str(_NUMBERS.get(name))}
    return f"{base}{FACTS['index']['production']}" + (f"?{urlencode(given)}" if given else "")
