"""Seals and seal signatures at their limits, and what a report says of them step by step."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography import x509

from licence import authority
from licence.crl import Reason, Revocation
from licence.profile import DEMONSTRATION_POLICY, SEAL_MAKING
from licence.report import Outcome, Verdict
from licence.seals import make
from licence.seals.algorithms import sm3
from licence.seals.encode import write_info, write_seal, write_signature, write_tbs
from licence.seals.structure import V4, V5, Digest, parse_seal, parse_signature
from licence.seals.verify import verify_seal, verify_signature
from tests.licence import world as w
from tests.licence.seals import city as c
from tests.licence.seals import plain
from tests.licence.seals.test_structure import seal_of, signature_of
from tests.licence.test_chain import CA, CERTIFIES, LEAF, SIGNS
from tests.licence.test_chain import certify as certify_by_hand

SECOND = timedelta(seconds=1)
SKEW = timedelta(minutes=5)
DAY = timedelta(days=1)


def judge(city, signature, at=c.AT, trust=None, **options):
    return verify_signature(signature.raw, c.DIGEST, trust or city.trust, at, **options)


def told(step):
    return step.outcome, step.code, dict(step.params), step.sub_indication


def remade(city, seal, **changes):
    """The seal with its information changed and signed again by the maker, who says what make_seal would not."""
    info = replace(seal.info, **changes)
    tbs = write_info(info)
    return parse_seal(write_seal(replace(seal, info=info, tbs=tbs, signature=city.maker.sign_der(tbs), raw=b"")))


def reapplied(city, seal, **changes):
    """A signature by the custodian over what apply_seal would refuse."""
    good = c.applied(city, c.new_seal(city))
    signed = replace(good.signed, seal=seal, **changes)
    tbs = write_tbs(signed)
    made = replace(good, signed=signed, tbs=tbs, signature=city.custodian.sign_der(tbs), raw=b"")
    return parse_signature(write_signature(made))


def test_a_good_report_says_in_each_step_what_was_found(city, signature):
    report = judge(city, signature)
    steps = {s.name: (s.code, dict(s.params)) for s in report.steps}
    term = {"starts": "2025-02-01T00:00:00Z", "ends": "2027-02-01T00:00:00Z"}
    assert steps["format"][0] == "seal_format_ok"
    assert steps["format"][1]["seal_id"] == "SEAL-1"
    assert steps["signature"] == ("seal_signature_ok", {"suite": "ecdsa-p256-sha256"})
    assert steps["maker_signature"] == ("seal_maker_signature_ok", {"suite": "ecdsa-p256-sha256"})
    assert steps["created"] == ("seal_created_ok", {"created": "2025-02-01T08:00:00Z"})
    assert steps["maker"][1].keys() == steps["signer"][1].keys() == {"subject"}
    assert steps["validity"] == ("seal_validity_ok", term | {"when": "2025-03-01T08:00:00Z"})
    assert (steps["signer"][0], steps["document"][0]) == ("seal_signer_ok", "seal_document_ok")
    assert [s.sub_indication for s in report.steps] == [""] * 11
    assert report.at == c.AT
    assert report.facts == {
        "standard": report.facts["standard"],
        "seal_id": "SEAL-1",
        "vendor": "ZT",
        "kind": 1,
        "name": c.NAME,
        "created_at": "2025-02-01T08:00:00Z",
        "valid_from": "2025-02-01T00:00:00Z",
        "valid_until": "2027-02-01T00:00:00Z",
        "picture": report.facts["picture"],
        "signed_at": "2025-03-01T08:00:00Z",
        "signer": hashlib.sha256(city.custodian.chain_der[0]).hexdigest(),
        "property_info": c.WHERE,
    }
    assert report.facts["picture"] == {
        "kind": "SVG",
        "sm3": report.facts["picture"]["sm3"],
        "width_mm": 40,
        "height_mm": 40,
    }


def test_a_seals_own_report_ends_with_its_time_stamp_and_tells_its_facts(city, seal):
    report = verify_seal(seal.raw, city.trust, c.AT)
    assert [s.code for s in report.steps][-1] == "seal_no_time_stamp"
    assert "signed_at" not in report.facts
    assert report.facts["name"] == c.NAME


@pytest.mark.parametrize(("ahead", "code"), [(SKEW, "seal_created_ok"), (SKEW + SECOND, "seal_made_in_future")])
def test_a_makers_clock_may_be_five_minutes_ahead(city, seal, ahead, code):
    step = verify_seal(seal.raw, city.trust, c.MADE - ahead).step("created")
    assert (step.code, dict(step.params)) == (code, {"created": "2025-02-01T08:00:00Z"})
    assert step.sub_indication == ("" if code == "seal_created_ok" else "NOT_YET_VALID")


@pytest.mark.parametrize(
    ("changes", "contradict"),
    [
        ({"valid_from": c.ENDS + DAY}, True),
        ({"valid_from": c.ENDS}, False),
        ({"created": c.ENDS + SECOND}, True),
        ({"created": c.ENDS}, False),
    ],
)
def test_a_seal_whose_dates_contradict_each_other_is_refused(city, seal, changes, contradict):
    report = verify_seal(remade(city, seal, **changes).raw, city.trust, c.ENDS + 2 * DAY)
    step = report.step("created")
    if contradict:
        assert (step.outcome, step.code) == (Outcome.FAILED, "seal_dates_contradict")
        assert step.sub_indication == "SIG_CONSTRAINTS_FAILURE"
        assert set(dict(step.params)) == {"created", "starts", "ends"}
    else:
        assert step.code == "seal_created_ok"


@pytest.mark.parametrize(
    ("starts", "ends", "good"),
    [
        (c.MADE, c.MADE + DAY, True),
        (c.MADE + SECOND, c.MADE + DAY, False),
        (c.MADE - DAY, c.MADE, True),
        (c.MADE - DAY, c.MADE - SECOND, False),
    ],
)
def test_a_maker_may_make_seals_from_its_certificates_first_second_to_its_last(city, starts, ends, good):
    maker = c.certify(city.issuing, "brief maker", SEAL_MAKING, starts=starts, ends=ends)
    step = verify_seal(c.new_seal(city, maker=maker).raw, city.trust, c.AT).step("maker")
    assert step.code == ("seal_maker_ok" if good else "seal_maker_not_valid_when_made")
    if not good:
        assert set(dict(step.params)) == {"starts", "ends", "created"}
        assert step.sub_indication == "EXPIRED"


@pytest.mark.parametrize("late", [timedelta(0), SECOND])
def test_that_a_certificate_ended_since_is_noted_from_the_next_second_on(city, late):
    maker = c.certify(city.issuing, "brief maker", SEAL_MAKING, ends=c.AT - late)
    key = c.certify(city.issuing, "brief", ends=c.AT - late)
    report = judge(city, c.applied(city, c.new_seal(city, maker=maker, custodians=[key.chain_der[0]]), signer=key))
    assert report.verdict is Verdict.PASSED
    for step, code in (("maker", "seal_maker_expired_since"), ("signer", "seal_custodian_expired_since")):
        notes = {n.code: dict(n.params) for n in report.step(step).notes}
        assert (code in notes) == bool(late)
        if late:
            assert notes[code] == {"limit": "2025-03-01T08:59:59Z"}


@pytest.mark.parametrize(
    ("starts", "ends", "indication"),
    [
        (c.SIGNED, c.ENDS, ""),
        (c.SIGNED + SECOND, c.ENDS, "NOT_YET_VALID"),
        (c.STARTS, c.SIGNED, ""),
        (c.STARTS, c.SIGNED - SECOND, "EXPIRED"),
    ],
)
def test_a_custodian_may_sign_from_its_certificates_first_second_to_its_last(city, starts, ends, indication):
    key = c.certify(city.issuing, "brief", starts=starts, ends=ends)
    report = judge(city, c.applied(city, c.new_seal(city, custodians=[key.chain_der[0]]), signer=key))
    step = report.step("signer")
    assert (step.sub_indication, step.outcome is Outcome.PASSED) == (indication, not indication)
    if indication:
        assert step.code == "seal_custodian_not_valid_when_signed"
        assert set(dict(step.params)) == {"starts", "ends", "signed"}


@pytest.mark.parametrize(("ahead", "code"), [(SKEW, "seal_validity_ok"), (SKEW + SECOND, "seal_applied_in_future")])
def test_a_signers_clock_may_be_five_minutes_ahead(city, signature, ahead, code):
    step = judge(city, signature, at=c.SIGNED - ahead).step("validity")
    assert (step.code, step.sub_indication) == (code, "" if code == "seal_validity_ok" else "NOT_YET_VALID")


@pytest.mark.parametrize(("behind", "code"), [(SKEW, "seal_validity_ok"), (SKEW + SECOND, "seal_applied_before_made")])
def test_a_seal_is_not_applied_before_it_is_made_but_for_five_minutes(city, seal, behind, code):
    later = remade(city, seal, created=c.SIGNED + behind)
    step = judge(city, reapplied(city, later), at=c.AT).step("validity")
    assert step.code == code
    if code != "seal_validity_ok":
        assert told(step)[2] == {"signed": "2025-03-01T08:00:00Z", "created": "2025-03-01T08:05:01Z"}
        assert step.sub_indication == "SIG_CONSTRAINTS_FAILURE"


@pytest.mark.parametrize(
    ("valid_from", "valid_until", "code"),
    [
        (c.SIGNED, c.ENDS, "seal_validity_ok"),
        (c.SIGNED + SECOND, c.ENDS, "seal_not_yet_valid"),
        (c.STARTS, c.SIGNED, "seal_validity_ok"),
        (c.STARTS, c.SIGNED - SECOND, "seal_expired"),
    ],
)
def test_a_seal_may_be_applied_from_its_first_second_to_its_last(city, seal, valid_from, valid_until, code):
    one = remade(city, seal, valid_from=valid_from, valid_until=valid_until)
    step = judge(city, reapplied(city, one)).step("validity")
    assert step.code == code
    if code != "seal_validity_ok":
        assert step.outcome is Outcome.FAILED
        assert dict(step.params)["when"] == "2025-03-01T08:00:00Z"
        assert len(step.params) == 2
        assert step.sub_indication == ("EXPIRED" if code == "seal_expired" else "NOT_YET_VALID")


def test_a_seal_judged_for_itself_was_applied_to_nothing(city, seal):
    # Made a moment after the time asked about: within the skew, and no application that could precede it.
    early = remade(city, seal, created=c.AT + SKEW, valid_from=c.STARTS)
    assert verify_seal(early.raw, city.trust, c.AT).step("validity").code == "seal_validity_ok"


def test_a_wrong_signature_is_the_makers_or_the_custodians(city, seal, signature):
    other = c.applied(city, c.new_seal(city, seal_id="SEAL-2"))
    swapped = write_signature(replace(signature, signature=other.signature))
    report = verify_signature(swapped, c.DIGEST, city.trust, c.AT)
    assert told(report.step("signature")) == (Outcome.FAILED, "seal_signature_wrong", {}, "SIG_CRYPTO_FAILURE")
    assert report.facts == {}
    forged = write_seal(replace(seal, signature=c.new_seal(city, seal_id="SEAL-2").signature))
    report = verify_seal(forged, city.trust, c.AT)
    assert report.step("maker_signature").code == "seal_maker_signature_wrong"
    assert report.step("maker_signature").sub_indication == "SIG_CRYPTO_FAILURE"
    assert report.facts == {}


def test_one_digest_of_several_lists_a_custodian_whatever_its_kind_is_called(city, seal):
    own = Digest("SHA", hashlib.new("sha256", b"other").digest())
    right = Digest("ANY", sm3(city.custodian.chain_der[0]))
    one = remade(city, seal, certificates=(), digests=(own, right))
    assert judge(city, reapplied(city, one)).step("custodian").code == "seal_custodian_ok"
    none = remade(city, seal, certificates=(), digests=(own,))
    step = judge(city, reapplied(city, none)).step("custodian")
    assert told(step) == (Outcome.FAILED, "seal_custodian_not_listed", {}, "SIG_CONSTRAINTS_FAILURE")


@pytest.mark.parametrize(
    ("proven", "good"),
    [
        (c.AT + SKEW, True),
        (c.AT + SKEW + SECOND, False),
        (c.SIGNED - SKEW, True),
        (c.SIGNED - SKEW - SECOND, False),
    ],
)
def test_a_time_stamp_lies_between_signing_and_now_but_for_five_minutes(city, signature, proven, good):
    stamped = make.stamp_signature(signature, b"token")
    step = judge(city, stamped, time_stamps=lambda token, value: proven).step("time_stamp")
    assert step.code == ("seal_time_stamp_ok" if good else "seal_time_stamp_contradicts")
    if not good:
        assert step.sub_indication == "TIMESTAMP_ORDER_FAILURE"
        assert dict(step.params)["claimed"] == "2025-03-01T08:00:00Z"


def revoked_list(city, since, **changes):
    entry = Revocation(city.custodian.certificate.serial_number, since, Reason.KEY_COMPROMISE)
    return authority.revocation_list(
        city.issuing, [entry], number=1, this_update=since, next_update=since + 300 * DAY, **changes
    )


def test_only_a_time_stamp_proves_that_a_signature_is_older_than_a_revocation(city, signature):
    since = c.SIGNED + timedelta(minutes=30)
    trust = replace(city.trust, crls=(revoked_list(city, since),))
    bare = judge(city, signature, trust=trust)
    assert told(bare.step("signer"))[:2] == (Outcome.INDETERMINATE, "certificate_revoked")
    assert bare.step("signer").sub_indication == "REVOKED_NO_POE"
    stamped = make.stamp_signature(signature, b"token")
    good = judge(city, stamped, trust=trust, time_stamps=lambda token, value: since - SECOND)
    assert good.verdict is Verdict.PASSED
    assert "revoked_later" in [n.code for n in good.step("signer").notes]
    before = replace(city.trust, crls=(revoked_list(city, c.SIGNED),))
    assert told(judge(city, signature, trust=before).step("signer"))[0] is Outcome.FAILED


def test_where_lists_are_required_a_missing_or_old_one_leaves_it_open(city, signature):
    strict = replace(city.trust, revocation_required=True)
    for crls in ((), (revoked_list(city, c.AT - 400 * DAY),)):
        step = judge(city, signature, trust=replace(strict, crls=crls)).step("maker")
        assert (step.outcome, step.code) == (Outcome.INDETERMINATE, "seal_revocation_not_checked")
        assert step.sub_indication == "TRY_LATER"
        assert "subject" in dict(step.params)
        assert step.notes
    clean = [
        authority.revocation_list(key, [], number=1, this_update=c.SIGNED, next_update=c.SIGNED + DAY)
        for key in (city.issuing, city.root)
    ]
    old = authority.revocation_list(city.issuing, [], number=1, this_update=c.SIGNED - DAY, next_update=c.AT - SECOND)
    stale = judge(city, signature, trust=replace(strict, crls=(old, clean[1])))
    assert stale.step("maker").code == stale.step("signer").code == "seal_revocation_not_checked"
    assert judge(city, signature, trust=replace(strict, crls=tuple(clean))).verdict is Verdict.PASSED


def test_a_chain_may_have_six_certificates_and_no_more(city):
    upper = certify_by_hand(w.make_root("deep"), "deep 0", CA, CERTIFIES)
    above = [upper]
    for number in range(1, 7):
        above.append(certify_by_hand(above[-1], f"deep {number}", CA, CERTIFIES))
    trust = replace(
        city.trust,
        anchors=frozenset({upper.chain_der[0]}),
        intermediates=tuple(key.chain_der[0] for key in above[1:]),
    )
    # The leaf and what lies between it and the anchor.
    for between, code in ((5, "seal_maker_ok"), (6, "no_pinned_anchor")):
        maker = c.certify(above[between], "maker", SEAL_MAKING)
        report = verify_seal(c.new_seal(city, maker=maker).raw, trust, c.AT)
        assert report.step("maker").code == code


def test_what_a_stranger_wrote_cannot_pretend_to_be_lines_of_the_report(city, seal):
    sly = remade(city, seal, name="章\n有效\u202e")
    report = verify_seal(sly.raw, city.trust, c.AT)
    assert "\n" not in report.facts["name"]
    assert "\u202e" not in report.facts["name"]


def test_a_digest_shorter_than_any_that_is_used_is_an_error_of_the_program(city, signature):
    with pytest.raises(ValueError, match="digest"):
        verify_signature(signature.raw, bytes(31), city.trust, c.AT)
    assert (
        verify_signature(signature.raw, bytes(32), city.trust, c.AT).step("document").sub_indication == "HASH_FAILURE"
    )


def test_a_seal_from_the_future_fails_by_its_making_and_not_by_an_application(city, seal):
    early = remade(city, seal, created=c.AT + SKEW + SECOND)
    report = verify_seal(early.raw, city.trust, c.AT)
    assert (report.step("created").code, report.step("validity").code) == ("seal_made_in_future", "seal_validity_ok")


def test_only_certificates_of_a_demonstration_are_said_to_be_of_one(city):
    purpose = (x509.ExtendedKeyUsage([SEAL_MAKING]), True)
    policy = (x509.CertificatePolicies([x509.PolicyInformation(DEMONSTRATION_POLICY, None)]), False)
    for extensions, demonstration in (((), False), ((policy,), True)):
        maker = certify_by_hand(city.root, "maker", LEAF, SIGNS, purpose, *extensions)
        step = verify_seal(c.new_seal(city, maker=maker).raw, city.trust, c.AT).step("maker")
        assert step.code == "seal_maker_ok"
        assert ("seal_demonstration" in [n.code for n in step.notes]) is demonstration


def test_an_unreadable_certificate_is_a_failure_and_not_an_open_question(city, seal):
    report = verify_seal(write_seal(replace(seal, certificate=b"\x30\x00")), city.trust, c.AT)
    assert (report.step("maker").outcome, report.step("maker").code) == (Outcome.FAILED, "certificate_unreadable")


@pytest.mark.parametrize(("version", "standard"), [(V4, "GB/T 38540-2020"), (V5, "GM/T 0031-2025")])
def test_a_report_names_the_standard_of_the_seal(city, version, standard):
    report = verify_seal(c.new_seal(city, version=version).raw, city.trust, c.AT)
    assert report.facts["standard"] == dict(report.step("format").params)["standard"] == standard


def test_a_time_without_zone_is_an_error_of_the_program(city, seal, signature):
    with pytest.raises(ValueError, match="time zone"):
        verify_seal(seal.raw, city.trust, c.AT.replace(tzinfo=None))
    with pytest.raises(ValueError, match="time zone"):
        judge(city, signature, at=c.AT.replace(tzinfo=None))


def test_times_are_told_to_the_second(city, signature):
    stamped = make.stamp_signature(signature, b"token")
    at = c.SIGNED + timedelta(seconds=1, microseconds=5)
    step = judge(city, stamped, time_stamps=lambda token, value: at).step("time_stamp")
    assert dict(step.params) == {"stamped": "2025-03-01T08:00:01Z"}
    late = judge(city, stamped, time_stamps=lambda token, value: at - DAY).step("time_stamp")
    assert dict(late.params) == {"stamped": "2025-02-28T08:00:01Z", "claimed": "2025-03-01T08:00:00Z"}


def test_steps_are_numbered_from_one_and_what_was_not_looked_at_is_skipped(city, signature):
    assert [s.number for s in judge(city, signature).steps] == list(range(1, 12))
    broken = verify_signature(b"junk", c.DIGEST, city.trust, c.AT)
    assert [s.code for s in broken.steps[1:]] == ["skipped"] * 10
    assert broken.facts == {}


def test_what_nobody_examined_or_knows_is_an_open_question(city, signature):
    step = judge(city, make.stamp_signature(signature, b"token")).step("time_stamp")
    assert told(step) == (Outcome.INDETERMINATE, "seal_time_stamp_not_examined", {}, "OUT_OF_BOUNDS_NO_POE")
    step = verify_seal(c.new_seal(city, maker=city.other).raw, city.trust, c.AT).step("maker")
    assert told(step)[:2] == (Outcome.INDETERMINATE, "seal_maker_not_known")
    assert (dict(step.params), step.sub_indication) == ({"subject": "other"}, "NO_SIGNING_CERTIFICATE_FOUND")


def test_another_document_is_told(city, signature):
    step = verify_signature(signature.raw, bytes(32), city.trust, c.AT).step("document")
    assert told(step) == (Outcome.FAILED, "seal_document_differs", {}, "HASH_FAILURE")


@pytest.mark.parametrize("when", [c.AT, c.AT + 400 * DAY])
def test_a_signature_that_does_not_say_when_leaves_validity_and_signer_open(city, when):
    # A token in place of the time, as V1 allows; a later time stamp of its own no V1 signature has.
    report = judge(city, parse_signature(signature_of(city, 1, time_info=plain.seq(b""))), at=when)
    for name in ("validity", "signer"):
        assert told(report.step(name)) == (Outcome.INDETERMINATE, "seal_time_unknown", {}, "OUT_OF_BOUNDS_NO_POE")
    assert report.step("time_stamp").code == "seal_no_time_stamp"
    assert report.facts == {}


def test_a_seal_of_the_first_version_is_told_by_the_name_of_its_standard(city):
    report = verify_seal(seal_of(city, 1), city.trust, c.AT)
    assert report.facts["standard"] == dict(report.step("format").params)["standard"] == "GM/T 0031-2014"


def test_when_a_seal_from_the_future_was_applied_is_told(city, signature):
    step = judge(city, signature, at=c.SIGNED - SKEW - SECOND).step("validity")
    assert told(step) == (Outcome.FAILED, "seal_applied_in_future", {"signed": "2025-03-01T08:00:00Z"}, "NOT_YET_VALID")


def test_what_cannot_be_shown_leaves_a_mark_in_its_place(city, seal):
    report = verify_seal(remade(city, seal, name="章\u202e").raw, city.trust, c.AT)
    assert report.facts["name"] == "章\N{REPLACEMENT CHARACTER}"


def test_of_several_paths_that_lead_nowhere_the_first_is_told(city):
    stranger = w.make_root("stranger")
    between = certify_by_hand(stranger, "between", CA, CERTIFIES)
    trust = replace(city.trust, intermediates=(*city.trust.intermediates, between.chain_der[0]))
    step = verify_seal(c.new_seal(city, maker=c.certify(between, "maker", SEAL_MAKING)).raw, trust, c.AT).step("maker")
    assert (step.code, dict(step.params)["subject"]) == ("no_pinned_anchor", "between")


def test_no_other_path_makes_up_for_one_that_breaks_a_rule(city):
    # The same name and key twice: pinned without the right to certify, and below the root with it.
    barred = certify_by_hand(city.root, "twice", LEAF, SIGNS)
    able = certify_by_hand(city.root, "twice", CA, CERTIFIES)
    maker = c.certify(able, "maker", SEAL_MAKING)
    trust = replace(city.trust, intermediates=(able.chain_der[0],))
    seal = c.new_seal(city, maker=maker)
    assert verify_seal(seal.raw, trust, c.AT).step("maker").code == "seal_maker_ok"
    pinned = replace(trust, anchors=trust.anchors | {barred.chain_der[0]})
    step = verify_seal(seal.raw, pinned, c.AT).step("maker")
    assert (step.outcome, step.code) == (Outcome.INDETERMINATE, "not_an_authority")
