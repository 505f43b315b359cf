"""What the record of a run says when steps are tried again, and that the log has one entry for each batch."""

import sqlite3

import pytest

from catalog.model import Disposition
from connectors.errors import SourceUnavailableError
from hub.errors import LoadPausedError, NothingRejectedError, OrderInvalidError
from hub.ingestion import Ingestion
from hub.orders import LoadOrder, Mode
from tests.hub.ingestion.city import FULL, REPLAY, City, counts, resource

CODE = "R-ONE"


class Base:
    def __init__(self, path):
        self.path = path
        self.do("CREATE TABLE people (no TEXT PRIMARY KEY, name TEXT, amount TEXT, updated_at TEXT)")

    def do(self, *statements):
        with sqlite3.connect(self.path) as connection:
            for statement in statements:
                connection.execute(statement)

    def put(self, *rows):
        self.do(
            *(f"INSERT OR REPLACE INTO people VALUES ('{n}', '{m}', '{a}', '2026-01-{d:02}')" for n, m, a, d in rows)
        )


@pytest.fixture
def base(tmp_path):
    return Base(tmp_path / "base.sqlite")


@pytest.fixture
def city(tmp_path, base):
    base.put(("N1", "甲", 1, 1), ("N2", "乙", 2, 2))
    systems = {"base": {"kind": "sqlite", "settings": {"path": str(base.path)}}}
    of = resource(CODE, Disposition.MERGE, cursor_field="updated_at")
    with City(tmp_path / "var", systems, of) as city:
        yield city


@pytest.fixture
def waiting(monkeypatch):
    """The source waits to be told, and cannot be reached at first."""
    tries = []

    class Telling:
        def __init__(self, inner):
            self.inner = inner

        def __getattr__(self, name):
            return getattr(self.inner, name)

        def acknowledge(self, *_arguments):
            tries.append(len(tries))
            if len(tries) == 1:
                raise SourceUnavailableError(problem="cannot_connect", where="base")

    opened = Ingestion.connector.func
    monkeypatch.setattr(Ingestion, "connector", property(lambda self: Telling(opened(self))))
    return tries


def test_a_commit_tried_again_keeps_its_counts_and_its_one_entry(city, waiting):
    ingestion = city.begin()
    checked = ingestion.check(ingestion.extract())
    with pytest.raises(SourceUnavailableError):
        ingestion.commit(checked)
    assert city.report("run").outcome == "failed"
    again = city.begin()
    again.index(again.commit(checked))
    told = city.report("run")
    assert (told.outcome, *counts(told)) == ("loaded", 2, 0, 0, 0)
    assert (told.error_code, "error" in told.notes) == (None, False)
    (entry,) = city.entries()
    assert entry.facts["inserted"] == 2
    assert len(waiting) == 2


def test_a_run_read_again_with_other_rows_has_an_entry_for_each_batch(city, base, waiting):
    ingestion = city.begin()
    with pytest.raises(SourceUnavailableError):
        ingestion.commit(ingestion.check(ingestion.extract()))
    base.put(("N3", "丙", 3, 3))
    again = city.begin()
    again.index(again.commit(again.check(again.extract())))
    first, second = city.entries()
    assert first.facts["batch"] != second.facts["batch"]
    assert counts(city.report("run")) == (1, 0, 0, 0)


def test_notes_of_a_step_outlive_those_after_it(city, base):
    base.do("ALTER TABLE people ADD COLUMN phone TEXT")
    assert city.load(run="one").notes["extra"] == ["phone"]
    assert city.report("one").notes["source_rows"] == 2


def test_what_is_held_back_leaves_no_record(city):
    from hub import pauses
    from hub.actors import Actor
    from hub.office import Office

    with Office.open(city.settings) as office:
        pauses.pause(office, CODE, Actor("D1", "data-engineer"), "检修")
        with pytest.raises(LoadPausedError, match="检修"):
            city.load(run="held")
        pauses.resume(office, CODE, Actor("D1", "data-engineer"))
    with pytest.raises(ValueError, match="not enough values"):
        city.report("held")
    assert city.load().outcome == "loaded"


def test_what_cannot_be_asked_for_has_not_failed(city):
    city.load()
    with pytest.raises(OrderInvalidError):
        city.load(run="odd", order=LoadOrder(Mode.WINDOW, "no day", ""))
    with pytest.raises(ValueError, match="not enough values"):
        city.report("odd")
    with pytest.raises(NothingRejectedError):
        city.load(run="none", order=REPLAY)
    assert (city.report("none").outcome, city.report("none").error_code) == ("unchanged", None)
    assert not list(city.settings.staging.rglob("*.parquet"))


def test_a_whole_read_finds_what_is_gone_and_a_usual_one_does_not(city, base):
    city.load()
    base.do("DELETE FROM people WHERE no = 'N1'")
    assert counts(city.load()) == (0, 0, 0, 0)
    told = city.load(order=FULL)
    assert (told.mode, *counts(told)) == ("full", 0, 0, 1, 0)


def test_a_whole_read_up_to_the_clock_proves_no_row_gone(city, base):
    options = (("delay", "1h"), ("until", "clock"))
    city.publish(resource(CODE, Disposition.MERGE, cursor_field="updated_at", options=options))
    city.load()
    # Changed this moment: later than may be read yet.
    base.do("UPDATE people SET updated_at = '2999-01-01' WHERE no = 'N1'")
    assert counts(city.load(order=FULL)) == (0, 0, 0, 0)
    assert len(city.rows()) == 2


def test_a_date_to_come_is_mended_by_a_whole_read(city, base):
    base.put(("N9", "误", 9, 1))
    base.do("UPDATE people SET updated_at = '2099-01-01' WHERE no = 'N9'")
    city.load()
    base.put(("N9", "正", 9, 9), ("N3", "新", 3, 8))
    assert city.load().read == 0
    told = city.load(order=FULL)
    assert counts(told)[:2] == (1, 1)
    base.put(("N4", "又", 4, 10))
    assert counts(city.load())[0] == 1
    with city.house() as house:
        assert house.fsck() == []


def test_a_trial_reads_and_checks_and_leaves_everything(city):
    told = city.load(order=LoadOrder(dry_run=True))
    assert (told.outcome, told.accepted, told.snapshot) == ("tried", 2, None)
    assert city.entries() == []
    assert city.rows() == []
