import sqlite3
from zoneinfo import ZoneInfo

import pytest

from catalog.model import Cadence, Disposition, Drift, DriftPolicy
from hub import loadplan, pauses
from hub.actors import Actor
from hub.errors import ResourceUnknownError
from hub.freshness import Light
from hub.office import Office
from tests.hub.ingestion.city import City, resource
from warehouse.errors import DriftWaitsError

WHOLE, DELTA, NOWHERE, HOURLY = "R-WHOLE", "R-DELTA", "R-NOWHERE", "R-HOURLY"


@pytest.fixture
def base(tmp_path):
    path = tmp_path / "base.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE people (no TEXT PRIMARY KEY, name TEXT, amount INTEGER, updated_at TEXT)")
        connection.execute("INSERT INTO people VALUES ('N1', '甲', 1, '2026-01-05T00:00:00')")
    return path


@pytest.fixture
def city(tmp_path, base):
    systems = {"base": {"kind": "sqlite", "settings": {"path": str(base)}}}
    of = [
        resource(WHOLE, drift=((Drift.NEW, DriftPolicy.FREEZE),)),
        resource(DELTA, Disposition.MERGE, cursor_field="updated_at"),
        resource(NOWHERE, system="elsewhere"),
        resource(HOURLY, cadence=Cadence.REALTIME),
    ]
    with City(tmp_path / "var", systems, *of) as city:
        yield city


def plans(city, *codes):
    with Office.open(city.settings) as office:
        return {plan.resource: plan for plan in loadplan.plans(office, codes)}


def test_before_anything_was_loaded_all_is_whole(city):
    found = plans(city)
    assert list(found) == [WHOLE, DELTA, NOWHERE, HOURLY]
    assert {plan.cursor for plan in found.values()} == {None}
    assert {plan.light for plan in found.values()} == {Light.NEVER}
    assert (found[WHOLE].kind, found[WHOLE].object, found[WHOLE].last_rows) == ("sqlite", "people", None)
    assert found[NOWHERE].kind == ""
    assert "systems" in found[NOWHERE].note("en")
    assert found[NOWHERE].note("zh")


def test_after_a_load_it_goes_on_from_the_cursor(city):
    city.load(DELTA)
    (plan,) = plans(city, DELTA).values()
    assert (plan.cursor, plan.last_rows, plan.light) == ("2026-01-05T00:00:00", 1, Light.FRESH)
    assert plan.last_seconds > 0
    assert plan.light_text("zh") == "正常"


def test_what_stands_in_the_way_says_what_to_do(city, base):
    city.load(WHOLE)
    with sqlite3.connect(base) as connection:
        connection.execute("ALTER TABLE people ADD COLUMN phone TEXT")
    with pytest.raises(DriftWaitsError):
        city.load(WHOLE)
    with Office.open(city.settings) as office:
        pauses.pause(office, DELTA, Actor("D1", "data-engineer"), "检修")
    found = plans(city)
    assert (found[WHOLE].light, found[WHOLE].note("zh")) == (Light.WAITING, "zhengtong ingest drift")
    assert (found[DELTA].light, found[DELTA].note("en")) == (Light.PAUSED, "zhengtong ingest resume")


def test_the_next_run_is_by_the_list_s_cycle_in_local_time(city):
    with Office.open(city.settings) as office:
        now = office.now().astimezone(ZoneInfo("Asia/Shanghai"))
    found = plans(city)
    assert found[HOURLY].next_run > now.strftime("%Y-%m-%d %H:%M")
    assert "01:00" <= found[WHOLE].next_run[-5:] < "05:00"


def test_an_unknown_code_is_named_and_a_broken_file_of_systems_hides_nothing(city):
    with pytest.raises(ResourceUnknownError, match="NO-SUCH"):
        plans(city, WHOLE, "NO-SUCH")
    city.settings.systems_file.write_text("systems: [\n", encoding="utf-8")
    assert {plan.kind for plan in plans(city).values()} == {""}


def test_nothing_of_a_source_is_read(city, base):
    base.unlink()
    assert len(plans(city)) == 4
    assert not city.settings.staging.exists()
