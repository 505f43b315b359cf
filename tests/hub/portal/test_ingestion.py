"""Ingestion health: who sees which loads, what the counts lead to, and what can be done about one resource."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from urllib.parse import quote

import httpx
import pytest
import sqlalchemy as sa

from hub import drifts, loads, ordering, pauses
from hub.control import DriftRow
from hub.orders import LoadOrder, Mode
from hub.people import Duty
from tests.hub.loads.records import record
from tests.hub.portal.browsing import OFFICE, PASSWORD, Browser
from tests.hub.world import CODE, EMPTY_CODE, NOW

HOSTILE = "<script>alert(1)</script>"
DIGEST = "sha256:" + "c" * 64
PAGE = f"/ingestion/{quote(CODE)}"


@pytest.fixture(scope="module")
def office(service):
    return service.office


@pytest.fixture(scope="module", autouse=True)
def filled(office):
    told = {"error": {"en": f"it broke {HOSTILE}", "zh": f"坏了{HOSTILE}"}, "step": "extract"}
    for day in range(40, 0, -1):
        record(office, hours=-24 * day, read=5, accepted=5, inserted=5 if day == 40 else 0)
    failed = record(office, outcome="failed", error_code="SourceShapeError", notes=told, read=5, rejected=2)
    return SimpleNamespace(failed=failed)


@pytest.fixture(scope="module")
def provider(url, app, people, service):
    """An engineer of the department that provides the resources."""
    list_ = service.standing.now().list
    people.add(
        list_,
        login="ga.engineer",
        name="测试工程师",
        department="GA",
        post="engineer-1",
        duties=[Duty.ENGINEER],
        by=OFFICE,
        password=PASSWORD,
    )
    people.set_password("ga.engineer", PASSWORD, by=OFFICE, change=False)
    session = app.state.portal_sessions(people.get("ga.engineer").id)
    with httpx.Client(base_url=url, trust_env=False) as client:
        client.cookies.set("zhengtong", session.cookie)
        yield Browser(client, session.token)


def waits(office, code=CODE):
    report = {
        "en": [f"the column `{HOSTILE}` is new"],
        "zh": [f"新增列 `{HOSTILE}`"],
        "state": {},
        "findings": [
            {"column": HOSTILE, "was": "", "now": "text", "en": "a new column", "zh": "新增列", "outcome": "waits"}
        ],
    }
    row = {"resource": code, "digest": DIGEST, "status": drifts.WAITING, "first_seen": NOW, "last_seen": NOW}
    with office.control.writing() as connection:
        connection.execute(sa.delete(DriftRow))
        undecided = dict.fromkeys(("decided_by", "decided_at", "log_index"))
        connection.execute(sa.insert(DriftRow).values(**row, **undecided, report=report))


def entries(service, kind):
    log = service.evidence.log
    return [leaf for leaf in log.entries(0, log.size) if f'"kind":"{kind}"'.encode() in leaf]


def test_the_office_sees_all_and_counts_lead_to_resources(signed_in, filled):
    browser = signed_in(Duty.OFFICE)
    page = browser.json("/ingestion.json")
    counts = {one["key"]: one["count"] for one in page["concerns"]}
    assert (page["seen"], page["total"]) == (2, 2)
    assert (counts["failed"], counts["never"], counts["paused"]) == (1, 1, 0)
    assert [row["code"] for row in browser.json("/ingestion.json?show=failed")["rows"]] == [CODE]
    assert [row["code"] for row in browser.json("/ingestion.json?show=never")["rows"]] == [EMPTY_CODE]
    html = browser.see("/ingestion").text
    assert f'href="/ingestion/{CODE}?run={filled.failed}"' in html
    assert 'href="/ingestion?show=failed"' in html


def test_the_grid_holds_the_last_28_runs_oldest_first(signed_in, filled):
    page = signed_in(Duty.OFFICE).json("/ingestion.json?failed=1")
    assert [row["code"] for row in page["rows"]] == [CODE]
    cells = page["rows"][0]["cells"]
    assert len(cells) == 28
    assert cells[-1]["id"] == filled.failed
    assert [cell["at"] for cell in cells] == sorted(cell["at"] for cell in cells)


def test_a_department_sees_its_own_and_nobody_elses(signed_in, provider):
    assert provider.json("/ingestion.json")["total"] == 2
    stranger = signed_in(Duty.ENGINEER)
    assert "本部门不提供任何资源" in stranger.read("/ingestion")
    for path in (PAGE, f"{PAGE}?tab=rejects", f"{PAGE}.json"):
        assert stranger.see(path).status_code == 403
    for step in ("pause", "resume", "order"):
        assert stranger.send(f"{PAGE}/{step}", why="x", mode="usual").status_code == 403
    assert stranger.see("/ingestion/NO-SUCH").status_code == 404


def test_one_resource_says_what_its_loads_did(provider, filled):
    text = provider.read(f"{PAGE}?run={filled.failed}")
    assert "最近一次失败" in text
    assert "每日更新，超过 36 小时未成功归集即为逾期" in text
    assert "按计划" in text
    english = provider.see(PAGE, **{"accept-language": "en"}).text
    assert "last load failed" in english
    assert HOSTILE not in english
    assert "&lt;script&gt;" in english


def test_rejected_rows_show_where_and_why_and_no_values(provider):
    assert "目前没有被拒记录" in provider.read(f"{PAGE}?tab=rejects")
    assert "目前没有被拒记录" in provider.read(f"/ingestion/{quote(EMPTY_CODE)}?tab=rejects")


def test_pausing_needs_a_reason_and_is_in_the_log(provider, office, service):
    refused = provider.send(f"{PAGE}/pause?tab=hold", why="")
    assert refused.status_code == 422
    assert "暂停原因" in refused.text
    answer = provider.send(f"{PAGE}/pause?tab=hold", why=HOSTILE)
    assert (answer.status_code, answer.headers["location"]) == (303, f"{PAGE}?tab=hold")
    (held,) = pauses.paused(office.control)
    assert (held.by, held.why) == ("GA:engineer-1", HOSTILE)
    page = provider.see(f"{PAGE}?tab=hold").text
    assert HOSTILE not in page
    assert "恢复归集" in page
    # What is held back cannot be ordered: the preview says so and shows no button.
    assert "目前不能下达" in provider.read(f"{PAGE}?tab=order&mode=usual")
    assert provider.send(f"{PAGE}/order?tab=order", mode="usual").status_code in {409, 422}
    assert provider.send(f"{PAGE}/resume?tab=hold").status_code == 303
    assert pauses.paused(office.control) == []
    assert entries(service, "load.paused")
    assert entries(service, "load.resumed")


def test_only_the_office_decides_on_a_shape(provider, signed_in, office):
    waits(office)
    assert "由数据主管部门决定" in provider.read(f"{PAGE}?tab=shape")
    assert provider.send(f"{PAGE}/shape", digest=DIGEST, decision="accept").status_code == 403
    browser = signed_in(Duty.OFFICE)
    page = browser.see(f"{PAGE}?tab=shape").text
    assert HOSTILE not in page
    assert "&lt;script&gt;" in page
    assert browser.json("/ingestion.json?show=waiting")["total"] == 1
    assert browser.json("/ingestion.json?show=changed")["total"] == 1
    gone = browser.send(f"{PAGE}/shape?tab=shape", digest="sha256:" + "d" * 64, decision="accept")
    assert gone.status_code in {404, 409, 422}
    assert browser.send(f"{PAGE}/shape?tab=shape", digest=DIGEST, decision="reject").status_code == 303
    assert drifts.drifts_of(office.control, CODE)[0].status == drifts.REFUSED


def test_an_order_is_previewed_and_then_begun_once(provider, service, monkeypatch):
    begun = []
    monkeypatch.setattr(ordering._STARTED, "start", lambda code, arguments: begun.append((code, arguments)))
    text = provider.read(f"{PAGE}?tab=order&mode=full&dry_run=1")
    assert "预览：全量重新归集" in text
    assert "试运行" in text
    # The world's source system is described nowhere, which is said before anything begins; where, not to a department.
    assert "目前不能下达" in text
    assert "配置有误" in text
    assert "systems.yaml" not in text
    assert begun == []
    answer = provider.send(f"{PAGE}/order?tab=order", mode="full", dry_run="1")
    assert (answer.status_code, answer.headers["location"]) == (303, f"{PAGE}?tab=runs")
    assert begun == [(CODE, ("ingest", "run", "--full", "--dry-run", "--", CODE))]
    assert len(entries(service, "load.ordered")) == 1


def test_a_range_needs_ends_and_a_cursor_field(provider):
    for fields in ({"mode": "window"}, {"mode": "window", "since": "2026-03-01"}):
        refused = provider.send(f"{PAGE}/order?tab=order", **fields)
        assert refused.status_code == 422
    assert "起始日或截止日" in provider.read(f"{PAGE}?tab=order&mode=window")
    # What was typed stays.
    refused = provider.send(f"{PAGE}/order?tab=order", mode="window", since="2026-03-01", accept="mark-1")
    assert "mark-1" in refused.text


def test_an_order_becomes_the_command_that_a_person_would_type():
    window = LoadOrder(Mode.WINDOW, "2026-01-01", "--full")
    assert ordering.arguments_of("A", window) == ("ingest", "backfill", "--from=2026-01-01", "--to=--full", "--", "A")
    assert ordering.arguments_of("A", LoadOrder(Mode.REPLAY, dry_run=True)) == (
        "ingest",
        "replay",
        "--dry-run",
        "--",
        "A",
    )
    taken = LoadOrder(accept=("m1", "m2"))
    assert ordering.arguments_of("A", taken) == ("ingest", "run", "--accept=m1,m2", "--", "A")


def test_a_load_under_way_is_seen_by_whoever_comes_later(provider, office):
    record(office, resource=EMPTY_CODE, outcome="running", at=NOW - timedelta(minutes=5), read=10, about=50)
    page = provider.json("/ingestion.json")
    assert [(one["code"], one["read"], one["about"]) for one in page["under_way"]] == [(EMPTY_CODE, 10, 50)]
    assert loads.running(office.control)
    assert "进行中" in provider.read("/ingestion")
