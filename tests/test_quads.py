"""Linked data: nothing of a record is lost, each id is a subject, equal museums are equal files."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyoxigraph as ox
import pytest
import rdflib
from hypothesis import given, settings
from hypothesis import strategies as st
from rdflib.compare import isomorphic, to_canonical_graph
from scrapy.utils.project import get_project_settings

from mplus_crawler.datasets.jsonld import PREFIXES, escape
from mplus_crawler.datasets.quads import Quads
from mplus_crawler.datasets.snapshots import Kind, Snapshot, kinds
from mplus_crawler.spiders.dmg.cidoc import canonical_id
from tests.every_kind import Feeds, rows

pytestmark = pytest.mark.long

BASE = "https://data.designmuseumgent.be/v2/"
CRM = PREFIXES["crm"]
CERTIFICATE = {
    "run": "20260101T000000Z-1",
    "api": BASE,
    "started_at": "2026-01-01T00:00:00Z",
    "finished_at": "2026-01-01T00:00:01Z",
}
Row = dict[str, Any]


def snapshot(folder: Path, found: Sequence[Row], **certificate: str) -> Snapshot:
    """A snapshot with the rows *found*."""
    feed = folder / "objects.jsonl"
    feed.write_text("".join(f"{json.dumps(row)}\n" for row in found), "utf-8")
    return Snapshot(Kind("objects", "object", "objects"), feed, {**CERTIFICATE, **certificate})


def row(record: Row, number: str = "1", time: str = "2026-01-01T00:00:00Z") -> Row:
    """A row with *record*."""
    id_ = f"{BASE}id/object/{number}"
    return {"id": id_, "uri": id_, "label": "a label", "retrieved_at": time, "record": record}


def written(*snapshots: Snapshot) -> tuple[list[str], Counter[str]]:
    """The lines of the file, and the repairs."""
    quads = Quads(snapshots, partial(canonical_id, base_url=BASE))
    lines = b"".join(quads.lines()).decode().split("\n")[:-1]
    assert quads.quads == len(lines)
    return lines, quads.repairs


def of_record(record: Row, folder: Path) -> tuple[list[str], Counter[str]]:
    """The triples of one record, without its graph, and the repairs."""
    found = row(record)
    lines, repairs = written(snapshot(folder, [found]))
    end = f" <{found['uri']}> ."
    return [line.removesuffix(end) for line in lines if line.endswith(end)], repairs


ID = f"{BASE}id/object/1"
OK = {"@context": {"crm": CRM}, "@id": ID, "@type": "crm:E22_Human-Made_Object"}


@pytest.mark.parametrize(
    ("members", "line", "repairs"),
    [
        ({"crm:P": "v"}, f'<{ID}> <{CRM}P> "v"', {}),
        ({"@id": f"{ID}/", "crm:P": "v"}, f'<{ID}> <{CRM}P> "v"', {"subject": 1}),
        ({"@id": None, "crm:P": "v"}, f'<{ID}> <{CRM}P> "v"', {"subject": 1}),
        ({"@id": 5, "crm:P": 1}, f"<{ID}> <{CRM}P> ", {"subject": 1}),
        (
            {"crm:P": {"@id": "http://x.be/a b<ü%zz[1]"}},
            f"<{ID}> <{CRM}P> <http://x.be/a%20b%3Cü%25zz%5B1%5D>",
            {"characters": 1},
        ),
        (
            {"crm:P": {"@id": "http://[bad/"}},
            f"<{ID}> <{CRM}P> <http://%5Bbad/>",
            {"characters": 1},
        ),
        (
            {"crm:P": {"@id": "http://data.designmuseumgent.be/v2//id/object/1"}},
            f"<{ID}> <{CRM}P> <{ID}>",
            {"spelling": 1},
        ),
        ({"crm:P": {"@id": 7, "crm:Q": 1}}, f"<{ID}> <{CRM}P> <", {"id": 1}),
        ({"crm:P": {"@id": "_:b0"}}, f"<{ID}> <{CRM}P> <", {"id": 1}),
        ({"crm:P": {"@type": "crm:A B"}}, f"> <{CRM}A%20B>", {"characters": 1}),
        ({"@type": ["crm:A", None, 3]}, f"#type> <{CRM}A>", {"type": 2}),
        (
            {"crm:P": {"@value": "v", "@language": "nl_BE"}},
            f'<{CRM}P> "v"@nl-be',
            {"literal": 1},
        ),
        ({"crm:P": {"@value": "v", "@language": None}}, f'<{CRM}P> "v"', {"literal": 1}),
        ({"crm:P": {"@value": "v", "@language": "?"}}, f'<{CRM}P> "v"', {"literal": 1}),
        ({"crm:P": {"@value": {"a": 1}}}, f'<{CRM}P> "{{\\"a\\": 1}}"', {"value": 1}),
        ({"@context": None, "crm:P": "v"}, f'<{ID}> <{CRM}P> "v"', {"prefix": 1}),
        (
            {"@context": "http://no.where/c", "crm:P": "v"},
            f'<{CRM}P> "v"',
            {"context": 1, "prefix": 1},
        ),
        ({"@context": [{"crm": CRM}, 4], "crm:P": "v"}, f'<{CRM}P> "v"', {"context": 1}),
        ({"skos:note": "v"}, f'<{PREFIXES["skos"]}note> "v"', {"prefix": 1}),
        ({"crm:P": {"@list": ["a", {"crm:Q": "b"}]}}, '#first> "a"', {}),
        ({"crm:P": 'a\n\r\u2028"\\'}, '"a\\n\\r\u2028\\"\\\\"', {}),
        ({"crm:P": 10**30}, f"<{ID}> <{CRM}P> ", {}),
        (
            {"@context": {"crm": "no iri"}, "crm:P": "v"},
            f"<{ID}> <{CRM}P> ",
            {"context": 1, "prefix": 1},
        ),
        (
            {"crm:P": {"@id": "http://vocab.getty.edu/aat/1", "crm:Q": {"crm:R": 1}}},
            "<https://data.designmuseumgent.be/.well-known/genid/",
            {},
        ),
        ({"http://x.be/p": "v"}, f'<{ID}> <http://x.be/p> "v"', {}),
        ({"@index": "x", "crm:P": "v"}, f"<{ID}> <{CRM}P> ", {"keyword": 1}),
    ],
)
def test_what_a_strict_reader_refuses_is_repaired_and_counted(
    members: Row, line: str, repairs: dict[str, int], tmp_path: Path
) -> None:
    lines, counted = of_record({**OK, **members}, tmp_path)
    assert any(line in found for found in lines), lines
    assert counted == repairs
    assert any(found.startswith(f"<{ID}> ") for found in lines)
    assert not any("_:" in found for found in lines)


@pytest.mark.parametrize("record", [{}, {"image": "x"}, {"@id": "", "crm:P": []}, {"a": {"b": []}}])
def test_a_record_without_linked_data_has_its_label(record: Row, tmp_path: Path) -> None:
    lines, repairs = of_record(record, tmp_path)
    assert f'<{ID}> <{PREFIXES["rdfs"]}label> "a label"' in lines
    assert repairs["empty"] == 1


def test_a_record_that_cannot_be_read_is_counted(tmp_path: Path) -> None:
    lines, repairs = of_record({**OK, "@context": {"@version": "0"}}, tmp_path)
    assert len(lines) == 1
    assert repairs == {"unreadable": 1, "empty": 1}


def test_equal_museums_give_equal_files_but_for_the_provenance(tmp_path: Path) -> None:
    record = {
        **OK,
        "crm:P": [{"crm:Q": "a", "crm:R": {"crm:Q": 1}}, {"crm:Q": "b"}, {"crm:Q": "b"}],
    }
    turned = {"crm:P": [{"crm:Q": "b"}, {"crm:R": {"crm:Q": 1}, "crm:Q": "a"}], **OK}
    one, _ = written(snapshot(tmp_path, [row(record), row(OK, "2")]))
    later = "2027-01-01T00:00:00Z"
    two, _ = written(snapshot(tmp_path, [row(turned, time=later), row(OK, "2", later)], run="x"))
    end = f" <{BASE}#provenance> ."
    first, second = ([line for line in lines if not line.endswith(end)] for lines in (one, two))
    assert first == second
    assert one[: len(first)] == first, "the provenance is the last graph"
    assert one != two
    assert sum("generatedAtTime" in line for line in one) == 2


_NAMES = st.sampled_from(
    [
        *("@id", "@type", "@value", "@language", "@list", "@set", "@context", "@graph", "@reverse"),
        *("crm:P", "skos:q", "image", "", ":", "crm:", "_:b", "http://x/y z"),
    ]
)
_TEXTS = st.text(max_size=6) | st.sampled_from([ID, "_:b", "crm:X", "http://[", "%", "nl", "a b"])
_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | _TEXTS
)
_JSON = st.recursive(
    _SCALARS,
    lambda below: st.lists(below, max_size=3) | st.dictionaries(_NAMES, below, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(_NAMES, _JSON, max_size=5))
@settings(max_examples=60)
def test_any_json_gives_valid_quads_about_its_id(record: Row) -> None:
    with TemporaryDirectory() as folder:
        record = {"@context": {"crm": CRM}, **record}
        lines, _ = of_record(record, Path(folder))
        assert any(line.startswith(f"<{ID}> ") for line in lines)
        text = "".join(f"{line} .\n" for line in lines)
        assert len(list(ox.parse(text, format=ox.RdfFormat.N_TRIPLES))) == len(lines)
        assert "_:" not in re.sub(r'"(\\.|[^"\\])*"|<[^>]*>', "", text)
        turned = dict(reversed(record.items()))
        assert of_record(turned, Path(folder))[0] == lines


@pytest.mark.parametrize("text", ["http://x/a?b=c#d", "urn:x", "crm:P1", "http://[::1]/a", ""])
def test_an_iri_without_faults_stays(text: str) -> None:
    assert escape(text) == text


@pytest.fixture(scope="module")
def harvested(feeds: Feeds) -> list[Snapshot]:
    """The snapshots of Gent that have linked data."""
    found = []
    for kind in kinds(get_project_settings(), "dmg"):
        feed = feeds[kind.spider]
        certificate = json.loads(feed.with_name(f"{kind.spider}.certificate.json").read_bytes())
        found.append(Snapshot(kind, feed, certificate))
    return found


def test_every_id_of_the_museum_is_a_subject_and_every_uri_a_graph(
    harvested: list[Snapshot],
) -> None:
    assert all(snapshot.kind.spelling for snapshot in harvested)
    lines, repairs = written(*harvested)
    subjects = {line.partition(" ")[0][1:-1] for line in lines}
    graphs = {line[line.rindex("<") + 1 : -3] for line in lines}
    found = [each for snapshot in harvested for each in rows(snapshot.feed)]
    assert {escape(each["id"]) for each in found} <= subjects
    assert {escape(each["uri"]) for each in found} <= graphs
    assert not repairs["unreadable"]
    assert lines == list(dict.fromkeys(lines)), "each quad is there once"


@pytest.mark.filterwarnings("ignore:ConjunctiveGraph:DeprecationWarning")  # rdflib's own
def test_rdflib_reads_the_same_from_the_records(harvested: list[Snapshot], tmp_path: Path) -> None:
    for kind in ("objects", "agents", "exhibitions", "concepts"):
        feed = next(one.feed for one in harvested if one.kind.spider == kind)
        for each in rows(feed)[:8]:
            record = each["record"]
            if record.get("@id") != each["id"]:
                continue
            own = rdflib.Graph()
            own.parse(data=json.dumps(record), format="json-ld", base=each["id"])
            lines, repairs = written(snapshot(tmp_path, [each]))
            if repairs:
                continue
            end = f" <{each['uri']}> ."
            text = "\n".join(f"{line.removesuffix(end)} ." for line in lines if line.endswith(end))
            ours = rdflib.Graph()
            ours.parse(data=re.sub(r"<[^>]*/genid/(\w+)>", r"_:b\1", text), format="nt")
            own, ours = map(to_canonical_graph, (own, ours))
            assert isomorphic(own, ours), (kind, sorted(own - ours)[:3], sorted(ours - own)[:3])
