"""What revocation lists say about a maker and a custodian, and when it decides."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from licence import authority
from licence.crl import Revocation
from licence.report import Verdict
from licence.seals import make
from licence.seals.verify import verify_seal, verify_signature
from tests.licence.seals import city as c

LATER = c.AT + timedelta(days=30)


def trust_with(city, *revoked, key="issuing", ends=LATER + timedelta(days=7)):
    """Trust with one list of the issuing authority: (certificate's key, time) pairs."""
    revocations = [Revocation(k.certificate.serial_number, at) for k, at in revoked]
    made = authority.revocation_list(
        getattr(city, key), revocations, number=1, this_update=LATER - timedelta(days=1), next_update=ends
    )
    return replace(city.trust, crls=(*city.trust.crls, made))


def judge(signature, trust, **options):
    return verify_signature(signature.raw, c.DIGEST, trust, LATER, **options)


def codes(step):
    return [n.code for n in step.notes]


def test_nobody_revoked(city, signature):
    report = judge(signature, trust_with(city))
    assert report.verdict is Verdict.PASSED
    assert "revocation_checked" in codes(report.step("maker"))
    assert "revocation_checked" in codes(report.step("signer"))


def test_a_maker_revoked_since_is_a_warning(city, seal, signature):
    trust = trust_with(city, (city.maker, c.MADE + timedelta(hours=1)))
    for report in (verify_seal(seal.raw, trust, LATER), judge(signature, trust)):
        assert report.verdict is Verdict.PASSED
        assert "revoked_later" in codes(report.step("maker"))


def test_a_maker_revoked_before_makes_no_seal(city, seal):
    report = verify_seal(seal.raw, trust_with(city, (city.maker, c.MADE - timedelta(hours=1))), LATER)
    assert (report.verdict, report.deciding.name, report.sub_indication) == (Verdict.FAILED, "maker", "REVOKED")


def test_a_custodian_revoked_before_signing(city, signature):
    report = judge(signature, trust_with(city, (city.custodian, c.SIGNED - timedelta(hours=1))))
    assert (report.verdict, report.deciding.name, report.sub_indication) == (Verdict.FAILED, "signer", "REVOKED")


def test_a_custodian_revoked_since_may_have_dated_back(city, signature):
    trust = trust_with(city, (city.custodian, c.SIGNED + timedelta(hours=2)))
    report = judge(signature, trust)
    assert (report.verdict, report.sub_indication) == (Verdict.INDETERMINATE, "REVOKED_NO_POE")
    stamped = make.stamp_signature(signature, b"token")
    proven = judge(stamped, trust, time_stamps=lambda *_: c.SIGNED + timedelta(hours=1))
    assert proven.verdict is Verdict.PASSED
    assert "revoked_later" in codes(proven.step("signer"))
    late = judge(stamped, trust, time_stamps=lambda *_: c.SIGNED + timedelta(hours=3))
    assert late.sub_indication == "REVOKED_NO_POE"


def test_revocation_required(city, signature):
    required = replace(city.trust, revocation_required=True)
    assert judge(signature, required).deciding.code == "seal_revocation_not_checked"
    assert judge(signature, required).verdict is Verdict.INDETERMINATE
    # The leaf's list alone leaves the issuing authority unasked.
    half = replace(trust_with(city), revocation_required=True)
    assert judge(signature, half).verdict is Verdict.INDETERMINATE
    roots = trust_with(replace(city, trust=trust_with(city)), key="root")
    assert judge(signature, replace(roots, revocation_required=True)).verdict is Verdict.PASSED
    stale = trust_with(replace(city, trust=trust_with(city, ends=LATER - timedelta(hours=1))), key="root")
    assert judge(signature, replace(stale, revocation_required=True)).sub_indication == "TRY_LATER"
