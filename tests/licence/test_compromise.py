"""What verifiers say of licences whose key was revoked as of a time: signed before it with a log as proof, or after."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from licence import authority
from licence.crl import Reason, Revocation
from licence.report import Verdict
from licence.verify import verify
from licence.verifying import diagnostic, judge, replay
from tests.licence import world as w

DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def world():
    return w.make_world()


@pytest.fixture(scope="module")
def issuing(world):
    root = world.root
    return authority.certify_authority(
        root, w.private_key("issuing"), name="City issuing CA", starts=w.STARTS, ends=w.ENDS, serial=2
    )


def judged(world, issuing, *, since, at, logged=w.ISSUED, told=None):
    """A licence of `w.ISSUED`, logged at *logged*, judged *at*; the revocation as of *since* was listed at *told*."""
    sealed = w.seal(world.agriculture)
    token = w.status_token(world.status_key, issued_at=at - timedelta(hours=1))
    bundle = w.bundle_of(world, sealed, token, entry=w.issued_entry(sealed, logged))
    told = told or since
    revocation = Revocation(
        world.agriculture.certificate.serial_number, told, Reason.KEY_COMPROMISE, since if since != told else None
    )
    der = authority.revocation_list(issuing, [revocation], number=1, this_update=told, next_update=told + 30 * DAY)
    return judge(bundle.to_json().encode(), world.trust, at, crls=[der])


def test_a_list_that_lies_in_the_trust_folder_counts_without_being_handed_in(world, issuing):
    at = w.ISSUED + 3 * DAY
    sealed = w.seal(world.agriculture)
    token = w.status_token(world.status_key, issued_at=at - timedelta(hours=1))
    data = w.bundle_of(world, sealed, token, entry=w.issued_entry(sealed, w.ISSUED + 2 * DAY)).to_json()
    assert judge(data.encode(), world.trust, at).verdict is Verdict.PASSED
    revocation = Revocation(world.agriculture.certificate.serial_number, w.ISSUED + DAY, Reason.KEY_COMPROMISE)
    der = authority.revocation_list(
        issuing, [revocation], number=1, this_update=w.ISSUED + DAY, next_update=at + 30 * DAY
    )
    trust = replace(world.trust, crls=(der,))
    found = judge(data.encode(), trust, at)
    assert "REVOKED_NO_POE" in found.to_json()
    assert verify(data, trust, at).verdict is found.verdict is not Verdict.PASSED
    # What was written down is judged again with the same lists.
    assert replay(diagnostic(found, data.encode(), trust, at)).verdict is found.verdict


def test_signed_before_with_a_log_that_proves_it_goes_on(world, issuing):
    found = judged(world, issuing, since=w.ISSUED + DAY, at=w.ISSUED + 3 * DAY)
    assert found.verdict is Verdict.PASSED
    assert "revoked_later" in found.to_json()


def test_signed_after_does_not_hold(world, issuing):
    found = judged(world, issuing, since=w.ISSUED - DAY, at=w.ISSUED + 3 * DAY, told=w.ISSUED + DAY)
    assert found.verdict is Verdict.FAILED
    assert '"REVOKED"' in found.to_json()


def test_dated_before_but_logged_after_proves_nothing(world, issuing):
    # Who has the key writes any date; only the log says when.
    found = judged(world, issuing, since=w.ISSUED + DAY, at=w.ISSUED + 3 * DAY, logged=w.ISSUED + 2 * DAY)
    assert found.verdict is not Verdict.PASSED
    assert "REVOKED_NO_POE" in found.to_json()


def test_judged_as_of_before_it_decides_nothing(world, issuing):
    found = judged(world, issuing, since=w.ISSUED + 2 * DAY, at=w.ISSUED + DAY)
    assert found.verdict is Verdict.PASSED
