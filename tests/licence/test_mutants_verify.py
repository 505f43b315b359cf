"""What a verdict rests on and what it says, step by step."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from audit.entry import Entry
from licence import authority, credential, status
from licence.crl import Reason, Revocation
from licence.identifiers import mint
from licence.report import Outcome
from licence.trust import TrustStore, fingerprint
from licence.verify import verify
from licence.wallet.holder import Wallet
from tests.licence import world as w
from tests.licence.forging import both, rebuilt, resign
from tests.licence.test_chain import LEAF, PURPOSE, SIGNS, certify

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
SKIPPED = (Outcome.SKIPPED, "skipped", (), "")


def found(report, number):
    step = report.steps[number - 1]
    return step.outcome, step.code, step.params, step.sub_indication


def codes(report):
    return [s.code for s in report.steps]


def altered(sealed):
    """The same credential with another signature."""
    head, body, signature = sealed.credential.partition("~")[0].split(".")
    raw = bytearray(base64.urlsafe_b64decode(signature + "=="))
    raw[40] ^= 1
    forged = base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
    return sealed.credential.replace(f"{head}.{body}.{signature}", f"{head}.{body}.{forged}")


def test_a_good_report_says_in_each_step_what_was_found(world, sealed, bundle):
    report = verify(bundle, world.trust, w.AT)
    subject = report.licence["issuer_name"]
    told = [(s.code, dict(s.params), s.sub_indication) for s in report.steps]
    shown = len(credential.parse(sealed.credential).disclosures)
    until = {"starts": "2025-03-01T08:00:00Z", "ends": "2028-03-01T00:00:00Z"}
    assert told == [
        ("format_ok", {"shown": str(shown), "withheld": "0"}, ""),
        ("chain_ok_demonstration", {"subject": subject}, ""),
        ("signature_ok", {"suite": "ecdsa-p256-sha256"}, ""),
        ("issuer_ok", {"issuer": w.AGRICULTURE}, ""),
        ("identifier_ok", {"identifier": sealed.identifier}, ""),
        ("log_ok", {"index": "5", "origin": "log.city.example", "size": "7"}, ""),
        ("status_ok", {"as_of": "2025-03-01T08:00:00Z"}, ""),
        ("validity_until_ok", until, ""),
    ]
    assert report.at == w.AT
    assert report.licence["log"] == {
        "origin": "log.city.example",
        "index": 5,
        "size": 7,
        "at": "2025-03-01T08:00:00Z",
    }
    assert report.licence["status"] == {
        "value": 0,
        "as_of": "2025-03-01T08:00:00Z",
        "until": "2025-03-02T08:00:00Z",
    }
    assert report.licence["kind"] == w.KIND.code
    assert report.licence["issuer"] == w.AGRICULTURE
    assert report.licence["demonstration"] is True
    assert subject == "agriculture (DEMONSTRATION 演示)"
    assert report.licence["valid_until"] == "2028-03-01T00:00:00Z"


def test_an_altered_signature_ends_the_report_and_shows_nothing_of_the_licence(world, sealed, token):
    report = verify(rebuilt(world, sealed, altered(sealed), token), world.trust, w.AT)
    assert found(report, 3)[0] is Outcome.FAILED
    assert codes(report)[3:5] == ["issuer_ok", "identifier_ok"]
    assert [found(report, n) for n in (6, 7, 8)] == [SKIPPED] * 3
    assert report.licence == {}


def test_without_a_path_the_signature_and_the_identifier_are_still_judged(world, sealed, bundle):
    stranger = TrustStore((w.make_root("stranger").certificate,), world.trust.log_verifiers)
    report = verify(bundle, stranger, w.AT)
    assert dict(report.steps[1].params)["subject"] == "City root (DEMONSTRATION 演示)"
    assert codes(report)[1:] == [
        "no_pinned_anchor",
        "signature_ok",
        "skipped",
        "identifier_ok",
        *["skipped"] * 3,
    ]
    # Altered besides: a definite answer.
    report = verify(replace(bundle, credential=altered(sealed)), stranger, w.AT)
    assert report.steps[2].outcome is Outcome.FAILED
    assert report.exit_code == 10


def test_a_broken_identifier_leaves_the_issuer_out(world, sealed):
    cred = resign(world.agriculture, sealed.credential, payload={"jti": "1.2.156.3005.2.X"})
    report = verify(cred, world.trust, w.AT)
    assert found(report, 4) == SKIPPED
    assert found(report, 5)[0] is Outcome.FAILED
    assert found(report, 5)[3] == "FORMAT_FAILURE"
    assert report.licence == {}


def test_a_credential_without_chain_has_no_signature_to_judge(world, sealed):
    report = verify(resign(world.agriculture, sealed.credential, header={"x5c": None}), world.trust, w.AT)
    assert found(report, 2)[:2] == (Outcome.INDETERMINATE, "no_signing_certificate")
    assert found(report, 3) == SKIPPED


@pytest.mark.parametrize(
    ("claim", "lie"),
    [
        ("ZZBS", str(mint(type_code=w.KIND.code, issuer=w.AGRICULTURE, serial="20250000009"))),
        ("ZZLXDM", w.DEFINER + "012"),
        ("ZZBFJGDM", w.FORESTRY),
    ],
)
def test_each_claim_that_repeats_the_identifier_must_agree_with_it(world, sealed, token, claim, lie):
    made = credential.Disclosure.make(claim, lie, b"2" * 16)
    cred = resign(world.agriculture, sealed.credential, payload={"_sd": [made.digest]}, disclosures=[made.encoded])
    report = both(rebuilt(world, sealed, cred, token), world.trust, w.AT)
    assert found(report, 5) == (
        Outcome.FAILED,
        "claim_differs",
        (("claim", claim),),
        "SIG_CONSTRAINTS_FAILURE",
    )


def test_a_bundle_that_names_another_licence_than_its_credential_is_refused(world, bundle):
    other = str(mint(type_code=w.KIND.code, issuer=w.AGRICULTURE, serial="20250000002"))
    report = both(replace(bundle, identifier=other), world.trust, w.AT)
    assert codes(report) == ["bundle_identifier_differs", *["skipped"] * 7]


def test_text_around_a_bundle_or_credential_does_no_harm_and_other_bytes_are_no_bundle(world, sealed, bundle):
    assert verify(f"\n {bundle.to_json()}", world.trust, w.AT).exit_code == 0
    assert verify(f" {sealed.credential}\n", world.trust, w.AT).deciding.code == "log_proof_missing"
    report = verify(b"\xff\xfe", world.trust, w.AT)
    assert found(report, 1)[:3] == (Outcome.FAILED, "json_invalid", (("what", "bundle"),))


def test_a_time_without_zone_is_an_error_of_the_program(world, bundle):
    with pytest.raises(ValueError, match="time zone"):
        verify(bundle, world.trust, w.AT.replace(tzinfo=None))


@pytest.mark.parametrize("late", [-SECOND, timedelta(0), SECOND])
def test_a_certificate_may_sign_up_to_its_last_second(world, token, late):
    key = w.make_leaf(world.root, "agriculture", w.AGRICULTURE, ends=w.ISSUED - late)
    report = verify(w.bundle_of(world, w.seal(key), token), world.trust, w.AT)
    if late > timedelta(0):
        limits = (("signed", "2025-03-01T08:00:00Z"), ("limit", "2025-03-01T07:59:59Z"))
        assert found(report, 2) == (Outcome.FAILED, "certificate_expired_at_signing", limits, "EXPIRED")
    else:
        assert report.exit_code == 0


@pytest.mark.parametrize("early", [-SECOND, timedelta(0), SECOND])
def test_a_certificate_may_sign_from_its_first_second(world, token, early):
    key = w.make_leaf(world.root, "agriculture", w.AGRICULTURE, starts=w.ISSUED + early)
    report = verify(w.bundle_of(world, w.seal(key), token), world.trust, w.AT)
    if early > timedelta(0):
        limits = (("signed", "2025-03-01T08:00:00Z"), ("limit", "2025-03-01T08:00:01Z"))
        assert found(report, 2) == (Outcome.FAILED, "certificate_not_yet_valid_at_signing", limits, "NOT_YET_VALID")
    else:
        assert report.exit_code == 0


@pytest.mark.parametrize(
    ("entered", "code"),
    [(-5 * MINUTE, "log_ok"), (-5 * MINUTE - SECOND, "log_entry_before_issue")],
)
def test_the_log_may_be_five_minutes_behind_the_signature(world, sealed, token, entered, code):
    bundle = w.bundle_of(world, sealed, token, entry=w.issued_entry(sealed, at=w.ISSUED + entered))
    report = both(bundle, world.trust, w.AT)
    assert codes(report)[5] == code
    if code != "log_ok":
        told = dict(report.steps[5].params)
        assert told == {"logged": "2025-03-01T07:54:59Z", "signed": "2025-03-01T08:00:00Z"}
        assert report.sub_indication == "LOG_PROOF_INVALID"
        assert "log" not in report.licence


@pytest.mark.parametrize("beyond", [timedelta(0), SECOND])
def test_an_entry_of_the_certificates_last_second_counts_and_a_later_one_decides_nothing(world, token, beyond):
    key = w.make_leaf(world.root, "agriculture", w.AGRICULTURE, ends=w.ISSUED + MINUTE)
    sealed = w.seal(key)
    bundle = w.bundle_of(world, sealed, token, entry=w.issued_entry(sealed, at=w.ISSUED + MINUTE + beyond))
    report = both(bundle, world.trust, w.AT)
    assert codes(report)[5] == ("logged_after_certificate" if beyond else "log_ok")
    if beyond:
        assert dict(report.steps[5].params) == {"logged": "2025-03-01T08:01:01Z", "limit": "2025-03-01T08:01:00Z"}


@pytest.mark.parametrize(
    ("facts", "code", "indication", "params"),
    [
        ({"licence": "x"}, "log_entry_other_licence", "HASH_FAILURE", {}),
        ({"credential": "sha256:" + "0" * 64}, "log_entry_digest_differs", "HASH_FAILURE", {}),
        ({"kind": "X"}, "log_entry_differs", "LOG_PROOF_INVALID", {"fact": "kind"}),
        (
            {"status": {"uri": "https://other.example/", "idx": w.IDX}},
            "log_entry_differs",
            "LOG_PROOF_INVALID",
            {"fact": "status"},
        ),
    ],
)
def test_an_entry_that_contradicts_the_licence_says_in_what(  # noqa: PLR0917 - a table's columns
    world, sealed, token, facts, code, indication, params
):
    report = verify(w.bundle_of(world, sealed, token, entry=w.issued_entry(sealed, **facts)), world.trust, w.AT)
    assert report.steps[5].code == code
    assert report.steps[5].sub_indication == indication
    assert {n: v for n, v in report.steps[5].params if n in params} == params


def test_every_broken_proof_is_a_failed_log_step_of_its_own_kind(world, sealed, bundle, token):
    wrong = Entry("grant.given", w.ISSUED, "a", "", "", "", sealed.log_facts()).encode()
    cases = {
        "log_entry_unreadable": replace(bundle, entry=b"{"),
        "log_entry_wrong_kind": w.bundle_of(world, sealed, token, entry=wrong),
        "log_key_untrusted": w.bundle_of(
            world, sealed, token, signer=w.SignerKey("log.city.example", bytes(range(32)))
        ),
        "log_proof_invalid": replace(bundle, proof="nothing"),
        "status_entry_incomplete": replace(bundle, status_token=None),
    }
    for code, broken in cases.items():
        report = verify(broken, world.trust, w.AT)
        assert found(report, 6)[0] is Outcome.FAILED, code
        assert (report.steps[5].code, report.steps[5].sub_indication) == (code, "LOG_PROOF_INVALID")
        assert "log" not in report.licence
    told = dict(verify(cases["log_entry_wrong_kind"], world.trust, w.AT).steps[5].params)
    assert told["expected"] == "licence.issued"


def test_a_proof_is_taken_only_as_it_is_written(world, bundle):
    # The same proof with another end of line: nothing that a log wrote.
    assert verify(replace(bundle, proof=bundle.proof + "\n"), world.trust, w.AT).exit_code == 13


@pytest.mark.parametrize("facts", [{"uri": "https://other.example/"}, {"token": "sha256:" + "0" * 64}])
def test_the_lists_entry_must_name_the_list_and_the_token(world, sealed, token, facts):
    good = w.bundle_of(world, sealed, token)
    told = {"uri": w.STATUS_URI, "token": status.token_digest(token)} | facts
    entry = Entry("status.published", w.ISSUED, "status", "", "", "", told).encode()
    entries = [
        *(Entry("grant.given", w.ISSUED, f"a{i}", "", "R1", "", {}).encode() for i in range(5)),
        good.entry,
        entry,
    ]
    signer = world.log_key
    bundle = replace(
        good, proof=w.prove(entries, 5, signer), status_entry=entry, status_proof=w.prove(entries, 6, signer)
    )
    report = verify(bundle, world.trust, w.AT)
    assert found(report, 6) == (Outcome.FAILED, "status_entry_differs", (), "HASH_FAILURE")


def test_the_lists_entry_must_be_proven_too(world, bundle):
    report = verify(replace(bundle, status_proof=bundle.proof), world.trust, w.AT)
    assert found(report, 6)[:2] == (Outcome.FAILED, "log_proof_invalid")


def test_both_parts_of_the_lists_entry_are_needed(world, bundle):
    for missing in ("status_entry", "status_proof", "status_token"):
        report = verify(replace(bundle, **{missing: None}), world.trust, w.AT)
        assert found(report, 6) == (Outcome.FAILED, "status_entry_incomplete", (), "LOG_PROOF_INVALID")


@pytest.mark.parametrize(
    ("value", "outcome", "code", "indication"),
    [
        (1, Outcome.FAILED, "status_revoked", "REVOKED"),
        (2, Outcome.FAILED, "status_suspended", "SUSPENDED"),
        (3, Outcome.INDETERMINATE, "status_unknown", "TRY_LATER"),
    ],
)
def test_what_the_list_says_is_told_with_its_time_and_what_was_ignored(  # noqa: PLR0917 - a table's columns
    world, sealed, value, outcome, code, indication
):
    bundle = w.bundle_of(world, sealed, w.status_token(world.status_key, value=value))
    report = verify(bundle, world.trust, w.AT, ["junk"])
    told = (("value", "3"),) if value == 3 else (("as_of", "2025-03-01T08:00:00Z"),)
    assert found(report, 7) == (outcome, code, told, indication)
    assert [n.code for n in report.steps[6].notes] == ["status_token_ignored"]
    assert dict(report.steps[6].notes[0].params)["source"] == "given 1"
    assert report.licence["status"]["value"] == value


def test_open_questions_about_the_list_say_which_and_what_was_ignored(world, sealed, bundle):
    missing = verify(w.bundle_of(world, sealed, None), world.trust, w.AT, ["junk"])
    assert found(missing, 7) == (Outcome.INDETERMINATE, "status_missing", (("uri", w.STATUS_URI),), "TRY_LATER")
    old = verify(bundle, world.trust, w.ISSUED + timedelta(days=2), ["junk"])
    limits = {"as_of": "2025-03-01T08:00:00Z", "until": "2025-03-02T08:00:00Z", "uri": w.STATUS_URI}
    assert (found(old, 7)[1], dict(old.steps[6].params), old.sub_indication) == ("status_too_old", limits, "TRY_LATER")
    far = w.seal(world.agriculture, status_ref=w.StatusRef(w.STATUS_URI, 10_000))
    outside = verify(w.bundle_of(world, far, bundle.status_token), world.trust, w.AT, ["junk"])
    assert found(outside, 7)[1:] == ("status_index_outside", (("idx", "10000"),), "TRY_LATER")
    for report in (missing, old, outside):
        assert [n.code for n in report.steps[6].notes] == ["status_token_ignored"]


@pytest.mark.parametrize(
    ("issued", "code"),
    [
        (w.ISSUED - 10 * MINUTE - SECOND, "status_missing"),
        (w.ISSUED - 10 * MINUTE, "status_ok"),
        (w.ISSUED, "status_ok"),
        (w.ISSUED + SECOND, "status_missing"),
    ],
)
def test_a_list_counts_only_if_its_signers_certificate_ran_when_it_was_made(world, sealed, issued, code):
    signer = w.make_leaf(
        world.root,
        "status",
        w.STATUS_OFFICE,
        role=w.authority.Role.STATUS,
        starts=w.ISSUED - 10 * MINUTE,
        ends=w.ISSUED,
    )
    bundle = w.bundle_of(world, sealed, w.status_token(signer, issued_at=issued))
    report = verify(bundle, world.trust, w.AT)
    assert report.steps[6].code == code
    if code != "status_ok":
        assert dict(report.steps[6].notes[0].params)["why"] == "status_signer_out_of_time"


def test_the_pinned_signer_of_lists_is_taken(world, bundle):
    der = world.status_key.certificate.public_bytes(Encoding.DER)
    pinned = replace(world.trust, status_signers=frozenset({fingerprint(der)}))
    assert verify(bundle, pinned, w.AT).exit_code == 0


def test_validity_begins_with_the_later_of_signature_and_first_day(world, token):
    starts = w.ISSUED + timedelta(hours=3)
    bundle = w.bundle_of(world, w.seal(world.agriculture, valid_from=starts, valid_until=None), token)
    early = verify(bundle, world.trust, starts - SECOND)
    assert found(early, 8) == (
        Outcome.FAILED,
        "licence_not_yet_valid",
        (("limit", "2025-03-01T11:00:00Z"),),
        "NOT_YET_VALID",
    )
    good = verify(bundle, world.trust, starts)
    assert found(good, 8) == (Outcome.PASSED, "validity_ok", (("starts", "2025-03-01T11:00:00Z"),), "")
    assert good.licence["valid_until"] is None
    assert good.licence["valid_from"] == "2025-03-01T11:00:00Z"


def test_an_ended_licence_says_when_it_ended(world, bundle):
    report = verify(bundle, world.trust, w.UNTIL)
    assert found(report, 8) == (Outcome.FAILED, "licence_expired", (("limit", "2028-03-01T00:00:00Z"),), "EXPIRED")


def revoked(world, since, reason=Reason.KEY_COMPROMISE):
    issuing = replace(world.agriculture, private_key=w.private_key("issuing"), chain=world.agriculture.chain[1:])
    entry = Revocation(world.agriculture.certificate.serial_number, since, reason)
    return authority.revocation_list(
        issuing, [entry], number=1, this_update=max(since, w.ISSUED), next_update=w.ISSUED + timedelta(days=9)
    )


def test_a_list_handed_in_decides_and_leaves_nothing_of_the_licence_to_show(world, bundle, token):
    report = verify(bundle, world.trust, w.AT, crls=[revoked(world, w.ISSUED - SECOND)])
    assert (report.steps[1].outcome, report.steps[1].code) == (Outcome.FAILED, "certificate_revoked")
    assert report.sub_indication == "REVOKED"
    assert report.licence == {}
    # Signed before, and proven by the log to have been: a note.
    later = verify(bundle, world.trust, w.AT, crls=[revoked(world, w.ISSUED + SECOND)])
    assert later.exit_code == 0
    assert "revoked_later" in [n.code for n in later.steps[1].notes]
    # Signed before by its own word alone, since the log's proof does not hold.
    broken = verify(replace(bundle, proof="nothing"), world.trust, w.AT, crls=[revoked(world, w.ISSUED + SECOND)])
    assert found(broken, 2)[0] is Outcome.INDETERMINATE
    assert found(broken, 2)[3] == "REVOKED_NO_POE"
    assert broken.exit_code == 13
    assert broken.licence == {}


def test_without_lists_nothing_is_said_of_revocation(world, bundle):
    assert verify(bundle, world.trust, w.AT).steps[1].notes == ()


def test_a_document_in_the_bundle_is_said_not_to_be_judged(world, bundle):
    report = verify(replace(bundle, documents={"pdf": b"%PDF-1.7"}), world.trust, w.AT)
    assert [(n.code, n.params) for n in report.steps[0].notes] == [("document_not_judged", (("form", "pdf"),))]


def test_an_unreadable_certificate_is_a_failure_and_not_an_open_question(world, sealed):
    junk = base64.b64encode(b"\x30\x00").decode()
    report = verify(resign(world.agriculture, sealed.credential, header={"x5c": [junk]}), world.trust, w.AT)
    assert found(report, 2)[0] is Outcome.FAILED
    assert found(report, 2)[1] == "certificate_unreadable"


def plain_leaf(world, *extensions):
    """A leaf that neither is one of a demonstration nor names an organisation."""
    return certify(world.root, "plain", LEAF, SIGNS, PURPOSE, *extensions)


def test_a_certificate_that_is_none_of_a_demonstration_is_not_called_one(world, sealed):
    report = verify(resign(plain_leaf(world), sealed.credential), world.trust, w.AT)
    assert found(report, 2)[:3] == (Outcome.PASSED, "chain_ok", (("subject", "plain"),))


def test_a_certificate_without_organisation_is_nobodys(world, sealed):
    uri = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(world.agriculture.issuer_uri)])
    report = verify(resign(plain_leaf(world, (uri, False)), sealed.credential), world.trust, w.AT)
    told = (("claimed", w.AGRICULTURE), ("certified", "?"))
    assert found(report, 4) == (Outcome.FAILED, "issuer_code_differs", told, "SIG_CONSTRAINTS_FAILURE")


def test_another_departments_code_is_told(world, sealed, token):
    cred = resign(world.forestry, sealed.credential, payload={"iss": world.forestry.issuer_uri})
    told = dict(verify(rebuilt(world, sealed, cred, token), world.trust, w.AT).steps[3].params)
    assert told == {"claimed": w.AGRICULTURE, "certified": w.FORESTRY}


def test_the_entry_of_a_wallets_licence_counts_for_no_other(world, sealed, token):
    entry = Entry("licence.bound", w.ISSUED, "hub:wallets", "", "R1", "", sealed.log_facts()).encode()
    assert found(verify(w.bundle_of(world, sealed, token, entry=entry), world.trust, w.AT), 6)[1] == (
        "log_entry_wrong_kind"
    )
    holder = Wallet(w.private_key("holder")).public_key
    bound = w.seal(world.agriculture, salts=w.salts("bound"), holder=holder)
    entry = Entry("licence.bound", w.ISSUED, "hub:wallets", "", "R1", "", bound.log_facts()).encode()
    assert verify(w.bundle_of(world, bound, token, entry=entry), world.trust, w.AT).exit_code == 0


def test_a_list_with_another_signature_or_without_certificates_is_ignored(world, sealed, token):
    head, body, signature = w.status_token(world.status_key, value=1).split(".")
    newer = w.status_token(world.status_key, issued_at=w.ISSUED + MINUTE)
    bare = {k: v for k, v in json.loads(base64.urlsafe_b64decode(head + "==")).items() if k != "x5c"}
    unsigned = base64.urlsafe_b64encode(json.dumps(bare).encode()).rstrip(b"=").decode()
    for forged, why in (
        (f"{head}.{newer.split('.')[1]}.{signature}", "signature_wrong"),
        (f"{unsigned}.{body}.{signature}", "no_signing_certificate"),
    ):
        report = verify(w.bundle_of(world, sealed, None), world.trust, w.AT, [forged])
        assert found(report, 7)[1] == "status_missing"
        assert dict(report.steps[6].notes[0].params)["why"] == why


def test_a_list_of_nobody_is_named_with_its_place_and_one_handed_in_is_not(world, bundle):
    stranger = w.make_root("stranger")
    listed = authority.revocation_list(stranger, [], number=1, this_update=w.ISSUED, next_update=w.AT)
    report = verify(replace(bundle, crls=(listed,)), world.trust, w.AT)
    assert ("enclosed_list_unused", (("number", "1"),)) in [(n.code, n.params) for n in report.steps[1].notes]


def test_who_is_not_pinned_is_an_open_question(world, bundle):
    pinned = replace(world.trust, licence_signers=frozenset({"0" * 64}))
    told = (Outcome.INDETERMINATE, "issuer_not_pinned", (), "NO_SIGNING_CERTIFICATE_FOUND")
    assert found(verify(bundle, pinned, w.AT), 4) == told


def test_notes_on_lists_name_where_each_came_from(world, sealed):
    newer = w.status_token(world.status_key, issued_at=w.AT + timedelta(hours=1))
    report = verify(replace(w.bundle_of(world, sealed, newer)), world.trust, w.AT, [newer, "junk"])
    told = [(n.code, dict(n.params)) for n in report.steps[6].notes]
    ahead = {"as_of": "2025-03-01T11:00:00Z"}
    assert told[:2] == [
        ("status_token_newer", ahead | {"source": "bundle"}),
        ("status_token_newer", ahead | {"source": "given 1"}),
    ]
    assert told[2][0] == "status_token_ignored"
    assert (told[2][1]["source"], told[2][1]["claim"]) == ("given 2", "")


def test_times_are_told_to_the_second(world, sealed, token):
    entry = w.issued_entry(sealed, at=w.ISSUED + timedelta(microseconds=5))
    report = verify(w.bundle_of(world, sealed, token, entry=entry), world.trust, w.AT)
    assert report.licence["log"]["at"] == "2025-03-01T08:00:00Z"
