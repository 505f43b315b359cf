"""Lists as files for a spreadsheet: the rows of all pages, in the visitor's language, with nothing that calculates."""

from __future__ import annotations

import csv
import io

import pytest

from hub.people import Duty
from hub.portal import sheets
from hub.portal.app import doors
from tests.hub import world as worlds
from tests.hub.portal.browsing import HAN

SHEETS = [door for door in doors() if door.csv]


def rows_of(answer):
    assert answer.status_code == 200, answer.text[:300]
    assert answer.headers["content-type"] == sheets.MEDIA_TYPE
    assert answer.headers["content-disposition"].startswith("attachment;")
    assert answer.content.startswith(b"\xef\xbb\xbf")
    return list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"), newline="")))


@pytest.mark.parametrize("door", SHEETS, ids=lambda door: door.path)
@pytest.mark.parametrize("lang", ["zh", "en"])
def test_a_list_is_there_as_a_file_for_those_who_see_its_page_and_nobody_else(door, lang, signed_in, browser):
    for duty in Duty:
        answer = signed_in(duty, **{"accept-language": lang}).see(f"{door.path}.csv")
        if door.who is None or duty in door.who:
            (heading, *_) = rows_of(answer)
            assert (lang == "zh") == bool(HAN.search("".join(heading)))
        else:
            assert answer.status_code == 403
    stranger = browser.see(f"{door.path}.csv")
    assert stranger.status_code == (200 if door.who is None else 303)


def test_the_pages_that_are_lists_are_there_as_files():
    lists = {"/catalogue", "/requests", "/grants", "/demands", "/corrections", "/ingestion", "/board"}
    assert lists <= {door.path for door in SHEETS}
    # A file of everybody's names and logins is nobody's affair.
    assert not [door.path for door in SHEETS if door.path.startswith("/people")]


def test_the_rows_are_those_of_all_pages_filtered_as_the_page_is(signed_in, monkeypatch):
    from hub.portal.rooms import demands

    monkeypatch.setattr(demands, "SIZE", 2)
    staff = signed_in(Duty.STAFF)
    for number in range(5):
        assert staff.send("/demands/new", words=f"数据 {number}", purpose="办理").status_code == 303
    seen, page = [], 1
    while items := staff.json(f"/demands.json?page={page}")["items"]:
        seen += [one["id"] for one in items]
        page += 1
    assert page > 3
    assert [row[0] for row in rows_of(staff.see("/demands.csv"))[1:]] == seen
    # Whichever page is open, all are written.
    assert len(rows_of(staff.see("/demands.csv?page=3"))) == len(seen) + 1
    assert len(rows_of(staff.see("/demands.csv?state=withdrawn"))) == 1


def test_what_a_department_wrote_is_no_formula_in_the_file(signed_in):
    staff = signed_in(Duty.STAFF)
    evil = '=HYPERLINK("http://evil.example","看")'
    assert staff.send("/demands/new", words=evil, purpose="@SUM(1+1)\r\n+1").status_code == 303
    cells = [cell for row in rows_of(staff.see("/demands.csv")) for cell in row]
    assert f"'{evil}" in cells
    assert evil not in cells
    assert not [cell for cell in cells if cell.lstrip(" ").startswith(tuple("=+-@\t\r＝＋－＠"))]


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("=1+1", "'=1+1"),
        ("+86 10", "'+86 10"),
        ("-1+cmd|' /C calc'!A0", "'-1+cmd|' /C calc'!A0"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("\r=1", "'\r=1"),
        ("  =1", "'  =1"),
        ("＝1", "'＝1"),
        ("-12.5", "-12.5"),
        ("a=1", "a=1"),
        ("", ""),
    ],
)
def test_what_a_spreadsheet_would_calculate_is_disarmed(text, written):
    assert sheets.disarmed(text) == written


def test_the_board_is_departments_whole_and_resources_narrowed(browser):
    whole = rows_of(browser.see("/board.csv"))
    assert [row[0] for row in whole[1:]] == [row["code"] for row in browser.json("/board.json")["rows"]]
    narrow = rows_of(browser.see("/board.csv?dept=GA"))
    assert {row[0] for row in narrow[1:]} == {worlds.CODE, worlds.EMPTY_CODE}
    # Why a resource rests is told to those who are signed in alone, here as on the page.
    assert [row[6] for row in narrow[1:]] == [one["why"] for one in browser.json("/board.json?dept=GA")["items"]]


def test_beyond_so_many_rows_nothing_more_is_written(monkeypatch):
    class Visit:
        @staticmethod
        def say(zh, en):
            return zh

    asked = []

    def page(number):
        asked.append(number)
        return {"total": 10**9, "size": 10, "items": [{"id": number}] * 10}

    monkeypatch.setattr(sheets, "MAX_ROWS", 30)
    data = sheets.written(Visit(), [sheets.sheet("items", ("id", "编号", "Id"))], page)
    assert asked == [1, 2, 3]
    assert len(data.decode("utf-8-sig").splitlines()) == 31
