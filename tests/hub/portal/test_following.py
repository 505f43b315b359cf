"""What a person follows: followed and left on the pages, its news told, and nobody else's."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from hub import following, pauses
from hub.actors import Actor
from hub.control import DriftRow
from hub.following import Followed, Kind, What
from hub.people import Duty
from tests.hub import world as worlds
from tests.hub.portal.browsing import HAN
from tests.hub.publishing import publish_list


@pytest.fixture
def leaves_nothing(service, members):
    yield
    for one in members.values():
        for held in following.followed(service.control, one.id):
            following.leave(service.control, one.id, held.kind, held.code)


def follow(visitor, kind, code, **fields):
    return visitor.send("/following", kind=kind, code=code, back="/following", **fields)


@pytest.mark.usefixtures("leaves_nothing")
def test_a_resource_is_followed_and_left_on_its_page(signed_in, browser):
    staff = signed_in(Duty.STAFF)
    page = f"/r/{worlds.CODE}"
    assert staff.json(f"{page}.json")["followed"] == {"resource": False, "provider": False}
    answer = staff.send("/following", kind="resource", code=worlds.CODE, back=page)
    assert (answer.status_code, answer.headers["location"]) == (303, page)
    assert follow(staff, "resource", worlds.CODE).status_code == 303
    assert staff.json(f"{page}.json")["followed"] == {"resource": True, "provider": False}
    assert "取消关注此资源" in staff.read(page)
    assert [one["code"] for one in staff.json("/following.json")["followed"]] == [worlds.CODE]
    # Another person of the department follows for itself.
    assert signed_in(Duty.REVIEWER).json("/following.json")["followed"] == []
    assert follow(staff, "resource", worlds.CODE, leave="1").status_code == 303
    assert staff.json("/following.json")["followed"] == []
    assert browser.json(f"{page}.json")["followed"] is None


@pytest.mark.usefixtures("leaves_nothing")
def test_only_what_there_is_can_be_followed_and_the_way_back_is_ours(signed_in, service, members):
    staff = signed_in(Duty.STAFF)
    for kind, code in (
        ("resource", "000000/000000"),
        ("department", "XX"),
        ("demand", "X1"),
        ("person", "RS"),
        ("", ""),
    ):
        assert follow(staff, kind, code).status_code == 422, kind
    answer = staff.send("/following", kind="department", code="GA", back="//evil.example")
    assert answer.headers["location"] == "/following"
    patch = pytest.MonkeyPatch()
    patch.setattr(following, "MAX_FOLLOWED", 1)
    assert follow(staff, "resource", worlds.CODE).status_code == 422
    patch.undo()
    assert len(following.followed(service.control, members[Duty.STAFF].id)) == 1


def test_what_changed_is_told_newest_first(signed_in, service, world, of_department):
    staff, office = signed_in(Duty.STAFF), service.office
    follow(staff, "department", "GA")
    demand = staff.send("/demands/new", words="殡葬信息", purpose="待遇核验").headers["location"].rpartition("/")[2]
    follow(staff, "demand", demand)
    before = {(one["name"], one["word"]) for one in staff.json("/following.json")["happened"]}
    assert all("校核" not in word for _, word in before)
    now = world.clock()
    pauses.pause(office, worlds.CODE, Actor("GA", "officer"), "机房 secret-room 检修")
    with service.control.writing() as connection:
        connection.execute(
            DriftRow.__table__.insert().values(
                resource=worlds.EMPTY_CODE,
                digest="d",
                status="waiting",
                first_seen=now - timedelta(days=1),
                last_seen=now,
                report={},
            )
        )
    revision = staff.json(f"/demands/{demand}.json")["revision"]
    of_department("GA", Duty.REVIEWER).send(f"/demands/{demand}/claim", revision=revision)
    claim = {"resource": worlds.CODE, "fault": "late", "wrong": "words-of-a-person"}
    assert staff.send("/corrections/new", **claim).status_code == 303
    page = staff.see("/")
    happened = staff.json("/following.json")["happened"]
    words = [one["word"] for one in happened]
    for wanted in ("归集已暂停", "来源结构发生变化", "数据需求：办理中", "数据校核：待提供方核实"):
        assert wanted in words
        assert wanted in page.text
    assert [one["at"] for one in happened] == sorted((one["at"] for one in happened), reverse=True)
    # Why it rests, and what was written, is no news.
    for secret in ("secret-room", "words-of-a-person"):
        assert secret not in page.text
        assert secret not in str(happened)


def test_a_correction_is_news_for_its_parties_and_holders_alone(service, signed_in):
    office, list_ = service.office, service.standing.now().list
    mine = [Followed(Kind.RESOURCE, worlds.CODE, office.now())]
    if not [one for one in following.news(office, list_, mine, department="GA", limit=50) if one.case]:
        claim = {"resource": worlds.CODE, "fault": "late", "wrong": "x"}
        assert signed_in(Duty.STAFF).send("/corrections/new", **claim).status_code == 303
    told = following.news(office, list_, mine, department="MZ", limit=50)
    assert What.DISPUTED not in {one.what for one in told}
    assert What.DISPUTED in {one.what for one in following.news(office, list_, mine, department="GA", limit=50)}


def test_a_new_version_is_news_for_what_it_changes(service, world, signed_in):
    office, list_ = service.office, service.standing.now().list
    changed = [
        replace(one, abstract="户籍人口（含流动）") if one.code == worlds.CODE else one for one in list_.resources
    ]
    publish_list(
        world.settings, service.control, service.evidence, replace(list_, resources=tuple(changed)), by="office"
    )
    mine = [Followed(Kind.RESOURCE, code, office.now()) for code in (worlds.CODE, worlds.EMPTY_CODE)]
    told = following.news(office, service.standing.now().list, mine, department="MZ", limit=50)
    assert [one.code for one in told if one.what is What.CHANGED] == [worlds.CODE]
    words = signed_in(Duty.STAFF, **{"accept-language": "en"}).read("/following")
    for name in ("示例市", "中文", "测试部门经办"):
        words = words.replace(name, "")
    assert not HAN.findall(words)
