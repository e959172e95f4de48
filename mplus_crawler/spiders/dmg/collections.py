"""The four collections, with the museum's filters."""

from __future__ import annotations

from mplus_crawler.spiders.arguments import flag, one_of, text, without, year, years, yes
from mplus_crawler.spiders.dmg.cidoc.agents import agent_columns
from mplus_crawler.spiders.dmg.cidoc.concepts import concept_columns
from mplus_crawler.spiders.dmg.cidoc.exhibitions import exhibition_columns
from mplus_crawler.spiders.dmg.cidoc.objects import object_columns
from mplus_crawler.spiders.dmg.paging import CollectionSpider

# The museum's server makes a list literal of these values, and fails on its delimiters.
labels = without('"{}')
_language = one_of("NLD", "FRA", "ENG")


class ObjectsSpider(CollectionSpider):
    """Museum objects."""

    name = "objects"
    kind = "object"
    flatten = staticmethod(object_columns)
    path = "id/objects"
    filters = {
        "q": text,
        "language": _language,
        "type": labels,
        "material": labels,
        "color": labels,
        "cssColor": labels,
        "colors": yes,
        "hasImages": yes,
        "hasColors": yes,
        "hasParts": yes,
        "isPartOf": yes,
        "onDisplay": flag,
        "agent": text,
        "concept": text,
        "conceptSearch": text,
        "date": years,
        "dateFrom": year,
        "dateTo": year,
        "koepels": one_of("exclude"),
    }
    ours = {"manifests": flag}


class AgentsSpider(CollectionSpider):
    """Designers, makers and other persons and organisations."""

    name = "agents"
    kind = "agent"
    flatten = staticmethod(agent_columns)
    path = "id/agents"
    filters = {
        "q": text,
        "language": _language,
        "nationality": text,
        "role": one_of("designer", "producer"),
        "type": one_of("individual", "organisation", "unknown"),
        "hasBio": yes,
    }


class ExhibitionsSpider(CollectionSpider):
    """Exhibitions."""

    name = "exhibitions"
    kind = "exhibition"
    flatten = staticmethod(exhibition_columns)
    path = "id/exhibitions"
    filters = {"q": without(",()"), "language": _language}


class ConceptsSpider(CollectionSpider):
    """Concepts of the museum's thesaurus."""

    name = "concepts"
    kind = "concept"
    flatten = staticmethod(concept_columns)
    path = "id/concepts"
    filters = {"q": text, "language": _language}
