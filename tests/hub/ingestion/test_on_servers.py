"""Whole loads between real servers: PostgreSQL to a warehouse in MinIO, with catalogue and control in PostgreSQL."""

from datetime import UTC, datetime, timedelta

import pytest

from catalog.model import Disposition, FieldKind, FieldType
from hub import upkeep
from hub.office import Office
from tests.hub.ingestion.city import (
    FULL,
    REPLAY,
    City,
    counts,
    postgres_settings,
    resource,
    storage_environ,
    with_field,
)
from warehouse.errors import StorageUnavailableError

pytestmark = [pytest.mark.slow, pytest.mark.service("postgresql"), pytest.mark.service("minio")]

WHOLE, CHANGED = "R-WHOLE", "R-CHANGED"


@pytest.fixture
def city(tmp_path, department, own_database, minio, monkeypatch):
    environ = storage_environ(minio, monkeypatch, *own_database)
    base = {"kind": "postgresql", "settings": postgres_settings(department.url)}
    measured = resource(WHOLE, options=(("measure", "columns"),))
    of = [measured, resource(CHANGED, Disposition.MERGE, cursor_field="updated_at")]
    with City(tmp_path / "var", {"base": base}, *of, **environ) as city:
        yield city


def test_a_resource_from_its_first_load_to_its_upkeep(city, department):
    department.people(("N1", "甲", 1, 1), ("N2", "乙", 2, 2), ("N3", "太长的名字", 3, 3))
    for code in (WHOLE, CHANGED):
        assert counts(city.load(code)) == (2, 0, 0, 1)
    department.people(("N2", "丙", 20, 4), ("N4", "丁", 4, 4))
    department.do("DELETE FROM people WHERE no = 'N1'")
    told = city.load(WHOLE)
    # Sums, bounds and counts of the source's own are those of the table, the rejected row apart.
    assert (counts(told), told.notes["unequal"]) == ((1, 1, 1, 1), [])
    assert counts(city.load(CHANGED)) == (1, 1, 0, 1)
    # What is gone without a mark, only a whole read finds; the rejected row is not gone.
    assert counts(city.load(CHANGED, FULL)) == (0, 0, 1, 1)

    with city.house() as house:
        for code in (WHOLE, CHANGED):
            assert house.lookup(code).snapshot_id == house.current_snapshot(code)
            assert house.lookup(code).find("no", "N2", 2)[0]["amount"] == 20
            assert [row["no"] for row in house.scan(code, fields=("no",))] == ["N2", "N4"]
            assert [r.line for r in house.rejected(city.resources[code])]
            assert not list((city.settings.warehouse / "data").rglob("*.parquet"))

    # The list learns of longer names; what was rejected for them comes in.
    longer = [with_field(r, "name", type=FieldType(FieldKind.STRING, 20)) for r in city.resources.values()]
    city.publish(*longer)
    for code in (WHOLE, CHANGED):
        assert counts(city.load(code, REPLAY)) == (1, 0, 0, 0)
        assert len(city.rows(code)) == 3

    with Office.open(city.settings) as office:
        for code in (WHOLE, CHANGED):
            found = upkeep.reconcile(office, code)
            assert (found["missing"], found["extra"], found["changed"]) == (0, 0, 0), code
        # Once more, with rows that only the source has and rows that only we have.
        department.people(("N9", "新", 9, 9), ("N4", "改", 4, 4))
        department.do("DELETE FROM people WHERE no = 'N2'")
        found = upkeep.reconcile(office, WHOLE)
        assert (found["missing"], found["extra"], found["changed"]) == (1, 1, 1)
        assert upkeep.last_comparison(office, WHOLE) is not None
        done = upkeep.maintain(office, [WHOLE, CHANGED])
        assert set(done) == {WHOLE, CHANGED, "system.loads", "runs", "staged"}
        assert done["runs"] == 7
        assert upkeep.fsck(office, deep=True) == []
    with city.house() as house:
        assert [run.outcome for run in house.runs()] == ["loaded"] * 7
        assert [run.mode for run in house.runs(resource=CHANGED)] == ["usual", "usual", "full", "replay"]
        assert house.count(CHANGED, house.snapshot_at(CHANGED, datetime.now(UTC) + timedelta(days=1))) == 3
    assert len(city.entries()) == 7


def test_a_store_that_goes_between_check_and_commit_holds_the_run_up_and_no_more(city, department, minio):
    department.people(("N1", "甲", 1, 1), ("N2", "乙", 2, 2))
    city.load(WHOLE)
    department.people(("N2", "丙", 3, 3), ("N3", "丁", 3, 3))
    ingestion = city.begin(WHOLE, "held")
    checked = ingestion.check(ingestion.extract())
    minio.stop()
    try:
        with pytest.raises(StorageUnavailableError) as refused:
            ingestion.commit(checked)
    finally:
        minio.start()
    for secret in (minio.access_key, minio.secret_key):
        assert secret not in refused.value.text("zh") + repr(refused.value.__dict__)
    assert city.report("held").error_code == "StorageUnavailableError"
    # The same step of the same run, in another process as it were; and as if that had ended before it could say so.
    city.begin(WHOLE, "held").commit(checked)
    again = city.begin(WHOLE, "held")
    again.index(again.commit(checked))
    assert city.rows(WHOLE, "no", "name") == [("N1", "甲"), ("N2", "丙"), ("N3", "丁")]
    told = city.report("held")
    assert (told.outcome, *counts(told)) == ("loaded", 1, 1, 0, 0)
    assert "error" not in told.notes
    assert len(city.entries()) == 2
    with city.house() as house:
        assert len(house.snapshots(WHOLE)) == 2
        assert house.fsck([WHOLE]) == []
