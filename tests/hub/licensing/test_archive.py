"""What was issued is found, bundled, renewed and compared; on either database."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from cryptography import x509

from hub.authority.revocations import renew_lists
from hub.control import LicenceRow
from hub.errors import LicenceExistsError
from hub.evidence import Evidence
from hub.licensing import Licensing, course, renewing
from hub.licensing.course import key_id
from hub.licensing.errors import (
    ApprovalMissingError,
    LicencePendingError,
    OtherHolderError,
    SecondOfficerError,
    StoreDamagedError,
)
from hub.licensing.renewing import CHANGE
from licence.errors import EventRefusedError, TransitionRefusedError
from licence.lifecycle import Action
from licence.trust import TrustStore
from licence.verify import verify
from tests.hub.databases import database
from tests.hub.licensing.test_batches import KINDS, ORDER, DiedError, fill, killed, logged, once, wanted
from tests.hub.world import IDS

__all__ = ["database"]
BY_TWO = KINDS.replace("    face:\n", "    approvals: 2\n    face:\n")
CHANGED = {"by": "RS", "reason": "r", "ground": "g", "officer": "one"}


@pytest.fixture
def city(settings):
    return fill(settings)


@pytest.fixture
def office(city):
    office = Licensing.open(city)
    yield office
    office.control.close()


@pytest.fixture
def kind(office):
    return office.kind("居住证")


def verdict(office, identifier, seconds=2):
    at = datetime.now(UTC) + timedelta(seconds=seconds)
    return verify(office.bundle(identifier).to_json(), TrustStore.load(office.settings.trust), at).exit_code


def test_all_licences_of_a_holder_are_found_by_the_code_whatever_its_spelling(office, kind):
    mine = office.issue(kind, IDS[0], **ORDER).identifier
    other = office.issue(kind, IDS[1], **ORDER).identifier
    assert [row["identifier"] for row in office.find(holder=f" {IDS[0].lower()} ")] == [mine]
    assert [row["identifier"] for row in office.find(holder=IDS[0], holder_type="001")] == []
    both = sorted([mine, other])
    assert [row["identifier"] for row in office.find(kind=kind.code, state="01")] == both
    assert [row["identifier"] for row in office.find(limit=1)] == both[:1]
    assert [row["identifier"] for row in office.find(after=both[0])] == both[1:]
    signer = key_id(office.keys.department("RS"))
    soon = datetime.now(UTC) + timedelta(minutes=1)
    assert len(office.find(key_id=signer, until=soon)) == 2
    assert office.find(key_id=signer, since=soon) == office.find(key_id="0" * 64) == []
    assert not {"holder_hash", "owner_hash"} & set(office.find()[0])


def test_a_bundle_is_made_on_demand_and_tells_the_newest_status(office, kind):
    identifier = office.issue(kind, IDS[0], **ORDER).identifier
    assert verdict(office, identifier) == 0
    assert office.sealed(identifier).credential == office.bundle(identifier).credential
    office.change(identifier, Action.REVOKE, **CHANGED)
    assert verdict(office, identifier) == 12
    assert not list(office.settings.licences.glob("*.json"))


def test_a_bundle_holds_the_lists_of_its_authorities_and_a_time_stamp(office, kind):
    identifier = office.issue(kind, IDS[0], **ORDER).identifier
    renew_lists(office.keys, office.evidence)
    bundle = office.bundle(identifier)
    names = {x509.load_der_x509_certificate(one).issuer for one in bundle.chain}
    assert {x509.load_der_x509_crl(one).issuer for one in bundle.crls} == names
    trust = replace(TrustStore.load(office.settings.trust), crls=())
    report = verify(bundle.to_json(), trust, datetime.now(UTC) + timedelta(seconds=2))
    assert report.exit_code == 0
    assert len({office.bundle(identifier).timestamp for _ in range(2)}) == 2  # a serial number of its own each


def test_a_licence_of_before_the_store_stays_readable(office, kind):
    identifier = office.issue(kind, IDS[0], **ORDER).identifier
    path = office.save_bundle(identifier)
    with office.control.writing() as connection:
        old = {"segment": None, "segment_offset": None, "sealed_bytes": None, "bundle_path": str(path)}
        connection.execute(sa.update(LicenceRow).values(**old))
    assert verdict(office, identifier) == 0
    assert office.check_store().before == 1
    path.write_text(path.read_text("utf-8").replace("eyJ", "eyK", 1), "utf-8")
    with pytest.raises(StoreDamagedError):
        office.sealed(identifier)


def test_a_licence_that_was_pending_before_the_store_is_taken_over(office, kind):
    with pytest.MonkeyPatch.context() as patch:
        killed(patch, Evidence, "keep", after=True)
        with pytest.raises(DiedError):
            office._issue_group(course.Order(kind, ORDER["by"], "r", "g"), wanted(office, kind, 2))
    with office.control.reading() as connection:
        rows = connection.execute(sa.select(LicenceRow.__table__)).all()
    kept = next(row for row in rows if row.holder_hash == "hash-0")
    text = office._sealed_of(kept._mapping, pending=True).credential
    (office.settings.licences / f"{kept.identifier}.sealed").write_text(text)
    with office.control.writing() as connection:
        old = {"segment": None, "segment_offset": None, "sealed_bytes": None, "credential_digest": ""}
        connection.execute(sa.update(LicenceRow).values(**old))
    # One was sealed, and its entry is in the log; the other never was, as far as anybody can know.
    assert office._go_on(kind) == [kept.identifier]
    (row,) = office.find()
    assert row["credential_digest"] in {e.facts["credential"] for e in logged(office, "licence.issued")}
    assert len(logged(office, "licence.issued")) == 2
    assert office.sealed(kept.identifier).credential == text


def test_damage_in_the_store_is_named_and_nothing_is_handed_out(office, kind):
    first = office.issue(kind, IDS[0], **ORDER).identifier
    second = office.issue(kind, IDS[1], **ORDER).identifier
    assert office.check_store().faults == ()
    path = office.store.path(1)
    data = bytearray(path.read_bytes())
    data[200] ^= 1
    path.write_bytes(data)
    with pytest.raises(StoreDamagedError, match="00000001"):
        office.bundle(first)
    office.sealed(second)
    assert [f.identifier for f in office.check_store().faults] == [first]


def test_a_row_that_names_another_record_is_damage(office, kind):
    first = office.issue(kind, IDS[0], **ORDER).identifier
    second = office.show(office.issue(kind, IDS[1], **ORDER).identifier)
    with office.control.writing() as connection:
        place = {name: second[name] for name in ("segment", "segment_offset", "sealed_bytes")}
        connection.execute(sa.update(LicenceRow).where(LicenceRow.identifier == first).values(**place))
    with pytest.raises(StoreDamagedError):
        office.sealed(first)


def test_two_offices_at_once_issue_each_licence_once(office, kind):
    other, start = Licensing.open(office.settings), threading.Barrier(2)
    order = course.Order(kind, ORDER["by"], "r", "g")

    def run(one):
        start.wait()
        return [one._issue_group(order, list(reversed(wanted(one, kind, 5)))) for _ in range(3)]

    with ThreadPoolExecutor(2) as pool:
        done = [one for runs in pool.map(run, [office, other]) for group in runs for one in group]
    other.control.close()
    assert len(done) == len(set(done)) == 5
    assert once(office, kind) == 5


@pytest.mark.parametrize("moment", ["insert_standing", "make_valid"])
def test_a_kill_at_the_rows_loses_nothing_on_either_database(office, kind, monkeypatch, moment):
    order = course.Order(kind, ORDER["by"], "r", "g")
    with monkeypatch.context() as patch:
        killed(patch, course, moment, after=True)
        with pytest.raises(DiedError):
            office._issue_group(order, wanted(office, kind, 4))
    again = Licensing.open(office.settings)
    finished = again._go_on(kind) + again._issue_group(order, wanted(again, kind, 4))
    again.control.close()
    assert len(finished) == 4
    assert once(office, kind) == 4


def test_a_renewal_is_the_next_version_and_the_old_one_lapses(office, kind):
    first = office.issue(kind, IDS[0], **ORDER).identifier
    done = office.renew(first, **ORDER)
    assert done.identifier.rsplit(".", 2)[1] == "002"
    assert (verdict(office, first), verdict(office, done.identifier)) == (12, 0)
    row = office.show(done.identifier)
    assert (row["predecessor"], row["replacing"], row["state"]) == (first, False, "01")
    assert office.show(first)["history"][-1]["successor"] == done.identifier
    assert len(office.find(holder=IDS[0])) == 2
    with pytest.raises(LicenceExistsError, match=done.identifier):
        office.issue(kind, IDS[0], **ORDER)
    with pytest.raises((TransitionRefusedError, EventRefusedError)):
        office.renew(first, **ORDER)
    third = office.renew(done.identifier, action=CHANGE, **ORDER)
    assert office.show(done.identifier)["history"][-1]["step"] == "change"
    assert verdict(office, third.identifier) == 0


RENEWALS = [(Licensing, "_name"), (Evidence, "keep"), (renewing, "make_valid"), (Licensing, "publish_status")]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(("where", "moment"), RENEWALS, ids=[moment for _, moment in RENEWALS])
def test_a_renewal_that_died_is_gone_on_with(office, monkeypatch, where, moment, after):
    first = office.issue(office.kind("居住证"), IDS[0], **ORDER).identifier
    with monkeypatch.context() as patch:
        if moment == "keep":
            patch.setattr(Licensing, "_replace", dying_replace(patch, after=after))
        else:
            killed(patch, where, moment, after=after)
        with pytest.raises(DiedError):
            office.renew(first, **ORDER)
    standing = [row["identifier"] for row in office.find(state="01")]
    assert len(standing) == 1
    again = Licensing.open(office.settings)
    if standing == [first]:
        assert verdict(again, first) == 0
        again.renew(first, **ORDER)
    (row,) = again.find(state="01")
    assert (row["predecessor"], verdict(again, row["identifier"]), verdict(again, first)) == (first, 0, 12)
    again.control.close()
    assert len(logged(office, "licence.issued")) == 2
    assert [e.facts["licence"] for e in logged(office, "licence.status")] == [first]


def dying_replace(patch, *, after):
    whole = Licensing._replace

    def replace(office, *arguments):
        keep = Evidence.keep

        def die(*given):
            if after:
                keep(*given)
            raise DiedError

        patch.setattr(Evidence, "keep", die)
        return whole(office, *arguments)

    return replace


def test_a_licence_that_was_revoked_while_it_was_renewed_is_not_renewed(office, kind, monkeypatch):
    first = office.issue(kind, IDS[0], **ORDER).identifier
    whole = Licensing._replace

    def meanwhile(self, *arguments):
        office.change(first, Action.REVOKE, **CHANGED)
        return whole(self, *arguments)

    monkeypatch.setattr(Licensing, "_replace", meanwhile)
    with pytest.raises((TransitionRefusedError, EventRefusedError)):
        office.renew(first, **ORDER)
    assert [row["identifier"] for row in office.find()] == [first]
    assert len(logged(office, "licence.issued")) == 1


def test_what_is_no_longer_the_holders_record_renews_nothing(office, kind):
    first = office.issue(kind, IDS[0], **ORDER).identifier
    with office.control.writing() as connection:
        connection.execute(sa.update(LicenceRow).values(holder_hash="another"))
    with pytest.raises(OtherHolderError):
        office.renew(first, **ORDER)


def test_a_kind_that_two_decide_is_issued_and_changed_by_two(city):
    city.kinds.write_text(BY_TWO, "utf-8")
    office = Licensing.open(city)
    kind = office.kind("居住证")
    with pytest.raises(ApprovalMissingError):
        office.issue(kind, IDS[0], **ORDER)
    for second in ("", " ", "LICENCE-OFFICER ", "RS:licence-officer", "ＲＳ：ｌicence-officer"):
        with pytest.raises(SecondOfficerError):
            office.issue_batch(kind, second=second, **ORDER)
    assert office.find() == []
    first = office.issue(kind, IDS[0], approved="case-1", **ORDER).identifier
    assert office.show(first)["dossier"] == "case-1"
    for second in ("", "one", "ONE"):
        with pytest.raises(EventRefusedError):
            office.change(first, Action.SUSPEND, second=second, **CHANGED)
    with pytest.raises(ApprovalMissingError):
        office.renew(first, **ORDER)
    with pytest.raises(EventRefusedError):
        office.renew(first, approved="case-2", **ORDER)
    assert len(logged(office, "licence.status")) == 0
    office.change(first, Action.SUSPEND, second="two", **CHANGED)
    assert office.show(first)["history"][-1]["second"] == "two"
    assert office.issue_batch(kind, second="two", **ORDER).issued == 3
    office.control.close()


def test_what_the_record_says_today_is_compared_with_what_was_issued(office, kind):
    office.issue(kind, IDS[0], **ORDER)
    stranger = course.Wanted("0" * 64, {**wanted(office, kind, 1)[0].facts, "citizen_id": IDS[1]})
    order = course.Order(kind, ORDER["by"], "r", "g")
    (gone,) = office._issue_group(order, [stranger])
    hash_ = office._holder_hash(kind, {"citizen_id": IDS[3]})
    (wrong,) = office._issue_group(order, [course.Wanted(hash_, {**stranger.facts, "citizen_id": IDS[3]})])
    done = office.reconcile(kind, by="RS:x")
    found = {one.finding: one for one in done.differences}
    assert {name: count for name, count in done.counts.items() if count} == {
        "agrees": 1,
        "not_issued": 2,
        "field_empty": 1,
        "face_differs": 1,
        "record_gone": 1,
    }
    assert (done.residual, done.records, done.licences) == (5, 5, 3)
    assert (found["record_gone"].licence, found["face_differs"].licence) == (gone, wrong)
    assert "CZZT" in found["face_differs"].fields
    (entry,) = logged(office, "licence.reconciled")
    assert entry.facts["findings"]["record_gone"] == 1
    told = json.dumps([one.plain() for one in done.differences], ensure_ascii=False) + str(entry.plain())
    assert not any(value in told for value in (*IDS, "张三"))
    office.clock = lambda: datetime.now(UTC) + timedelta(days=400)
    late = Licensing.reconcile(office, kind, by="RS:x")
    assert late.counts["expired"] == 2


def test_all_is_well_when_every_record_has_its_licence(office, kind):
    office.issue_batch(kind, **ORDER)
    done = office.reconcile(kind, by="RS:x")
    assert {name: count for name, count in done.counts.items() if count} == {"agrees": 4, "field_empty": 1}


def test_a_pending_licence_is_not_changed(office, kind, monkeypatch):
    with monkeypatch.context() as patch:
        killed(patch, Evidence, "keep", after=False)
        with pytest.raises(DiedError):
            office._issue_group(course.Order(kind, ORDER["by"], "r", "g"), wanted(office, kind, 1))
    with office.control.reading() as connection:
        (identifier,) = connection.execute(sa.select(LicenceRow.identifier)).scalars()
    with pytest.raises(LicencePendingError):
        office.change(identifier, Action.REVOKE, **CHANGED)
