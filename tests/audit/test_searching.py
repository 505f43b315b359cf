from __future__ import annotations

import json
import sqlite3
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audit import searchindex
from audit.entry import Entry
from audit.errors import CheckpointInvalidError, EntryMissingError, LogDamagedError, StorageFailedError
from audit.log import Log
from audit.notes import SignerKey
from audit.pinned import PinnedLog
from audit.searchindex import IndexDamagedError, SearchIndex
from audit.searching import NOTHING, Query, QueryError, describe, scan
from tests.audit.conftest import ORIGIN, entry_bytes

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
HASHES = ["ab" * 32, "ab" * 8 + "cd" * 24, "00" * 32, "not a hash"]


def made(number=0, **changes):
    values = {
        "kind": "invocation.answered",
        "at": BEGIN + timedelta(seconds=number),
        "actor": "RS",
        "subject": HASHES[0],
        "resource": "306010/000001",
        "purpose": "SX001",
        "facts": {"outcome": "answered"},
    }
    return Entry(**{**values, **changes}).encode()


def pinned(log, key):
    log.publish()
    return PinnedLog(log.folder, [key.verifier])


def indexed(log, key, path):
    index = SearchIndex(path, pinned(log, key))
    index.extend()
    return index


def places(hits):
    return [hit.index for hit in hits]


class TestAPinnedLog:
    def test_gives_what_was_logged_with_a_proof_that_holds_by_itself(self, log, key):
        entries = [entry_bytes(number) for number in range(600)]
        log.append(entries)
        seen = pinned(log, key)
        assert [seen.entry(index) for index in (0, 255, 256, 599)] == [entries[i] for i in (0, 255, 256, 599)]
        assert list(seen.entries(200, 530)) == entries[200:530]
        assert seen.prove(511).verify(entries[511], [key.verifier], ORIGIN).size == 600

    def test_does_not_see_what_was_not_published_when_it_was_opened(self, log, key):
        log.append([entry_bytes(0)])
        seen = pinned(log, key)
        log.append([entry_bytes(1)])
        log.publish()
        assert seen.size == 1
        with pytest.raises(EntryMissingError):
            seen.entry(1)

    def test_wants_a_pinned_key(self, log):
        log.append([entry_bytes(0)])
        log.publish()
        with pytest.raises(CheckpointInvalidError):
            PinnedLog(log.folder, [SignerKey.generate(ORIGIN).verifier])

    @pytest.mark.parametrize("consistently", [False, True])
    def test_notices_an_altered_entry_even_where_its_tile_was_altered_with_it(self, log, key, consistently):
        log.append([entry_bytes(number) for number in range(600)])
        log.publish()
        bundle = log.folder / "tile/entries/000"
        altered = bundle.read_bytes().replace(b'{"number":7}', b'{"number":8}')
        bundle.write_bytes(altered)
        if consistently:
            from audit.tiles import decode_entries
            from audit.tree import leaf_hash

            (log.folder / "tile/0/000").write_bytes(b"".join(leaf_hash(e) for e in decode_entries(altered)))
        seen = PinnedLog(log.folder, [key.verifier])
        with pytest.raises(LogDamagedError):
            seen.entry(7)
        with pytest.raises(LogDamagedError):
            list(PinnedLog(log.folder, [key.verifier]).entries(0, 256))


class TestWhatAnEntryIsAbout:
    @pytest.mark.parametrize(
        ("facts", "outcome"),
        [
            ({}, ""),
            ({"outcome": "denied"}, "denied"),
            ({"masks": {"name": "surname"}, "outcome": "denied"}, "denied"),
            ({"masks": {"outcome": "wrong"}}, ""),
            ({"masks": {"outcome": "wrong"}, "outcome": "denied"}, "denied"),
            ({"a": {"x": "}", "outcome": "wrong"}}, ""),
            ({"a": {"x": "},", "outcome": "wrong"}}, ""),
            ({"a": "{", "b": "}", "outcome": "denied"}, "denied"),
            ({"a": [{"outcome": "wrong"}], "z": 1}, ""),
            ({"a": '"outcome":"wrong"'}, ""),
            ({"outcome": 7}, ""),
            ({"outcome": ["denied"]}, ""),
            ({"outcome": 'with "quotes"'}, 'with "quotes"'),
            ({"a": {"b": {"kind": "x"}}, "outcome": "denied"}, "denied"),
        ],
    )
    def test_its_outcome_is_that_of_its_facts_alone(self, facts, outcome):
        about = describe(made(facts=facts))
        assert (about.outcome, about.kind, about.purpose) == (outcome, "invocation.answered", "SX001")

    def test_it_may_be_about_many(self):
        about = describe(made(subject="", facts={"subjects": [HASHES[1], HASHES[0], HASHES[1], 5, ""]}))
        assert about.subjects == (HASHES[1], HASHES[0])
        assert describe(made(subject=HASHES[0], facts={"subjects": HASHES[:2]})).subjects == tuple(HASHES[:2])
        assert describe(made(facts={"subjects": "text"})).subjects == (HASHES[0],)

    @pytest.mark.parametrize(
        "data",
        [
            b"",
            b"\xff",
            b"[]",
            b"7",
            b"{}",
            b'{"a":' * 5000,
            made().replace(b'"RS"', b"7"),
            made().replace(b'"RS"', b'"\\ud800"'),
            made().replace(b"2026-01-01", b"2026-13-01"),
            made().replace(b"2026-01-01T", b"2026-01-01 "),
            made() + b" {}",
            made().replace(b'{"outcome":"answered"}', b"null"),
        ],
    )
    def test_of_other_bytes_it_is_nothing(self, data):
        assert describe(data) == NOTHING

    def test_the_quick_reading_and_the_parsing_say_the_same(self):
        from audit.searching import _parsed

        for data in (
            made(),
            made(facts={"b": {"c": "d"}, "outcome": "x", "z": [1, 2]}),
            made(subject="", actor="民政"),
        ):
            assert describe(data) == _parsed(data.decode()) != NOTHING


class TestAQuery:
    @pytest.mark.parametrize(
        ("query", "found"),
        [
            (Query(), True),
            (Query(actors=("GA", "RS")), True),
            (Query(actors=("GA",)), False),
            (Query(actors=("RS:",)), True),
            (Query(actors=("R:",)), False),
            (Query(kinds=("invocation.",)), True),
            (Query(kinds=("invocation",)), False),
            (Query(kinds=("licence.",)), False),
            (Query(subjects=(HASHES[0],), outcomes=("answered",)), True),
            (Query(subjects=(HASHES[1],)), False),
            (Query(since=BEGIN), True),
            (Query(until=BEGIN), False),
            (Query(since=BEGIN, until=BEGIN + timedelta(microseconds=1)), True),
            (Query(resources=("306010/000001",), purposes=("SX002",)), False),
        ],
    )
    def test_every_criterion_must_hold_by_one_of_its_values(self, query, found):
        assert query.fits(describe(made())) is found

    def test_only_times_that_can_be_compared_are_asked_for(self):
        with pytest.raises(QueryError):
            Query(since=datetime(2026, 1, 1))  # noqa: DTZ001 - the point
        with pytest.raises(QueryError):
            Query(since=BEGIN, until=BEGIN)

    def test_as_json_it_has_what_was_asked_and_nothing_else(self):
        assert Query(actors=("RS",), since=BEGIN).to_plain() == {"actors": ["RS"], "since": BEGIN.isoformat()}


class TestAnIndex:
    def test_finds_what_is_covered_and_what_came_since(self, log, key, tmp_path):
        log.append([made(n, actor="RS" if n % 3 else "GA") for n in range(700)])
        index = indexed(log, key, tmp_path / "index")
        log.append([made(700, actor="GA"), made(701)])
        later = SearchIndex(tmp_path / "index", pinned(log, key))
        assert later.covered() == 700
        assert places(later.find(Query(actors=("GA",)))) == [*range(0, 700, 3), 700]
        assert later.extend() == 2
        assert later.extend() == 0
        assert later.covered() == 702
        assert places(index.find(Query(actors=("GA",)))) == list(range(0, 700, 3))

    def test_finds_calls_about_many_once_each(self, log, key, tmp_path):
        log.append([made(0), made(1, subject="", facts={"subjects": HASHES}), made(2, subject=HASHES[1])])
        index = indexed(log, key, tmp_path / "index")
        assert places(index.find(Query(subjects=(HASHES[0],)))) == [0, 1]
        assert places(index.find(Query(subjects=tuple(HASHES)))) == [0, 1, 2]
        assert list(index.check()) == []

    def test_hashes_that_begin_alike_are_told_apart(self, log, key, tmp_path):
        log.append([made(0, subject=HASHES[0]), made(1, subject=HASHES[1])])
        assert places(indexed(log, key, tmp_path / "index").find(Query(subjects=(HASHES[1],)))) == [1]

    def test_is_turned_page_by_page(self, log, key, tmp_path, monkeypatch):
        monkeypatch.setattr(searchindex, "PAGE", 7)
        log.append([made(n) for n in range(50)])
        index = indexed(log, key, tmp_path / "index")
        assert places(index.find(Query())) == list(range(50))
        assert places(index.find(Query(subjects=(HASHES[0],)))) == list(range(50))

    def test_of_another_history_is_built_anew(self, log, key, tmp_path):
        log.append([made(0)])
        indexed(log, key, tmp_path / "index")
        with Log.create(tmp_path / "other", ORIGIN, key) as other:
            other.append([made(0, actor="GA"), made(1)])
            index = SearchIndex(tmp_path / "index", pinned(other, key))
            assert index.covered() == 0
            assert places(index.find(Query(actors=("GA",)))) == [0]
            assert index.extend() == 2
            assert places(index.find(Query(actors=("GA",)))) == [0]

    def test_a_log_that_was_rolled_back_is_not_searched_by_what_it_was(self, log, key, tmp_path):
        log.append([made(0)])
        first = (log.folder / "checkpoint").parent / "checkpoint"
        log.publish()
        old = first.read_bytes()
        log.append([made(1)])
        indexed(log, key, tmp_path / "index")
        first.write_bytes(old)
        assert SearchIndex(tmp_path / "index", PinnedLog(log.folder, [key.verifier])).covered() == 0

    def test_a_false_one_invents_nothing_and_a_check_names_what_it_hides(self, log, key, tmp_path):
        log.append([made(n, actor="RS" if n else "GA") for n in range(5)])
        index = indexed(log, key, tmp_path / "index")
        database = sqlite3.connect(tmp_path / "index")
        database.execute("UPDATE entry SET actor = (SELECT actor FROM entry WHERE idx = 0) WHERE idx IN (1, 2)")
        database.execute("UPDATE entry SET subject = NULL WHERE idx = 4")
        database.commit()
        database.close()
        assert places(index.find(Query(actors=("GA",)))) == [0]
        assert places(index.find(Query(subjects=(HASHES[0],)))) == [0, 1, 2, 3]
        assert list(index.check()) == [1, 2, 4]

    def test_an_altered_entry_that_it_names_is_not_shown(self, log, key, tmp_path):
        log.append([made(n) for n in range(5)])
        indexed(log, key, tmp_path / "index")
        bundle = log.folder / "tile/entries/000.p/5"
        bundle.write_bytes(bundle.read_bytes().replace(b'"RS"', b'"GA"', 1))
        with pytest.raises(LogDamagedError):
            list(SearchIndex(tmp_path / "index", PinnedLog(log.folder, [key.verifier])).find(Query()))

    def test_a_file_that_is_none_says_so(self, log, key, tmp_path):
        log.append([made()])
        (tmp_path / "index").write_bytes(b"not a database, and long enough to be seen as none" * 100)
        with pytest.raises(IndexDamagedError):
            indexed(log, key, tmp_path / "index")

    def test_covers_a_stretch_or_nothing_of_it(self, log, key, tmp_path, monkeypatch):
        monkeypatch.setattr(searchindex, "STRETCH", 100)
        log.append([made(n) for n in range(250)])
        seen = pinned(log, key)
        calls = []

        def stop(done, total):
            calls.append((done, total))
            if done == 200:
                raise KeyboardInterrupt

        index = SearchIndex(tmp_path / "index", seen)
        with pytest.raises(KeyboardInterrupt):
            index.extend(stop)
        assert (index.covered(), calls) == (200, [(100, 250), (200, 250)])
        assert places(index.find(Query(subjects=(HASHES[0],)))) == list(range(250))
        assert index.extend() == 50

    def test_two_that_extend_at_once_leave_one_whole_index(self, log, key, tmp_path, monkeypatch):
        monkeypatch.setattr(searchindex, "STRETCH", 50)
        log.append([made(n) for n in range(200)])
        seen = pinned(log, key)
        other = SearchIndex(tmp_path / "index", PinnedLog(log.folder, [key.verifier]))
        index = SearchIndex(tmp_path / "index", seen)
        assert index.extend(lambda done, _: other.extend() if done == 50 else None) == 50
        assert index.covered() == 200
        assert list(index.check()) == []

    def test_where_nothing_can_be_written_it_says_so(self, log, key, tmp_path):
        log.append([made()])
        with pytest.raises(StorageFailedError):
            indexed(log, key, tmp_path / "no such folder" / "index")


words = st.sampled_from(["", "RS", "GA", "民政", 'q"uote', "a\\b", "{", "}", '"outcome":"x"', "\u0001"])
kinds = st.sampled_from(["invocation.answered", "invocation.denied", "licence.issued", "invocation"])
facts = st.dictionaries(
    st.sampled_from(["outcome", "subjects", "masks", "a", "z"]),
    st.one_of(words, st.lists(st.sampled_from(HASHES), max_size=3), st.dictionaries(st.just("outcome"), words)),
)
entries = st.builds(
    made,
    number=st.integers(-5, 5),
    kind=kinds,
    actor=words,
    subject=st.sampled_from(["", *HASHES]),
    resource=words,
    purpose=words,
    facts=facts,
)
leaves = st.one_of(entries, st.binary(max_size=20), entries.map(lambda data: data[:-1]))
some = {"max_size": 2, "unique": True}
moments = st.one_of(st.none(), st.integers(-6, 6).map(lambda n: BEGIN + timedelta(seconds=n)))
queries = st.builds(
    dict,
    actors=st.lists(words, **some).map(tuple),
    resources=st.lists(words, **some).map(tuple),
    purposes=st.lists(words, **some).map(tuple),
    outcomes=st.lists(words, **some).map(tuple),
    kinds=st.lists(st.one_of(kinds, st.sampled_from(["invocation.", "l.", "."])), **some).map(tuple),
    subjects=st.lists(st.sampled_from(HASHES), **some).map(tuple),
    since=moments,
    until=moments,
)


def asked(wanted):
    try:
        return Query(**wanted)
    except QueryError:
        return Query(**{**wanted, "until": None})


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(batch=st.lists(leaves, max_size=30), more=st.lists(leaves, max_size=5), asks=st.lists(queries, max_size=8))
def test_by_the_index_the_same_is_found_as_by_reading(batch, more, asks, tmp_path_factory):
    folder = tmp_path_factory.mktemp("property")
    key = SignerKey.generate(ORIGIN)
    with Log.create(folder / "log", ORIGIN, key) as log:
        if batch:
            log.append(batch)
        indexed(log, key, folder / "index")
        if more:
            log.append(more)
        seen = pinned(log, key)
        index = SearchIndex(folder / "index", seen)
        for _ in range(2):
            for query in map(asked, asks):
                assert places(index.find(query)) == places(scan(seen, query))
            index.extend()
        assert list(index.check()) == []


def test_a_department_is_found_by_a_colon_with_all_its_posts(log, key, tmp_path):
    actors = ["RS", "RS:window-1", "RS2:window-1", "GA", "RS:a", "X", "rs:b"]
    log.append([made(number, actor=actor) for number, actor in enumerate(actors)])
    index = indexed(log, key, tmp_path / "index")
    for query, found in ((Query(actors=("RS:",)), [0, 1, 4]), (Query(actors=("RS:a", "GA:")), [3, 4])):
        assert places(index.find(query)) == places(scan(pinned(log, key), query)) == found


def test_the_newest_are_found_first_with_how_many_there_are(log, key, tmp_path):
    log.append([made(number, actor="GA" if number % 3 == 0 else "RS") for number in range(100)])
    index = indexed(log, key, tmp_path / "index")
    assert index.newest(Query(actors=("GA",)), skip=0, limit=3) == (34, False, [99, 96, 93])
    assert index.newest(Query(actors=("GA",)), skip=33, limit=3) == (34, False, [0])
    assert index.newest(Query(actors=("GA",)), skip=34, limit=3) == (34, False, [])
    assert index.newest(Query(actors=("MZ",)), skip=0, limit=3) == (0, False, [])
    assert index.newest(Query(subjects=(HASHES[0],), actors=("RS",)), skip=1, limit=2) == (66, False, [97, 95])


def test_of_a_query_by_several_things_only_so_many_are_counted_and_every_page_is_there(log, key, tmp_path, monkeypatch):
    monkeypatch.setattr(searchindex, "COUNTED", 10)
    log.append([made(number, actor="GA" if number % 3 == 0 else "RS") for number in range(100)])
    index = indexed(log, key, tmp_path / "index")
    # By nothing or by one thing it is known how many there are.
    assert index.newest(Query(), skip=0, limit=2) == (100, False, [99, 98])
    assert index.newest(Query(actors=("RS",)), skip=0, limit=2) == (66, False, [98, 97])
    several = Query(actors=("RS",), subjects=(HASHES[0],))
    assert index.newest(several, skip=0, limit=4) == (10, True, [98, 97, 95, 94])
    seen, skip, more = [], 0, True
    while more:
        total, more, found = index.newest(several, skip=skip, limit=4)
        seen += found
        skip += 4
        assert more == (total < 66)
    seen += index.newest(several, skip=skip, limit=4).places
    assert seen == [number for number in reversed(range(100)) if number % 3]


def test_entries_are_counted_by_what_they_are_about_however_they_came_in(log, key, tmp_path):
    index = None
    for size in (1, 40, 59):
        begin = log.size
        log.append([made(number, actor="GA" if number % 3 == 0 else "RS") for number in range(begin, begin + size)])
        index = indexed(log, key, tmp_path / "index")
        found = list(scan(pinned(log, key), Query()))
        for part in searchindex.PARTS:
            assert index.tally(part) == Counter(getattr(hit.about, part) for hit in found)


def test_a_false_count_is_found_by_the_check(log, key, tmp_path):
    log.append([made(number) for number in range(3)])
    index = indexed(log, key, tmp_path / "index")
    assert list(index.check()) == []
    with sqlite3.connect(tmp_path / "index") as database:
        database.execute("UPDATE tally SET entries = entries + 1 WHERE part = 1")
    with pytest.raises(IndexDamagedError):
        list(index.check())


def test_what_is_found_is_json_again(log, key, tmp_path):
    log.append([made()])
    (hit,) = indexed(log, key, tmp_path / "index").find(Query())
    assert json.loads(hit.data)["actor"] == hit.entry.actor == "RS"
