"""The museum's indexes and catalogue: how many records have each type, colour, role and so on."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from urllib.parse import parse_qs, quote

from mplus_crawler.sandbox.dmg.data import AgentRow, Collection, ObjectRow
from mplus_crawler.sandbox.dmg.filters import mentions
from mplus_crawler.sandbox.dmg.names import concept_key, concept_number
from mplus_crawler.sandbox.dmg.objects import dominant_member
from mplus_crawler.sandbox.dmg.production import time_index
from mplus_crawler.sandbox.dmg.query import RefusedError, leading_int
from mplus_crawler.sandbox.facts.dmg import FACTS, URI, Json, context, iri

# The indexes that count agents, which are never on display.
_OF_AGENTS = ("nationalities", "roles")
_CONTEXT = ("crm", "rdfs", "hydra")


class Indexes:
    """Counts over all rows; each count is kept until rows are added or removed."""

    def __init__(self, rows: Collection) -> None:
        self._rows = rows
        self._kept: dict[tuple[str, str, bool], Json] = {}

    def forget(self) -> None:
        """Drop the counts, because rows were added or removed."""
        self._kept.clear()

    def respond(self, name: str, query_string: str, base: str) -> Json:
        """Return the index *name*."""
        query = {key: values[-1] for key, values in parse_qs(query_string).items()}
        if name == "dominant":
            return self._dominant(query, query_string, base)
        if name == "production":
            return self._production(query, base)
        question = (name, base, name not in _OF_AGENTS and query.get("onDisplay") == "true")
        if question not in self._kept:
            self._kept[question] = _INDEXES[name](self, base, question[2])
        return self._kept[question]

    def _objects(self, on_display: bool = False) -> Iterable[ObjectRow]:
        rows = (self._rows.object(key) for key in self._rows.listings["objects"].keys)
        return (row for row in rows if row.on_display or not on_display)

    def _agents(self) -> Iterable[AgentRow]:
        return (self._rows.agent(key) for key in self._rows.listings["agents"].keys)

    def _types(self, base: str, on_display: bool) -> Json:
        counts = Counter(label for row in self._objects(on_display) for label in row.types)
        members = [
            {
                "@id": self._concept(label),
                "@type": "crm:E55_Type",
                **_counted(base, "type", label, count, on_display),
            }
            for label, count in counts.most_common()
        ]
        return _index(_path(base, "types"), "Object type index", members)

    def _materials(self, base: str, on_display: bool) -> Json:
        counts = Counter(label for row in self._objects(on_display) for label in row.materials)
        members = [
            {"@type": "crm:E57_Material", **_counted(base, "material", label, count, on_display)}
            for label, count in counts.most_common()
        ]
        return _index(_path(base, "materials"), "Material index", members)

    def _nationalities(self, base: str, _: bool) -> Json:
        counts = Counter(row.nationality for row in self._agents() if row.nationality)
        members = _of_agents(base, "nationality", counts)
        return _index(_path(base, "nationalities"), "Nationality index", members)

    def _roles(self, base: str, _: bool) -> Json:
        counts = Counter(role for row in self._agents() for role in row.roles)
        return _index(_path(base, "roles"), "Role index", _of_agents(base, "role", counts))

    def _production(self, query: Mapping[str, str], base: str) -> Json:
        rows = self._objects(query.get("onDisplay") == "true")
        found = [row for row in rows if mentions(row, query.get("q", ""))]
        return time_index(found, query, base)

    def _colours(self, base: str, on_display: bool) -> Json:
        names: dict[str, list[float]] = defaultdict(list)
        bases: dict[str, list[float]] = defaultdict(list)
        for row in self._objects(on_display):
            for name, share in row.palette:
                names[name].append(share)
            for colour, share in row.base_shares().items():
                bases[colour].append(share)
        return {
            "@context": context(*_CONTEXT),
            "@id": _path(base, "colors"),
            "@type": "hydra:Collection",
            "rdfs:label": "Color index",
            "rdfs:comment": "Colours of the objects' first images, weighted by their share",
            "base_colors": _colour_counts(base, "color", bases),
            "css_colors": _colour_counts(base, "cssColor", names),
        }

    def _dominant(self, query: Mapping[str, str], query_string: str, base: str) -> Json:
        colour, name = query.get("color", "").lower(), query.get("cssColor", "")
        if not (colour or name):
            raise RefusedError(400, {"error": "Provide either ?color= or ?cssColor="})
        limit = leading_int(query.get("limit")) or FACTS["dominant_size"]
        shares = [
            (row.base_shares().get(colour, 0) if colour else dict(row.palette).get(name, 0), row)
            for row in self._objects()
        ]
        found = sorted((pair for pair in shares if pair[0]), key=lambda pair: -pair[0])
        members = [
            dominant_member(self._rows, row, share, base)
            for share, row in found[: min(limit, FACTS["page_size_cap"])]
        ]
        return _index(
            f"{_path(base, 'dominant')}?{query_string}",
            f"Objects most dominant in {colour or name}",
            members,
        )

    def _concept(self, label: str) -> str | None:
        key = concept_key(label)
        known = key < self._rows.sizes.concepts
        return iri("concept", concept_number(key)) if known else None


_INDEXES: Mapping[str, Callable[[Indexes, str, bool], Json]] = {
    "types": Indexes._types,
    "materials": Indexes._materials,
    "nationalities": Indexes._nationalities,
    "roles": Indexes._roles,
    "colors": Indexes._colours,
}


def catalogue(base: str) -> Json:
    """Return the DCAT description of the API."""
    return {
        "@context": context("dcat", "dct", "foaf", "rdfs", "hydra", "crm"),
        "@id": base,
        "@type": "dcat:Catalog",
        "dct:title": [{"@value": "Sandbox: Design Museum Gent, API v2", "@language": "en"}],
        "dct:publisher": {
            "@id": FACTS["uri"]["publisher"],
            "@type": "foaf:Organization",
            "foaf:name": "Design Museum Gent",
            "foaf:homepage": {"@id": FACTS["uri"]["homepage"]},
        },
        "dct:language": [{"@id": f"{URI['language']}{code}"} for code in ("NLD", "ENG", "FRA")],
        "foaf:homepage": {"@id": FACTS["uri"]["homepage"]},
        "dct:license": {"@id": FACTS["licence"]["metadata"]},
        "dct:conformsTo": {"@id": FACTS["namespace"]["crm"], "rdfs:label": "CIDOC-CRM"},
        "dcat:dataset": [_data_set(base, path, about) for path, about in FACTS["data_set"].items()],
    }


def description(base: str) -> Json:
    """Return the OpenAPI document, with nothing but the paths."""
    return {
        "openapi": "3.0.0",
        "info": {"title": "Design Museum Gent API", "version": FACTS["version"]},
        "servers": [{"url": base.rstrip("/")}],
        "paths": {f"/{path}": {"get": {}} for path in FACTS["data_set"]},
    }


def _data_set(base: str, path: str, about: str) -> Json:
    address, name = {"@id": f"{base}{path}"}, path.rpartition("/")[2]
    distribution = {
        "@type": "dcat:Distribution",
        "dct:format": "application/ld+json",
        "dcat:accessURL": address,
        "dcat:mediaType": "application/ld+json",
    }
    return {
        "@id": address["@id"],
        "@type": "dcat:Dataset",
        "dct:title": [{"@value": name, "@language": language} for language in ("nl", "en", "fr")],
        "dct:description": [{"@value": f"All {name} of the sandbox.", "@language": "en"}],
        "dct:type": {"@id": f"{FACTS['namespace']['crm']}{about}"},
        "dcat:distribution": [distribution],
        "dcat:endpointURL": address,
        "dcat:endpointDescription": {"@id": f"{base}{FACTS['description'][0]}"},
    }


def _path(base: str, name: str) -> str:
    return f"{base}{FACTS['index'][name]}"


def _filter(base: str, collection: str, parameter: str, value: str) -> str:
    path = FACTS["collection"][collection]["path"]
    return f"{base}{path}?{parameter}={quote(value, safe='')}"


def _index(me: str, label: str, members: list[Json]) -> Json:
    return {
        "@context": context(*_CONTEXT),
        "@id": me,
        "@type": "hydra:Collection",
        "rdfs:label": label,
        "rdfs:comment": f"{label}, the most frequent first",
        "hydra:totalItems": len(members),
        "hydra:member": members,
    }


def _counted(base: str, parameter: str, label: str, count: int, on_display: bool) -> Json:
    address = _filter(base, "objects", parameter, label)
    return {
        "rdfs:label": label,
        "object_count": count,
        "filter": f"{address}&onDisplay=true" if on_display else address,
    }


def _of_agents(base: str, parameter: str, counts: Counter[str]) -> list[Json]:
    return [
        {
            "@type": "crm:E55_Type",
            "rdfs:label": name,
            "agent_count": count,
            "filter": _filter(base, "agents", parameter, name),
        }
        for name, count in counts.most_common()
    ]


def _colour_counts(base: str, parameter: str, shares: Mapping[str, list[float]]) -> list[Json]:
    total = sum(map(sum, shares.values()))
    members = [
        {
            "value": value,
            "object_count": len(found),
            "collection_share_pct": round(100 * sum(found) / total, 2),
            "avg_dominance_pct": round(sum(found) / len(found), 2),
            "filter": _filter(base, "objects", parameter, value),
            "dominant": f"{_path(base, 'dominant')}?{parameter}={quote(value, safe='')}",
        }
        for value, found in shares.items()
    ]
    return sorted(members, key=lambda member: -member["collection_share_pct"])
