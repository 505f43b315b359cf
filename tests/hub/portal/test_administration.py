"""Administration: who sees it, what it tells, the calendar in two steps, a key that is changed after being told."""

from __future__ import annotations

from datetime import timedelta

import pytest

from hub.actors import Actor
from hub.authority import KeyStore
from hub.backups.making import make
from hub.health import NAMES
from hub.people import Duty
from tests.hub.portal.browsing import HAN, text_of

PAGES = (
    "/administration",
    "/administration/departments",
    "/administration/clocks",
    "/administration/keys",
    "/administration/backups",
)
YEAR = 2027
CALENDAR = (
    f"#year,{YEAR},国务院办公厅关于{YEAR}年部分节假日安排的通知<script>\ndate,kind,name\n{YEAR}-01-01,holiday,元旦\n"
)


@pytest.fixture
def admin(signed_in):
    return signed_in(Duty.ADMINISTRATOR)


@pytest.fixture
def auditor(signed_in):
    return signed_in(Duty.AUDITOR)


@pytest.fixture(scope="module")
def keys(service):
    """Keys of the departments, as licences would have made them."""
    store = KeyStore(service.settings, service.control, service.evidence.clock)
    departments = service.standing.now().list.departments
    store.prepare(departments, departments[0], service.evidence.clock())
    return store


@pytest.mark.parametrize("path", PAGES)
def test_administrators_and_auditors_read_and_nobody_else(path, signed_in, browser, admin, auditor):
    for reader in (admin, auditor):
        assert HAN.search(reader.read(path))
        assert reader.json(f"{path}.json")
    assert browser.see(path).status_code in {303, 401}
    for duty in set(Duty) - {Duty.ADMINISTRATOR, Duty.AUDITOR}:
        assert signed_in(duty).see(path).status_code == 403, duty


@pytest.mark.parametrize("path", PAGES)
def test_each_page_is_english_too(path, signed_in):
    english = signed_in(Duty.ADMINISTRATOR, **{"accept-language": "en"})
    text = english.read(path)
    assert "Administration" in text
    # Departments without an English name, laws and notices are as the list and the files have them.
    assert "状态" not in text
    assert "备份" not in text


def test_auditors_change_nothing(auditor, service, keys):
    name = f"department-{service.standing.now().list.departments[0].code}"
    assert auditor.send("/administration/clocks", files={"file": ("a.csv", CALENDAR.encode())}).status_code == 403
    assert auditor.send("/administration/clocks/calendar", content=CALENDAR, seen="x").status_code == 403
    assert auditor.send(f"/administration/keys/{name}/rotate", told="1").status_code == 403


def test_departments_are_told_with_what_they_have(admin, service, people, members):
    plain = admin.json("/administration/departments.json")
    list_ = service.standing.now().list
    assert plain["total"] == len(plain["items"]) == len(list_.departments)
    found = {one["code"]: one for one in plain["items"]}
    assert found["RS"]["people"] == people.count(department="RS") == len(members)
    assert (found["RS"]["holds"], found["GA"]["gave"], found["RS"]["gave"]) == (1, 1, 0)
    assert found["GA"]["resources"] == 2
    assert found["GA"]["uscc"] == list_.departments_by_code["GA"].uscc
    assert "/board/GA" in admin.see("/administration/departments").text
    # Nobody is named where only numbers are asked for.
    assert members[Duty.STAFF].name not in admin.read("/administration/departments")
    assert "GA" in admin.see("/administration/departments.csv").text


def test_health_has_every_component_for_people_and_monitors(admin):
    plain = admin.json("/administration.json")
    assert [one["code"] for one in plain["components"]] == list(NAMES)
    assert plain["light"] == "bad"
    assert next(one for one in plain["components"] if one["code"] == "workers")["tone"] == "good"
    page = admin.read("/administration")
    assert "如何解除" in page
    assert "zhengtong backup make" in page


def test_backups_are_told_with_their_age(admin, service):
    assert "还没有备份" in admin.read("/administration/backups")
    office = service.office
    made = make(office, office.settings.backups, by=Actor("GA", "administrator"), passphrase=None)
    plain = admin.json("/administration/backups.json")
    assert (plain["light"], plain["total"], plain["hours"], plain["same_disk"]) == ("good", 1, 0, True)
    assert plain["items"][0]["digest"] == made.summary.digest
    assert made.summary.digest in admin.read("/administration/backups")
    (made.path / "backup.json").write_text("{}")
    assert "说明不可读" in admin.read("/administration/backups")


def test_the_calendar_of_a_year_says_what_is_worked_and_why(admin):
    plain = admin.json("/administration/clocks.json?year=2026")
    assert plain["known"]
    assert "2025年11月4日" in plain["source"]
    january = plain["months"][0]
    cells = [cell for week in january["weeks"] for cell in week if cell]
    assert len(cells) == 31
    assert (cells[0]["working"], cells[0]["mark"], cells[0]["name"]) == (False, "休", "元旦")
    assert sum(month["working"] for month in plain["months"]) == plain["working"]
    assert {rule["code"] for rule in plain["rules"]} >= {"application.reply.conditional", "licence.decide"}
    assert not admin.json("/administration/clocks.json?year=2030")["known"]
    assert "仅知周末" in admin.read("/administration/clocks?year=2030")


def test_a_calendar_is_looked_at_before_it_holds(admin, service):
    size = service.evidence.log.size
    shown = admin.send("/administration/clocks", files={"file": ("next.csv", CALENDAR.encode())})
    assert shown.status_code == 200, text_of(shown.text)[:300]
    assert "尚未生效" in text_of(shown.text)
    assert "通知<script>" not in shown.text
    assert service.evidence.log.size == size
    seen = shown.text.split('name="seen" value="')[1].split('"')[0]
    other = admin.send("/administration/clocks/calendar", content=CALENDAR, seen="0" * 64)
    assert other.status_code == 409
    assert 'name="seen"' in other.text
    done = admin.send("/administration/clocks/calendar", content=CALENDAR.replace("\n", "\r\n"), seen=seen)
    assert done.status_code == 303, text_of(done.text)[:300]
    assert done.headers["location"] == f"/administration/clocks?year={YEAR}"
    assert admin.json(f"/administration/clocks.json?year={YEAR}")["known"]
    assert service.office.clocks.calendar.knows(YEAR)


def test_a_file_with_faults_is_refused_by_line(admin):
    bad = b"#year,2028,x\ndate,kind,name\n2028-13-01,holiday,x\n"
    for files in ({"file": ("a.csv", bad)}, {"file": ("a.csv", b"\xff\xfe\x00")}, None):
        answer = admin.send("/administration/clocks", files=files)
        assert answer.status_code == 422
    assert "calendar.csv:3" in text_of(admin.send("/administration/clocks", files={"file": ("a.csv", bad)}).text)


def test_keys_are_told_and_never_shown(admin, keys, service):
    plain = admin.json("/administration/keys.json")
    assert {one["name"] for one in plain["own"]} >= {"log", "answers", "mask", "subject"}
    assert plain["total"] == len(keys.kept())
    assert plain["due"] == 0
    first = plain["certificates"][0]
    assert first["until"] > first["rotate_by"] > first["signs_from"]
    page = admin.see("/administration/keys").text + admin.see(f"/administration/keys/{first['name']}").text
    assert "PRIVATE KEY" not in page
    for path in service.settings.keys.rglob("*"):
        if path.is_file() and path.stat().st_size:
            assert path.read_text(errors="ignore").strip()[:60] not in page, path.name
    assert admin.see("/administration/keys/no-such").status_code == 404


def test_a_key_is_changed_after_being_told_what_that_does(admin, keys, service):
    name = f"department-{service.standing.now().list.departments[0].code}"
    path = f"/administration/keys/{name}"
    before = [one for one in keys.kept() if one.name == name]
    assert "已签出的证照不受影响" in admin.read(path)
    assert admin.send(f"{path}/rotate").status_code == 422
    for wrong in ("soon", "2020-01-01"):
        assert admin.send(f"{path}/rotate", told="1", **{"from": wrong}).status_code == 422
    assert [one for one in keys.kept() if one.name == name] == before
    day = (service.evidence.clock() + timedelta(days=10)).date().isoformat()
    done = admin.send(f"{path}/rotate", told="1", **{"from": day})
    assert done.status_code == 303, text_of(done.text)[:300]
    after = [one for one in keys.kept() if one.name == name]
    assert len(after) == len(before) + 1
    assert "待启用" in admin.read(path)
    # One is planned: another is not made beside it.
    assert admin.send(f"{path}/rotate", told="1").status_code == 422
    assert len([one for one in keys.kept() if one.name == name]) == len(after)
    assert admin.send("/administration/keys/root/rotate", told="1").status_code == 422
