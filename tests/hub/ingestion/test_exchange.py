"""A front-end exchange table: each batch taken once, and the department told of it only after the commit."""

import pytest

from catalog.model import Disposition
from connectors.errors import SourceUnavailableError
from connectors.exchange import ExchangeConnector
from hub.orders import LoadOrder
from tests.hub.ingestion.city import FIELDS, FULL, City, counts, field, postgres_settings, resource
from warehouse.errors import ErrorBudgetExceededError

pytestmark = pytest.mark.service("postgresql")

OPTIONS = (("batch_column", "batch"), ("flag_column", "taken"), ("taken_at_column", "taken_at"))
COLUMNS = "no text, name text, amount int, updated_at timestamp, batch text, taken int, taken_at timestamp"


@pytest.fixture
def city(tmp_path, department):
    department.do(f"CREATE TABLE handed ({COLUMNS})")
    fields = (*FIELDS, field("batch"))
    of = resource(
        "R-EX", Disposition.MERGE, "front", "handed", fields, cursor_field="batch", options=tuple(sorted(OPTIONS))
    )
    settings = postgres_settings(department.url)
    url = f"postgresql+psycopg://{settings['user']}@/{settings['database']}?host={settings['host']}"
    with City(tmp_path / "var", {"front": {"kind": "exchange", "settings": {"url": url}}}, of) as city:
        yield city


def hand(department, batch, *rows, flag=0):
    for no, name, amount in rows:
        department.do(f"INSERT INTO handed VALUES ('{no}', '{name}', {amount}, '2026-01-01', '{batch}', {flag}, NULL)")


def flags(department):
    return dict(department.do("SELECT DISTINCT batch, taken FROM handed"))


def test_batches_are_taken_in_their_order_and_told_after_the_commit(city, department):
    hand(department, "B1", ("N1", "甲", 1), ("N2", "乙", 2))
    hand(department, "B2", ("N2", "丙", 3))
    ingestion = city.begin()
    checked = ingestion.check(ingestion.extract())
    assert flags(department) == {"B1": 0, "B2": 0}
    ingestion.index(ingestion.commit(checked))
    assert flags(department) == {"B1": 1, "B2": 1}
    assert city.rows("", "no", "name") == [("N1", "甲"), ("N2", "丙")]
    assert department.do("SELECT count(*) FROM handed WHERE taken_at IS NULL") == [(0,)]
    # Nothing new: nothing is taken, and what was told stays told.
    assert city.load().read == 0
    hand(department, "B3", ("N3", "丁", 4))
    hand(department, "B4", ("N4", "戊", 5), flag=7)
    assert counts(city.load()) == (1, 0, 0, 0)
    assert flags(department) == {"B1": 1, "B2": 1, "B3": 1, "B4": 7}


def test_a_crash_before_the_department_is_told_takes_its_rows_once(city, department, monkeypatch):
    city.load()
    hand(department, "B1", ("N1", "甲", 1), ("N2", "乙", 2))
    with monkeypatch.context() as patch:

        def crash(*_arguments):
            raise SourceUnavailableError(problem="cannot_connect", where="front")

        patch.setattr(ExchangeConnector, "acknowledge", crash)
        with pytest.raises(SourceUnavailableError):
            city.load(run="one")
    assert flags(department) == {"B1": 0}
    assert city.report("one").error_code == "SourceUnavailableError"
    assert len(city.rows()) == 2
    # Meanwhile the department hands over the next batch.
    hand(department, "B2", ("N3", "丙", 3))
    assert counts(city.load(run="two")) == (1, 0, 0, 0)
    assert flags(department) == {"B1": 1, "B2": 1}
    with city.house() as house:
        changes = [change.kind.value for change in house.changes(city.only())]
    assert changes.count("insert") == 3
    assert len({entry.facts["batch"] for entry in city.entries()}) == len(city.entries())


def test_a_trial_and_a_failed_check_tell_nothing(city, department):
    hand(department, "B1", *((f"N{number}", "太长的名字", number) for number in range(4)))
    with pytest.raises(ErrorBudgetExceededError):
        city.load()
    assert flags(department) == {"B1": 0}
    department.do("UPDATE handed SET name = '甲'")
    assert city.load(order=LoadOrder(dry_run=True)).outcome == "tried"
    assert flags(department) == {"B1": 0}
    assert counts(city.load()) == (4, 0, 0, 0)


def test_a_batch_that_was_cleared_away_since_is_not_gone(city, department):
    hand(department, "B1", ("N1", "甲", 1))
    city.load()
    hand(department, "B2", ("N2", "乙", 2))
    department.do("DELETE FROM handed WHERE batch = 'B1'")
    city.load()
    # A whole read has the batches that still lie there: they are no state, and prove no deletion.
    assert counts(city.load(order=FULL))[2] == 0
    assert city.rows("", "no") == [("N1",), ("N2",)]
