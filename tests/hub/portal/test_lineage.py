"""The drawing of what a resource comes from and who uses it: what stands where, and what is left to the list."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

from catalog.model import QualityKind, QualityRule
from hub.people import Duty
from hub.portal.lineagedrawing import BOX_HEIGHT, BOX_WIDTH, SHOWN, WIDTH, drawing
from tests.hub import world as worlds
from tests.hub.publishing import publish_list


def test_boxes_stand_apart_and_within_the_picture():
    found = drawing("中", [{"name": "来源"}], [{"name": f"部门 {n}"} for n in range(SHOWN + 3)])
    places = sorted((one["x"], one["y"]) for one in found["boxes"])
    assert len(set(places)) == 1 + 1 + SHOWN
    for (x, y), (next_x, next_y) in pairwise(places):
        assert next_x >= x + BOX_WIDTH or next_y >= y + BOX_HEIGHT
    assert all(0 <= x <= WIDTH - BOX_WIDTH and 0 <= y <= found["height"] - BOX_HEIGHT for x, y in places)
    assert found["more"] == 3
    assert len(found["lines"]) == 1 + SHOWN


def test_a_name_that_does_not_fit_its_box_is_cut():
    (box,) = drawing("人" * 30, [], [])["boxes"]
    assert box["name"] == "人" * 11 + "…"
    (box,) = drawing("Population", [], [])["boxes"]
    assert box["name"] == "Population"


def test_neighbours_are_listed_with_the_fields_and_unfold(service, world, signed_in):
    list_ = service.standing.now().list
    third = worlds.resource("306010/000003", provider="MZ", name="婚姻登记信息", related=(worlds.EMPTY_CODE,))
    rule = QualityRule(QualityKind.REFERENCE, "citizen_id", 1.0, target=f"{worlds.EMPTY_CODE}.citizen_id")
    first = replace(list_.resources[0], quality=(rule,))
    made = replace(list_, resources=(first, list_.resources[1], third))
    publish_list(world.settings, service.control, service.evidence, made, by="office")
    staff = signed_in(Duty.STAFF)
    found = staff.json(f"/r/{worlds.CODE}.json?tab=lineage")
    (link,) = found["refers_to"]
    assert (link["code"], link["by"]) == (worlds.EMPTY_CODE, ["公民身份号码 = 公民身份号码"])
    assert [one["code"] for one in link["further"]] == ["306010/000003"]
    words = staff.read(f"/r/{worlds.CODE}?tab=lineage")
    assert "再展开一层（1 项）" in words
    back = staff.json(f"/r/{worlds.EMPTY_CODE}.json?tab=lineage")
    assert [one["code"] for one in back["referred_by"]] == [worlds.CODE]
    assert [one["code"] for one in back["related"]] == ["306010/000003"]
