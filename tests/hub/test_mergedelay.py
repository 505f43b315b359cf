"""The merge delay that receipts promise is kept while somebody publishes, and seen when nobody does."""

from __future__ import annotations

import time
from datetime import timedelta

import httpx
import pytest

from hub import alerts, watching
from hub.api import create_app
from hub.evidence import Publisher
from hub.mergedelay import merge_delay
from hub.office import Office
from hub.receipts import MERGE_DELAY_S
from hub.service import Service
from tests.hub.api.conftest import serving
from tests.hub.world import CODE, body

PATIENCE_S = 30


@pytest.fixture
def office(world):
    with Office.open(world.settings, clock=world.clock) as office:
        office.evidence.publish()
        yield office


def wait_until(done):
    end = time.monotonic() + PATIENCE_S
    while not done():
        assert time.monotonic() < end, "it did not come to be"
        time.sleep(0.02)


def later(world, seconds):
    world.clock.now += timedelta(seconds=seconds)


def standing(office):
    return {one.key: one for one in alerts.open_alerts(office.control)}


def test_what_waits_is_told_by_the_oldest_that_waits(office, world):
    log = office.evidence.log
    assert merge_delay(log, office.now()).waits_s == 0
    later(world, 5)
    assert merge_delay(log, office.now()).waits_s == 0
    office.evidence.append("test.one", facts={})
    later(world, 40)
    office.evidence.append("test.two", facts={})
    later(world, 20)
    found = merge_delay(log, office.now())
    assert (found.size - found.published, found.waits_s, found.broken) == (2, MERGE_DELAY_S, False)
    later(world, 1)
    assert merge_delay(log, office.now()).broken
    office.evidence.publish()
    assert merge_delay(log, office.now()).to_plain() == {
        "size": log.size, "published": log.size, "merge_delay_s": 0.0, "promised_s": MERGE_DELAY_S,
    }  # fmt: skip


def test_a_publisher_that_stopped_is_an_alert_until_it_goes_on(office, world):
    office.evidence.append("test.one", facts={})
    later(world, MERGE_DELAY_S)
    watching.sweep(office)
    assert "log_unpublished" not in standing(office)
    later(world, 30)
    watching.sweep(office)
    one = standing(office)["log_unpublished"]
    assert (one.kind, one.params["seconds"], one.params["promised"]) == ("log_unpublished", "90", str(MERGE_DELAY_S))
    for lang in ("en", "zh"):
        assert "90" in one.text(lang)
    office.evidence.publish()
    watching.sweep(office)
    assert "log_unpublished" not in standing(office)


def test_a_service_publishes_what_it_recorded_without_being_asked(world):
    service = Service.open(world.settings, clock=world.clock)
    try:
        index = service.evidence.append("test.one", facts={}).index
        wait_until(lambda: service.evidence.log.published_size > index)
    finally:
        service.close()


def test_the_api_tells_monitors(world, monkeypatch):
    # As when the thread has died: whoever only looks at calls that are answered sees nothing wrong.
    monkeypatch.setattr(Publisher, "_run", lambda self: None)
    app = create_app(world.settings, open_service=lambda settings: Service.open(settings, clock=world.clock))
    with serving(app) as url, httpx.Client(base_url=url, trust_env=False) as http:
        app.state.service.evidence.publish()
        assert http.get("/readyz").json()["merge_delay_s"] == 0
        key = {"authorization": f"Bearer {world.key}"}
        assert http.post(f"/v1/resources/{CODE}:query", json=body(), headers=key).status_code == 200
        later(world, 90)
        told = http.get("/readyz").json()
        assert (told["merge_delay_s"], told["log_size"] - told["log_published"]) == (90.0, 1)
        assert "zhengtong_log_merge_delay_seconds 90.0" in http.get("/metrics").text
