"""The responsibility board: each light with its why and what clears it, rates that can be counted again."""

from __future__ import annotations

from datetime import timedelta

import pytest

from hub import owed, pauses
from hub.actors import Actor
from hub.owed import GRAVITY, Standing, Tally
from hub.people import Duty
from tests.hub.loads.records import record
from tests.hub.world import CODE, EMPTY_CODE, NOW

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def office(service):
    return service.office


@pytest.fixture(scope="module", autouse=True)
def loaded(office):
    record(office, hours=-10 * 24, read=5)
    record(office, hours=-1, read=5)


def board(office, **more):
    return {one.resource: one for one in owed.owed(office, **more)}


def test_every_standing_is_graver_than_another_and_has_words():
    assert sorted(GRAVITY) == sorted(Standing)
    assert set(owed.WORDS) == set(Standing)


def test_what_was_loaded_in_time_is_kept_and_what_never_was_is_not_due_yet(office):
    found = board(office)
    assert found[CODE].standing is Standing.KEPT
    assert found[EMPTY_CODE].standing is Standing.AHEAD
    assert "2026-06-01" in found[EMPTY_CODE].why("zh")
    assert "2026-06-01" in found[EMPTY_CODE].why("en")


def test_what_was_never_loaded_is_overdue_from_the_day_after_its_day(office):
    day = NOW.replace(month=6, day=1, hour=4)
    assert board(office, at=day)[EMPTY_CODE].standing is Standing.AHEAD
    later = board(office, at=day + timedelta(days=2))
    assert (later[EMPTY_CODE].standing, later[EMPTY_CODE].days) == (Standing.OVERDUE, 2)
    assert later[CODE].standing is Standing.LATE
    assert later[CODE].days > 80


def test_a_week_ago_is_told_by_what_was_done_until_then(office):
    then = {one.resource: one for one in owed.owed_then(office, NOW - timedelta(days=7))}
    # Its load of ten days ago was a day and a half too old by then.
    assert then[CODE].standing is Standing.LATE
    now = {one.resource: one.standing for one in owed.owed_then(office, NOW)}
    assert now == {code: one.standing for code, one in board(office).items()}


def test_the_board_is_open_to_everybody_and_its_counts_lead_to_resources(browser):
    page = browser.json("/board.json")
    assert {one["key"]: one["count"] for one in page["lights"]} == dict.fromkeys(map(str, GRAVITY), 0) | {
        "kept": 1,
        "ahead": 1,
    }
    (row,) = page["rows"]
    assert (row["code"], row["kept"], row["total"]) == ("GA", 1, 2)
    assert [cell["light"] for cell in row["cells"]] == ["ahead", "kept"]
    left = browser.json("/board.json?light=kept")
    assert [one["code"] for one in left["items"]] == [CODE]
    assert browser.json("/board.json?dept=RS")["total"] == 0
    # What is no department or light narrows nothing.
    assert not browser.json("/board.json?dept=XX&light=purple")["narrowed"]


def test_rates_say_their_numerator_denominator_and_definition(browser):
    government, other = browser.json("/board.json")["rates"]
    assert (government["lines"], government["collected"], government["kept"]) == (2, 1, 1)
    assert (other["lines"], other["collected"]) == (0, 0)
    text = browser.read("/board")
    assert "政务数据" in text
    assert "50.0 %" in text
    assert "分母：责任清单中该领域的责任条数。" in text
    assert "未列入任何责任条目的资源：0 项" in text


def test_a_department_says_what_it_owes(browser):
    text = browser.read("/board/GA")
    assert "如何转为正常" in text
    assert "公安局" in text
    assert "清单未要求该部门共享资源" in browser.read("/board/RS")
    assert browser.see("/board/NO-SUCH").status_code == 404
    english = browser.read("/board/GA", **{"accept-language": "en"})
    assert "What clears it" in english
    assert "Public Security" in english


@pytest.fixture
def paused(office):
    """Pause a resource of GA, by somebody and with a text."""

    def hold(by, why=HOSTILE):
        pauses.pause(office, CODE, Actor(by, "engineer-1"), why)

    yield hold
    pauses.resume(office, CODE, Actor("GA", "engineer-1"))


def test_a_pause_tells_colleagues_who_and_why_and_its_text_is_escaped(signed_in, paused):
    paused("GA")
    browser = signed_in(Duty.STAFF)
    page = browser.see("/board/GA").text
    assert HOSTILE not in page
    assert "&lt;script&gt;" in page
    assert "由 公安局 · 归集运维 1（GA:engineer-1） 暂停归集" in page
    assert browser.json("/board.json?light=paused")["total"] == 1


@pytest.mark.parametrize(
    ("by", "zh", "en"),
    [("GA", "提供部门自", "Its provider paused"), ("RS", "平台自", "paused since")],
)
def test_the_public_is_told_of_a_pause_what_kind_it_is_and_no_more(browser, paused, by, zh, en):
    paused(by, "等待专线维修，联系人 13800000000")
    for path in ("/board/GA", "/board?light=paused", "/board.json?light=paused"):
        page = browser.see(path).text
        assert "13800000000" not in page
        assert "engineer-1" not in page
    assert zh in browser.read("/board/GA")
    assert en in browser.read("/board/GA", **{"accept-language": "en"})


def test_tallies_sum_to_what_there_is(office):
    found = list(board(office).values())
    assert sum(one.total for one in owed.tallies(office.list_, found)) == len(found)
    assert Tally("GA", {}).share == 1.0
