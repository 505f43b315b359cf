"""Sweeps: for each thing that goes wrong one alert, told once, and cleared when it is well again."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import pytest
import sqlalchemy as sa

from hub import alerts, loads, watching
from hub.control import Load, ReconciliationRow
from hub.office import Office
from hub.watching import KIND_OF, RETRIED, RETRY_GRACE
from tests.hub.loads.records import record
from tests.hub.world import CODE, EMPTY_CODE, NOW

UNEQUAL = [{"column": "", "measure": "rows", "en": "the number of rows differs", "zh": "行数不一致"}]


@pytest.fixture
def office(world):
    with Office.open(world.settings, clock=world.clock) as office:
        # A log that nobody publishes would be an alert of its own.
        office.evidence.publish()
        yield office


def sweep(office, hours=0):
    return watching.sweep(office, at=NOW + timedelta(hours=hours))


def standing(office):
    return {one.key: one for one in alerts.open_alerts(office.control)}


def failed(office, error, hours=0, **more):
    told = {"error": {"en": "it broke", "zh": "坏了"}, "step": "extract"}
    return record(office, hours=hours, outcome=loads.FAILED, error_code=error, notes=told, **more)


@pytest.mark.parametrize("error", sorted(KIND_OF))
def test_each_failure_has_its_kind_and_goes_with_the_next_good_load(office, error):
    failed(office, error)
    assert sweep(office).raised == 1
    (one,) = standing(office).values()
    assert (one.kind, one.resource, one.department) == (KIND_OF[error], CODE, "GA")
    for lang in ("en", "zh"):
        assert one.text(lang)
        assert "{" not in one.text(lang)
    assert sweep(office, 1).raised == 0
    assert standing(office)[one.key].times == 2
    record(office, hours=2)
    assert sweep(office, 2).cleared == 1
    assert standing(office) == {}


def test_an_error_of_no_kind_of_its_own_is_a_failed_load(office):
    failed(office, "SourceShapeError")
    sweep(office)
    assert list(standing(office)) == [f"load_failed:{CODE}"]


def test_one_failure_follows_another_and_only_the_newest_stands(office):
    failed(office, "SourceDeniedError")
    sweep(office)
    failed(office, "ErrorBudgetExceededError", 1)
    done = sweep(office, 1)
    assert (done.raised, done.cleared) == (1, 1)
    assert list(standing(office)) == [f"rows_rejected:{CODE}"]


@pytest.mark.parametrize("error", sorted(RETRIED))
def test_what_is_tried_again_by_itself_gets_time_for_it(office, error):
    failed(office, error)
    grace = RETRY_GRACE / timedelta(hours=1)
    assert sweep(office, grace * 0.9).raised == 0
    assert sweep(office, grace).raised == 1


def test_what_is_well_in_time_was_never_an_alert(office):
    run = failed(office, "SourceUnavailableError")
    sweep(office, 0.1)
    with office.control.writing() as connection:
        connection.execute(sa.update(Load).where(Load.id == run).values(outcome="loaded", error_code=None))
    assert sweep(office, 1).raised == 0


def test_a_broken_promise_is_told_and_kept_again(office):
    record(office, hours=-37)
    assert sweep(office, -1.1).raised == 0
    assert sweep(office).raised == 1
    (one,) = standing(office).values()
    assert (one.kind, one.params["due"]) == ("late", f"{NOW - timedelta(hours=1):%Y-%m-%d %H:%M} UTC")
    record(office, hours=1)
    assert sweep(office, 1).cleared == 1


def test_a_range_or_a_replay_keeps_no_promise(office):
    record(office, hours=-37)
    record(office, hours=-2, mode="window")
    record(office, hours=-1, mode="replay")
    assert sweep(office).raised == 1


def test_what_was_never_loaded_is_not_late(office):
    assert sweep(office, 24 * 400).raised == 0
    assert {one.resource for one in watching.board(office)} == {CODE, EMPTY_CODE}


def test_a_load_that_does_not_end_in_time_is_told_until_it_does(office, world, monkeypatch):
    monkeypatch.setenv("ZHENGTONG_HOME", str(world.settings.home))
    monkeypatch.setenv("ZHENGTONG_CONTROL_URL", world.settings.control_url)
    record(office, outcome=loads.RUNNING)
    watching.slow(CODE)
    assert list(standing(office)) == [f"slow:{CODE}"]
    sweep(office)
    assert list(standing(office)) == [f"slow:{CODE}"]
    with office.control.writing() as connection:
        connection.execute(sa.update(Load).values(outcome="loaded", finished=NOW))
    sweep(office)
    assert standing(office) == {}


def compared(office, hours=0, **counts):
    row = dict.fromkeys(("missing", "extra", "changed", "rejected", "source_rows", "table_rows"), 0) | counts
    row |= {"resource": CODE, "at": NOW + timedelta(hours=hours), "snapshot": None, "seconds": 1.0, "report": ""}
    with office.control.writing() as connection:
        connection.execute(sa.insert(ReconciliationRow).values(log_index=1, **row))


class TestDifferences:
    def alert(self, office):
        return standing(office).get(f"differs:{CODE}")

    def test_a_comparison_that_finds_some_is_told_until_one_finds_none(self, office):
        compared(office, missing=3, changed=1)
        sweep(office)
        assert "3 rows missing, 0 too many, 1 changed" in self.alert(office).text("en")
        assert "缺 3 行" in self.alert(office).text("zh")
        # A load whose sums agree looked at no row.
        record(office, hours=1, notes={"unequal": []})
        sweep(office, 1)
        assert self.alert(office)
        compared(office, 2)
        assert sweep(office, 2).cleared == 1

    def test_measures_that_differ_are_told_until_they_agree(self, office):
        record(office, notes={"unequal": UNEQUAL})
        sweep(office)
        assert UNEQUAL[0]["zh"] in self.alert(office).text("zh")
        # A load that failed, or said nothing of it, changes nothing.
        failed(office, "SourceShapeError", 1)
        record(office, hours=2, mode="window")
        sweep(office, 2)
        assert self.alert(office)
        record(office, hours=3, notes={})
        sweep(office, 3)
        assert self.alert(office)
        record(office, hours=4, notes={"unequal": []})
        sweep(office, 4)
        assert not self.alert(office)

    def test_a_comparison_of_every_row_outweighs_measures_before_it(self, office):
        record(office, notes={"unequal": UNEQUAL})
        sweep(office)
        compared(office, 1)
        sweep(office, 1)
        assert not self.alert(office)
        record(office, hours=2, notes={"unequal": UNEQUAL})
        sweep(office, 2)
        assert self.alert(office)

    def test_a_comparison_from_before_clears_nothing(self, office):
        compared(office, -5)
        record(office, notes={"unequal": UNEQUAL})
        sweep(office)
        record(office, hours=1, notes={})
        sweep(office, 1)
        assert self.alert(office)


def test_an_alert_is_delivered_once_and_by_the_same_sweep(office, world, tmp_path, monkeypatch):
    taken = []

    def hook(request):
        taken.append(json.loads(request.content))
        return httpx.Response(200)

    real = httpx.Client
    monkeypatch.setattr(alerts.httpx, "Client", lambda **_: real(transport=httpx.MockTransport(hook)))
    path = tmp_path / "alerts.yaml"
    path.write_text("channels:\n  - {name: duty, kind: webhook, url: 'https://duty.example'}\n", encoding="utf-8")
    settings = replace(world.settings, alerts_file=path)
    with Office.open(settings, clock=world.clock) as told:
        failed(told, "SourceHostileError")
        assert watching.sweep(told).sent["delivered"] == {"duty": 1}
        assert watching.sweep(told).sent["delivered"] == {}
    assert [one["kind"] for one in taken] == ["source_closed"]


def test_a_department_s_day_is_summed_up(world, monkeypatch):
    monkeypatch.setenv("ZHENGTONG_HOME", str(world.settings.home))
    monkeypatch.setenv("ZHENGTONG_CONTROL_URL", world.settings.control_url)
    # The world's tables are everybody's.
    world.settings.warehouse.unlink()
    with Office.open(world.settings, clock=world.clock) as office:
        record(office, at=datetime.now(UTC), read=9, accepted=8, rejected=1, inserted=5, updated=2)
    told = watching.sum_up("GA")
    assert (told["resources"], told["lights"]["fresh"], told["lights"]["never"]) == (2, 1, 1)
    assert (told["read"], told["accepted"], told["rejected"], told["changed"]) == (9, 8, 1, 7)
    assert watching.sum_up("NO-SUCH")["resources"] == 0
