"""A keeper's key is changed: the seal needs a next version, and one that is made in time names both keys."""

from __future__ import annotations

from datetime import timedelta
from unittest import mock

import pytest
from cryptography import x509

from hub.authority import drill, revocations
from hub.authority.changes import rotate
from hub.seals.errors import SealOutdatedError, SealStateRefusedError
from licence.report import Verdict
from licence.seals.algorithms import sm3
from licence.seals.register import Action
from licence.seals.structure import parse_seal, parse_signature
from licence.verifying import judge
from tests.hub.seals import city as c

DIGEST = sm3(b"a decision")


def stamped(office, code):
    return office.stamp(code, DIGEST, by=c.KEEPER, purpose="测试")


def next_version(office, code):
    later = office.transfer(code, c.KEEPER, by=c.KEEPER, ground=c.GROUND)["code"]
    office.decide(later, Action.APPROVE, by=c.SECOND, ground=c.GROUND)
    return later


def test_a_changed_key_asks_for_a_next_version(office):
    code = c.made(office)
    assert not office.show(code)["outdated"]
    rotate(office.keys, office.evidence, "custodian-RS", by="RS:key-keeper")
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
    rotate(office.keys, office.evidence, "custodian-RS", by="RS:key-keeper", signs_from=begins)
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
    rotate(office.keys, office.evidence, "custodian-RS", by="RS:key-keeper")
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
    assert drill.signed_since(office.keys, office.evidence, "custodian-RS", since).uses == (done.use,)
