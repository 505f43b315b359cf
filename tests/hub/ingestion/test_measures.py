"""What the source itself says of its rows, against the table after the commit."""

import sqlite3
from dataclasses import replace

import pytest

from catalog.model import Disposition
from connectors.protocol import Measures
from hub import alerts, watching
from hub.ingestion import MEASURES, Ingestion
from hub.office import Office
from hub.orders import LoadOrder, Mode
from tests.hub.ingestion.city import FIELDS, FULL, City, counts, field, resource
from warehouse.engine import Warehouse
from warehouse.errors import StorageUnavailableError

CODE = "R-M"
ROWS = [("N1", "甲", 10, "2026-01-01"), ("N2", "乙", 20, "2026-01-02"), ("N3", "丙", 31, "2026-01-03")]


@pytest.fixture
def base(tmp_path):
    path = tmp_path / "base.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE people (no TEXT PRIMARY KEY, name TEXT, amount INTEGER, updated_at TEXT)")
        connection.executemany("INSERT INTO people VALUES (?, ?, ?, ?)", ROWS)
    return path


@pytest.fixture
def open_city(tmp_path, base):
    cities = []

    def make(disposition=Disposition.REPLACE, measure="columns", fields=FIELDS, **more):
        systems = {"base": {"kind": "sqlite", "settings": {"path": str(base)}}}
        of = resource(CODE, disposition, fields=fields, options=(("measure", measure),), **more)
        cities.append(City(tmp_path / "var", systems, of))
        return cities[-1]

    yield make
    for city in cities:
        city.__exit__()


@pytest.fixture
def says(monkeypatch):
    """Has the source say other measures than it does."""
    opened = Ingestion.connector.func

    def use(change):
        class Saying:
            def __init__(self, inner):
                self.inner = inner
                self.kind = inner.kind

            def read(self, request, into):
                batch = self.inner.read(request, into)
                return replace(batch, measures=change(batch.measures))

        monkeypatch.setattr(Ingestion, "connector", property(lambda self: Saying(opened(self))))

    return use


def do(base, statement):
    with sqlite3.connect(base) as connection:
        connection.execute(statement)


def more_rows(measures):
    return Measures(measures.rows + 2, measures.columns)


def another_sum(measures):
    columns = {name: dict(found) for name, found in measures.columns.items()}
    columns["amount"]["sum"] = "99"
    return Measures(measures.rows, columns)


def measured(report):
    return [(one["column"], one["measure"]) for one in report.notes["unequal"]]


def standing(city):
    with Office.open(city.settings) as office:
        watching.sweep(office)
        return {one.key: one for one in alerts.open_alerts(office.control)}


@pytest.mark.parametrize("measure", ["columns", "count"])
def test_a_table_that_holds_what_its_source_says_differs_in_nothing(open_city, base, measure):
    city = open_city(measure=measure)
    assert city.load().notes["unequal"] == []
    do(base, "DELETE FROM people WHERE no = 'N1'")
    do(base, "UPDATE people SET name = '太长的名字', amount = 7 WHERE no = 'N2'")
    told = city.load()
    # One gone, one rejected and kept as it was: both are accounted for.
    assert (counts(told), told.notes["unequal"]) == ((0, 0, 1, 1), [])
    assert standing(city) == {}


def test_a_sum_that_differs_is_noted_and_told_and_cleared(open_city, says):
    city = open_city()
    says(another_sum)
    told = city.load()
    assert told.outcome == "loaded"
    assert measured(told) == [("amount", "sum")]
    one = standing(city)[f"differs:{CODE}"]
    assert "`amount`" in one.text("en")
    assert "合计" in one.text("zh")
    # Neither the sums nor any value of a row is told.
    assert not [text for text in (one.text("en"), one.text("zh"), repr(told.notes)) if "99" in text or "61" in text]
    says(lambda measures: measures)
    city.load(order=FULL)
    assert standing(city) == {}


def test_rows_that_are_missing_are_counted(open_city, says):
    city = open_city(measure="count")
    says(more_rows)
    assert ("", "rows") in measured(city.load())
    assert "5" in standing(city)[f"differs:{CODE}"].text("zh")


def test_a_delta_is_compared_with_what_was_read_of_it(open_city, base, says):
    city = open_city(Disposition.MERGE, cursor_field="updated_at")
    # The first load is the whole table.
    assert city.load().notes["unequal"] == []
    do(base, "DELETE FROM people WHERE no = 'N1'")
    do(base, "INSERT INTO people VALUES ('N4', '丁', 4, '2026-01-04')")
    assert "unequal" not in city.load().notes
    says(more_rows)
    assert measured(city.load()) == [("", "rows")]


def test_rows_marked_deleted_are_not_missing(open_city, base):
    do(base, "ALTER TABLE people ADD COLUMN gone TEXT")
    fields = (*FIELDS, field("gone"))
    city = open_city(
        Disposition.MERGE, fields=fields, cursor_field="updated_at", deleted_field="gone", deleted_value="1"
    )
    do(base, "UPDATE people SET gone = '1' WHERE no = 'N1'")
    assert "unequal" not in city.load().notes


def test_nothing_is_compared_where_nothing_was_measured(open_city):
    city = open_city(measure="none")
    assert "unequal" not in city.load().notes


def test_a_range_is_no_measure_of_the_table(open_city):
    city = open_city(Disposition.MERGE, cursor_field="updated_at")
    city.load()
    assert "unequal" not in city.load(order=LoadOrder(Mode.WINDOW, "2026-01-02", "2026-01-02")).notes


def test_what_cannot_be_counted_now_fails_no_load(open_city, monkeypatch):
    city = open_city()

    def gone(*_arguments, **_named):
        raise StorageUnavailableError(place="s3", detail="down")

    monkeypatch.setattr(Warehouse, "measures", gone)
    told = city.load()
    assert (told.outcome, "unequal" in told.notes) == ("loaded", False)


def test_values_are_handed_on_in_a_file_and_not_among_references(open_city):
    city = open_city()
    ingestion = city.begin()
    handed = ingestion.extract()
    assert "amount" in (ingestion.folder / MEASURES).read_text(encoding="utf-8")
    assert "columns" not in repr(handed)
    ingestion.index(ingestion.commit(ingestion.check(handed)))
    assert not (ingestion.folder / MEASURES).exists()
