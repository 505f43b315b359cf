"""One suite for both stores: what is found does not depend on where the index is kept."""

from __future__ import annotations

import gc
import sqlite3
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from statistics import mean

import pytest
import sqlalchemy as sa

from hub import grants
from hub.actors import Actor
from hub.control import Control, MissedQuery
from hub.control.database import open_engine
from hub.errors import ControlUnavailableError, QueryInvalidError
from hub.office import Office
from hub.search import index as searching
from hub.search.index import NOTES, Facet, Filters, Note, Search, Sort, find_or_record, search_of
from hub.search.store import KEPT_VERSIONS, IndexGoneError, SqliteStore, index_name
from hub.settings import Settings
from tests.catalog.search.worlds import Memory, make_list, rows
from tests.hub.world import NOW

GOLDEN = rows("golden.csv")
DRIVING = "3010010006"


def codes(results):
    return [hit.resource.code for hit in results.hits]


@pytest.fixture(scope="session")
def memory(city):
    return Memory(city)


@pytest.fixture
def on_disk(tmp_path):
    return Settings.at(tmp_path / "var")


def test_both_stores_answer_like_the_plain_one(search, memory):
    for row in GOLDEN:
        results = search.find(row["query"], size=20)
        assert codes(results) == memory.codes(row["query"], 20), row["query"]


def test_recall_at_five_is_kept(search):
    shares = []
    for row in GOLDEN:
        wanted = set(row["wanted"].split())
        shares.append(len(wanted & set(codes(search.find(row["query"], size=5)))) / min(len(wanted), 5))
    assert mean(shares) >= 0.95


def test_a_page_has_hits_facets_and_the_true_total(search):
    results = search.find("许可", size=7)
    rest = [code for page in range(1, 30) for code in codes(search.find("许可", page=page, size=7))]
    assert len(rest) == len(set(rest)) == results.total
    counts = dict(results.facets[Facet.SHARE_TYPE])
    assert sum(counts.values()) == results.total
    for value, count in counts.items():
        narrowed = search.find("许可", filters=Filters.of({Facet.SHARE_TYPE: [value]}))
        assert narrowed.total == count
        assert all(hit.resource.share_type.value == value for hit in narrowed.hits)


def test_an_empty_query_browses_in_every_order(search, city):
    found = {sort: search.find("  ，", sort=sort, size=500) for sort in Sort}
    assert {results.total for results in found.values()} == {len(city.resources)}
    assert codes(found[Sort.CODE]) == sorted(resource.code for resource in city.resources)
    dates = [hit.resource.published_on for hit in found[Sort.UPDATED].hits]
    assert dates == sorted(dates, reverse=True)
    names = [hit.resource.name for hit in found[Sort.NAME].hits]
    # By sound: 安 before 不 before 常; by code point they would stand otherwise.
    assert names.index("安康码申领信息") < names.index("不动产登记信息") < names.index("常住人口基本信息")
    assert names.index("常住人口基本信息") < names.index("医疗救助信息") < names.index("专精特新企业信息")


def test_words_may_be_sorted_otherwise_and_narrowed(search):
    filters = Filters.of({Facet.DEPARTMENT: ["SJJ"]})
    results = search.find("许可", sort=Sort.CODE, filters=filters, size=500)
    assert codes(results) == sorted(codes(results))
    assert {hit.resource.provider for hit in results.hits} == {"SJJ"}


def test_an_explanation_adds_up_and_tells_the_steps(search):
    results = search.find("驾照", explain=True)
    assert codes(results)[0] == DRIVING
    assert "驾照" in results.tokens
    assert "机动" in results.tokens
    assert [step.code for step in results.steps] == ["words", "aliases"]
    for hit in results.hits:
        assert sum(part.points for part in hit.parts) == hit.score
        assert all(part.words("zh") and part.words("en") for part in hit.parts)
    assert search.find("驾照").steps == ()


def test_relaxed_conditions_are_told(search):
    results = search.find("驾驶证 飞船")
    assert results.relaxed
    assert results.total
    assert results.notes[0].code == "relaxed"
    assert not search.find("结婚证").relaxed
    assert [note.code for note in search.find("公机金").notes] == ["spelling"]
    assert search.find("安康码").notes == ()


def test_what_finds_nothing_offers_the_nearest_and_a_demand(search):
    results = search.find("月球户籍探测火箭")
    assert (results.total, results.hits, results.missed) == (0, (), True)
    assert results.nearest
    assert [note.code for note in results.notes] == ["nearest", "register_demand"]
    empty = search.find("魑魅")
    assert empty.nearest == ()
    assert [note.code for note in empty.notes] == ["nothing", "register_demand"]


def test_hits_outside_the_filters_are_no_miss(search):
    results = search.find("结婚证", filters=Filters.of({Facet.DEPARTMENT: ["TJJ"]}))
    assert (results.total, results.missed) == (0, False)
    assert results.notes[-1].code == "filtered_out"
    assert dict(results.facets[Facet.DEPARTMENT])["TJJ"] == 0
    assert dict(results.facets[Facet.DEPARTMENT])["MZJ"] > 0


def test_often_granted_ranks_higher_among_equals(search):
    first = codes(search.find("企业用电"))
    plain = codes(search.find("许可"))
    favoured = codes(search.find("许可", granted={plain[3]: 500}))
    assert favoured.index(plain[3]) < 3
    assert codes(search.find("企业用电", granted={plain[3]: 500})) == first


@pytest.mark.parametrize(
    ("query", "options", "where"),
    [
        ("x" * 201, {}, "q"),
        ("x", {"page": 0}, "page"),
        ("x", {"size": 0}, "size"),
        ("x", {"size": 501}, "size"),
        ("x", {"filters": Filters.of({Facet.DEPARTMENT: ["NONE"]})}, "department"),
        ("x", {"filters": Filters.of({Facet.OPEN: ["maybe"]})}, "open"),
        ("x", {"filters": Filters.of({Facet.THEME: ["moon"]})}, "theme"),
    ],
)
def test_what_cannot_be_asked_is_refused_by_name(search, query, options, where):
    with pytest.raises(QueryInvalidError) as refused:
        search.find(query, **options)
    assert refused.value.params["where"] == where


def test_a_value_that_nothing_has_yet_is_no_mistake(search):
    assert search.find("", filters=Filters.of({Facet.THEME: ["culture"], Facet.OPEN: ["true"]})).total >= 0


@pytest.mark.parametrize("query", ['" OR "', "NOT *", "a:b'--", "(许可)", "t许可", "'); DROP TABLE x;--", "\x00许可"])
def test_operators_of_the_databases_are_plain_text(search, query):
    results = search.find(query)
    assert results.total == len(results.hits) or results.total > 20
    assert ("许可" not in query) or results.total > 20


def test_many_threads_get_the_same_answers(search):
    wanted = {row["query"]: codes(search.find(row["query"])) for row in GOLDEN[:30]}
    wrong = []

    def ask():
        wrong.extend(query for query, found in wanted.items() if codes(search.find(query)) != found)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def tiny(number):
    base = make_list()
    return make_list(resources=base.resources[:3], departments=base.departments[:1], batch=number)


def made(place):
    """The names of the indexes there are."""
    if place.control_url.startswith("postgresql"):
        engine = open_engine(place.control_url)
        with engine.connect() as connection:
            names = connection.execute(sa.text("SELECT name FROM zhengtong_search.versions")).scalars().all()
            tables = sa.inspect(connection).get_table_names("zhengtong_search")
        engine.dispose()
        assert {f"docs_{name}" for name in names} | {"versions"} == set(tables)
        return set(names)
    return {path.stem for path in (place.home / "search").glob("*.sqlite")}


def test_versions_out_of_use_are_removed_and_come_back_when_asked_for(place, search):
    lists = [tiny(number) for number in range(1, 5)]
    for list_ in lists:
        Search(place, list_).close()
    assert len(made(place)) == KEPT_VERSIONS
    assert index_name(lists[-1]) in made(place)
    again = Search(place, lists[0])
    assert again.find("人口").total
    again.close()
    # The one opened first lost its index meanwhile and goes on answering.
    search._remembered.clear()
    assert codes(search.find("驾照"))[0] == DRIVING


def test_two_builders_at_once_are_fine(place):
    list_, failed, found = tiny(9), [], []

    def build():
        try:
            opened = Search(place, list_)
            found.append(codes(opened.find("人口")))
            opened.close()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is reported below
            failed.append(error)

    threads = [threading.Thread(target=build) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert len(found) == 3
    assert len({tuple(one) for one in found}) == 1


def test_a_crash_while_building_leaves_no_index(place, monkeypatch):
    list_, module = tiny(11), "postgres" if place.control_url.startswith("postgresql") else "store"

    def stopping(*arguments):
        from catalog.search.documents import documents

        yield next(documents(*arguments))
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(f"hub.search.{module}.documents", stopping)
        with pytest.raises(KeyboardInterrupt):
            Search(place, list_)
    assert index_name(list_) not in made(place)
    opened = Search(place, list_)
    assert opened.find("人口").total
    opened.close()


def test_a_damaged_file_is_made_again(on_disk):
    list_ = tiny(1)
    Search(on_disk, list_).close()
    path = on_disk.home / "search" / f"{index_name(list_)}.sqlite"
    path.write_bytes(b"no database" * 1000)
    opened = Search(on_disk, list_)
    assert opened.find("人口").total
    opened.close()
    connection = sqlite3.connect(path)
    connection.execute("UPDATE kept SET size = 99")
    connection.commit()
    connection.close()
    with pytest.raises(IndexGoneError):
        SqliteStore(path, 3)
    assert Search(on_disk, list_).find("人口").total


def test_a_stray_file_of_a_builder_that_died_is_removed_a_new_one_is_not(on_disk):
    folder = on_disk.home / "search"
    folder.mkdir(parents=True)
    old, new = folder / "a.sqlite.1.tmp", folder / "b.sqlite.2.tmp"
    old.touch()
    new.touch()
    import os

    os.utime(old, (0, 0))
    Search(on_disk, tiny(1)).close()
    assert (old.exists(), new.exists()) == (False, True)


def test_threads_that_meet_a_lost_index_all_get_their_answer(on_disk):
    opened, failed, found = Search(on_disk, tiny(1)), [], []
    opened._store.close()

    def ask():
        try:
            found.append(codes(opened.find("人口")))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is reported below
            failed.append(error)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (failed, len(found)) == ([], 4)
    assert all(found)
    opened.close()


def test_an_index_is_named_by_list_and_words(monkeypatch):
    assert index_name(tiny(1)) != index_name(tiny(2))
    before = index_name(tiny(1))
    monkeypatch.setattr("hub.search.store.fingerprint", lambda: "f" * 16)
    assert index_name(tiny(1)) != before


def test_a_database_that_does_not_answer_is_told_as_such(on_disk):
    away = replace(on_disk, control_url="postgresql+psycopg://nobody@127.0.0.1:9/none")
    with pytest.raises(ControlUnavailableError):
        Search(away, tiny(1))


def test_a_process_opens_a_list_once(on_disk):
    assert search_of(on_disk, tiny(1)) is search_of(on_disk, tiny(1))
    for number in range(2, 5):
        search_of(on_disk, tiny(number))
    assert len(searching._OPEN) <= 2


@pytest.mark.service("postgresql")
def test_the_connections_of_one_that_nobody_holds_are_closed(postgres_url, on_disk):
    opened = Search(replace(on_disk, control_url=postgres_url), tiny(1))
    engine = opened._store._engine
    assert engine.pool.checkedin() == 1
    del opened
    gc.collect()
    assert engine.pool.checkedin() == 0


@pytest.fixture
def one(on_disk):
    opened = Search(on_disk, tiny(1))
    control = Control.open(on_disk)
    yield opened, control
    control.close()
    opened.close()


def missed(control):
    with control.reading() as connection:
        return {row.query: row.times for row in connection.execute(sa.select(MissedQuery.query, MissedQuery.times))}


def test_a_miss_is_recorded_once_a_search_and_a_hit_is_not(one):
    search, control = one
    find_or_record(search, control, NOW, "人口")
    find_or_record(search, control, NOW, "")
    assert missed(control) == {}
    results = find_or_record(search, control, NOW, "火箭发射")
    assert results.missed
    find_or_record(search, control, NOW, "火箭发射", page=2)
    assert missed(control) == {"火箭发射": 1}


def test_grants_are_counted_while_they_hold_and_anew_when_they_change(world):
    with Office.open(world.settings, clock=world.clock) as office:
        search = Search(world.settings, world.list)
        assert search.granted_at(office.control, NOW) == {world.grant.resource: 1}
        assert search.granted_at(office.control, NOW + timedelta(days=400)) == {}
        grants.revoke(office, world.grant.id, actor=Actor("GA", "data-officer"), reason="no longer needed")
        assert search.granted_at(office.control, NOW + timedelta(seconds=1)) == {}
        search.close()


def test_every_note_is_in_both_languages():
    for code in NOTES:
        note = Note(code, 3)
        assert any("\u4e00" <= char <= "\u9fff" for char in note.text("zh"))
        assert note.text("en").isascii()
    assert datetime(2026, 1, 1, tzinfo=UTC) < NOW
