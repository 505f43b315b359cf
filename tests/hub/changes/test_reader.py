"""What a follower is told, over a real table: exactly the changes of what it may see, wherever it was interrupted."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catalog.model import Mask
from hub.changes.errors import CursorLapsedError
from hub.changes.events import DELETE, INSERT, UPDATE
from hub.changes.reader import Reader
from hub.control import Control
from hub.errors import IndexUnavailableError
from hub.settings import Settings
from tests.hub.changes.parts import CODE, NOW, Follower, Houses, decision, houses, viewer
from warehouse.maintain import Policy

ROW = ("1", "张三", "10.00", "x")
ANCHOR = {"z": ("9", "某某", "1.00", "")}  # outside the rows of the grants here; an empty pull would be refused


@pytest.fixture(scope="module")
def control(tmp_path_factory):
    made = Control.open(Settings.at(tmp_path_factory.mktemp("control")))
    yield made
    made.close()


@pytest.fixture
def city(tmp_path):
    made = Houses(tmp_path)
    yield made
    made.house.close()


def follow(reader, city, made, position, limit=100):
    """Every event after *position*, and where they lead."""
    events = []
    while True:
        read = reader.read(viewer(city.resource, made), "RS", position, limit, NOW)
        assert len(read.events) <= limit
        events += read.events
        position = read.position
        if not read.more:
            return events, position


def kinds(events):
    return [(event.kind, event.key.get("number")) for event in events]


def test_inserts_updates_and_deletes_are_told_with_what_is_seen_of_them(city, control):
    reader, made = Reader(control, city.house), decision(city.resource)
    city.load({**ANCHOR, "a": ROW, "b": ROW})
    start = city.end(reader)
    city.load({**ANCHOR, "a": ("1", "欧阳四", "10.00", "x"), "c": ROW})
    events, _ = follow(reader, city, made, start)
    assert kinds(events) == [(UPDATE, "a"), (DELETE, "b"), (INSERT, "c")]
    assert events[0].content == {"number": "a", "county": "1", "owner": "欧阳**", "area": "10.00"}
    assert events[1].content is None
    assert events[0].at.isoformat() == "2026-03-01T10:00:00+08:00"
    assert len({event.record for event in events}) == 3


def test_rows_that_cross_the_border_of_the_scope_come_and_go(city, control):
    reader, made = Reader(control, city.house), decision(city.resource, rows=["county in 1, 2"])
    city.load({**ANCHOR, "a": ("1", "甲", "1", ""), "b": ("3", "乙", "1", ""), "c": ("3", "丙", "1", "")})
    start = city.end(reader)
    city.load(
        {
            **ANCHOR,
            "a": ("3", "甲", "1", ""),
            "b": ("2", "乙", "1", ""),
            "c": ("4", "丙丙", "1", ""),
            "d": ("5", "丁", "1", ""),
        }
    )
    events, through = follow(reader, city, made, start)
    assert kinds(events) == [(DELETE, "a"), (INSERT, "b")]
    city.load({**ANCHOR, "b": ("2", "乙", "1", "")})
    # Of three that went, none was there for this follower.
    assert follow(reader, city, made, through)[0] == []


def test_what_is_not_seen_changes_without_a_word(city, control):
    reader = Reader(control, city.house)
    city.load({"a": ROW})
    start = city.end(reader)
    city.load({"a": ("1", "张四", "10.00", "y")})
    # The note is not granted, and of the name only the surname is shown.
    assert follow(reader, city, decision(city.resource), start)[0] == []
    bare = decision(city.resource, masks=())
    assert kinds(follow(reader, city, bare, start)[0]) == [(UPDATE, "a")]


def test_a_masked_key_does_not_hide_which_record_it_is(city, control):
    reader = Reader(control, city.house)
    made = decision(city.resource, masks=(("number", Mask.REDACT),))
    without = decision(city.resource, fields=("area",))
    city.load({"a": ROW, "b": ROW})
    start = city.end(reader)
    city.load({"a": ("1", "张三", "11.00", "x"), "b": ("1", "张三", "12.00", "x")})
    events, _ = follow(reader, city, made, start)
    assert [event.key for event in events] == [{"number": "***"}, {"number": "***"}]
    assert events[0].record != events[1].record
    assert [event.plain()["key"] for event in follow(reader, city, without, start)[0]] == [{}, {}]
    assert [event.record for event in follow(reader, city, without, start)[0]] == [event.record for event in events]


def test_events_and_cursors_are_the_same_after_upkeep_and_later_loads(city, control):
    reader, made = Reader(control, city.house), decision(city.resource)
    city.load({"a": ROW})
    start = city.end(reader)
    for number in range(4):
        city.load({"a": ("1", "张三", f"{number}.00", "x"), f"n{number}": ROW})
    before, end = follow(reader, city, made, start, limit=4)
    report = city.house.maintain(CODE, Policy(small_files=1, holed_share=0), NOW)
    assert report.rewritten
    after, again = follow(reader, city, made, start, limit=3)
    assert [event.plain() for event in after] == [event.plain() for event in before]
    assert again == end == city.end(reader)
    assert len({event.id for event in before}) == len(before) == 11


def test_a_page_ends_where_a_load_was_large_and_nothing_of_it_is_seen(city, control, monkeypatch):
    monkeypatch.setattr("hub.changes.reader.CHANGES_PER_PAGE", 150)
    reader, made = Reader(control, city.house), decision(city.resource, rows=["county in 1"])
    city.load(ANCHOR)
    start = city.end(reader)
    city.load({**ANCHOR, **{f"{n:03d}": ("2", "某", "1", "") for n in range(400)}, "y": ROW})
    read = reader.read(viewer(city.resource, made), "RS", start, 1, NOW)
    assert (read.events, read.more) == ((), True)
    assert kinds(follow(reader, city, made, start, 1)[0]) == [(INSERT, "y")]


def test_who_is_too_far_behind_is_told_to_begin_anew(city, control):
    reader, made = Reader(control, city.house), decision(city.resource)
    city.load({"a": ROW})
    start = city.end(reader)
    for number in range(3):
        city.load({"a": ("1", "张三", f"{number}.50", "x")})
    city.house.maintain(CODE, Policy(keep_days=0, compact=False), NOW + timedelta(days=4000))
    with pytest.raises(CursorLapsedError):
        follow(reader, city, made, start)
    end = city.end(reader)
    assert follow(reader, city, made, end) == ([], end)
    city.load({"a": ("1", "张三", "9.99", "x")})
    # The newest snapshot is always kept, so that whoever keeps up is never sent back.
    assert kinds(follow(reader, city, made, end)[0]) == [(UPDATE, "a")]


def test_a_table_made_anew_is_not_followed_by_old_cursors(city, control, tmp_path):
    reader, made = Reader(control, city.house), decision(city.resource)
    city.load({"a": ROW})
    city.load({"a": ROW, "b": ROW})
    start = city.end(reader)
    other = Houses(tmp_path / "other")
    other.load({"a": ROW})
    other.load({"a": ROW, "c": ROW})
    with pytest.raises(CursorLapsedError):
        follow(Reader(control, other.house), other, made, start)
    other.house.close()


def test_nothing_can_be_followed_before_the_first_load(city, control):
    with pytest.raises(IndexUnavailableError):
        city.end(Reader(control, city.house))


STATES = st.lists(
    st.dictionaries(
        st.sampled_from("abcde"),
        st.tuples(
            st.sampled_from("123"),
            st.sampled_from(["张三", "张四", "李五"]),
            st.sampled_from(["1.00", "2.00"]),
            st.just(""),
        ),
    ),
    min_size=2,
    max_size=4,
)


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    states=STATES,
    begin=st.integers(0, 1),
    size=st.integers(1, 4),
    again=st.lists(st.booleans(), min_size=30, max_size=30),
    late=st.booleans(),
)
def test_a_follower_has_exactly_the_rows_that_a_query_shows(  # noqa: PLR0917 - hypothesis gives them by name
    states, begin, size, again, late, tmp_path_factory, control
):
    """Whatever happens to the rows, at every page size, however often a page is repeated."""
    city = Houses(tmp_path_factory.mktemp("city"), houses())
    reader, made = Reader(control, city.house), decision(city.resource, rows=["county in 1, 2"])
    follower, position, told = None, None, {}
    repeats = iter(again * 10)
    for number, state in enumerate(states):
        city.load({**ANCHOR, **state})
        if number == begin:
            follower, position = Follower.at(made, city.shown(made)), city.end(reader)
        if follower is None or (late and number < len(states) - 1):
            continue
        more = True
        while more:
            read = reader.read(viewer(city.resource, made), "RS", position, size, NOW)
            follower.apply(read.events)
            for event in read.events:
                # What was told once is told alike again, and under the same name.
                assert told.setdefault(event.id, event) == event
            if next(repeats):
                continue  # It fell over before it kept the cursor, and asks for the same page again.
            position, more = read.position, read.more
        assert follower.holds(city.shown(made))
    city.house.close()
