"""IIIF manifests: what they add where records say nothing, and that they never spoil a harvest."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mplus_crawler.museum.policies.reading import load_policy
from mplus_crawler.spiders.dmg.manifests import fill_in, read_manifest
from tests.conftest import Scrapy
from tests.wire import RawResponse, serving

pytestmark = pytest.mark.long

POLICY = load_policy("dmg")
FREE, BY_NC_ND, IN_COPYRIGHT = POLICY.licences
QUICK = (
    '[images]\nlimits = [{ requests = 5000, seconds = 1 }]\nsource = "the test"\n'
    "checked = 2026-11-22\n"
)
IMAGE = "https://iiif.test/iiif/{}.jpg/full/full/0/default.jpg"


def version_2(*images: dict[str, Any]) -> bytes:
    """A manifest with a canvas for each of *images*."""
    canvases = [{"images": [image]} for image in images]
    return json.dumps({"sequences": [{"canvases": canvases}]}).encode()


def version_3(*images: dict[str, Any], **more: Any) -> bytes:
    canvases = [{"items": [{"items": [image]}]} for image in images]
    return json.dumps({"items": canvases, **more}).encode()


def a_row(*images: str) -> dict[str, Any]:
    blank = dict.fromkeys(("licence", "licence_uri", "attribution", "source"))
    return {"image_rights": [{"image": image, **blank} for image in images]}


def filled(manifest: bytes, *images: str) -> list[tuple[str | None, ...]]:
    row = a_row(*images)
    fill_in(row, read_manifest(manifest))
    return [(one["licence_uri"], one["attribution"], one["source"]) for one in row["image_rights"]]


def test_a_manifest_speaks_of_each_image_by_its_address() -> None:
    small = IMAGE.format(1).replace("full/full", "full/400,").replace("https", "http")
    images = (
        {"license": FREE.url, "attribution": "A", "resource": {"@id": small}},
        {"license": [IN_COPYRIGHT.url], "resource": {"@id": IMAGE.format(2)}},
        {"license": "", "resource": {"@id": IMAGE.format(3)}},
    )
    assert filled(version_2(*images), *map(IMAGE.format, range(5))) == [
        (None, None, None),
        (FREE.url, "A", "manifest"),
        (IN_COPYRIGHT.url, None, "manifest"),
        (None, None, None),
        (None, None, None),
    ]


def test_a_manifest_of_version_3() -> None:
    said = {"value": {"en": ["A photographer"]}}
    body = {"id": IMAGE.format(1), "rights": BY_NC_ND.url, "requiredStatement": said}
    manifest = version_3({"body": body}, {"body": {"id": IMAGE.format(2)}}, rights=FREE.url)
    assert filled(manifest, IMAGE.format(1), IMAGE.format(2)) == [
        (BY_NC_ND.url, "A photographer", "manifest"),
        (None, None, None),
    ]


def test_a_manifest_that_contradicts_itself_allows_nothing() -> None:
    twice = [{"license": one.url, "resource": {"@id": IMAGE.format(1)}} for one in (FREE, BY_NC_ND)]
    ((uri, _, _),) = filled(version_2(*twice), IMAGE.format(1))
    assert uri == f"{FREE.url} | {BY_NC_ND.url}"


def test_what_the_record_says_stands() -> None:
    row = a_row(IMAGE.format(1))
    row["image_rights"][0] |= {"licence_uri": IN_COPYRIGHT.url, "source": "record"}
    image = {"license": FREE.url, "resource": {"@id": IMAGE.format(1)}}
    fill_in(row, read_manifest(version_2(image)))
    assert row["image_rights"][0]["licence_uri"] == IN_COPYRIGHT.url


leaf = st.none() | st.text(max_size=3) | st.integers() | st.just(IMAGE.format(1))
names = st.sampled_from(
    ["sequences", "canvases", "images", "items", "resource", "body", "@id", "id", "license"]
)
shape = st.recursive(
    leaf, lambda some: st.lists(some, max_size=2) | st.dictionaries(names, some), max_leaves=20
)


@given(shape)
def test_a_manifest_of_any_shape_is_read_or_is_none(document: Any) -> None:
    try:
        stated = read_manifest(json.dumps(document).encode())
    except ValueError:
        assert not isinstance(document, dict)
    else:
        fill_in(a_row(IMAGE.format(1)), stated)


# At the wire


def an_object(number: int, manifest: str, **image: Any) -> dict[str, Any]:
    return {
        "@id": f"{POLICY.base_url}id/object/{number}",
        "@type": "crm:E22_Human-Made_Object",
        "rdfs:label": f"Object {number}",
        "crm:P138i_has_representation": [{"@id": IMAGE.format(number), **image}],
        "crm:P129i_is_subject_of": {"@id": manifest, "@type": "crm:E73_Information_Object"},
    }


def collection(members: list[dict[str, Any]]) -> RawResponse:
    page = {"hydra:totalItems": len(members), "hydra:view": {}, "hydra:member": members}
    return 200, [("Content-Type", "application/ld+json")], json.dumps(page).encode()


def test_manifests_fill_in_what_records_leave_out(scrapy: Scrapy) -> None:
    said = {"license": BY_NC_ND.url, "attribution": "Photo: X"}
    known = {"crm:P104_is_subject_to": {"@id": IN_COPYRIGHT.url}}
    members: list[dict[str, Any]] = []

    def respond(path: str) -> RawResponse:
        if "/id/objects" in path:
            return collection(members)
        name = path.rpartition("/")[2]
        if name.isdigit() and int(name) >= 100:
            return int(name), [("Retry-After", "0")], b"<html>no</html>"
        if name == "away":
            return 302, [("Location", f"{elsewhere.base_url}stolen")], b""
        if name == "moved":
            return 301, [("Location", path.replace("moved", "1"))], b""
        if name == "html":
            return 200, [], b"<html>sorry</html>"
        image = {"resource": {"@id": IMAGE.format(1)}, **said}
        return 200, [], version_2(image)

    with serving(respond) as server, serving(lambda _: (200, [], b"{}")) as elsewhere:
        manifests = [
            *("1", "moved", "html", "away", "401", "403", "404", "410", "500", "503"),
            *["504"] * 4,
        ]
        members += [
            an_object(number + 1, f"{server.base_url}m/{number}/{name}")
            for number, name in enumerate(manifests)
        ]
        members[1]["crm:P138i_has_representation"][0]["@id"] = IMAGE.format(1)
        bad = [f"{elsewhere.base_url}m", "file:///etc/passwd", "http://10.0.0.1/m", "nowhere", "//"]
        members += [an_object(100 + number, url) for number, url in enumerate(bad)]
        members.append(an_object(200, f"{server.base_url}m/not/wanted", **known))
        scrapy.environment["DMG_BASE_URL"] = server.base_url
        scrapy.policy(QUICK)
        plain = scrapy.crawl("objects")
        requested_plainly = [path for path in server.requested if "/m/" in path]
        hasty = ("-s", "AUTOTHROTTLE_MAX_DELAY=0.01", "-s", "RETRY_BREAKER=3")
        crawl = scrapy.crawl("objects", "-a", "manifests=true", *hasty)
        requested = [path.rpartition("/m/")[2] for path in server.requested if "/m/" in path]
    assert (plain.code, requested_plainly) == (0, [])
    assert (crawl.code, elsewhere.requested) == (0, []), crawl.err
    assert sorted(requested) == sorted(
        [*(f"{n}/{name}" for n, name in enumerate(manifests)), "1/1"]
    )
    rows = {row["id"].rpartition("/")[2]: row for row in crawl.records}
    assert len(rows) == len(members)
    for number in ("1", "2"):
        assert rows[number]["image_rights"] == [
            {
                "image": IMAGE.format(1),
                "licence": BY_NC_ND.name,
                "licence_uri": BY_NC_ND.url,
                "attribution": "Photo: X",
                "source": "manifest",
            }
        ]
        assert BY_NC_ND.name in rows[number]["attribution"]
    assert rows["200"]["image_licence"] == IN_COPYRIGHT.name
    others = [row for number, row in rows.items() if number not in ("1", "2", "200")]
    assert {row["image_licence"] for row in others} == {None}
    told = {note: n for note, n in crawl.certificate["notes"].items() if "manifest" in note}
    assert sum(told.values()) == len(others)
    assert told["a IIIF manifest was not read: its host responded with 504"] == 4
    assert told["a IIIF manifest was not read: its address may not be requested"] == len(bad)
    assert crawl.certificate["licences"]["images"] == {
        BY_NC_ND.name: 2,
        IN_COPYRIGHT.name: 1,
        "none": len(others),
    }


def test_a_host_of_manifests_that_wants_to_be_left_alone_is(scrapy: Scrapy) -> None:
    members: list[dict[str, Any]] = []

    def respond(path: str) -> RawResponse:
        if "/id/objects" in path:
            return collection(members)
        return 429, [("Retry-After", "86400")], b""

    with serving(respond) as server:
        members += [an_object(number, f"{server.base_url}m/{number}") for number in range(4)]
        scrapy.environment["DMG_BASE_URL"] = server.base_url
        crawl = scrapy.crawl("objects", "-a", "manifests=true")
        requested = [path for path in server.requested if "/m/" in path]
    assert (crawl.code, len(crawl.records), len(requested)) == (0, 4, 1)
    assert crawl.certificate["requests"]["peak"]["127.0.0.1"] == 1
