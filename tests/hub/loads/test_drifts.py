"""Sources that change their shape: what goes on, what waits, and what a decision does to the next load."""

import sqlite3
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from catalog.model import Drift, DriftPolicy, FieldKind, FieldType
from connectors.protocol import Batch
from hub import drifts
from hub.actors import Actor
from hub.errors import DriftUnknownError
from hub.office import Office
from tests.hub.ingestion.city import City, counts, resource
from warehouse.errors import DriftWaitsError

AT = datetime(2026, 3, 1, tzinfo=UTC)
KEEPER = Actor("D1", "list-office")
TYPES = {"no": "text", "name": "text", "amount": "int", "updated_at": "timestamp"}
CODE = "R-SHAPE"


def seen(types=TYPES, extra=(), absent=()):
    return Batch(None, "", 0, None, (), tuple(extra), tuple(absent), types)


def judge(control, of, batch, hours=0):
    return drifts.judge(control, of, batch, now=AT + timedelta(hours=hours))


def confirm(control, of, report, reasons=(), hours=0):
    drifts.confirm(control, of, report, reasons, now=AT + timedelta(hours=hours))


def settle(control, of, batch, hours=0):
    confirm(control, of, judge(control, of, batch, hours), hours=hours)


def statuses(control):
    return [
        (one.status, one.report["findings"][0]["column"] if one.report["findings"] else "")
        for one in drifts.drifts_of(control, CODE)
    ]


class TestOneShape:
    def test_a_new_column_is_noted_and_the_load_goes_on(self, control):
        of = resource(CODE)
        settle(control, of, seen())
        settle(control, of, seen(extra=["phone"]), hours=1)
        assert statuses(control)[0] == ("accepted", "phone")
        assert drifts.waiting(control) == []

    def test_the_same_shape_again_leaves_no_second_record(self, control):
        of = resource(CODE)
        for hour in range(3):
            settle(control, of, seen(), hours=hour)
        assert len(drifts.drifts_of(control, CODE)) == 1

    def test_a_column_of_another_type_waits_once_its_rows_are_rejected(self, control):
        of = resource(CODE)
        settle(control, of, seen())
        report = judge(control, of, seen({**TYPES, "amount": "text"}), hours=1)
        with pytest.raises(DriftWaitsError):
            confirm(control, of, report, [("bad_type:amount", 3)], hours=1)
        (one,) = drifts.waiting(control)
        assert "amount" in one.report["en"][0]
        # With every value in order it is taken.
        settle(control, of, seen({**TYPES, "amount": "text"}), hours=2)
        assert drifts.waiting(control) == []

    def test_only_the_newest_shape_waits(self, control):
        of = resource(CODE, drift=((Drift.NEW, DriftPolicy.FREEZE),))
        settle(control, of, seen())
        for extra in (["a"], ["a", "b"]):
            with pytest.raises(DriftWaitsError):
                judge(control, of, seen(extra=extra))
        (one,) = drifts.waiting(control)
        assert one.report["state"]["new"] == ["a", "b"]

    def test_a_required_column_that_is_gone_is_nothing_to_approve(self, control):
        of = resource(CODE)
        settle(control, of, seen())
        with pytest.raises(DriftWaitsError):
            judge(control, of, seen(absent=["name"]))
        assert drifts.waiting(control) == []

    def test_what_was_decided_on_is_not_asked_again(self, control):
        of = resource(CODE, drift=((Drift.NEW, DriftPolicy.FREEZE),))
        settle(control, of, seen())
        with pytest.raises(DriftWaitsError):
            judge(control, of, seen(extra=["a"]))
        with control.writing() as connection:
            connection.execute(
                drifts.sa.update(drifts.DriftRow).where(drifts.DriftRow.status == "waiting").values(status="refused")
            )
        with pytest.raises(DriftWaitsError):
            judge(control, of, seen(extra=["a"]), hours=1)
        assert next(status for status, _ in statuses(control)) == "refused"


class Base:
    def __init__(self, path):
        self.path = path
        self.do("CREATE TABLE people (no TEXT PRIMARY KEY, name TEXT, amount INTEGER, updated_at TEXT)")
        self.do("INSERT INTO people VALUES ('N1', '甲', 1, '2026-01-01'), ('N2', '乙', 2, '2026-01-02')")

    def do(self, *statements):
        with sqlite3.connect(self.path) as connection:
            for statement in statements:
                connection.execute(statement)


@pytest.fixture
def base(tmp_path):
    return Base(tmp_path / "base.sqlite")


@pytest.fixture
def city(tmp_path, base):
    systems = {"base": {"kind": "sqlite", "settings": {"path": str(base.path)}}}
    with City(tmp_path / "var", systems, resource(CODE, drift=((Drift.NEW, DriftPolicy.FREEZE),))) as city:
        yield city


def decide(city, *, approve, code=CODE, digest=""):
    with Office.open(city.settings) as office:
        return drifts.decide(office, code, KEEPER, approve=approve, digest=digest)


def held(city, **more):
    with pytest.raises(DriftWaitsError) as refused:
        city.load(**more)
    return refused.value


class TestDecisions:
    def test_what_is_approved_goes_from_the_next_load_on(self, city, base):
        city.load()
        base.do(
            "ALTER TABLE people ADD COLUMN phone TEXT", "INSERT INTO people VALUES ('N3', '丙', 3, '2026-01-03', '1')"
        )
        held(city, run="held")
        assert city.report("held").error_code == "DriftWaitsError"
        assert len(city.rows()) == 2
        one = decide(city, approve=True)
        assert (one.status, one.decided_by) == ("approved", "D1:list-office")
        assert counts(city.load()) == (1, 0, 0, 0)
        assert city.load().outcome == "unchanged"
        (entry,) = city.entries("load.drift_decided")
        assert (entry.facts["decision"], entry.facts["digest"]) == ("approved", one.digest)

    def test_what_is_refused_stays_out_however_often_it_comes(self, city, base):
        city.load()
        base.do("ALTER TABLE people ADD COLUMN phone TEXT")
        held(city)
        decide(city, approve=False)
        held(city)
        held(city)
        # Decided on is decided on: nobody is asked again.
        with pytest.raises(DriftUnknownError):
            decide(city, approve=True)

    def test_a_shape_that_went_on_changing_is_not_what_was_approved(self, city, base):
        city.load()
        base.do("ALTER TABLE people ADD COLUMN phone TEXT")
        held(city)
        with Office.open(city.settings) as office:
            (asked,) = drifts.waiting(office.control)
        base.do("ALTER TABLE people ADD COLUMN address TEXT")
        held(city)
        with pytest.raises(DriftUnknownError):
            decide(city, approve=True, digest=asked.digest)
        decide(city, approve=True)
        assert city.load().outcome in {"loaded", "unchanged"}

    def test_a_source_that_goes_back_leaves_no_question(self, city, base):
        city.load()
        base.do("ALTER TABLE people ADD COLUMN phone TEXT")
        held(city)
        base.do("ALTER TABLE people DROP COLUMN phone")
        assert city.load().outcome == "unchanged"
        with Office.open(city.settings) as office:
            assert drifts.waiting(office.control) == []

    def test_nothing_waits_for_an_unknown_resource(self, city):
        with pytest.raises(DriftUnknownError):
            decide(city, approve=True, code="NO-SUCH")

    def test_a_type_that_breaks_rows_waits_and_is_approved_with_its_rejects(self, city, base):
        city.load()
        base.do(
            "CREATE TABLE other (no TEXT PRIMARY KEY, name TEXT, amount TEXT, updated_at TEXT)",
            "INSERT INTO other SELECT * FROM people",
            "INSERT INTO other VALUES ('N3', '丙', 'three', '2026-01-03')",
            "DROP TABLE people",
            "ALTER TABLE other RENAME TO people",
        )
        held(city, run="held")
        assert city.report("held").notes["step"] == "check"
        decide(city, approve=True)
        assert counts(city.load()) == (0, 0, 0, 1)

    def test_two_loads_that_meet_a_new_shape_at_once_ask_once(self, city, base):
        city.load()
        base.do("ALTER TABLE people ADD COLUMN phone TEXT")
        # Both have read before either is judged.
        first, second = city.begin(run="a"), city.begin(run="b")
        for ingestion in (first, second):
            with pytest.raises(DriftWaitsError):
                ingestion.extract()
        with Office.open(city.settings) as office:
            (one,) = drifts.waiting(office.control)
            assert one.resource == CODE
            drifts.decide(office, CODE, KEEPER, approve=True)
        first.commit(first.check(first.extract()))
        assert city.load().outcome == "unchanged"

    def test_the_scheduler_asks_what_waits_and_takes_an_answer_once(self, city, base, monkeypatch):
        monkeypatch.setenv("ZHENGTONG_HOME", str(city.settings.home))
        city.load()
        base.do("ALTER TABLE people ADD COLUMN phone TEXT")
        held(city)
        (question,) = drifts.questions()
        assert CODE in question["subject"]
        assert "phone" in question["body"]
        assert drifts.answer(question["subject"], approve=True)
        assert not drifts.answer(question["subject"], approve=True)
        assert drifts.questions() == []
        assert city.load().outcome in {"loaded", "unchanged"}


def test_a_list_that_takes_the_column_settles_it(city, base):
    city.load()
    base.do("ALTER TABLE people ADD COLUMN phone TEXT")
    held(city)
    of = city.resources[CODE]
    phone = replace(of.fields[1], name="phone", title="电话", nullable=True, type=FieldType(FieldKind.STRING, 20))
    city.publish(replace(of, fields=(*of.fields, phone)))
    assert city.load().outcome in {"loaded", "unchanged"}
    with Office.open(city.settings) as office:
        assert drifts.waiting(office.control) == []
