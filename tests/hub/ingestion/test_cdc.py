"""Changes from PostgreSQL's log: taken once whatever crashes, and deletions found even after the slot is gone."""

import pytest

from catalog.model import Deletion, Disposition
from connectors.cdc import PostgresqlCdcConnector, keys_file
from connectors.errors import SourceLapsedError, SourceUnavailableError
from connectors.slots import SlotHealth
from hub import alerts, upkeep, watching
from hub.ingestion import LANDED
from hub.office import Office
from tests.hub.ingestion.city import FIELDS, FULL, City, counts, field, postgres_settings, resource
from warehouse.errors import StagedFileDamagedError

pytestmark = pytest.mark.service("postgresql")

CODE = "R-LOG"


def of(recover="no", **more):
    options = {"create": "yes", "operation_column": "op", "recover": recover}
    fields = (*FIELDS, field("op", length=1), field("seq"))
    source = {"cursor_field": "seq", "deleted_field": "op", "deleted_value": "D", "options": tuple(options.items())}
    return resource(CODE, Disposition.MERGE, "log", fields=fields, **source, **more)


@pytest.fixture
def city(tmp_path, department):
    department.people(("N1", "甲", 1, 1), ("N2", "乙", 2, 2), ("N3", "丙", 3, 3))
    # The server of the tests brings commits to disk when it likes; here it matters when.
    department.do(f"ALTER DATABASE {department.settings['database']} SET synchronous_commit = on")
    settings = postgres_settings(department.url)
    with City(tmp_path / "var", {"log": {"kind": "postgresql-cdc", "settings": settings}}, of()) as city:
        yield city
    drop_slots(department)


def drop_slots(department):
    name = department.settings["database"]
    department.do(f"SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = '{name}'")


def position(department):
    name = department.settings["database"]
    query = f"SELECT confirmed_flush_lsn::text FROM pg_replication_slots WHERE database = '{name}'"
    return department.do(query)[0][0]


def names(city):
    return dict(city.rows("", "no", "name"))


def test_inserts_updates_and_deletes_follow_the_first_load(city, department):
    assert counts(city.load()) == (3, 0, 0, 0)
    department.people(("N2", "改", 20, 4), ("N4", "丁", 4, 4))
    department.do("DELETE FROM people WHERE no = 'N1'", "UPDATE people SET no = 'N5' WHERE no = 'N3'")
    before = position(department)
    assert counts(city.load()) == (2, 1, 2, 0)
    assert names(city) == {"N2": "改", "N4": "丁", "N5": "丙"}
    assert position(department) != before
    assert city.load().changed == 0
    with Office.open(city.settings) as office:
        # When and how a row was read is no part of what is compared.
        found = upkeep.reconcile(office, CODE)
        assert (found["missing"], found["extra"], found["changed"]) == (0, 0, 0)


def test_a_crash_before_the_slot_is_moved_takes_the_changes_once(city, department, monkeypatch):
    city.load()
    department.people(("N4", "丁", 4, 4))
    before = position(department)
    with monkeypatch.context() as patch:

        def crash(*_arguments):
            raise SourceUnavailableError(problem="cannot_connect", where="log")

        patch.setattr(PostgresqlCdcConnector, "acknowledge", crash)
        with pytest.raises(SourceUnavailableError):
            city.load(run="one")
    assert position(department) == before
    assert len(city.rows()) == 4
    department.people(("N5", "戊", 5, 5))
    department.do("DELETE FROM people WHERE no = 'N4'")
    assert counts(city.load(run="two")) == (1, 0, 1, 0)
    assert sorted(names(city)) == ["N1", "N2", "N3", "N5"]
    assert position(department) != before
    with city.house() as house:
        kinds = [change.kind.value for change in house.changes(CODE)]
    # One row stands for the first load.
    assert sorted(kinds[1:]) == ["delete", "insert", "insert"]


def lose(department):
    """The slot goes, and what happens then is in no log that we could read."""
    drop_slots(department)
    department.people(("N2", "改", 20, 4), ("N4", "丁", 4, 4))
    department.do("DELETE FROM people WHERE no IN ('N1', 'N3')")


@pytest.mark.parametrize("deletion", list(Deletion))
def test_a_lost_slot_loses_no_deletion_and_needs_no_full_refresh(city, department, deletion):
    city.publish(of("keys", deletion=deletion))
    city.load()
    department.people(*((f"M{n}", "余", n, 1) for n in range(50)))
    city.load()
    lose(department)
    told = city.load()
    assert counts(told) == (1, 1, 2, 0)
    # Only what was written since was read again.
    assert told.read == 2
    assert set(names(city)) == {"N2", "N4", *(f"M{n}" for n in range(50))}
    department.people(("N5", "戊", 5, 5))
    department.do("DELETE FROM people WHERE no = 'N4'")
    assert counts(city.load()) == (1, 0, 1, 0)
    with city.house() as house:
        assert len(house.scan(CODE, history=True)) == (55 if deletion is Deletion.SOFT else 52)


def test_a_truncated_table_is_what_was_written_after(city, department):
    city.publish(of("keys"))
    city.load()
    department.do("TRUNCATE people")
    department.people(("N2", "改", 20, 4))
    assert counts(city.load()) == (0, 1, 2, 0)
    assert names(city) == {"N2": "改"}


@pytest.mark.parametrize("step", ["check", "commit"])
def test_a_flipped_byte_among_the_keys_deletes_nothing(city, department, step):
    city.publish(of("keys"))
    city.load()
    lose(department)
    ingestion = city.begin()
    handed = ingestion.extract()
    if step == "commit":
        handed = ingestion.check(handed)
    path = keys_file(ingestion.folder / LANDED)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(StagedFileDamagedError, match=r"keys\.parquet"):
        getattr(ingestion, step)(handed)
    assert len(city.rows()) == 3
    # The run again from its first step.
    assert counts(city.load(run="run")) == (1, 1, 2, 0)


def test_without_recovery_the_load_stops_and_a_full_one_goes_on(city, department):
    city.load()
    lose(department)
    with pytest.raises(SourceLapsedError) as refused:
        city.load()
    assert "in full" in refused.value.text("en")
    assert "全量" in refused.value.text("zh")
    assert len(city.rows()) == 3
    told = city.load(order=FULL)
    assert (told.inserted, told.deleted) == (1, 2)
    assert names(city) == {"N2": "改", "N4": "丁"}
    department.people(("N5", "戊", 5, 5))
    assert counts(city.load()) == (1, 0, 0, 0)


def test_a_table_read_otherwise_before_goes_on_after_a_full_load(city, department):
    # The same resource, once read by the time of its rows.
    plain = resource(CODE, Disposition.MERGE, "log", fields=of().fields, cursor_field="updated_at")
    text = city.settings.systems_file.read_text(encoding="utf-8")
    city.settings.systems_file.write_text(text.replace("postgresql-cdc", "postgresql"), encoding="utf-8")
    city.publish(plain)
    city.load()
    department.do("DELETE FROM people WHERE no = 'N1'")
    city.settings.systems_file.write_text(text, encoding="utf-8")
    city.publish(of())
    with pytest.raises(SourceLapsedError):
        city.load()
    assert city.load(order=FULL).deleted == 1
    department.people(("N5", "戊", 5, 5))
    assert counts(city.load()) == (1, 0, 0, 0)
    assert sorted(names(city)) == ["N2", "N3", "N5"]


class TestSlotHealth:
    def sweep(self, city, at=None):
        with Office.open(city.settings) as office:
            watching.sweep(office, at=at)
            return {one.key: one for one in alerts.open_alerts(office.control)}

    def health(self, monkeypatch, answer):
        def watch(*_arguments):
            if isinstance(answer, Exception):
                raise answer
            return answer

        monkeypatch.setattr(PostgresqlCdcConnector, "watch", watch)

    def test_a_real_slot_is_asked_and_well(self, city):
        assert self.sweep(city) == {}
        city.load()
        assert self.sweep(city) == {}

    def test_a_slot_that_is_gone_is_told_and_cleared_when_it_is_back(self, city, department):
        city.publish(of("keys"))
        city.load()
        drop_slots(department)
        (one,) = self.sweep(city).values()
        assert (one.kind, one.resource, one.department, one.params["state"]) == ("slot_lagging", CODE, "D1", "missing")
        assert CODE in one.text("zh")
        city.load()
        assert self.sweep(city) == {}

    @pytest.mark.parametrize(
        ("more", "grave"),
        [
            ({"lag_bytes": 2**30}, False),
            ({"lag_bytes": 2**30 + 1}, True),
            ({"wal_status": "extended"}, False),
            ({"wal_status": "unreserved"}, True),
            ({"wal_status": "lost"}, True),
            ({"confirmed_lsn": ""}, True),
        ],
    )
    def test_what_is_about_to_be_lost_is_told(self, city, monkeypatch, more, grave):
        fine = {"exists": True, "wal_status": "reserved", "confirmed_lsn": "0/1", "kept_bytes": 5 * 2**20}
        self.health(monkeypatch, SlotHealth("s", **(fine | more)))
        assert list(self.sweep(city)) == ([f"slot_lagging:{CODE}"] if grave else [])

    def test_a_source_that_does_not_answer_neither_raises_nor_clears(self, city, monkeypatch):
        self.health(monkeypatch, SlotHealth("s", exists=True, wal_status="lost"))
        assert len(self.sweep(city)) == 1
        self.health(monkeypatch, SourceUnavailableError(problem="cannot_connect", where="log"))
        assert len(self.sweep(city)) == 1
        city.settings.systems_file.write_text("systems: [\n", encoding="utf-8")
        assert len(self.sweep(city)) == 1
