from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from catalog.model import Cadence
from hub import freshness, loads
from hub.freshness import LIGHTS, PROMISED, Light
from hub.loads import LoadReport
from tests.hub import world as worlds

AT = datetime(2026, 3, 10, tzinfo=UTC)


def report(outcome=loads.LOADED):
    blank = dict.fromkeys(LoadReport.__slots__)
    return LoadReport(**blank | {"id": 1, "resource": worlds.CODE, "outcome": outcome, "started": AT, "notes": {}})


def judged(success, newest=None, cadence=Cadence.DAILY, **more):
    more = {"paused": False, "waiting": False} | more
    return freshness.judge(replace(worlds.resource(), cadence=cadence), newest, success, at=AT, **more)


@pytest.mark.parametrize("cadence", list(Cadence))
def test_a_promise_holds_to_its_last_moment_and_no_longer(cadence):
    assert judged(AT - PROMISED[cadence], report(), cadence).light is Light.FRESH
    assert judged(AT - PROMISED[cadence] - timedelta(seconds=1), report(), cadence).light is Light.LATE


def test_what_never_loaded_is_neither_fresh_nor_late():
    found = judged(None)
    assert (found.light, found.due) == (Light.NEVER, None)
    assert judged(None, report(loads.FAILED)).light is Light.FAILING


def test_a_failure_shows_before_the_promise_is_broken_and_lateness_after():
    assert judged(AT - timedelta(hours=1), report(loads.FAILED)).light is Light.FAILING
    assert judged(AT - timedelta(days=3), report(loads.FAILED)).light is Light.LATE


def test_what_a_person_has_stopped_says_so_first():
    late = AT - timedelta(days=30)
    assert judged(late, report(loads.FAILED), paused=True, waiting=True).light is Light.PAUSED
    assert judged(late, report(loads.FAILED), waiting=True).light is Light.WAITING


def test_a_field_with_a_shorter_cycle_sets_the_promise():
    resource = worlds.resource(cadence=Cadence.YEARLY)
    quick = replace(resource, fields=(replace(resource.fields[0], cadence=Cadence.DAILY), *resource.fields[1:]))
    two_days = AT - timedelta(days=2)
    for one, light in ((resource, Light.FRESH), (quick, Light.LATE)):
        assert freshness.judge(one, report(), two_days, at=AT, paused=False, waiting=False).light is light


def test_every_light_has_a_word_in_both_languages():
    assert set(LIGHTS) == set(Light)
    assert all(en and zh for en, zh in LIGHTS.values())
