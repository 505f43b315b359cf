"""A keeper's key is changed: the seal needs a next version, and one that is made in time names both keys."""

from __future__ import annotations

from datetime import timedelta
from unittest import mock

import pytest
from cryptography import x509

from hub.authority import drill, revocations
from hub.authority.changes import rotate
from hub.authority.errors import SigningKeyMissingError
from hub.authority.names import custodian_key, department_of
from hub.seals.errors import SealOutdatedError, SealStateRefusedError
from licence.report import Verdict
from licence.seals.algorithms import sm3
from licence.seals.register import Action
from licence.seals.structure import parse_seal, parse_signature
from licence.verifying import judge
from tests.hub.seals import city as c
from tests.licence.pdf import papers

DIGEST = sm3(b"a decision")
KEY = f"custodian-{c.KEEPER}"


def stamped(office, code):
    return office.stamp(code, DIGEST, by=c.KEEPER, purpose="测试")


def next_version(office, code):
    later = office.transfer(code, c.KEEPER, by=c.KEEPER, ground=c.GROUND)["code"]
    office.decide(later, Action.APPROVE, by=c.SECOND, ground=c.GROUND)
    return later


def test_a_changed_key_asks_for_a_next_version(office):
    code = c.made(office)
    assert not office.show(code)["outdated"]
    rotate(office.keys, office.evidence, KEY, by="RS:key-keeper")
    assert [s["outdated"] for s in office.find(department="RS")] == [True]
    with pytest.raises(SealOutdatedError) as caught:
        stamped(office, code)
    assert f"zhengtong seal transfer {code} {c.KEEPER}" in caught.value.text("en")
    assert office.uses(code) == []
    later = next_version(office, code)
    assert (office.show(code)["state"], office.show(later)["outdated"]) == ("disabled", False)
    assert stamped(office, later).use


def test_made_in_time_it_names_both_and_nothing_waits(office):
    code = c.made(office)
    begins = office.clock.now + timedelta(days=10)
    rotate(office.keys, office.evidence, KEY, by="RS:key-keeper", signs_from=begins)
    assert office.show(code)["outdated"]
    assert stamped(office, code).use
    later = next_version(office, code)
    assert len(parse_seal(office.seal_file(later)).info.certificates) == 2
    before = parse_signature(stamped(office, later).data).certificate
    office.clock.pass_time(days=11)
    after = parse_signature(stamped(office, later).data).certificate
    assert before != after
    assert not office.show(later)["outdated"]


def test_the_hub_does_not_go_on_with_an_outdated_seal(office):
    from hub.seals.words import Sort

    code = c.made(office, sort=Sort.LICENCE)
    office.authorise(code, [c.KIND], office.clock.now + timedelta(days=90), by=c.KEEPER, ground=c.GROUND)
    assert office.seal_for("RS", c.KIND).code == code
    rotate(office.keys, office.evidence, KEY, by="RS:key-keeper")
    with pytest.raises(SealOutdatedError):
        office.seal_for("RS", c.KIND)


def test_seal_and_signature_bear_time_stamps_that_verifiers_judge(office):
    code = c.made(office)
    data = stamped(office, code).data
    signature = parse_signature(data)
    assert signature.time_stamp
    assert signature.signed.seal.time_stamp
    report = judge(office.seal_file(code), c.trust(office), office.clock.now, certificates=office.keys.certificates())
    assert report.verdict is Verdict.PASSED
    assert "seal_time_stamp_ok" in {step.code for part in report.parts for step in part.steps}


def test_killed_before_the_new_key_the_old_one_is_revoked_and_it_goes_on(office):
    enrolled, code = c.person_seal(office)
    with mock.patch.object(office, "_certified", side_effect=KeyboardInterrupt), pytest.raises(KeyboardInterrupt):
        office.renew_signer(c.PERSON, "another-pin", by=c.SECOND, ground="PIN 码遗失")
    serial = x509.load_der_x509_certificate(enrolled.certificate).serial_number
    (kept,) = [k for k in office.keys.kept() if k.serial == f"{serial:x}"]
    assert kept.revoked_at is not None
    assert [s["state"] for s in office.signers("RS")] == ["active"]
    renewed = office.renew_signer(c.PERSON, "another-pin", by=c.SECOND, ground="PIN 码遗失")
    assert (renewed.number, office.show(code)["state"]) == (2, "disabled")
    assert [s["state"] for s in office.signers("RS")] == ["ended", "active"]


def test_no_key_is_ended_that_is_not_revoked(office):
    c.person_seal(office)
    real = revocations.revoke

    def second_comes_between(*args, **named):
        done = real(*args, **named)
        with mock.patch.object(revocations, "revoke", real):
            office.renew_signer(c.PERSON, "first-pin-7", by=c.SECOND, ground="PIN 码遗失")
        return done

    with mock.patch.object(revocations, "revoke", second_comes_between), pytest.raises(SealStateRefusedError):
        office.renew_signer(c.PERSON, "second-pin-7", by=c.SECOND, ground="PIN 码遗失")
    ended = {s["serial"] for s in office.signers("RS") if s["state"] == "ended"}
    assert len(ended) == 1
    assert ended <= {k.serial for k in office.keys.kept() if k.revoked_at is not None}


def test_what_lost_keys_made_and_used(office):
    code = c.made(office)
    since = office.clock.now
    other = c.made(office)
    done = stamped(office, code)
    maker = drill.signed_since(office.keys, office.evidence, "seal-maker", since)
    assert (maker.seals, maker.uses) == ((other,), ())
    assert drill.signed_since(office.keys, office.evidence, KEY, since).uses == (done.use,)


class TestAKeyOfTheirOwn:
    def test_each_custodian_signs_with_another_certificate(self, office):
        first, second = c.made(office), c.made(office, custodian="RS:other-keeper")
        used = [
            parse_signature(office.stamp(code, DIGEST, by=by, purpose="测试").data).certificate
            for code, by in ((first, c.KEEPER), (second, "RS:other-keeper"))
        ]
        assert used[0] != used[1]
        for code, certificate in zip((first, second), used, strict=True):
            assert parse_seal(office.seal_file(code)).info.certificates == (certificate,)

    def test_a_revoked_one_ends_no_other(self, office):
        first, second = c.made(office), c.made(office, custodian="RS:other-keeper")
        (kept,) = [k for k in office.keys.kept() if k.name == KEY]
        order = revocations.Order(
            reason=revocations.Reason.KEY_COMPROMISE, ground=c.GROUND, by="RS:key-keeper", second="RS:head"
        )
        revocations.revoke(office.keys, office.evidence, kept.key_id, order)
        with pytest.raises(SigningKeyMissingError):
            stamped(office, first)
        assert office.uses(first) == []
        assert office.stamp(second, DIGEST, by="RS:other-keeper", purpose="测试").use

    def test_a_transferred_seal_is_of_no_use_to_the_former_keepers_key(self, office):
        code = c.made(office)
        stamped(office, code)
        later = office.transfer(code, "RS:other-keeper", by=c.KEEPER, ground=c.GROUND)["code"]
        office.decide(later, Action.APPROVE, by=c.SECOND, ground=c.GROUND)
        (former,) = [k.der for k in office.keys.kept() if k.name == KEY]
        assert former not in parse_seal(office.seal_file(later)).info.certificates

    def test_a_seal_of_before_goes_on_with_its_departments_key_until_its_next_version(self, office):
        # As all were made while the keepers of a department had one key together.
        with mock.patch.object(office.keys, "custodian_name", lambda custodian: custodian_key(custodian[:2])):
            code = c.made(office)
        assert [k.name for k in office.keys.kept() if k.role == "seals"] == ["custodian-RS"]
        assert not office.show(code)["outdated"]
        before = parse_signature(stamped(office, code).data).certificate
        assert drill.signed_since(office.keys, office.evidence, "custodian-RS", c.NOW).uses
        later = next_version(office, code)
        after = parse_signature(stamped(office, later).data).certificate
        assert before != after
        assert {k.name for k in office.keys.kept() if k.role == "seals"} == {"custodian-RS", KEY}
        assert len(drill.signed_since(office.keys, office.evidence, KEY, c.NOW).uses) == 1

    def test_its_departments_key_changed_it_needs_its_next_version(self, office):
        with mock.patch.object(office.keys, "custodian_name", lambda custodian: custodian_key(custodian[:2])):
            code = c.made(office)
        rotate(office.keys, office.evidence, "custodian-RS", by="RS:key-keeper")
        assert office.show(code)["outdated"]
        with pytest.raises(SealOutdatedError):
            stamped(office, code)
        assert stamped(office, next_version(office, code)).use

    def test_what_others_keep_for_a_department_is_used_for_its_keepers(self, office):
        name = office.keys.custodian_name
        with mock.patch.object(office.keys, "named", return_value={"custodian-RS": None}):
            assert name(c.KEEPER) == "custodian-RS"
            assert name(c.OTHER) == f"custodian-{c.OTHER}"
        with mock.patch.object(office.keys, "named", return_value={"custodian-RS": None, KEY: None}):
            assert name(c.KEEPER) == KEY

    @pytest.mark.parametrize("post", ["科长", "../../root", "a/b", "x" * 80, "-rf"])
    def test_its_name_is_one_of_a_file(self, post):
        name = custodian_key(f"RS:{post}")
        assert "/" not in name
        assert name.isascii()
        assert len(name) < 40
        assert department_of(name) == "RS"
        assert name != custodian_key("RS:another")


def test_a_pdf_signed_remotely_is_not_laid_to_the_departments_key(office):
    enrolled, code = c.person_seal(office)
    id_ = office.ask(code, papers.page(), purpose="签批", by=c.SECOND)["id"]
    proof = {"by": c.PERSON, "pin": c.PIN, "password": c.password(office, enrolled)}
    office.approve_and_sign(id_, papers.page(), **proof)
    of_department = office.stamp(c.made(office), papers.page(), by=c.KEEPER, purpose="测试")
    assert drill.signed_since(office.keys, office.evidence, "documents-RS", c.NOW).uses == (of_department.use,)
