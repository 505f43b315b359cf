"""Time stamps in bundles at the second on which they decide."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

pytest.importorskip("typst", reason="needs the extra `documents`")

from licence.report import Outcome
from licence.timestamping import stamp
from licence.verify import verify
from tests.licence import world as w
from tests.licence.pdf import archives as a
from tests.licence.test_enclosed import HOUR, notes, token_for

SECOND = timedelta(seconds=1)
SKEW = timedelta(minutes=5)


@pytest.fixture(scope="module")
def world():
    return a.world()


def bundle_of(world, key=None, **changes):
    sealed = w.seal(key or world.agriculture)
    entry = w.issued_entry(sealed, changes.pop("logged", w.ISSUED))
    return w.bundle_of(world, sealed, w.status_token(world.status_key), entry=entry)


@pytest.mark.parametrize(("late", "code"), [(timedelta(0), "log_ok"), (SECOND, "logged_after_certificate")])
def test_a_stamp_helps_a_late_log_if_it_was_made_while_the_certificate_ran(world, late, code):
    key = w.make_leaf(a.issuing(), "agriculture", w.AGRICULTURE, ends=w.ISSUED + HOUR)
    bundle = bundle_of(world, key, logged=w.ISSUED + 2 * HOUR)
    stamped = replace(bundle, timestamp=token_for(bundle, w.ISSUED + HOUR + late))
    report = verify(stamped, world.trust, w.AT + HOUR)
    assert report.steps[5].code == code


def test_a_stamp_of_something_else_fails_in_the_first_step_and_shows_nothing(world):
    other = stamp(a.stamper(), b"other", suites=a.SUITES)
    report = verify(replace(bundle_of(world), timestamp=other), world.trust, w.AT)
    assert report.steps[0].outcome is Outcome.FAILED
    assert report.steps[1].outcome is Outcome.PASSED
    assert report.licence == {}


@pytest.mark.parametrize(
    ("made", "code"),
    [(-SKEW, "chain_ok_demonstration"), (-SKEW - SECOND, "judge_time_stamp_contradicts")],
)
def test_a_stamp_may_be_five_minutes_before_the_signature(world, made, code):
    bundle = bundle_of(world)
    report = verify(replace(bundle, timestamp=token_for(bundle, w.ISSUED + made)), world.trust, w.AT)
    good = code == "chain_ok_demonstration"
    assert (report.steps[1].code if good else report.deciding.code) == code
    assert ("time_stamp" in report.licence) is good
    if not good:
        assert report.sub_indication == "TIMESTAMP_ORDER_FAILURE"
        told = dict(report.deciding.params)
        assert (told["stamped"], told["claimed"]) == ("2025-03-01T07:54:59Z", "2025-03-01T08:00:00Z")


@pytest.mark.parametrize(("ahead", "good"), [(SKEW, True), (SKEW + SECOND, False)])
def test_a_stamp_may_be_five_minutes_ahead(world, ahead, good):
    bundle = bundle_of(world)
    report = verify(replace(bundle, timestamp=token_for(bundle, w.AT + ahead)), world.trust, w.AT)
    assert ("time_stamp" in report.licence) is good
    assert ("judge_time_stamp_ok" in notes(report)) is good
    assert ("enclosed_stamp_unused" in notes(report)) is not good


@pytest.mark.parametrize(
    ("starts", "ends", "why"),
    [
        (a.STAMPED, w.ENDS, ""),
        (a.STAMPED + SECOND, w.ENDS, "judge_time_stamp_expired"),
        (w.STARTS, w.AT, ""),
        (w.STARTS, w.AT - SECOND, "judge_no_proof_of_time"),
        (w.STARTS, a.STAMPED - SECOND, "judge_time_stamp_expired"),
    ],
)
def test_a_stamp_counts_while_its_certificate_runs(world, starts, ends, why):
    bundle = bundle_of(world)
    token = token_for(bundle, key=a.stamping_key(starts=starts, ends=ends))
    report = verify(replace(bundle, timestamp=token), world.trust, w.AT)
    assert report.exit_code == 0
    unused = [dict(n.params)["why"] for s in report.steps for n in s.notes if n.code == "enclosed_stamp_unused"]
    assert unused == ([why] if why else [])


def unused(report):
    return [dict(n.params) for s in report.steps for n in s.notes if n.code == "enclosed_stamp_unused"]


@pytest.mark.parametrize("since", [a.STAMPED - SECOND, a.STAMPED, a.STAMPED + SECOND])
def test_the_stamp_of_an_authority_that_was_revoked_proves_nothing(world, since):
    bundle = bundle_of(world)
    stamped = replace(bundle, timestamp=token_for(bundle))
    good = verify(stamped, world.trust, w.AT, crls=a.lists(w.AT))
    assert (good.exit_code, "time_stamp" in good.licence, unused(good)) == (0, True, [])
    lists = a.lists(w.AT, revoked=[(a.stamping_key().certificate.serial_number, since)])
    report = verify(stamped, world.trust, w.AT, crls=lists)
    assert (report.exit_code, "time_stamp" in report.licence) == (0, False)
    (told,) = unused(report)
    assert told["why"] == "certificate_revoked"
    assert told["revoked"].startswith("2025-03-01T08:0")


def test_what_a_stamp_that_is_not_used_brings_is_still_its_own(world):
    # Its authority's list is not called one of nobody's.
    bundle = bundle_of(world)
    expired = token_for(bundle, key=a.stamping_key(starts=w.STARTS, ends=a.STAMPED - SECOND))
    ended = token_for(bundle, key=a.stamping_key(starts=w.STARTS, ends=w.AT - SECOND))
    ahead = token_for(bundle, w.AT + SKEW + SECOND)
    for token, why in (
        (expired, "judge_time_stamp_expired"),
        (ended, "judge_no_proof_of_time"),
        (ahead, "judge_time_stamp_contradicts"),
    ):
        report = verify(replace(bundle, timestamp=token, crls=a.lists()), world.trust, w.AT)
        assert "enclosed_list_unused" not in notes(report)
        (told,) = unused(report)
        assert told["why"] == why
        if why == "judge_time_stamp_contradicts":
            assert told["claimed"] == "?"


def test_a_stamp_that_is_used_is_told_with_its_time_and_signer(world):
    bundle = bundle_of(world)
    report = verify(replace(bundle, timestamp=token_for(bundle)), world.trust, w.AT)
    (told,) = [dict(n.params) for s in report.steps for n in s.notes if n.code == "judge_time_stamp_ok"]
    assert told.keys() == {"stamped", "subject"}
    assert told["stamped"] == "2025-03-01T08:01:00Z"
    assert "judge_certificates_loose" not in notes(report)
