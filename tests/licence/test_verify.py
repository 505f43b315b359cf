"""Verdicts on a set of vectors, each judged by ours and by the independent verifier."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from audit.entry import Entry
from audit.notes import SignerKey
from licence import credential
from licence.authority import Role
from licence.bundle import LicenceBundle
from licence.identifiers import mint
from licence.report import Verdict
from licence.trust import TrustStore, fingerprint
from licence.verify import verify
from tests.licence import world as w
from tests.licence.forging import both, rebuilt, resign

DAY = timedelta(days=1)


# --- valid -----------------------------------------------------------------------------------------------------


def test_golden_passes(world, bundle):
    report = both(bundle.to_json(), world.trust, w.AT)
    assert (report.verdict, report.sub_indication, report.exit_code) == (Verdict.PASSED, "", 0)
    assert report.text("zh").startswith("有效")
    assert report.text("en").startswith("Valid")
    assert report.licence["claims"]["KZ_ZJCX"] == "R"
    assert "KZ_ZZ" not in report.licence["claims"]


def test_golden_is_the_same_bytes_every_time(world, sealed, bundle):
    # Fixed keys, salts and RFC 6979 nonces: the whole bundle is a function of its inputs.
    again = w.bundle_of(world, w.seal(world.agriculture), w.status_token(world.status_key))
    assert again == bundle
    assert hashlib.sha256(bundle.to_json().encode()).hexdigest() == GOLDEN_SHA256


GOLDEN_SHA256 = "7fd40edc72521fcc73fe7d7d5d7fae9da9e19da595de21817dc745e1d77d6fd0"


def test_bundle_reads_back(bundle):
    assert LicenceBundle.from_json(bundle.to_json()) == bundle
    assert LicenceBundle.from_json(bundle.to_json().encode()) == bundle


def test_part_of_the_claims_passes_and_shows_no_more(world, bundle):
    shown = credential.parse(bundle.credential).present(["ZZMC", "KZ_ZJCX"])
    report = both(replace(bundle, credential=shown), world.trust, w.AT)
    assert report.verdict is Verdict.PASSED
    assert set(report.licence["claims"]) == {"ZZMC", "KZ_ZJCX"}
    assert report.licence["withheld"] == 13
    assert "11010519491231002X" not in report.to_json()


def test_no_claims_shown_passes(world, bundle):
    report = both(replace(bundle, credential=credential.parse(bundle.credential).present([])), world.trust, w.AT)
    assert report.verdict is Verdict.PASSED


def test_licence_without_end_passes_years_later_with_a_fresh_list(world):
    sealed = w.seal(world.agriculture, valid_until=None)
    later = w.ISSUED + timedelta(days=3000)
    bundle = w.bundle_of(world, sealed, w.status_token(world.status_key))
    assert both(bundle, world.trust, later).sub_indication == "TRY_LATER"
    fresh = w.status_token(world.status_key, issued_at=later - timedelta(hours=1))
    assert both(bundle, world.trust, later, [fresh]).verdict is Verdict.PASSED


# --- chain and issuer ------------------------------------------------------------------------------------------


def test_unknown_anchor_cannot_be_decided(world, bundle):
    stranger = w.make_root("stranger")
    trust = TrustStore((stranger.certificate,), world.trust.log_verifiers)
    report = both(bundle, trust, w.AT)
    assert (report.exit_code, report.sub_indication) == (11, "NO_CERTIFICATE_CHAIN_FOUND")
    assert report.licence == {}


def test_same_name_other_key_is_no_anchor(world, bundle):
    # `stranger` bears the root's very name.
    stranger = w.make_root("stranger")
    assert stranger.certificate.subject == world.root.certificate.subject
    cred = w.seal(w.make_leaf(stranger, "agriculture", w.AGRICULTURE))
    report = both(w.bundle_of(world, cred, bundle.status_token), world.trust, w.AT)
    assert report.sub_indication == "NO_CERTIFICATE_CHAIN_FOUND"


def test_an_issuing_authority_may_be_the_pinned_anchor(world, bundle):
    issuing = world.agriculture.chain[1]
    trust = TrustStore((issuing, world.root.certificate), world.trust.log_verifiers)
    assert both(bundle, trust, w.AT).verdict is Verdict.PASSED


@pytest.mark.parametrize(
    ("starts", "ends", "sub"),
    [
        (w.STARTS, w.ISSUED - DAY, "EXPIRED"),
        (w.ISSUED + DAY, w.ENDS, "NOT_YET_VALID"),
    ],
)
def test_chain_not_valid_at_signing_fails(world, token, starts, ends, sub):
    key = w.make_leaf(world.root, "agriculture", w.AGRICULTURE, starts=starts, ends=ends)
    report = both(w.bundle_of(world, w.seal(key), token), world.trust, w.AT)
    assert (report.exit_code, report.sub_indication, report.deciding.name) == (10, sub, "chain")


def test_certificate_that_ended_since_does_no_harm(world):
    key = w.make_leaf(world.root, "agriculture", w.AGRICULTURE, ends=w.ISSUED + DAY)
    at = w.ISSUED + timedelta(days=400)
    fresh = w.status_token(world.status_key, issued_at=at)
    assert both(w.bundle_of(world, w.seal(key), fresh), world.trust, at).verdict is Verdict.PASSED


def test_backdated_signature_logged_after_the_certificate_ended_cannot_be_decided(world, token):
    key = w.make_leaf(world.root, "agriculture", w.AGRICULTURE, ends=w.ISSUED + timedelta(minutes=1))
    sealed = w.seal(key)
    bundle = w.bundle_of(world, sealed, token, entry=w.issued_entry(sealed, at=w.ISSUED + DAY))
    report = both(bundle, world.trust, w.AT)
    assert (report.exit_code, report.sub_indication) == (11, "OUT_OF_BOUNDS_NO_POE")


def test_a_certificate_of_another_department_may_not_sign(world, sealed, token):
    cred = resign(world.forestry, sealed.credential, payload={"iss": world.forestry.issuer_uri})
    report = both(rebuilt(world, sealed, cred, token), world.trust, w.AT)
    assert (report.exit_code, report.deciding.code) == (10, "issuer_code_differs")


def test_a_status_certificate_may_not_sign_licences(world, token):
    key = w.make_leaf(world.root, "agriculture", w.AGRICULTURE, role=Role.STATUS)
    report = both(w.bundle_of(world, w.seal(key), token), world.trust, w.AT)
    assert (report.exit_code, report.deciding.code) == (10, "issuer_purpose")


def test_a_leaf_may_not_certify(world, token):
    below = replace(world.agriculture, chain=world.agriculture.chain[:2])
    key = w.make_leaf(below, "agriculture", w.AGRICULTURE)
    report = both(w.bundle_of(world, w.seal(key), token), world.trust, w.AT)
    assert report.exit_code == 11
    assert report.deciding.code in {"not_an_authority", "no_pinned_anchor"}


def test_missing_chain_cannot_be_decided(world, sealed):
    cred = resign(world.agriculture, sealed.credential, header={"x5c": None})
    report = both(cred, world.trust, w.AT)
    assert (report.exit_code, report.sub_indication) == (11, "NO_SIGNING_CERTIFICATE_FOUND")


def test_pinned_signer_is_required_when_named(world, bundle):
    der = world.agriculture.certificate.public_bytes(Encoding.DER)
    pinned = replace(world.trust, licence_signers=frozenset({fingerprint(der)}))
    assert verify(bundle, pinned, w.AT).verdict is Verdict.PASSED
    other = replace(world.trust, licence_signers=frozenset({"0" * 64}))
    assert verify(bundle, other, w.AT).deciding.code == "issuer_not_pinned"


def test_chain_beside_the_credential_must_equal_it(world, bundle):
    assert both(replace(bundle, chain=bundle.chain[:1]), world.trust, w.AT).deciding.code == "bundle_chain_differs"


def test_disclosed_claims_must_agree_with_the_identifier(world, sealed, token):
    lie = credential.Disclosure.make("ZZBFJGDM", w.FORESTRY, b"2" * 16)
    cred = resign(world.agriculture, sealed.credential, payload={"_sd": [lie.digest]}, disclosures=[lie.encoded])
    assert both(rebuilt(world, sealed, cred, token), world.trust, w.AT).deciding.code == "claim_differs"


# --- log -------------------------------------------------------------------------------------------------------


def test_missing_proof_cannot_be_decided(world, sealed, token):
    report = both(sealed.credential, world.trust, w.AT, [token])
    assert (report.exit_code, report.sub_indication) == (11, "LOG_PROOF_MISSING")


def test_wrong_log_key_fails(world, sealed, token):
    stranger = SignerKey("log.city.example", hashlib.sha256(b"stranger").digest())
    report = both(w.bundle_of(world, sealed, token, signer=stranger), world.trust, w.AT)
    assert (report.exit_code, report.deciding.code) == (13, "log_key_untrusted")


def test_entry_for_another_licence_fails(world, sealed, token):
    other = w.seal(
        world.agriculture, identifier=mint(type_code=w.KIND.code, issuer=w.AGRICULTURE, serial="20250000002")
    )
    report = both(w.bundle_of(world, sealed, token, entry=w.issued_entry(other)), world.trust, w.AT)
    assert (report.exit_code, report.sub_indication) == (13, "HASH_FAILURE")
    assert report.deciding.code == "log_entry_other_licence"


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        ({"credential": "sha256:" + "0" * 64}, "log_entry_digest_differs"),
        ({"kind": "X"}, "log_entry_differs"),
        ({"status": {"uri": w.STATUS_URI, "idx": w.IDX + 1}}, "log_entry_differs"),
        ({"licence": "x"}, "log_entry_other_licence"),
    ],
)
def test_entry_that_contradicts_the_credential_fails(world, sealed, token, facts, code):
    report = both(w.bundle_of(world, sealed, token, entry=w.issued_entry(sealed, **facts)), world.trust, w.AT)
    assert (report.exit_code, report.deciding.code) == (13, code)


def test_entry_of_another_kind_fails(world, sealed, token):
    entry = Entry("grant.given", w.ISSUED, "a", "", "", "", sealed.log_facts()).encode()
    report = both(w.bundle_of(world, sealed, token, entry=entry), world.trust, w.AT)
    assert (report.exit_code, report.deciding.code) == (13, "log_entry_wrong_kind")


def test_entry_older_than_the_signature_fails(world, sealed, token):
    entry = w.issued_entry(sealed, at=w.ISSUED - timedelta(minutes=6))
    report = both(w.bundle_of(world, sealed, token, entry=entry), world.trust, w.AT)
    assert (report.exit_code, report.deciding.code) == (13, "log_entry_before_issue")


def test_proof_of_another_entry_fails(world, bundle):
    report = both(replace(bundle, proof=bundle.status_proof), world.trust, w.AT)
    assert (report.exit_code, report.deciding.code) == (13, "log_proof_invalid")


def test_extra_data_in_a_proof_is_refused(world, bundle):
    first, _, rest = bundle.proof.partition("\n")
    proof = f"{first}\nextra aGk=\n{rest}"
    assert verify(replace(bundle, proof=proof), world.trust, w.AT).exit_code == 13


@pytest.mark.parametrize("missing", ["status_entry", "status_proof"])
def test_half_a_status_publication_fails(world, bundle, missing):
    report = both(replace(bundle, **{missing: None}), world.trust, w.AT)
    assert (report.exit_code, report.deciding.code) == (13, "status_entry_incomplete")


def test_status_entry_about_another_token_fails(world, bundle):
    other = w.status_token(world.status_key, issued_at=w.ISSUED + timedelta(seconds=1))
    report = both(replace(bundle, status_token=other), world.trust, w.AT)
    assert (report.exit_code, report.deciding.code) == (13, "status_entry_differs")


def test_status_publication_need_not_be_proven(world, bundle):
    plain = replace(bundle, status_entry=None, status_proof=None)
    assert both(plain, world.trust, w.AT).verdict is Verdict.PASSED


# --- status ----------------------------------------------------------------------------------------------------


def test_revoked_in_the_bundle(world, sealed):
    bundle = w.bundle_of(world, sealed, w.status_token(world.status_key, value=1))
    report = both(bundle, world.trust, w.AT)
    assert (report.exit_code, report.verdict, report.sub_indication) == (12, Verdict.FAILED, "REVOKED")
    assert report.text("zh").startswith("无效")


def test_newer_token_shows_the_revocation_and_the_past_stays_valid(world, bundle):
    revoked = w.status_token(world.status_key, value=1, issued_at=w.ISSUED + timedelta(hours=6))
    after = w.ISSUED + timedelta(hours=7)
    assert both(bundle, world.trust, after, [revoked]).sub_indication == "REVOKED"
    # At a time before that list was made it says nothing, and the bundle's own list is still fresh.
    report = both(bundle, world.trust, w.AT, [revoked])
    assert report.verdict is Verdict.PASSED
    assert [n.code for n in report.steps[6].notes] == ["status_token_newer"]


def test_suspended_then_resumed(world, bundle):
    suspended = w.status_token(world.status_key, value=2, issued_at=w.ISSUED + timedelta(hours=1))
    resumed = w.status_token(world.status_key, value=0, issued_at=w.ISSUED + timedelta(hours=3))
    at = w.ISSUED + timedelta(hours=2)
    assert (both(bundle, world.trust, at, [suspended]).exit_code) == 12
    assert both(bundle, world.trust, at, [suspended]).sub_indication == "SUSPENDED"
    at = w.ISSUED + timedelta(hours=4)
    for tokens in ([suspended, resumed], [resumed, suspended]):
        assert both(bundle, world.trust, at, tokens).verdict is Verdict.PASSED


def test_two_lists_of_one_second_decide_against_the_licence(world, bundle):
    revoked = w.status_token(world.status_key, value=1)
    for tokens in ([revoked], [revoked, bundle.status_token]):
        assert both(bundle, world.trust, w.AT, tokens).sub_indication == "REVOKED"


def test_stale_status_cannot_be_decided(world, bundle):
    report = both(bundle, world.trust, w.ISSUED + DAY)
    assert (report.exit_code, report.sub_indication, report.deciding.code) == (11, "TRY_LATER", "status_too_old")
    assert report.text("zh").startswith("无法判定")
    assert both(bundle, world.trust, w.ISSUED + DAY - timedelta(seconds=1)).exit_code == 0


def test_stale_list_still_shows_a_revocation(world, sealed):
    bundle = w.bundle_of(world, sealed, w.status_token(world.status_key, value=1))
    assert both(bundle, world.trust, w.ISSUED + 30 * DAY).sub_indication == "REVOKED"


def test_stale_suspension_cannot_be_decided(world, sealed):
    bundle = w.bundle_of(world, sealed, w.status_token(world.status_key, value=2))
    assert both(bundle, world.trust, w.ISSUED + 30 * DAY).sub_indication == "TRY_LATER"


def test_no_status_cannot_be_decided(world, sealed):
    report = both(w.bundle_of(world, sealed, None), world.trust, w.AT)
    assert (report.exit_code, report.sub_indication, report.deciding.code) == (11, "TRY_LATER", "status_missing")


@pytest.mark.parametrize(("minutes", "code"), [(5, 0), (6, 11)])
def test_a_list_up_to_five_minutes_ahead_is_usable(world, sealed, minutes, code):
    token = w.status_token(world.status_key, issued_at=w.AT + timedelta(minutes=minutes))
    assert both(w.bundle_of(world, sealed, token), world.trust, w.AT).exit_code == code


def test_a_token_of_an_untrusted_signer_is_ignored_with_a_note(world, bundle):
    stranger = w.make_leaf(w.make_root("stranger"), "status", w.STATUS_OFFICE, role=Role.STATUS)
    for value in (0, 1):
        forged = w.status_token(stranger, value=value, issued_at=w.ISSUED + timedelta(hours=1))
        report = both(bundle, world.trust, w.AT, [forged])
        assert report.verdict is Verdict.PASSED
        note = report.steps[6].notes[0]
        assert (note.code, dict(note.params)["why"]) == ("status_token_ignored", "no_pinned_anchor")
        assert "given 1" in note.text("en")
        assert note.text("zh")
    # And it cannot make up for a list that is missing.
    stale = w.ISSUED + 2 * DAY
    forged = w.status_token(stranger, issued_at=stale)
    assert both(bundle, world.trust, stale, [forged]).exit_code == 11


def test_a_department_may_not_sign_the_status_list(world, sealed):
    report = both(w.bundle_of(world, sealed, w.status_token(world.agriculture)), world.trust, w.AT)
    assert (report.exit_code, report.deciding.code) == (11, "status_missing")
    assert dict(report.steps[6].notes[0].params)["why"] == "status_signer_purpose"


def test_a_list_of_another_uri_says_nothing(world, sealed):
    token = w.status_token(world.status_key, value=1, uri="https://licences.city.example/status/2")
    bundle = w.bundle_of(world, sealed, w.status_token(world.status_key))
    assert both(bundle, world.trust, w.AT, [token]).verdict is Verdict.PASSED


@pytest.mark.parametrize("junk", ["", "a.b.c", "x" * 100, "~", "🐉"])
def test_junk_status_tokens_are_ignored(world, bundle, junk):
    report = both(bundle, world.trust, w.AT, [junk])
    assert report.verdict is Verdict.PASSED
    assert report.steps[6].notes[0].code == "status_token_ignored"


def test_status_signer_pin(world, bundle):
    pinned = replace(world.trust, status_signers=frozenset({"0" * 64}))
    report = verify(bundle, pinned, w.AT)
    assert report.exit_code == 11
    assert dict(report.steps[6].notes[0].params)["why"] == "status_signer_not_pinned"


def test_index_beyond_the_list_cannot_be_decided(world, token):
    sealed = w.seal(world.agriculture, status_ref=w.StatusRef(w.STATUS_URI, 10_000))
    assert both(w.bundle_of(world, sealed, token), world.trust, w.AT).exit_code == 11


# --- validity --------------------------------------------------------------------------------------------------


def test_validity_period(world, sealed):
    token = w.status_token(world.status_key, issued_at=w.ISSUED, valid_for=timedelta(days=4000))
    bundle = w.bundle_of(world, sealed, token)
    second = timedelta(seconds=1)
    assert both(bundle, world.trust, w.UNTIL - second).exit_code == 0
    expired = both(bundle, world.trust, w.UNTIL)
    assert (expired.exit_code, expired.sub_indication) == (12, "EXPIRED")
    early = both(bundle, world.trust, w.ISSUED - second)
    assert (early.exit_code, early.sub_indication) == (12, "NOT_YET_VALID")


def test_expired_decides_over_a_stale_list(world, bundle):
    report = both(bundle, world.trust, w.UNTIL + DAY)
    assert (report.exit_code, report.sub_indication) == (12, "EXPIRED")


def test_valid_from_later(world, token):
    sealed = w.seal(world.agriculture, valid_from=w.ISSUED + timedelta(hours=3))
    bundle = w.bundle_of(world, sealed, token)
    assert both(bundle, world.trust, w.AT).sub_indication == "NOT_YET_VALID"
    assert both(bundle, world.trust, w.ISSUED + timedelta(hours=3)).exit_code == 0


def test_log_failure_decides_over_revocation(world, sealed):
    stranger = SignerKey("other", hashlib.sha256(b"stranger").digest())
    bundle = w.bundle_of(world, sealed, w.status_token(world.status_key, value=1), signer=stranger)
    assert both(bundle, world.trust, w.AT).exit_code == 13
