"""Version 1 of the API as it was until July 2026: its parameters, records and notice of its end."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl, unquote, urlencode, urljoin

from mplus_crawler.sandbox.dmg.data import AgentRow, Collection, ObjectRow, Row
from mplus_crawler.sandbox.dmg.query import leading_int
from mplus_crawler.sandbox.dmg.responses import linked_data, page_of_html
from mplus_crawler.sandbox.dmg.routes import Place
from mplus_crawler.sandbox.dmg.shapes import SHORT_LANGUAGES, in_languages, sentence
from mplus_crawler.sandbox.facts.dmg import BASE, FACTS, URI, WORDS, Json, iri
from mplus_crawler.sandbox.responses import Response

_FACTS = FACTS["v1"]
_ROOT = urljoin(BASE, _FACTS["root"])
_CURATOR = "GecureerdeCollectie.curator"
_MEMBERS = "GecureerdeCollectie.bestaatUit"


class Version1:
    """Responses to all paths below ``/v1/``, each with the notice of the version's end."""

    def __init__(self, rows: Collection) -> None:
        self._rows = rows

    def respond(self, place: Place) -> Response:
        """Return a page of a collection, a single record, or a 404."""
        below = place.path[len(_FACTS["root"]) :].strip("/")
        folder, _, pid = below.rpartition("/")
        query = dict(parse_qsl(place.query))
        if below in _FACTS["collection"]:
            response = self._page(below, query)
        elif f"{folder}s" in _FACTS["collection"]:
            response = self._single(f"{folder}s", unquote(pid).removesuffix(".json"))
        else:
            response = page_of_html(404, f"Cannot GET {place.target.partition('?')[0]}")
        response.headers |= {
            "Deprecation": "true",
            "Sunset": _FACTS["announced"],
            "Link": f'<{BASE}>; rel="successor-version"',
        }
        return response

    def _page(self, path: str, query: Mapping[str, str]) -> Response:
        facts = _FACTS["collection"][path]
        given = {**facts["defaults"], **query}
        number = max(1, leading_int(given.pop("pageNumber", "1")))
        size = leading_int(given.pop("itemsPerPage", "")) or _FACTS["page_size"]
        size = min(size, facts.get("cap", size))
        keys = self._keys(path, given)
        shown = keys[(number - 1) * size : number * size]
        if not shown:
            return linked_data(404, {"error": facts["beyond"]})
        repeated = {name: given[name] for name in facts["defaults"]}
        last = -(-len(keys) // size)
        full = given["fullRecord"] == "true"

        def page(other: int) -> str | None:
            query = {"itemsPerPage": size, **repeated, "pageNumber": other}
            return f"{_ROOT}{path}?{urlencode(query)}" if 0 < other <= last else None

        document: Json = {
            "@type": "GecureerdeCollectie",
            # Observed on the wire: the slash before "id" is missing.
            "@id": f"{_ROOT.rstrip('/')}{path}?{urlencode({'itemsPerPage': size, **repeated})}",
            "hydra:totalItems": len(keys),
            "hydra:view": {
                "@id": page(number),
                "@type": "PartialCollectionView",
                "hydra:first": page(1),
                "hydra:last": page(last),
                "hydra:previous": page(number - 1),
                "hydra:next": page(number + 1),
            },
            _CURATOR: "Design Museum Gent",
            _MEMBERS: [self._record(path, key) if full else self._stub(path, key) for key in shown],
        }
        if not facts["counted"]:
            del document["hydra:totalItems"]
        return linked_data(200, document)

    def _keys(self, path: str, given: Mapping[str, str]) -> list[int]:
        keys = self._rows.listings[_name(path)].keys
        if given.get("hasImages") != "true":
            return keys
        return [key for key in keys if self._rows.object(key).manifest]

    def _single(self, path: str, pid: str) -> Response:
        key = self._rows.listings[_name(path)].find(pid)
        if key is None:
            return linked_data(404, {"error": "No data found."})
        return linked_data(200, self._record(path, key))

    def _row(self, path: str, key: int) -> Row:
        return self._rows.row(self._rows.listings[_name(path)].kind, key)

    def _stub(self, path: str, key: int) -> Json:
        facts, pid = _FACTS["collection"][path], self._row(path, key).pid
        number = {"@type": "Identificator", "Identificator.identificator": {"@value": pid}}
        node = {"@id": f"{_ROOT}{path.removesuffix('s')}/{pid}", "@type": facts["type"]}
        return node | {facts["number"]: [number]}

    def _record(self, path: str, key: int) -> Json:
        row = self._row(path, key)
        if isinstance(row, ObjectRow):
            return _object(row)
        if isinstance(row, AgentRow):
            return _agent(row)
        return self._exhibition(row) if path.endswith("exhibitions") else _concept(row)

    def _exhibition(self, row: Row) -> Json:
        texts = {"NLD": sentence(self._rows.random("version 1", row.key))}
        return {
            "@id": f"{URI['stad']}tentoonstelling/{530_003_000 + row.key}",
            "title": in_languages(row.titles),
            "description": in_languages(texts),
        }


def _object(row: ObjectRow) -> Json:
    record: Json = {
        "@id": f"{URI['stad']}mensgemaaktobject/dmg/{row.pid}",
        "@type": "MensgemaaktObject",
        "MaterieelDing.titel": row.titles.get("NLD"),
        "ex:colors": [WORDS["palette"][name][1] for name, _ in row.palette],
        "ex:colorNames": [name for name, _ in row.palette],
        "ex:onDisplay": False,
    }
    return {name: value for name, value in record.items() if value is not None}


def _agent(row: AgentRow) -> Json:
    notes = [_note(row, language) for language in row.bios]
    record: Json = {"@id": iri("agent", row.pid)}
    return record | {"crm:P3_has_note": notes} if notes else record


def _note(row: AgentRow, language: str) -> Json:
    name, code = row.titles.get("NLD", row.pid), SHORT_LANGUAGES[language]
    return {
        "@value": f"{name} ({language}): vormgever.",
        "@language": code,
        "dcterms:source": URI["wikipedia"].format(language=code) + name.replace(" ", "_"),
        "dcterms:license": FACTS["licence"]["text"],
    }


def _concept(row: Row) -> Json:
    labels = in_languages(row.titles)
    record: Json = {"@id": f"{URI['stad']}concept/{row.pid}"}
    return record | {"skos:prefLabel": labels[0] if len(labels) == 1 else labels}


def _name(path: str) -> str:
    return path.rpartition("/")[2]
