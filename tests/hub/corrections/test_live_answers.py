"""An open correction is told with every answer it concerns, and what was told can be replayed."""

from __future__ import annotations

from catalog.correction import Fault
from hub import corrections
from hub.auditing import replay
from hub.corrections import Claim
from tests.hub.corrections.conftest import CONSUMER, PERSON, STREET
from tests.hub.world import CODE, IDS, NOW


def dispute(scene, **changes):
    values = {
        "resource": CODE,
        "fault": Fault.WRONG_VALUE,
        "wrong": "姓名有误",
        "right": "张三丰",
        "evidence": "户口簿",
        "key": (("citizen_id", PERSON),),
        "fields": ("name", "address"),
    }
    return corrections.submit(scene.office, Claim(**{**values, **changes}), actor=CONSUMER)


def test_a_disputed_field_is_told_from_the_next_call_on_until_it_is_settled(scene):
    assert "disputed" not in scene.query().content
    case = dispute(scene)
    # The address is disputed as well, but not shown to this caller, who therefore learns nothing of it.
    told = [{"position": 0, "fields": ["name"], "since": NOW.isoformat(), "case": case.id}]
    assert scene.query().content["disputed"] == told
    assert "disputed" not in scene.query(keys={"citizen_id": IDS[1]}).content
    corrections.withdraw(scene.office, case.id, actor=CONSUMER)
    assert "disputed" not in scene.query().content


def test_a_verification_tells_it_without_saying_where(scene):
    case = dispute(scene)
    content = scene.verify(claims={"name": "张三"}, fields=None).content
    assert content["disputed"] == [{"fields": ["name"], "since": NOW.isoformat(), "case": case.id}]


def test_what_was_told_replays_after_it_was_settled(scene):
    case = dispute(scene)
    answer = scene.query()
    corrections.withdraw(scene.office, case.id, actor=CONSUMER)
    after = scene.query()
    for one in (answer, after):
        report = replay(scene.world.settings, one.receipt.index)
        assert report.verdict == "same", report.text("en")


def test_the_public_entry_says_nothing_of_the_dispute(scene):
    dispute(scene)
    answer = scene.query()
    entry = scene.service.evidence.log.entry(answer.receipt.index).decode()
    assert "disputed" not in entry
    assert STREET not in entry
