"""A PDF whose signatures hold, judged: who signed, since when that is proven, and what nobody vouches for."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography.x509 import ObjectIdentifier
from cryptography.x509.oid import ExtendedKeyUsageOID

from licence import authority
from licence.crl import Revocation
from licence.errors import FormatError
from licence.pdf.read import Coverage, PdfFacts, PdfSignature, PdfStamp
from licence.profile import LICENCE_SIGNING
from licence.report import Note, Outcome, Verdict
from licence.suites import ECDSA_P256_SHA256
from licence.timestamping import TimeStampingAuthority, stamp
from licence.timestamps import TimeStamp
from licence.trust import TrustStore, fingerprint
from licence.verifying import case as c
from licence.verifying import pdf
from licence.verifying.pdf import judge_pdf
from licence.verifying.report import DocumentReport, Form, Section
from tests.licence import world as w

SECOND, HOUR, DAY = timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)
SUITE = ECDSA_P256_SHA256
PASSED, FAILED, OPEN, SKIPPED = (Outcome.PASSED, Outcome.FAILED, Outcome.INDETERMINATE, Outcome.SKIPPED)
VALUE = b"signature value"
MARK = "\N{REPLACEMENT CHARACTER}"
LOOSE = Note("judge_certificates_loose")


@pytest.fixture(scope="module")
def issuing(world):
    return authority.certify_authority(
        world.root, w.private_key("issuing"), name="City issuing CA", starts=w.STARTS, ends=w.ENDS, serial=2
    )


@pytest.fixture(scope="module")
def tsa(issuing):
    return w.make_leaf(issuing, "tsa", w.STATUS_OFFICE, role=authority.Role.TIME_STAMPS)


@pytest.fixture(scope="module")
def case(world):
    return c.Case(b"x" * 100, world.trust, w.AT)


@pytest.fixture
def ask(case, monkeypatch):
    """Judges a file of which reading found what is given."""

    def asked(found, **changes):
        monkeypatch.setattr(pdf, "read_signatures", lambda *arguments: asked.read.append(arguments) or found)
        return judge_pdf(replace(case, **changes))

    asked.read = []
    return asked


def signature(key, **changes):
    fields = {
        "field": "Seal",
        "chain": key.chain_der,
        "suite": SUITE,
        "coverage": Coverage.WHOLE_FILE,
        "certification": 1,
        "claimed_at": w.ISSUED,
        "name": "Bureau",
        "reason": "issue",
        "signature": VALUE,
        "stamps": (),
        "gap": (10, 20),
        "unsigned": (),
    }
    return PdfSignature(**(fields | changes))


def facts(*signatures, **changes):
    fields = {"stamps": (), "certificates": (), "crls": (), "ocsps": (), "loose_from": 100, "keywords": "a, b"}
    return PdfFacts(signatures, **(fields | changes))


def token(tsa, at, data=VALUE):
    return stamp(TimeStampingAuthority(tsa, lambda: at, itertools.count(9)), data, suites=[SUITE])


def document_stamp(tsa, at, field="Stamp"):
    return PdfStamp(field, Coverage.WHOLE_FILE, TimeStamp(at, 1, b"", tsa.chain_der, SUITE), archives=False)


def told(report, section=Section.PDF_SIGNATURE):
    return [
        [(s.outcome, s.code, s.sub_indication) for s in part.steps] for part in report.parts if part.section is section
    ]


def subject_of(key, case):
    return c.lead(key.chain_der, case).subject


def test_a_good_one_is_told_whole(ask, world, case):
    key = world.agriculture
    report = ask(facts(signature(key, field="Se\nal", name="n\n", reason="r\n"), keywords="k\n"))
    assert ask.read == [(case.data, [SUITE])]
    subject = subject_of(key, case)
    assert [(s.number, s.name, s.outcome, s.code, s.params, s.notes) for s in report.steps] == [
        (1, "format", PASSED, "judge_pdf_ok", (("level", "B-B"), ("signatures", "1"), ("stamps", "0")), ()),
        (2, "signature", PASSED, "judge_pdf_signature_ok", (("suite", SUITE),), ()),
        (3, "time_stamp", PASSED, "judge_no_time_stamp", (), ()),
        (4, "chain", PASSED, "chain_ok_demonstration", (("subject", subject),), ()),
        (5, "issuer", PASSED, "judge_signer_ok", (("subject", subject), ("ends", "2035-01-01T00:00:00Z")), ()),
    ]
    assert [(p.section, p.label) for p in report.parts] == [
        (Section.PDF, ""),
        (Section.PDF_SIGNATURE, f"Se{MARK}al"),
    ]
    assert report.facts == {
        "signatures": [
            {
                "signer": subject,
                "organisation_code": w.AGRICULTURE,
                "demonstration": True,
                "signed_at": "2025-03-01T08:00:00Z",
                "proven_at": None,
                "certification": 1,
                "reason": f"r{MARK}",
            }
        ],
        "level": "B-B",
        "keywords": f"k{MARK}",
        "unauthenticated": [],
    }
    assert report.observed == {
        "level": "B-B",
        "signatures": [
            {
                "field": f"Se{MARK}al",
                "chain": [fingerprint(der) for der in key.chain_der],
                "suite": SUITE,
                "coverage": "whole-file",
                "certification": 1,
                "claimed_at": "2025-03-01T08:00:00Z",
                "claimed_name": f"n{MARK}",
                "claimed_reason": f"r{MARK}",
                "time_stamps": 0,
            }
        ],
        "document_time_stamps": [],
        "material": {"certificates": 0, "crls": 0, "ocsps": 0},
    }
    assert (report.form, report.at, report.verdict) == (Form.PDF, w.AT, Verdict.PASSED)


def test_what_cannot_be_read_or_is_not_signed_is_one_part_of_it(ask, monkeypatch, case, tsa):
    unsigned = ask(facts(stamps=(document_stamp(tsa, w.ISSUED),)))
    finding = c.failed("pdf_not_signed", "FORMAT_FAILURE")
    assert unsigned == DocumentReport(Form.PDF, (c.part(Section.PDF, [finding], first=1),), w.AT)

    def refuses(*_):
        raise FormatError("cms_suite_not_allowed", sub_indication="CRYPTO_CONSTRAINTS_FAILURE", what="x")

    monkeypatch.setattr(pdf, "read_signatures", refuses)
    finding = c.undecided("cms_suite_not_allowed", "CRYPTO_CONSTRAINTS_FAILURE", what="x")
    assert judge_pdf(case) == DocumentReport(Form.PDF, (c.part(Section.PDF, [finding], first=1),), w.AT)


class TestSigner:
    @pytest.mark.parametrize(
        ("purposes", "good"),
        [
            ([], True),
            ([LICENCE_SIGNING], True),
            ([ObjectIdentifier("1.3.6.1.5.5.7.3.36")], True),
            ([ExtendedKeyUsageOID.EMAIL_PROTECTION], True),
            ([ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE], True),
            ([ExtendedKeyUsageOID.TIME_STAMPING], False),
            ([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.OCSP_SIGNING], False),
            ([ExtendedKeyUsageOID.SERVER_AUTH, LICENCE_SIGNING], True),
        ],
    )
    def test_is_certified_for_documents_or_for_nothing_in_particular(self, ask, world, monkeypatch, purposes, good):
        lead = c.lead
        monkeypatch.setattr(c, "lead", lambda *a: replace(lead(*a), purposes=frozenset(purposes)))
        report = ask(facts(signature(world.agriculture)))
        found = told(report)[0][3]
        assert found == (
            (PASSED, "judge_signer_ok", "") if good else (FAILED, "judge_signer_purpose", "SIG_CONSTRAINTS_FAILURE")
        )
        if not good:
            assert report.steps[-1].params == (
                ("subject", subject_of(world.agriculture, c.Case(b"", world.trust, w.AT))),
            )
            assert report.facts == {}

    def test_is_who_is_pinned(self, ask, world):
        key = world.agriculture
        for pin, found in (
            (fingerprint(key.chain_der[0]), (PASSED, "judge_signer_ok", "")),
            ("0" * 64, (OPEN, "issuer_not_pinned", "NO_SIGNING_CERTIFICATE_FOUND")),
        ):
            trust = TrustStore(world.trust.anchors, world.trust.log_verifiers, licence_signers=frozenset({pin}))
            assert told(ask(facts(signature(key)), trust=trust))[0][3] == found

    def test_one_that_leads_nowhere_is_open_and_no_word_is_said_of_it(self, ask, world):
        stranger = w.make_leaf(w.make_root("stranger"), "x", w.AGRICULTURE)
        report = ask(facts(signature(stranger)))
        assert told(report)[0][2:] == [
            (OPEN, "no_pinned_anchor", "NO_CERTIFICATE_CHAIN_FOUND"),
            (SKIPPED, "skipped", ""),
        ]
        assert report.facts == {}

    def test_each_of_several_must_hold(self, ask, world):
        stranger = w.make_leaf(w.make_root("stranger"), "x", w.AGRICULTURE)
        first, second = signature(world.agriculture), signature(world.forestry, field="Second", claimed_at=None)
        report = ask(facts(first, second))
        assert [s.number for s in report.steps] == list(range(1, 10))
        assert [f["organisation_code"] for f in report.facts["signatures"]] == [w.AGRICULTURE, w.FORESTRY]
        assert report.facts["signatures"][1]["signed_at"] is None
        assert report.observed["signatures"][1]["claimed_at"] is None
        for signatures in ((first, signature(stranger)), (signature(stranger), first)):
            assert ask(facts(*signatures)).verdict is Verdict.INDETERMINATE

    def test_the_signers_word_counts_and_what_is_proven(self, ask, issuing):
        key = w.make_leaf(issuing, "agriculture", w.AGRICULTURE, starts=w.ISSUED, ends=w.ISSUED + HOUR)
        late = ask(facts(signature(key, claimed_at=w.ISSUED + HOUR + SECOND)))
        assert told(late)[0][2] == (FAILED, "certificate_expired_at_signing", "EXPIRED")
        assert told(late)[0][3][0] is PASSED
        assert told(ask(facts(signature(key))))[0][2] == (OPEN, "judge_no_proof_of_time", "OUT_OF_BOUNDS_NO_POE")

    def test_a_chain_that_is_no_demonstrations_says_so(self, ask, world, monkeypatch):
        lead = c.lead
        monkeypatch.setattr(c, "lead", lambda *a: replace(lead(*a), demonstration=False))
        report = ask(facts(signature(world.agriculture)))
        assert told(report)[0][2] == (PASSED, "chain_ok", "")
        assert report.facts["signatures"][0]["demonstration"] is False


class TestStampsOfASignature:
    def test_the_earliest_of_those_that_hold_is_what_is_proven(self, ask, world, tsa, case):
        early, late = w.ISSUED + SECOND, w.ISSUED + HOUR
        for times in ((early, late), (late, early)):
            report = ask(facts(signature(world.agriculture, stamps=tuple(token(tsa, at) for at in times))))
            assert told(report)[0][1] == (PASSED, "judge_time_stamp_ok", "")
            assert report.facts["signatures"][0]["proven_at"] == "2025-03-01T08:00:01Z"
            assert dict(report.steps[2].params)["stamped"] == c.iso(times[1])
            assert report.observed["signatures"][0]["time_stamps"] == 2
            assert report.facts["level"] == "B-T"

    def test_a_stamp_of_something_else_fails_and_proves_nothing(self, ask, world, tsa):
        for tokens in ([b"no"], [token(tsa, w.ISSUED), token(tsa, w.ISSUED, b"other")]):
            report = ask(facts(signature(world.agriculture, stamps=tuple(tokens))))
            assert told(report)[0][1][0] is FAILED
            assert report.facts == {}

    def test_one_that_fails_or_is_open_proves_nothing_and_the_chain_is_judged_without(self, ask, issuing, tsa):
        key = w.make_leaf(issuing, "agriculture", w.AGRICULTURE, ends=w.ISSUED + HOUR)
        stranger = w.make_leaf(w.make_root("x"), "tsa", w.STATUS_OFFICE, role=authority.Role.TIME_STAMPS)
        held = token(tsa, w.ISSUED)
        assert told(ask(facts(signature(key, stamps=(held,)))))[0][2][0] is PASSED
        for bad in (token(stranger, w.ISSUED), b"no"):
            for stamps in ((bad,), (held, bad), (bad, held)):
                found = told(ask(facts(signature(key, stamps=stamps))))[0]
                assert found[1][0] is (FAILED if bad == b"no" else OPEN)
                assert found[2] == (OPEN, "judge_no_proof_of_time", "OUT_OF_BOUNDS_NO_POE")

    def test_one_before_the_signers_word_contradicts_it(self, ask, world, tsa):
        early = token(tsa, w.ISSUED - timedelta(minutes=5) - SECOND)
        report = ask(facts(signature(world.agriculture, stamps=(early,))))
        assert told(report)[0][1] == (FAILED, "judge_time_stamp_contradicts", "TIMESTAMP_ORDER_FAILURE")

    def test_a_document_stamp_proves_it_too_and_the_earlier_counts(self, ask, world, tsa):
        minute = timedelta(minutes=1)
        for inner, outer, proven in (
            (w.ISSUED + minute, w.ISSUED + HOUR, "2025-03-01T08:01:00Z"),
            (w.ISSUED + HOUR, w.ISSUED + minute, "2025-03-01T08:01:00Z"),
        ):
            signed = signature(world.agriculture, stamps=(token(tsa, inner),))
            report = ask(facts(signed, stamps=(document_stamp(tsa, outer),)))
            assert report.facts["signatures"][0]["proven_at"] == proven


class TestStampsOfTheDocument:
    def test_are_told_in_their_order_and_numbered_on(self, ask, world, tsa):
        first, second = w.ISSUED + HOUR / 2, w.ISSUED + HOUR
        stamps = (document_stamp(tsa, first, "A\n"), document_stamp(tsa, second, "B"))
        report = ask(facts(signature(world.agriculture), stamps=stamps, certificates=(b"c",), ocsps=(b"o",)))
        assert [s.number for s in report.steps] == list(range(1, 8))
        assert [p.label for p in report.parts] == ["", "Seal", f"A{MARK}", "B"]
        assert told(report, Section.PDF_TIME_STAMP) == [[(PASSED, "judge_time_stamp_ok", "")]] * 2
        stamped = [dict(p.steps[0].params)["stamped"] for p in report.parts[2:]]
        assert stamped == ["2025-03-01T08:30:00Z", "2025-03-01T09:00:00Z"]
        assert report.facts["signatures"][0]["proven_at"] == "2025-03-01T08:30:00Z"
        assert dict(report.steps[0].params) == {"level": "B-LT", "signatures": "1", "stamps": "2"}
        assert report.observed["document_time_stamps"] == [
            {
                "field": name,
                "time": c.iso(at),
                "chain": [fingerprint(der) for der in tsa.chain_der],
                "coverage": "whole-file",
            }
            for name, at in ((f"A{MARK}", first), ("B", second))
        ]
        assert report.observed["material"] == {"certificates": 1, "crls": 0, "ocsps": 1}

    def test_a_later_one_carries_the_earlier_beyond_its_end(self, ask, world, issuing, tsa):
        brief = w.make_leaf(issuing, "brief", w.STATUS_OFFICE, role=authority.Role.TIME_STAMPS, ends=w.ISSUED + HOUR)
        early, later = document_stamp(brief, w.ISSUED + SECOND), document_stamp(tsa, w.ISSUED + HOUR)
        signed = signature(world.agriculture)
        alone = ask(facts(signed, stamps=(early,)))
        assert told(alone, Section.PDF_TIME_STAMP) == [[(OPEN, "judge_no_proof_of_time", "OUT_OF_BOUNDS_NO_POE")]]
        both = ask(facts(signed, stamps=(early, later)))
        assert both.verdict is Verdict.PASSED
        # And the signature's own stamp by the same authority.
        inner = signature(world.agriculture, stamps=(token(brief, w.ISSUED),))
        assert ask(facts(inner)).verdict is Verdict.INDETERMINATE
        assert ask(facts(inner, stamps=(later,))).verdict is Verdict.PASSED

    def test_one_that_is_not_trusted_proves_nothing(self, ask, issuing, tsa):
        key = w.make_leaf(issuing, "agriculture", w.AGRICULTURE, ends=w.ISSUED + HOUR)
        stranger = w.make_leaf(w.make_root("x"), "tsa", w.STATUS_OFFICE, role=authority.Role.TIME_STAMPS)
        report = ask(facts(signature(key), stamps=(document_stamp(stranger, w.ISSUED),)))
        assert told(report)[0][2] == (OPEN, "judge_no_proof_of_time", "OUT_OF_BOUNDS_NO_POE")
        assert told(report, Section.PDF_TIME_STAMP)[0][0][:2] == (OPEN, "no_pinned_anchor")
        assert ask(facts(signature(key), stamps=(document_stamp(tsa, w.ISSUED),))).verdict is Verdict.PASSED

    def test_the_signers_word_is_not_held_against_it(self, ask, world, tsa):
        signed = signature(world.agriculture)
        report = ask(facts(signed, stamps=(document_stamp(tsa, w.ISSUED - DAY),)))
        assert told(report, Section.PDF_TIME_STAMP)[0][0][0] is PASSED


class TestLooseBytes:
    def test_material_behind_the_last_signature_is_told_with_its_size(self, ask, world):
        report = ask(facts(signature(world.agriculture), loose_from=99))
        assert report.steps[0].notes == (Note("judge_pdf_material_loose", (("size", "1"),)),)
        assert report.facts["unauthenticated"] == ["judge_pdf_material_loose"]

    def test_attributes_are_told_with_the_field(self, ask, world):
        signed = (signature(world.agriculture), signature(world.agriculture, field="B\n", unsigned=(b"x",)))
        report = ask(facts(*signed))
        assert report.steps[0].notes == (Note("judge_pdf_attributes_loose", (("field", f"B{MARK}"),)),)
        assert report.facts["unauthenticated"] == ["judge_pdf_attributes_loose"]

    def test_certificates_beside_a_signature_that_lead_elsewhere_are_told(self, ask, world, case):
        key = world.agriculture
        stray = (*key.chain_der, world.forestry.chain_der[0])
        report = ask(facts(signature(key, chain=stray)))
        assert report.steps[3].notes == (LOOSE,)
        assert report.facts["unauthenticated"] == ["judge_certificates_loose"]
        whole = (*key.chain_der, *world.trust.anchors_der)
        assert ask(facts(signature(key, chain=whole))).steps[3].notes == ()
        bad = ask(facts(signature(key, chain=stray, claimed_at=w.AT + DAY)))
        assert (bad.steps[3].outcome, bad.steps[3].notes) == (FAILED, ())

    def test_other_notes_are_no_loose_bytes(self, ask, world, issuing):
        serial = world.forestry.certificate.serial_number
        term = {"number": 1, "this_update": w.AT, "next_update": w.UNTIL}
        crl = authority.revocation_list(issuing, [Revocation(serial, w.ISSUED)], **term)
        report = ask(facts(signature(world.agriculture)), crls=(crl,))
        assert [n.code for n in report.steps[3].notes] == ["revocation_checked", "revocation_unknown"]
        assert report.facts["unauthenticated"] == []


def test_what_the_file_brings_helps_and_speaks_against_it(ask, world, issuing):
    key = world.agriculture
    bare = signature(key, chain=key.chain_der[:1])
    assert told(ask(facts(bare)))[0][2][1] == "no_pinned_anchor"
    assert ask(facts(bare, certificates=key.chain_der[1:])).verdict is Verdict.PASSED
    term = {"number": 1, "this_update": w.AT, "next_update": w.UNTIL}
    crl = authority.revocation_list(issuing, [Revocation(key.certificate.serial_number, w.ISSUED)], **term)
    report = ask(facts(signature(key), crls=(crl,)))
    assert told(report)[0][2] == (FAILED, "certificate_revoked", "REVOKED")


def test_the_marks_of_a_copy_are_read_from_the_keywords(ask, world):
    report = ask(facts(signature(world.agriculture), keywords="zhengtong.copy=K1"))
    assert report.parts[-1].section is Section.COPY
    assert report.deciding.code == "copy_unreadable"
