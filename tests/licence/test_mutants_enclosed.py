"""Time stamps in bundles at the second on which they decide."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

pytest.importorskip("typst", reason="needs the extra `documents`")

from licence import authority, chain, timestamps
from licence.crl import Revocation
from licence.enclosed import Proven, all_lists, prove, unused_lists
from licence.pdf import cms
from licence.report import Outcome
from licence.suites import ED25519, SUITES
from licence.timestamping import stamp
from licence.verify import verify
from tests.licence import world as w
from tests.licence.pdf import archives as a
from tests.licence.pdf import papers
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


def other_authority():
    """An authority for time stamps under an issuing CA that has nothing to do with licences."""
    issuing = a.issuing("stamps")
    return issuing, w.make_leaf(issuing, "tsa", w.STATUS_OFFICE, role=authority.Role.TIME_STAMPS)


def list_by(key, *serials, at=w.AT):
    listed = [Revocation(serial, a.STAMPED - SECOND) for serial in serials]
    return authority.revocation_list(key, listed, number=1, this_update=at, next_update=at + timedelta(days=30))


@pytest.mark.parametrize("why", ["certificate_revoked", "expired", "no_proof", "ahead"])
def test_a_list_of_an_unused_stamps_own_authority_is_somebodys(world, why):
    bundle = bundle_of(world)
    issuing, key = other_authority()
    token, revoked = token_for(bundle, key=key), ()
    if why == "certificate_revoked":
        revoked = (key.certificate.serial_number,)
    elif why == "ahead":
        token = token_for(bundle, w.AT + SKEW + SECOND, key)
    else:
        ends = a.STAMPED - SECOND if why == "expired" else w.AT - SECOND
        key = w.make_leaf(issuing, "tsa", w.STATUS_OFFICE, role=authority.Role.TIME_STAMPS, ends=ends)
        token = token_for(bundle, key=key)
    lists = (list_by(issuing, *revoked),)
    report = verify(replace(bundle, timestamp=token, crls=lists), world.trust, w.AT)
    assert len(unused(report)) == 1
    assert "enclosed_list_unused" not in notes(report)
    bare = verify(replace(bundle, crls=lists), world.trust, w.AT)
    assert "enclosed_list_unused" in notes(bare)


def test_a_list_that_the_leaf_itself_could_have_signed_is_nobodys(world):
    path = chain.validate(a.stamping_key().chain_der, a.anchors(), frozenset(a.SUITES))
    by_issuer = list_by(a.issuing())
    assert unused_lists([by_issuer], [path, None]) == ()
    as_leaf = replace(path, certificates=path.certificates[1:])
    (note,) = unused_lists([by_issuer], [as_leaf])
    assert (note.code, note.params) == ("enclosed_list_unused", (("number", "1"),))


def test_a_stamp_holds_on_the_last_second_of_its_certificate(world):
    key = a.stamping_key(ends=a.STAMPED)
    bundle = bundle_of(world)
    report = verify(replace(bundle, timestamp=token_for(bundle, key=key)), world.trust, a.STAMPED)
    assert "judge_time_stamp_ok" in notes(report)


def test_a_stamp_whose_authority_is_itself_revoked_is_not_used(world):
    bundle = bundle_of(world)
    issuing, key = other_authority()
    lists = (list_by(world.root, issuing.certificate.serial_number),)
    # The serial number of both issuing authorities is 2: the bundle's own signer is left open as well.
    report = verify(replace(bundle, timestamp=token_for(bundle, key=key)), world.trust, w.AT, crls=lists)
    (told,) = unused(report)
    assert told["why"] == "certificate_revoked"


def info_of(bundle):
    signed = bundle.credential.partition("~")[0].encode()
    asked = timestamps.parse_request(timestamps.request(signed, suite=a.SUITES[0], nonce=None))
    token = timestamps.token_of(timestamps.respond(asked, a.stamping_key(), at=a.STAMPED, serial=1))
    return cms.parse(token, "x").content


def stamped_by(bundle, signer):
    info, form = info_of(bundle), cms.FORMS[signer.suite]
    return cms.sign(
        signer, content_digest=cms.digest(form.digest, info), content_type=timestamps.TST_INFO, content=info
    )


def test_a_stamp_of_a_suite_or_by_a_certificate_that_will_not_do_is_not_used(world):
    bundle = bundle_of(world)
    other_suite = authority.certify_leaf(
        a.issuing(),
        SUITES[ED25519].generate(),
        role=authority.Role.TIME_STAMPS,
        name="tsa",
        uscc=w.STATUS_OFFICE,
        uri="https://tsa.city.example",
        starts=w.STARTS,
        ends=w.ENDS,
        serial=5,
    )
    trust = replace(world.trust, suites=frozenset(a.SUITES))
    for signer, why in (
        (other_suite, "cms_suite_not_allowed"),
        (papers.stamping_key(a.issuing(), purposes=()), "timestamp_certificate_purpose"),
    ):
        report = verify(replace(bundle, timestamp=stamped_by(bundle, signer)), trust, w.AT)
        assert report.exit_code == 0, report.text("en")
        (told,) = unused(report)
        assert told["why"] == why


def test_a_certificate_beside_the_stamps_path_is_told(world):
    bundle = bundle_of(world)
    key = a.stamping_key()
    root = world.root.chain_der[-1]
    again = w.make_root(ends=w.ENDS - SECOND)
    # Both roots are pinned, of one name and key; the path ends at the one that comes first.
    first, second = sorted((root, again.chain_der[-1]))
    trust = replace(world.trust, anchors=(world.root.certificate, again.certificate))

    class Enclosing:
        suite = key.suite
        sign = key.sign

        def __init__(self, last):
            self.chain_der = (*key.chain_der[:2], last)

    for last, loose in ((first, False), (second, True)):
        report = verify(replace(bundle, timestamp=stamped_by(bundle, Enclosing(last))), trust, w.AT)
        assert "judge_time_stamp_ok" in notes(report)
        assert ("judge_certificates_loose" in notes(report)) is loose


def test_the_time_of_a_stamp_is_told_to_the_second(world):
    bundle = bundle_of(world)
    token = token_for(bundle, a.STAMPED + timedelta(microseconds=5))
    report = verify(replace(bundle, timestamp=token), world.trust, w.AT)
    (told,) = [dict(n.params) for s in report.steps for n in s.notes if n.code == "judge_time_stamp_ok"]
    assert told["stamped"] == "2025-03-01T08:01:00Z"


def test_what_comes_without_a_bundle_encloses_nothing(world):
    assert all_lists(None, [b"a", b"b", b"a"]) == (b"a", b"b")
    assert prove(None, world.trust, w.AT, claimed=w.ISSUED, lists=()) == Proven()
