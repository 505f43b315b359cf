"""The office's wiring: its clocks are the city's, its list is the one in force, and what it did is published."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from audit.log import Log
from catalog.clock import Clocks
from catalog.datafile import DataFileInvalidError
from hub.errors import EvidenceUnavailableError, ListMissingError
from hub.office import Office, clocks_of
from hub.settings import Settings

FRIDAY = datetime(2026, 3, 6, 2, tzinfo=UTC)


def settings_with(tmp_path, **environ):
    return Settings.from_environment({"ZHENGTONG_HOME": str(tmp_path / "var"), **environ})


def test_without_a_word_the_clocks_are_the_national_ones(tmp_path):
    assert clocks_of(settings_with(tmp_path)) is Clocks.default()


def test_a_city_names_its_profile_and_its_working_days(tmp_path):
    calendar = tmp_path / "days.csv"
    calendar.write_text("#year,2026,本市通知\ndate,kind,name\n2026-03-09,holiday,本市放假\n", encoding="utf-8")
    clocks = clocks_of(
        settings_with(tmp_path, ZHENGTONG_CLOCK_PROFILE="local-2-5-10", ZHENGTONG_CALENDAR=str(calendar))
    )
    assert clocks.profile.name == "local-2-5-10"
    assert clocks.profile != Clocks.default().profile
    # Friday's next working day is the Tuesday after that Monday.
    assert clocks.calendar.add(FRIDAY.date(), 1).isoformat() == "2026-03-10"


@pytest.mark.parametrize(
    "environ", [{"ZHENGTONG_CLOCK_PROFILE": "none-such"}, {"ZHENGTONG_CLOCKS": "{}"}, {"ZHENGTONG_CALENDAR": "{}"}]
)
def test_a_file_or_profile_that_does_not_hold_is_told_before_anything_runs(tmp_path, environ):
    broken = tmp_path / "broken"
    broken.write_text("date,kind,name\nyesterday,holiday,x\n", encoding="utf-8")
    with pytest.raises(DataFileInvalidError):
        clocks_of(settings_with(tmp_path, **{name: text.format(broken) for name, text in environ.items()}))


def test_what_was_done_is_published_when_the_office_closes(tmp_path):
    settings = settings_with(tmp_path)
    with Office.open(settings) as office, office.cases.begin() as transaction:
        transaction.record("case.overdue", actor="hub:test", facts={"case": "A1"})
    with Log.open(settings.log) as log:
        assert log.published_size == log.size == 1


def test_a_log_that_cannot_be_published_does_not_undo_what_was_done(tmp_path, monkeypatch, caplog):
    settings = settings_with(tmp_path)
    office = Office.open(settings)
    office.evidence.append("case.overdue", facts={"case": "A1"})

    def fail(index):
        raise EvidenceUnavailableError

    monkeypatch.setattr(office.evidence, "publish_through", fail)
    office.close()
    assert "could not be published" in caplog.text
    with Log.open(settings.log) as log:
        assert (log.size, log.published_size) == (1, 0)


def test_before_the_first_list_there_is_none(tmp_path):
    with Office.open(settings_with(tmp_path)) as office, pytest.raises(ListMissingError):
        _ = office.list_
