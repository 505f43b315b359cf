"""The moment of an audit, on both databases: nobody is half way through a licence, and nobody waits for the audit."""

from __future__ import annotations

import threading

import pytest
import sqlalchemy as sa

from hub import population
from hub.control import Control, LicenceRow
from hub.errors import BusyError
from hub.licensing import Licensing
from hub.office import Office
from tests.hub.databases import POSTGRESQL
from tests.hub.licensing.test_batches import ORDER, fill

# SQLite has one writer: there the transaction itself is the lock.
of_postgresql = pytest.mark.parametrize(
    "database", [pytest.param(POSTGRESQL, marks=pytest.mark.service(POSTGRESQL))], ids=[POSTGRESQL]
)


@pytest.fixture
def city(settings):
    fill(settings)
    office = Licensing.open(settings)
    office.issue_batch(office.kind("居住证"), **ORDER)
    office.control.close()
    return settings


@pytest.fixture
def half_way(city):
    """Somebody who has a licence in hand, as one who changes it does, and lets go of it when told."""
    control = Control.open(city)
    connection = control.engine.connect()
    transaction = connection.begin()
    connection.execute(sa.select(LicenceRow).limit(1).with_for_update())
    yield transaction
    connection.close()
    control.close()


def test_all_licences_are_handed_over_as_of_one_moment(city, tmp_path):
    with Office.open(city) as office:
        done = population.export(office, tmp_path / "folder")
    assert done["rows"] == 4


@of_postgresql
def test_who_is_half_way_is_waited_for(city, half_way, monkeypatch):
    waited = []

    def let_go(seconds):
        waited.append(seconds)
        half_way.rollback()

    monkeypatch.setattr(population.time, "sleep", let_go)
    with Office.open(city) as office, population.snapshot(office) as (_, _, totals, _, _):
        assert totals.issued == 4
    assert waited == [population.LOCK_PAUSE_S]


@of_postgresql
def test_one_who_stays_half_way_makes_the_audit_give_up_and_say_so(city, half_way, monkeypatch):
    monkeypatch.setattr(population, "LOCK_TRIES", 2)
    monkeypatch.setattr(population, "LOCK_PAUSE_S", 0)
    with Office.open(city) as office, pytest.raises(BusyError), population.snapshot(office):
        pass
    assert half_way.is_active


@of_postgresql
def test_an_error_that_is_no_lock_is_not_tried_again(city, monkeypatch):
    monkeypatch.setattr(population.time, "sleep", lambda _: pytest.fail("it was tried again"))
    with Office.open(city) as office, office.control.writing() as connection:
        connection.execute(sa.text("SET LOCAL statement_timeout = '1ms'"))
        monkeypatch.setattr(population.sa, "text", lambda _: sa.select(sa.func.pg_sleep(1)))
        with pytest.raises(sa.exc.OperationalError):
            population._hold_writers(connection)


def test_nobody_waits_for_rows_that_are_being_read(city):
    """The moment is over once its snapshot is open: a licence is changed while the rows are copied."""
    with Office.open(city) as office, population.snapshot(office) as (connection, _, totals, _, _):
        changed = threading.Thread(target=_rename, args=(city,))
        changed.start()
        changed.join(60)
        assert not changed.is_alive()
        holders = {row.state for row in population.rows(connection, office)}
    assert (totals.issued, len(holders)) == (4, 1)


def _rename(settings):
    control = Control.open(settings)
    with control.writing() as connection:
        connection.execute(sa.update(LicenceRow).values(state="09"))
    control.close()
