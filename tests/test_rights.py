"""Rights: what a licence means, what is never taken for a permission, who is credited."""

from __future__ import annotations

import string
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mplus_crawler.errors import printable
from mplus_crawler.feeds.attribution import attribution
from mplus_crawler.museum.policies.reading import load_policy
from mplus_crawler.records.items import ITEM_CLASSES, errors
from mplus_crawler.records.rights import UNKNOWN, UNWRITTEN, LicenceCount, Rights, licences_of
from mplus_crawler.sandbox.app import Sandbox
from mplus_crawler.spiders.dmg.cidoc import canonical_id
from tests.conftest import Scrapy
from tests.fixtures.dmg import FLATTEN, members

POLICY = load_policy("dmg")
RIGHTS = Rights(POLICY)
FREE, BY_NC_ND, IN_COPYRIGHT = (term.name for term in POLICY.licences)
CC = "https://creativecommons.org"
ZERO = f"{CC}/publicdomain/zero/1.0/"
NC_ND = f"{CC}/licenses/by-nc-nd/4.0/"
INC = "https://rightsstatements.org/vocab/InC/1.0/"
BY_SA = f"{CC}/licenses/by-sa/4.0/"
WIKIPEDIA = "https://nl.wikipedia.org/wiki/Maarten_Van_Severen"
BASE = POLICY.base_url
IIIF = "https://iiif.test/{}.jpg"

canonical = partial(canonical_id, base_url=BASE)


def row_of(kind: str, record: dict[str, Any]) -> dict[str, Any]:
    row = {
        **dict.fromkeys(ITEM_CLASSES[kind].fields),
        "uri": BASE,
        "source": POLICY.name,
        "kind": kind,
        "attribution": UNWRITTEN,
        "licence": POLICY.licence,
        "licence_uri": POLICY.licence_url,
        "retrieved_at": "2026-11-22T06:00:00Z",
        "digest": "0" * 64,
        **FLATTEN[kind](record, canonical, f"{BASE}id/{kind}/1"),
        "record": record,
    }
    RIGHTS.settle(row)
    return row


def an_object(*rights: Any, **more: Any) -> dict[str, Any]:
    """The row of an object with an image for each of *rights*."""
    views = [
        {"@id": IIIF.format(number), "crm:P104_is_subject_to": right}
        for number, right in enumerate(rights)
    ]
    return row_of("object", {"crm:P138i_has_representation": views, "image": views[:1], **more})


def a_text(**more: Any) -> dict[str, Any]:
    """The biography that is made of a text in an agent's record."""
    record = {"crm:P67i_is_referred_to_by": {"rdfs:label": "A designer.", **more}}
    text: dict[str, Any]
    (text,) = row_of("agent", record)["biographies"]
    return text


# What a licence means


@pytest.mark.parametrize(
    ("written", "name"),
    [
        *((uri, FREE) for uri in (ZERO, f"{CC}/publicdomain/mark/1.0/")),
        *((label, FREE) for label in ("CC0", "cc0", "CC0 1.0", "Public Domain", "public-domain")),
        (NC_ND, BY_NC_ND),
        *((label, BY_NC_ND) for label in ("CC-BY-NC-ND", "CC BY-NC-ND 4.0", "cc_by_nc_nd 4.0")),
        (INC, IN_COPYRIGHT),
        ("https://rightsstatements.org/page/InC/1.0/?language=nl", IN_COPYRIGHT),
        *((label, IN_COPYRIGHT) for label in ("IC", "In Copyright")),
    ],
)
def test_the_three_terms(written: str, name: str) -> None:
    assert RIGHTS.name(written) == name


spelling = st.tuples(
    st.sampled_from(["http://", "https://", "HTTPS://"]),
    st.sampled_from(["", "www.", "WWW."]),
    st.booleans(),
    st.sampled_from(["", "/", "/deed", "/deed.nl", "/deed.zh-hant", "/legalcode", "/legalcode.fr"]),
    st.sampled_from(["", "?language=en"]),
    st.sampled_from(["", " ", "\n"]),
)


@given(uri=st.sampled_from([(ZERO, FREE), (NC_ND, BY_NC_ND), (INC, IN_COPYRIGHT)]), how=spelling)
def test_spellings_of_a_uri_mean_the_same(uri: tuple[str, str], how: Any) -> None:
    written, name = uri
    scheme, www, loud, end, query, space = how
    host, _, path = written.removeprefix("https://").rstrip("/").partition("/")
    host = host.upper() if loud else host
    assert RIGHTS.name(f"{space}{scheme}{www}{host}/{path}{end}{query}{space}") == name


@pytest.mark.parametrize(
    "written",
    [
        *(
            f"{CC}/licenses/{code}/"
            for code in ("by-nc-nd/3.0", "by-sa/4.0", "by/4.0", "by-nc/4.0")
        ),
        *(f"{CC}/licenses/{code}" for code in ("by-nc-nd/4.0/be", "by-nc-nd", "by-nc-nd/4.00")),
        *(f"{CC}/{path}" for path in ("publicdomain/", "publicdomain/zero/", "publicdomainish")),
        *(f"{CC}/{path}" for path in ("publicdomain/zero/1.0/../../licenses/by/4.0", "licenses")),
        *(f"{CC}{path}" for path in ("//publicdomain/zero/1.0", "/publicdomain/zero/1.0?x=1")),
        *(f"{CC}{path}" for path in (":80/publicdomain/zero/1.0", "/publicdomain%2Fzero/1.0")),
        "https://evil.example/creativecommons.org/publicdomain/zero/1.0/",
        "https://creativecommons.org.evil.example/publicdomain/zero/1.0/",
        "https://creativecommons.org@evil.example/publicdomain/zero/1.0/",
        "https://evil.example\\@creativecommons.org/publicdomain/zero/1.0/",
        "https://evilcreativecommons.org/publicdomain/zero/1.0/",
        "https://evil.example/?https://creativecommons.org/publicdomain/zero/1.0/",
        "https://evil.example/#https://creativecommons.org/publicdomain/zero/1.0/",
        "https://cre\u0430tivecommons.org/publicdomain/zero/1.0/",
        "ftp://creativecommons.org/publicdomain/zero/1.0/",
        "creativecommons.org/publicdomain/zero/1.0/x",
        "https://rightsstatements.org/vocab/NoC-NC/1.0/",
        "https://rightsstatements.org/vocab/InC-EDU/1.0/",
        *(
            "publicdomainish",
            "not CC0",
            "CC0 or not",
            "CC BY-NC-ND 3.0",
            "CC BY-\u017fA",
            "?",
            "{}",
        ),
        f"{ZERO} {NC_ND}",
        f"{ZERO} | {ZERO}",
    ],
)
def test_anything_else_is_unknown(written: str) -> None:
    assert RIGHTS.name(written) == UNKNOWN


@given(st.text() | st.text(string.printable).map(lambda tail: ZERO + tail))
def test_only_what_is_known_is_a_term(written: str) -> None:
    name = RIGHTS.name(written)
    if name not in (None, UNKNOWN) and written.startswith(ZERO):
        assert written.strip().removeprefix(ZERO).partition("?")[0].split(".")[0] in (
            *("", "deed", "legalcode", "deed/", "legalcode/"),
        )


# Images


def test_every_image_has_its_rights() -> None:
    literal = {"@type": "xsd:anyURI", "@value": INC}
    row = an_object({"@id": ZERO}, [{"@id": NC_ND}], None, {"@id": BY_SA}, "IC", literal)
    assert [rights["image"] for rights in row["image_rights"]] == row["images"]
    assert [(rights["licence"], rights["source"]) for rights in row["image_rights"]] == [
        (FREE, "record"),
        (BY_NC_ND, "record"),
        (None, None),
        (UNKNOWN, "record"),
        (IN_COPYRIGHT, "record"),
        (IN_COPYRIGHT, "record"),
    ]
    assert (row["image_licence"], row["image_licence_uri"]) == (FREE, ZERO)
    assert row["image_rights"][3]["licence_uri"] == BY_SA
    assert errors(ITEM_CLASSES["object"], row) == []


@pytest.mark.parametrize(
    "rights",
    [
        [{"@id": ZERO}, {"@id": NC_ND}],
        [{"@id": ZERO}, {"@id": INC}],
        [{"@id": ZERO}, {"@type": "crm:E30_Right"}],
        ["CC", "BY-NC-ND"],
        {},
    ],
)
def test_licences_that_contradict_one_another_are_unknown(rights: Any) -> None:
    (found,) = an_object(rights)["image_rights"]
    assert (found["licence"], found["source"]) == (UNKNOWN, "record")
    assert found["licence_uri"]


def test_one_image_that_stands_twice_has_all_that_is_said_of_it() -> None:
    twice = {"@id": IIIF.format(0), "crm:P104_is_subject_to": {"@id": INC}}
    row = an_object({"@id": ZERO}, image=twice)
    assert (row["images"], row["image_licence"]) == ([IIIF.format(0)], UNKNOWN)
    bare = an_object({"@id": ZERO}, image={"@id": IIIF.format(0)})
    assert (bare["images"], bare["image_licence"]) == ([IIIF.format(0)], FREE)


def test_what_the_museum_sends() -> None:
    rows = [row_of("object", record) for record in members("colors-dominant")]
    assert [row["image_licence"] for row in rows] == [UNKNOWN, UNKNOWN, FREE]
    assert rows[1]["image_attribution"] == "Collection Design Museum Gent, © SABAM Belgium"
    assert rows[0]["image_licence_uri"] == BY_SA
    for name in ("objects", "private-objects", "object-media"):
        assert [row_of("object", record)["image_licence"] for record in members(name)] == [
            None for _ in members(name)
        ]


right = st.sampled_from([ZERO, NC_ND, INC, BY_SA, "CC0", "", None, f"{CC}/licenses/by/3.0"])
node = st.fixed_dictionaries({}, optional={"@id": right, "rdfs:label": right, "@type": right})
mix = node | right | st.lists(node | right | st.lists(right), max_size=3)


@given(st.lists(mix, min_size=1, max_size=4))
def test_no_mix_of_rights_allows_what_not_all_of_it_allows(mixes: list[Any]) -> None:
    for found, stated in zip(an_object(*mixes)["image_rights"], mixes, strict=True):
        assert found["licence"] == RIGHTS.name(found["licence_uri"])
        if RIGHTS.term(found["licence"]):
            said = stated if isinstance(stated, list) else [stated]
            ids = {
                one.get("@id") or one.get("rdfs:label") if isinstance(one, dict) else str(one)
                for one in said
            }
            assert ids == {found["licence_uri"]}


# Credit

MAKING = {
    "crm:P94i_was_created_by": {
        "crm:P14_carried_out_by": {"rdfs:label": "Van Severen, Maarten"},
        "crm:P4_has_time-span": {"rdfs:label": "1990/1999"},
    },
    "crm:P108i_was_produced_by": {"crm:P14_carried_out_by": {"rdfs:label": "Vitra"}},
}


def test_credit_of_an_object() -> None:
    assert (
        an_object({"@id": NC_ND}, **MAKING, **{"rdfs:label": "Blauwe\n stoel\u0007"})["attribution"]
        == f"Van Severen, Maarten, Blauwe stoel, 1990-1999, {BY_NC_ND}, {POLICY.attribution}"
    )
    made = {"crm:P108i_was_produced_by": MAKING["crm:P108i_was_produced_by"]}
    assert an_object({"@id": BY_SA}, **made)["attribution"] == (
        f"Vitra, {POLICY.licence} (data), {POLICY.attribution}"
    )
    assert an_object()["attribution"] == f"{POLICY.licence} (data), {POLICY.attribution}"


def test_credit_of_other_records() -> None:
    for kind in ("agent", "exhibition", "concept"):
        row = row_of(kind, {"rdfs:label": "Name"})
        assert row["attribution"] == f"Name, {POLICY.licence}, {POLICY.attribution}"


@given(st.text())
def test_a_line_is_one_clean_line(text: str) -> None:
    line = printable(text)
    assert line.isprintable()
    assert line == line.strip()
    assert "  " not in line


# Texts from elsewhere


@pytest.mark.parametrize(
    "source",
    [
        {"crm:P129i_is_subject_of": {"@id": WIKIPEDIA}},
        {"crm:P67_refers_to": {"@id": WIKIPEDIA}},
        {"crm:P67_refers_to": [WIKIPEDIA]},
        {"dcterms:source": WIKIPEDIA, "dcterms:license": BY_SA},
        {"crm:P67_refers_to": {"@id": WIKIPEDIA}, "dcterms:license": {"@id": BY_SA}},
    ],
)
def test_a_text_from_wikipedia_names_page_and_licence(source: dict[str, Any]) -> None:
    text = a_text(**source)
    assert (text["source"], text["licence"], text["licence_uri"]) == (
        WIKIPEDIA,
        "CC BY-SA 4.0",
        BY_SA,
    )


def test_texts_that_stand_in_p67_by_themselves() -> None:
    text = {"@id": WIKIPEDIA, "rdfs:label": "Ontwerper.", "dcterms:license": {"@id": BY_SA}}
    row = row_of("agent", {"@type": "crm:E39_Actor", "crm:P67_refers_to": [text]})
    (biography,) = row["biographies"]
    assert (biography["text"], biography["source"]) == ("Ontwerper.", WIKIPEDIA)
    assert biography["licence"] == "CC BY-SA 4.0"
    assert errors(ITEM_CLASSES["agent"], row) == []
    del text["@id"]
    (biography,) = row_of("agent", {"crm:P67_refers_to": text})["biographies"]
    assert (biography["source"], biography["licence"]) == (None, UNKNOWN)


@pytest.mark.parametrize(
    "page",
    [
        None,
        "https://evil.example/wikipedia.org/",
        "https://wikipedia.org.evil.example/wiki/X",
        "https://nl.wikipedia.org@evil.example/wiki/X",
        "https://evil.example\\.wikipedia.org/wiki/X",
        "https://evilwikipedia.org/wiki/X",
        "https://evil.example .wikipedia.org/",
        "//nl.wikipedia.org/wiki/X",
        "nl.wikipedia.org/wiki/X",
    ],
)
@pytest.mark.parametrize("licence", [None, BY_SA])
def test_a_text_without_such_a_source_is_unknown(page: str | None, licence: str | None) -> None:
    text = a_text(**{"crm:P129i_is_subject_of": {"@id": page}, "dcterms:license": licence})
    assert (text["source"], text["licence"]) == (page, UNKNOWN)
    assert text["licence_uri"] == licence


def test_a_text_under_another_licence_than_its_source_gives_is_unknown() -> None:
    other = f"{CC}/licenses/by-sa/3.0/"
    text = a_text(**{"crm:P67_refers_to": {"@id": WIKIPEDIA}, "dcterms:license": {"@id": other}})
    assert (text["licence"], text["licence_uri"]) == (UNKNOWN, other)


def test_the_museums_agent_with_wikipedia_texts() -> None:
    (record,) = members("agent")
    row = row_of("agent", record)
    assert [text["licence"] for text in row["biographies"]] == [UNKNOWN, *["CC BY-SA 4.0"] * 3]
    assert errors(ITEM_CLASSES["agent"], row) == []


# The certificate's counts, and ATTRIBUTION.md


def test_what_is_owed_stands_beside_the_snapshots(
    scrapy: Scrapy, museum: Callable[..., Sandbox]
) -> None:
    scrapy.at(museum(objects=30, agents=120, exhibitions=3, concepts=3))
    objects, agents = (scrapy.crawl(kind, MAX_REJECT_SHARE="0.1") for kind in ("objects", "agents"))
    file = objects.folder / "ATTRIBUTION.md"
    for crawl in (objects, agents):
        assert crawl.code == 0
        counted, licences = LicenceCount(), crawl.certificate["licences"]
        for record in crawl.records:
            counted.add(licences_of(record))
        assert licences == counted.counts()
        assert licences["records"] == {POLICY.licence: len(crawl.records)}
    assert set(agents.certificate["licences"]["texts"]) == {"CC BY-SA 4.0", UNKNOWN}
    text = file.read_text()
    for line in (
        f"- credit: {POLICY.attribution}",
        f"- licence of the data: [{POLICY.licence}]({POLICY.licence_url})",
        f"From {agents.certificate['api']}, complete on {agents.certificate['finished_at']}.",
        f"{len(agents.records)} records.",
        f"- {POLICY.document['obligations'][0]}",
        f"- Texts from Wikipedia ([CC BY-SA 4.0]({BY_SA})): {POLICY.quoted[0].summary}.",
    ):
        assert line in text.splitlines()
    texts = agents.certificate["licences"]["texts"]["CC BY-SA 4.0"]
    assert f"| quoted texts | CC BY-SA 4.0 | {texts} |" in text

    once = ("-s", "RETRY_TIMES=0", "-s", "RETRY_BACKOFF_BASE=0.01")
    stopped = scrapy.crawl("exhibitions", *once, DMG_BASE_URL="http://127.0.0.1:9/v2/")
    assert stopped.code != 0
    assert file.read_text() == text


def test_the_text_of_what_is_owed() -> None:
    def certificate(spider: str, policy: str, **more: Any) -> dict[str, Any]:
        document = load_policy(policy).document
        return {
            "spider": spider,
            "source": document["name"],
            "api": "https://api.test/",
            "finished_at": "2026-11-22T06:00:00Z",
            "unique": 7,
            "policy": document,
            **more,
        }

    images = dict.fromkeys((FREE, BY_NC_ND, IN_COPYRIGHT, UNKNOWN, "none"), 2)
    text = attribution(
        [
            certificate("objects", "dmg", licences={"images": images, "texts": {}}),
            certificate("private_objects", "dmg", private=True, unique=4711),
            certificate("e|vil\n# <script>", "dmg"),
        ]
    )
    for term in POLICY.licences:
        assert f"- Images under [{term.name}]({term.url}): {term.summary}.\n" in text
        assert f"| images | {term.name} | 2 |\n" in text
    assert "no permission" in text
    assert "4711" not in text
    assert "e\\|vil # &lt;script>" in text
    assert text.count(f"## {POLICY.name}: ") == 1
    both = attribution([certificate("a", "mplus"), certificate("b", "mplus_open")])
    api, published = (load_policy(key).document for key in ("mplus", "mplus_open"))
    assert "## M+: a\n" in both
    assert "## M+: b\n" in both
    for line in (*api["obligations"], *published["obligations"], api["terms"], published["terms"]):
        assert line in both
    assert f"may be kept: {api['retention_days']} days" in both
    kept = {**POLICY.document, "retention_days": 14, "name": "Another"}
    other = {**certificate("o", "dmg"), "policy": kept, "source": "Another"}
    assert "may be kept: 14 days, then refreshed or deleted" in attribution([other])
