"""Change feeds: comparing, evidence, replay and net, in process."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mplus_crawler.feeds.changes.change import Change, ChangeType
from mplus_crawler.feeds.changes.comparison import Comparison, creations
from mplus_crawler.feeds.changes.evidence import Evidence, Reason
from mplus_crawler.feeds.changes.iiif import collection
from mplus_crawler.feeds.changes.replay import Net, replay
from mplus_crawler.feeds.changes.snapshot import Row, content_digest, found, parsed, reader
from mplus_crawler.feeds.changes.summary import Summary

DAY = timedelta(days=1)
START = datetime(2026, 11, 1, 3, tzinfo=UTC)
Content = dict[str, str]
Columns = Mapping[str, Any]


def line(id_: str, **columns: Any) -> bytes:
    """A row as an exporter writes it, with a digest of its columns."""
    text = json.dumps([id_, columns], sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()
    row = {"id": id_, "retrieved_at": "x", "digest": digest, **columns}
    return json.dumps(row, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def rows(records: Mapping[str, Columns]) -> list[Row]:
    return [*parsed(line(id_, **records[id_]) for id_ in sorted(records))]


def content(of: Mapping[str, Columns]) -> Content:
    return {row.id: row.digest for row in rows(of)}


def compared(
    former: Mapping[str, Columns],
    now: Mapping[str, Columns],
    reasons: Mapping[str, Evidence] | None = None,
) -> list[Change]:
    absent = Evidence(Reason.WITHDRAWN, START.isoformat())
    comparison = Comparison(lambda id_: (reasons or {}).get(id_, absent))
    return [*comparison.changes(rows(former), rows(now))]


def told(changes: list[Change]) -> dict[str, tuple[str, ...]]:
    return {each.id: (each.type.value, *filter(None, [each.to])) for each in changes}


def test_the_columns_that_differ_are_named_and_times_alone_are_distinguished() -> None:
    record: dict[str, Any] = {"at": "2026-01-01T00:00:00", "text": ["a", {"b": 1}]}
    one = {"title": "a", "modified": "2026-01-01T00:00:00", "record": record}
    again_record = {**record, "at": "2026-02-01T00:00:00"}
    later = {"modified": "2026-02-01T00:00:00", "record": again_record}
    other = {**later, "record": {**again_record, "text": ["a", {"b": 2}]}}
    former = dict.fromkeys(["again", "edited", "retitled", "same"], one)
    now: dict[str, Columns] = {
        "again": {**one, **later},
        "edited": {**one, **other},
        "retitled": {**one, "title": "ä", "new": None},
        "same": one,
    }
    again, edited, retitled = compared(former, now)
    assert (again.columns, again.regenerated) == (("modified", "record"), True)
    assert (edited.columns, edited.regenerated) == (("modified", "record"), False)
    assert (retitled.columns, retitled.regenerated) == (("title",), False)


@pytest.mark.parametrize(
    ("come", "gone", "expected"),
    [
        ({"b": "1"}, {"a": "1"}, {"a": ("Move", "b")}),
        ({"b": "1", "c": "1"}, {"a": "1"}, {"a": ("Delete",), "b": ("Create",), "c": ("Create",)}),
        ({"b": None}, {"a": None}, {"a": ("Delete",), "b": ("Create",)}),
        ({"b": "2"}, {"a": "1"}, {"a": ("Delete",), "b": ("Create",)}),
    ],
)
def test_a_new_id_under_the_old_number_is_a_move(
    come: Columns, gone: Columns, expected: dict[str, tuple[str, ...]]
) -> None:
    def numbered(numbers: Columns) -> dict[str, Columns]:
        return {id_: {"object_number": number} for id_, number in numbers.items()}

    former, now = numbered({**gone, "z": "9"}), numbered({**come, "z": "9"})
    changes = compared(former, now)
    assert told(changes) == expected
    state = content(former)
    replay(changes, state)
    assert state == content(now)


def test_a_record_may_hold_what_looks_like_a_digest() -> None:
    lines = [
        b'{"id":"a","hash":{"digest":"0"},"digest":"' + b"1" * 64 + b'"}\n',
        b'{"id":"b\\"c","digest":"' + b"2" * 64 + b'"}\n',
        b'{"digest":"' + b"3" * 64 + b'","id":"d"}\n',
    ]
    file = BytesIO(b"".join(lines))
    true = content_digest(parsed(lines))
    assert content_digest(found(lines)) != true
    assert reader(file, true) is parsed
    assert [row.id for row in parsed(lines)] == ["a", 'b"c', "d"]
    assert reader(file, "0" * 64) is None


def test_a_row_that_was_damaged_since_has_no_columns() -> None:
    (row,), (now,) = rows({"a": {"title": "b"}}), rows({"a": {"title": "c"}})
    damaged = row._replace(line=row.line.replace(b"}", b""))
    comparison = Comparison(lambda _: Evidence(Reason.GONE, ""))
    (update,) = comparison.changes([damaged], [now])
    assert (update.before, update.after, update.columns) == (row.digest, now.digest, ())
    assert b"columns" not in update.line(1)
    (gone,) = Comparison(lambda _: Evidence(Reason.GONE, "")).changes([damaged], [])
    assert gone.type is ChangeType.DELETE


@pytest.mark.parametrize("number", ["1e400", "-1E-400", "0.10", "9" * 30, "9" * 5000])
def test_a_number_that_python_cannot_read_is_compared_as_written(number: str) -> None:
    lines = [
        f'{{"id":"a","title":1,"record":{{"a":{number},"b":{b}}},"digest":"{b:064}"}}\n'
        for b in (1, 2)
    ]
    before, after = parsed(each.encode() for each in lines)
    comparison = Comparison(lambda _: Evidence(Reason.GONE, ""))
    (update,) = comparison.changes([before], [after])
    assert update.columns == ("record",)


def test_a_redirect_to_a_record_that_is_not_listed_is_no_move() -> None:
    model, merged = Model(), Evidence(Reason.MERGED, START.isoformat(), 301, to="UNHEALTHY")
    model.publish({"a": {}, "b": {}}, {})
    model.publish({"b": {}}, {"a": merged})
    (missing,) = model.history[-1]
    assert (missing.type, missing.to, missing.after) == (ChangeType.MISSING, None, None)
    assert missing.evidence["to"] == "UNHEALTHY"
    model.publish({"b": {}}, {"a": merged})
    assert model.history[-1] == []
    model.publish({"b": {}}, {"a": replace(merged, to="b")})
    assert told(model.history[-1]) == {"a": ("Move", "b")}
    check_history(model)


def test_activities_that_name_their_stream() -> None:
    changes = [
        Change(ChangeType.MISSING, "a", before="1"),
        Change(ChangeType.RESTORE, "b", after="2"),
        Change(ChangeType.MOVE, "c", to="b", before="1", after="2"),
    ]
    made = collection(changes, "https://m/changes", "2026-11-28T00:00:00Z", "https://m/{}".format)
    stream = {"id": "https://m/changes", "type": "OrderedCollection"}
    removed, added, moved = made["orderedItems"]
    assert (removed["type"], removed["origin"]) == ("Remove", stream)
    assert (added["type"], added["target"]) == ("Add", stream)
    assert (moved["type"], moved["target"]["id"]) == ("Move", "https://m/b")


def test_a_sentence() -> None:
    update = [
        Change(ChangeType.UPDATE, "a", columns=("title_nl", "title_en", "label", "record")),
        Change(ChangeType.UPDATE, "b", columns=("title_nl", "image")),
        Change(ChangeType.UPDATE, "c", columns=("category", "materials", "material_nl")),
        Change(ChangeType.UPDATE, "d", columns=("modified",), evidence={"regenerated": True}),
    ]
    new = [Change(ChangeType.CREATE, f"n{number}") for number in range(1200)]
    merged = Change(ChangeType.MOVE, "m", to="https://museum/2")
    gone = Change(ChangeType.DELETE, "g")
    assert Summary.of([*update, *new, merged, gone]).sentence("since 14 November") == (
        "since 14 November: 1,200 new, 3 changed (2 titles, 1 image, 1 category, 1 material), "
        "1 with a new date only, 1 merged into https://museum/2, 1 gone"
    )
    assert Summary().sentence("since 14 November") == "since 14 November: no change"


@pytest.mark.parametrize(
    ("findings", "told"),
    [
        ("absent 0, absent 1", "Missing, Delete"),
        ("absent 0, absent 0.5, absent 0.9, absent 1", "Missing, , , Delete"),
        ("absent 0, rejected 1, absent 2, absent 2.5", "Missing, Missing, Missing, "),
        ("not_found 0, unanswered 1, not_found 2", "Missing, , Delete"),
        ("not_found 0, absent 1, not_found 2", "Missing, Missing, Missing"),
        ("not_found 0, absent 0.9, not_found 1", "Missing, , Delete"),
        ("absent 0, rejected 0.5, absent 1.2, absent 1.5", "Missing, Missing, , Missing"),
        (
            "not_requested 0, not_found 0.9, not_found 1.8, not_found 3",
            "Missing, , Missing, Delete",
        ),
        ("not_requested 0, unanswered 0.9, unanswered 1, absent 2", "Missing, , Missing, Missing"),
        ("unanswered 0, unanswered 9, not_found 9, gone 9", "Missing, , Missing, Delete"),
        ("not_requested 0, merged 3", "Missing, Move"),
        ("rejected 0, rejected 3, unreadable 3, withdrawn 3", "Missing, , Missing, Delete"),
    ],
)
def test_what_findings_about_one_record_come_to(findings: str, told: str) -> None:
    model, types = Model(), []
    model.publish({"a": {}, "b": {}}, {})
    for finding in findings.split(", "):
        reason, days = finding.split()
        at = (START + float(days) * DAY).isoformat()
        to = "b" if reason == "merged" else None
        model.publish({"b": {}}, {"a": Evidence(Reason(reason), at, to=to)})
        types.append("".join(change.type for change in model.history[-1]))
    assert ", ".join(types) == told


# A model of a museum and of our knowledge of it, step by step.


class Model:
    """A museum whose records come, change and go, and the feeds that a keeper of copies gets."""

    def __init__(self) -> None:
        self.now = START
        self.snapshot: dict[str, Columns] = {}
        self.history: list[list[Change]] = []
        self.contents: list[Content] = []

    def out(self) -> dict[str, Change]:
        out: dict[str, Change] = {}
        for change in (each for feed in self.history for each in feed):
            for id_ in filter(None, (change.id, change.to)):
                out.pop(id_, None)
            if not change.after or change.to:
                out[change.id] = change
        return out

    def publish(self, listed: dict[str, Columns], reasons: Mapping[str, Evidence]) -> None:
        out = self.out()
        absent = Evidence(Reason.ABSENT, self.now.isoformat())
        comparison = Comparison(
            lambda id_: reasons.get(id_, absent),
            out,
            {id_: one for id_, one in out.items() if one.type is ChangeType.MISSING},
            {str(each.to) for each in reasons.values()},
        )
        former, now = rows(self.snapshot), rows(listed)
        digests = [(row.id, row.digest) for row in now]
        changes = comparison.changes(former, now) if self.history else creations(digests)
        self.history.append([*changes])
        self.contents.append({row.id: row.digest for row in now})
        self.snapshot = listed


IDS = [f"id/{number}" for number in range(6)]
ROWS = st.builds(
    lambda title, number: {"title": title, "object_number": number},
    st.sampled_from("abc"),
    st.sampled_from([None, "1", "2"]),
)
STEP = st.tuples(
    st.dictionaries(st.sampled_from(IDS), ROWS),
    st.dictionaries(
        st.sampled_from(IDS),
        st.tuples(st.sampled_from([*Reason]), st.sampled_from(IDS)),
        max_size=6,
    ),
    st.sampled_from([timedelta(hours=1), timedelta(hours=23), DAY, 3 * DAY]),
)


def run(steps: list[Any]) -> Model:
    model = Model()
    for listed, reasons, pause in steps:
        model.now += pause
        at = model.now.isoformat()
        known = {
            id_: Evidence(reason, at, to=to if reason is Reason.MERGED and to != id_ else None)
            for id_, (reason, to) in reasons.items()
            if reason is not Reason.MERGED or to != id_
        }
        model.publish(listed, known)
    return model


@settings(max_examples=200)
@given(st.lists(STEP, max_size=6))
def test_replay_of_any_history_gives_each_snapshot(steps: list[Any]) -> None:
    check_history(run(steps))


def check_history(model: Model) -> None:
    """Replay the feeds as a strict reader does, and check what they say."""
    state: Content = {}
    for changes, expected in zip(model.history, model.contents, strict=True):
        apply(changes, state)
        assert state == expected
    check_deletions(model)
    check_net(model)


def apply(changes: list[Change], state: Content) -> None:
    """Apply *changes* as a strict reader does."""
    for change in changes:
        if change.type is ChangeType.UPDATE or change.before:
            assert state[change.id] == change.before
        if change.type in (ChangeType.CREATE, ChangeType.RESTORE):
            assert change.id not in state
        replay([change], state)


def check_deletions(model: Model) -> None:
    """No Delete without proof: a response of one kind, or the same finding a day apart."""
    waiting: dict[str, Change] = {}
    for change in (each for feed in model.history for each in feed):
        found = change.evidence.get("reason")
        if change.type is ChangeType.DELETE and found not in (Reason.GONE, Reason.WITHDRAWN):
            former = waiting[change.id].evidence
            assert former["reason"] == found in (Reason.NOT_FOUND, Reason.ABSENT)
            at = [datetime.fromisoformat(each["at"]) for each in (former, change.evidence)]
            assert at[1] - at[0] >= DAY
        waiting.pop(change.id, None)
        if change.type is ChangeType.MISSING:
            waiting[change.id] = change


def check_net(model: Model) -> None:
    """The net of any last feeds leads from the content before them to the last one."""
    for start in range(len(model.history)):
        net = Net()
        for feed in model.history[:start]:
            net.know(feed)
        for feed in model.history[start:]:
            net.add(feed)
        changes = net.changes()
        assert len({change.id for change in changes}) == len(changes)
        state = dict(model.contents[start - 1]) if start else {}
        apply(changes, state)
        assert state == model.contents[-1]
