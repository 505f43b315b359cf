"""Batches of licences in the portal: tried, ordered, confirmed by another, followed, and whose they are not."""

from __future__ import annotations

import time

import pytest
import sqlalchemy as sa

from hub.control import LicenceRunRow
from hub.licensing.runs import QUIET
from hub.people import Duty
from tests.hub.licensing.dossiers.conftest import LAW, NAMES
from tests.hub.portal.browsing import text_of
from tests.hub.portal.test_licences import ONE_CODE, SCRIPT, TWO_CODE, enter, went, world  # noqa: F401 - fixtures
from tests.hub.world import IDS

WORDS = {"reason": f"年度核发{SCRIPT}", "ground": LAW}


@pytest.fixture
def first(enter):  # noqa: F811 - as above
    return enter("counter", "RS", Duty.LICENCES)


@pytest.fixture
def second(enter):  # noqa: F811 - as above
    return enter("chief", "RS", Duty.LICENCES)


@pytest.fixture
def stranger(enter):  # noqa: F811 - as above
    return enter("other", "MZ", Duty.LICENCES)


@pytest.fixture
def office_person(enter):  # noqa: F811 - as above
    return enter("hub", "GA", Duty.OFFICE)


def until(browser, path, *states):
    """The page's data once the run is in one of *states*; the server works on it meanwhile."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        plain = browser.json(f"{path}.json")
        if plain["state"] in states:
            return plain
        time.sleep(0.1)
    raise AssertionError(plain)


def test_a_batch_goes_its_whole_way_by_two_persons(first, second, stranger, office_person):
    assert "还没有批量签发过" in first.read("/licences/batches")
    path = went(first.send("/licences/batches", kind=TWO_CODE))
    plain = until(first, path, "planned")
    counts = {one["outcome"]: one["count"] for one in plain["planned"]["counts"]}
    assert counts == {"ok": 4, "field_empty": 1}
    # One of a kind is open at a time.
    assert went(second.send("/licences/batches", kind=TWO_CODE)) == path
    rows = first.see(f"{path}?part=plan&outcome=field_empty").text
    assert f"{'*' * 14}{IDS[2][-4:]}" in rows
    assert "住址" in rows
    assert not [secret for secret in (*IDS, *NAMES) if secret in rows]
    assert first.json(f"{path}.json?part=plan&outcome=ok")["kept"] == 4
    bare = first.send(f"{path}/order", reason="", ground=LAW)
    assert bare.status_code == 422
    assert LAW in bare.text  # what was typed stays
    assert first.send(f"{path}/order", reason=f"为 {IDS[0]} 办理", ground=LAW).status_code == 422
    went(first.send(f"{path}/order", **WORDS))
    assert first.json("/licences.json")["items"][0]["stock"]["issued"] in {0, 3}
    waits = first.see(path).text
    assert "须由另一名证照管理人员确认" in waits
    assert SCRIPT not in waits
    assert first.send(f"{path}/confirm").status_code in {403, 409, 422}
    assert "确认并签发 4 份" in second.read(path)
    went(second.send(f"{path}/confirm"))
    done = until(second, path, "done")
    assert (done["done"], done["of"], done["compared"]["residual"]) == (4, 4, 1)
    page = second.read(path)
    assert "记录 5 条，证照 4 份，一致 4，剩余差异 1" in page
    issued = second.json(f"{path}.json?part=issued")
    assert (issued["issued"], len(issued["licences"])) == (4, 4)
    licence = issued["licences"][0]["identifier"]
    assert path in second.see(f"/licences/{licence}").text
    # The office sees it and takes no step; others see nothing.
    assert office_person.json(f"{path}.json")["steps"] == []
    assert office_person.json("/licences/batches.json")["total"] == 1
    assert stranger.json("/licences/batches.json")["total"] == 0


def test_whose_it_is_not_neither_sees_nor_steps(first, stranger, office_person, enter):  # noqa: F811
    path = went(first.send("/licences/batches", kind=ONE_CODE))
    until(first, path, "planned")
    window = enter("hall", "GA", Duty.WINDOW)
    assert stranger.see(path).status_code == 403
    assert stranger.see(f"{path}.json?part=plan&outcome=ok").status_code == 403
    assert window.see(path).status_code == 403
    assert window.see("/licences/batches").status_code == 403
    for step in ("order", "confirm", "again", "resume", "drop"):
        assert stranger.send(f"{path}/{step}", **WORDS).status_code == 403
        assert office_person.send(f"{path}/{step}", **WORDS).status_code == 403
    assert stranger.send("/licences/batches", kind=ONE_CODE).status_code == 403
    assert first.send("/licences/batches", kind="no-such").status_code == 404
    assert first.send(f"{path}/no-such").status_code == 404
    assert first.see("/licences/batches/P2222222A").status_code == 404
    # Three have one already: only what is missing would be issued.
    counts = {one["outcome"]: one["count"] for one in first.json(f"{path}.json")["planned"]["counts"]}
    assert counts["duplicate"] == 3
    went(first.send(f"{path}/again"))
    until(first, path, "planned")
    went(first.send(f"{path}/drop"))
    assert first.send(f"{path}/order", **WORDS).status_code == 409


def test_a_run_whose_worker_was_killed_is_offered_to_be_gone_on_with(first, service):
    path = went(first.send("/licences/batches", kind=ONE_CODE))
    until(first, path, "planned")
    now = service.evidence.clock()
    with service.control.writing() as connection:
        # As a process leaves it that was killed while it issued.
        values = {"state": "issuing", "claimed_by": "gone", "lease_until": now + 10 * QUIET, **WORDS}
        run = sa.update(LicenceRunRow).where(LicenceRunRow.id == path.rpartition("/")[2])
        connection.execute(run.values(**values, heard_at=now))
    page = first.see(path).text
    assert "可以离开此页" in page
    assert "<progress" in page
    assert 'hx-trigger="every 2s"' in page
    assert "继续办理" not in page
    assert first.send(f"{path}/resume").status_code == 409
    with service.control.writing() as connection:
        connection.execute(run.values(heard_at=now - 2 * QUIET))
    assert "处理它的进程可能已中断" in first.read(path)
    went(first.send(f"{path}/resume"))
    done = until(first, path, "done")
    assert done["done"] == done["issued"] == 1
    assert done["compared"]["counts"]


def test_what_stopped_it_is_said_in_both_languages(first, enter, service):  # noqa: F811 - as above
    path = went(first.send("/licences/batches", kind=ONE_CODE))
    until(first, path, "planned")
    with service.control.writing() as connection:
        error = {"code": "no_grant", "en": "A grant is missing.", "zh": "缺少授权。"}
        run = sa.update(LicenceRunRow).where(LicenceRunRow.id == path.rpartition("/")[2])
        connection.execute(run.values(state="failed", behind="planning", error=error))
    assert "缺少授权。" in first.read(path)
    english = enter("english", "RS", Duty.LICENCES, "en")
    page = english.read(path)
    assert "A grant is missing." in page
    assert "Go on" in page
    went(first.send(f"{path}/resume"))
    until(first, path, "planned")
    went(first.send(f"{path}/drop"))


def test_in_large_size_the_page_does_not_move_by_itself(first, service):
    path = went(first.send("/licences/batches", kind=ONE_CODE))
    with service.control.writing() as connection:
        run = sa.update(LicenceRunRow).where(LicenceRunRow.id == path.rpartition("/")[2])
        connection.execute(
            run.values(state="issuing", claimed_by="gone", lease_until=service.evidence.clock() + 10 * QUIET)
        )
    first.client.cookies.set("elder", "on")
    try:
        page = first.see(path).text
    finally:
        first.client.cookies.delete("elder")
    assert "hx-trigger" not in page
    assert text_of(page).count("刷新") == 1
    went(first.send(f"{path}/drop"))
