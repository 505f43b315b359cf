from __future__ import annotations

import copy
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.errors import ConnectorSettingsError, SourceUnavailableError
from connectors.masking import masker
from connectors.pace import Bucket, Hours, Paced, PacedAcknowledging, bucket
from connectors.protocol import Acknowledges, Batch, Progress, ReadRequest
from connectors.registry import connect, secrets_from
from connectors.retry import Waiting

NOON = datetime(2024, 5, 8, 4, 0, tzinfo=UTC)  # Wednesday, 12:00 in Shanghai
REQUEST = ReadRequest("R", "o", (), None)
INTO = Path("nowhere")


class Clock:
    def __init__(self):
        self.now = 0.0
        self.slept = []

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds


class Inner:
    kind = "inner"

    def __init__(self, reports=()):
        self.reports = reports
        self.calls = []

    def probe(self, name, options):
        self.calls.append("probe")
        return ("a",)

    def read(self, request, into):
        self.calls.append(masker("hash") is not None if request.resource == "hashed" else "read")
        for rows in self.reports:
            request.progress(Progress(rows))
        return Batch(into, "", 0, None, (), ())

    def health(self):
        return "well"


class Told(Inner):
    def acknowledge(self, name, options, cursor):
        self.calls.append(cursor)


def hours(text, zone="Asia/Shanghai"):
    return Hours.of({"hours": text, "zone": zone}, "x")


@pytest.mark.parametrize(
    ("text", "moment", "is_open"),
    [
        ("22:00-06:00", "2024-05-08T21:59", False),
        ("22:00-06:00", "2024-05-08T22:00", True),
        ("22:00-06:00", "2024-05-08T05:59", True),
        ("22:00-06:00", "2024-05-08T06:00", False),
        ("12:00-13:30", "2024-05-08T13:29", True),
        ("00:00-24:00", "2024-05-08T23:59", True),
        ("12:00-13:00; 22:00-23:00", "2024-05-08T22:30", True),
        ("mon-fri 12:00-13:00", "2024-05-11T12:30", False),
        ("mon-fri 12:00-13:00; sat,sun 00:00-24:00", "2024-05-11T12:30", True),
        # The window of Friday night runs on into Saturday, that of Saturday does not exist.
        ("mon-fri 22:00-06:00", "2024-05-11T05:00", True),
        ("mon-fri 22:00-06:00", "2024-05-11T22:30", False),
        ("sat-mon 01:00-02:00", "2024-05-13T01:30", True),
        ("", "2024-05-08T12:00", True),
    ],
)
def test_a_window_is_open_when_it_says_so(text, moment, is_open):
    made = hours(text)
    local = datetime.fromisoformat(moment).replace(tzinfo=made.zone)
    assert made.open_at(local) is is_open


@pytest.mark.parametrize(
    "text",
    ["22-6", "25:00-26:00", "10:70-11:00", "10:00-10:00", "24:00-06:00", "someday 10:00-11:00", "10:00-11:00 x", ";"],
)
def test_hours_that_cannot_be_meant_are_refused(text):
    with pytest.raises(ConnectorSettingsError) as caught:
        hours(text)
    assert caught.value.params["name"] == "hours"


@pytest.mark.parametrize("zone", ["Asia/Nowhere", "../etc/passwd", "/etc/passwd"])
def test_a_zone_must_be_one(zone):
    with pytest.raises(ConnectorSettingsError) as caught:
        hours("22:00-06:00", zone)
    assert caught.value.params["name"] == "zone"


MINUTES = st.integers(0, 24 * 60 - 1)
WINDOWS = st.lists(
    st.tuples(MINUTES, MINUTES, st.sampled_from(["", "mon-fri ", "sat,sun ", "wed "])).filter(lambda w: w[0] != w[1]),
    min_size=1,
    max_size=3,
)


@settings(max_examples=25, deadline=None)
@given(
    WINDOWS,
    # Both zones change their clocks within these years, or once did.
    st.sampled_from(["Asia/Shanghai", "America/New_York", "Australia/Lord_Howe"]),
    st.integers(0, 3 * 365 * 24 * 60),
    st.floats(0, 1, exclude_max=True),
)
def test_the_next_opening_is_the_first(windows, zone, minutes, part):
    text = ";".join(f"{days}{a // 60:02}:{a % 60:02}-{b // 60:02}:{b % 60:02}" for a, b, days in windows)
    made = hours(text, zone)
    moment = datetime(2023, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    opens = made.opens(moment)
    assert opens >= moment
    assert made.open_at(opens)
    if opens == moment:
        assert made.open_at(moment)
        return
    between = moment + (opens - moment) * part
    # A window whose beginning the clocks leave out may already be open after the gap.
    assert (
        not made.open_at(between)
        or between.astimezone(made.zone).utcoffset() != moment.astimezone(made.zone).utcoffset()
    )


def test_outside_the_hours_says_how_long_to_wait():
    with pytest.raises(SourceUnavailableError) as caught:
        hours("22:00-06:00").check(NOON, "citizen-db")
    assert (caught.value.problem, caught.value.params["retry_after_s"]) == ("outside_hours", 10 * 3600.0)
    assert caught.value.retryable
    assert "2024-05-08T22:00+08:00" in caught.value.text("zh")


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.floats(-2, 5), st.integers(1, 30)), max_size=40),
    st.sampled_from([0.5, 3.0, 50.0]),
    st.sampled_from([1.0, 4.0, 60.0]),
)
def test_no_more_pass_than_the_rate_and_the_burst_allow(takings, rate, burst):
    clock = Clock()
    held = Bucket(rate, burst, clock=clock, sleep=clock.sleep)
    real = passed = 0.0
    most = max((count for _, count in takings), default=0)
    for step, count in takings:
        # A step back of the clock (a negative one) is no time gone by.
        clock.now += step
        real += max(0.0, step)
        real += held.take(count)
        passed += count
        assert passed <= burst + rate * real + max(0.0, most - burst) + 1e-6


def test_a_bucket_does_not_wait_while_it_need_not():
    clock = Clock()
    held = Bucket(2.0, 4.0, clock=clock, sleep=clock.sleep)
    assert [held.take() for _ in range(4)] == [0.0] * 4
    assert held.take() == 0.5
    clock.now += 100
    assert [held.take() for _ in range(4)] == [0.0] * 4


@pytest.mark.parametrize("value", ["0", "-1", "fast", "inf", "nan"])
def test_a_rate_must_be_a_number(value):
    with pytest.raises(ConnectorSettingsError):
        bucket({"requests_per_s": value}, "requests_per_s", "x")


def test_hours_are_looked_at_before_a_source_is_touched():
    inner = Inner()
    paced = Paced(inner, hours=hours("22:00-06:00"), now=lambda: NOON)
    for call in (lambda: paced.probe("o", {}), lambda: paced.read(REQUEST, INTO)):
        with pytest.raises(SourceUnavailableError) as caught:
            call()
        assert caught.value.problem == "outside_hours"
    assert inner.calls == []
    night = Paced(inner, hours=hours("22:00-06:00"), now=lambda: NOON + timedelta(hours=12))
    assert night.probe("o", {}) == ("a",)
    assert night.read(REQUEST, INTO).path == INTO
    assert (night.kind, night.health()) == ("inner", "well")


def test_a_commit_is_told_at_any_hour():
    inner = Told()
    paced = PacedAcknowledging(inner, hours=hours("22:00-06:00"), now=lambda: NOON)
    assert isinstance(paced, Acknowledges)
    paced.acknowledge("o", {}, "7")
    assert inner.calls == ["7"]
    assert not isinstance(Paced(Inner(), hours=Hours()), Acknowledges)


def test_a_paced_connector_can_be_copied():
    paced = Paced(Inner(), hours=Hours())
    assert copy.copy(paced).kind == "inner"
    with pytest.raises(AttributeError):
        _ = paced.no_such


def test_rows_are_slowed_by_what_a_read_reports():
    clock = Clock()
    seen = []
    inner = Inner(reports=(1000, 2000, 2000, 3500))
    paced = Paced(inner, hours=Hours(), rows=Bucket(1000.0, 1000.0, clock=clock, sleep=clock.sleep))
    paced.read(ReadRequest("R", "o", (), None, progress=lambda now: seen.append(now.rows)), INTO)
    assert seen == [1000, 2000, 2000, 3500]
    # At the end of 3,500 rows at least 2 s have gone by, the last 1,500 still being owed in part.
    assert clock.slept == [1.0, 1.0]


def test_the_landing_key_is_in_force_while_reading():
    inner = Inner()
    paced = Paced(inner, hours=Hours(), landing_key=lambda: "0123456789abcdef")
    paced.read(ReadRequest("hashed", "o", (), None), INTO)
    assert inner.calls == [True]
    with pytest.raises(ConnectorSettingsError):
        Paced(inner, hours=Hours()).read(ReadRequest("hashed", "o", (), None), INTO)


def test_every_kind_keeps_the_hours_of_its_settings(tmp_path):
    settings = {"folder": str(tmp_path), "hours": "22:00-06:00", "rows_per_s": "5", "landing_key": "env:K"}
    connector = connect("csv", settings, secrets_from({}), now=lambda: NOON, waiting=Waiting(sleep=lambda _: None))
    with pytest.raises(SourceUnavailableError) as caught:
        connector.probe("x.csv", {})
    assert caught.value.problem == "outside_hours"
    with pytest.raises(SourceUnavailableError) as caught:
        connect("csv", {"folder": str(tmp_path / "no-such")}, secrets_from({}), now=lambda: NOON).probe("x.csv", {})
    assert caught.value.problem == "folder_missing"


def test_an_error_leaves_without_what_it_came_from():
    class Failing(Told):
        def fail(self, *_):
            try:
                {}["a driver's own"]
            except KeyError:
                raise SourceUnavailableError(problem="folder_missing", where="x") from None

        probe = read = acknowledge = fail

    paced = PacedAcknowledging(Failing(), hours=Hours())
    for call in (
        lambda: paced.probe("o", {}),
        lambda: paced.read(REQUEST, INTO),
        lambda: paced.acknowledge("o", {}, ""),
    ):
        with pytest.raises(SourceUnavailableError) as caught:
            call()
        assert (caught.value.__context__, caught.value.__cause__) == (None, None)
