"""Objects, constituents and exhibitions of M+."""

from __future__ import annotations

from mplus_crawler.spiders.mplus.root import RootSpider


class MplusObjectsSpider(RootSpider):
    """Objects of M+."""

    name = "mplus_objects"
    kind = "mplus_object"
    root = "objects"
    document = "objects.graphql"
    discriminating_fields = ("objectNumber",)
    nested_field = "constituents"


class MplusConstituentsSpider(RootSpider):
    """Makers and other constituents of M+'s objects."""

    name = "mplus_constituents"
    kind = "mplus_constituent"
    root = "constituents"
    document = "constituents.graphql"
    discriminating_fields = ("name", "type")


class MplusExhibitionsSpider(RootSpider):
    """Exhibitions of M+; the API gives their dates and venues, but no titles."""

    name = "mplus_exhibitions"
    kind = "mplus_exhibition"
    root = "exhibitions"
    document = "exhibitions.graphql"
