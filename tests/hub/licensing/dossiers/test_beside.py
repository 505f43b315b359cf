"""What an officer is shown before a step: what a change would change, the page to come, who used a licence lately."""

from __future__ import annotations

from datetime import timedelta

import pytest

from catalog.steps import CaseError, NotYoursError
from hub.errors import LicenceUnknownError
from hub.licensing.dossiers.relying import LATELY
from hub.licensing.papers import UNNUMBERED
from licence.lifecycle.dossier import next_version
from tests.hub.licensing.dossiers.conftest import LAW, ONE, REVIEWER, STRANGER, TWO, WHY, WINDOW, order
from tests.hub.world import IDS, MATTER


@pytest.fixture
def licence(dossiers):
    """A service card of the first of them."""
    office = dossiers.counter._office
    return office.issue(office.kind(ONE), IDS[0], reason=WHY, ground=LAW, by=str(WINDOW)).identifier


def test_a_change_tells_each_field_of_the_face_before_and_after(dossiers, licence, monkeypatch):
    change = order(0, ONE, holder="", predecessor=licence, change=True)
    same = dossiers.preview(change, actor=WINDOW)
    assert [one.differs for one in same.changes] == [False, False, False]
    claims = dict(dossiers.counter.claims_of(licence))
    moved = {**claims, "KZ_ZZ": "某街 0 号"}
    monkeypatch.setattr(dossiers.counter, "claims_of", lambda _: moved)
    told = {one.field: one for one in dossiers.preview(change, actor=WINDOW).changes}
    assert [name for name, one in told.items() if one.differs] == ["KZ_ZZ"]
    assert told["KZ_ZZ"].before == "某街 0 号"
    assert told["KZ_ZZ"].after == claims["KZ_ZZ"]
    assert dossiers.preview(order(1, ONE), actor=WINDOW).changes == ()


def test_the_page_to_come_has_the_claims_that_are_sealed_but_a_number(dossiers):
    case = dossiers.apply(order(0, ONE), actor=WINDOW).case
    sheet = dossiers.draft(case.id, actor=WINDOW)
    assert (sheet.text("ZZBH"), sheet.text("ZZBS")) == (UNNUMBERED, UNNUMBERED)
    dossiers.review(case.id, actor=REVIEWER)
    dossiers.hand_out(case.id, actor=REVIEWER)
    (row,) = dossiers.counter._office.find(holder=IDS[0])
    sealed = dict(dossiers.counter.claims_of(row["identifier"]))
    numbers = {"ZZBH", "ZZBS", "ZZBFJGDM"}
    assert {n: v for n, v in sheet.claims.items() if n not in numbers} == {
        n: v for n, v in sealed.items() if n not in numbers
    }
    with pytest.raises(CaseError):
        dossiers.draft(case.id, actor=WINDOW)


def test_the_page_of_a_next_version_is_numbered(dossiers, licence):
    case = dossiers.apply(order(0, ONE, holder="", predecessor=licence, change=True), actor=WINDOW).case
    sheet = dossiers.draft(case.id, actor=WINDOW)
    assert sheet.text("ZZBS") == str(next_version(licence))


def test_what_cannot_be_issued_has_no_page_and_others_see_none(dossiers):
    case = dossiers.apply(order(2, TWO), actor=WINDOW).case
    with pytest.raises(CaseError):
        dossiers.draft(case.id, actor=WINDOW)
    with pytest.raises(NotYoursError):
        dossiers.draft(case.id, actor=STRANGER)


def test_uses_are_of_this_licence_and_of_the_last_days(dossiers, licence, monkeypatch):
    office = dossiers.counter._office
    owner = dossiers.counter.licence(licence)["owner_hash"]

    def log(kind, actor, **facts):
        office.evidence.append(kind, actor=actor, subject=owner, purpose=MATTER, facts=facts)

    def told():
        return [(one.department, one.what, one.count) for one in dossiers.used_lately(licence, actor=WINDOW)]

    assert told() == []
    log("licence.downloaded", "MZ:window", licence=licence)
    log("licence.downloaded", "MZ:other", licence=licence)
    log("licence.downloaded", "GA:window", licence="1.2.3")
    log("licence.found", "GA:window", licences=["1.2.3", licence])
    log("licence.status", "RS:window", licence=licence)
    assert told() == [("GA", "licence.found", 1), ("MZ", "licence.downloaded", 2)]
    (use, _) = dossiers.used_lately(licence, actor=WINDOW)
    assert use.matters == (MATTER,)
    now = dossiers.now()
    with monkeypatch.context() as patch:
        patch.setattr(type(dossiers), "now", lambda _: now + LATELY + timedelta(minutes=1))
        assert told() == []
    with pytest.raises(NotYoursError):
        dossiers.used_lately(licence, actor=STRANGER)
    with pytest.raises(LicenceUnknownError):
        dossiers.used_lately("1.2.3", actor=WINDOW)
    asked = [one for one in range(office.evidence.log.size) if b'"audit.searched"' in office.evidence.log.entry(one)]
    assert len(asked) == 4
