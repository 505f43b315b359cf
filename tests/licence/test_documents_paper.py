"""PDF and OFD at the one door: what passes, what stays open, and that no altered byte passes unseen."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, timedelta

import pytest

pytest.importorskip("typst", reason="needs the extra `documents`")
pytest.importorskip("fontTools", reason="needs the extra `documents`")
pytest.importorskip("noto_cjk_sans_otc", reason="needs the font package of the extra `documents`")

from licence import authority, timestamps
from licence.crl import Revocation
from licence.ofd.container import pack, unpack
from licence.ofd.layout import Box
from licence.ofd.seal import SIGNATURE_PATH, Stamp, seal
from licence.pdf.read import read_signatures
from licence.report import Outcome, Verdict
from licence.trust import TrustStore
from licence.verifying import Form, judge
from tests.licence import world as w
from tests.licence.ofd import paper
from tests.licence.pdf import papers
from tests.licence.seals import city as c

SEAL = "Doc_0/Signs/Sign_0/Seal.esl"


@pytest.fixture(scope="module")
def pdf(world):
    return papers.sealed(world.agriculture)


@pytest.fixture(scope="module")
def tsa(world):
    return papers.stamping_key(world.root)


@pytest.fixture(scope="module")
def city():
    return c.make_city()


@pytest.fixture(scope="module")
def trust(city, world):
    return TrustStore((city.root.certificate,), world.trust.log_verifiers)


def ofd_of(city, *, property_info=SIGNATURE_PATH, shown=None):
    made = c.new_seal(city)

    def sign(digest):
        return c.applied(city, made, document_digest=digest, property_info=property_info).raw

    at = c.SIGNED.astimezone(UTC).strftime("%Y%m%d%H%M%SZ")
    return seal(paper.small_files(), Stamp(shown or made.raw, Box(130, 215, 42, 42), at), sign)


@pytest.fixture(scope="module")
def ofd(city):
    return ofd_of(city)


def judge_ofd(city, trust, data, at=c.AT, **options):
    return judge(data, trust, at, certificates=city.issuing.chain_der[:1], **options)


def stranger(world):
    return TrustStore((w.make_root("stranger").certificate,), world.trust.log_verifiers)


class TestPdf:
    def test_passes_and_says_by_whom(self, world, pdf):
        found = judge(pdf, world.trust, w.AT)
        assert (found.form, found.verdict, found.exit_code) == (Form.PDF, Verdict.PASSED, 0), found.text("en")
        assert found.facts["signatures"][0]["organisation_code"] == w.AGRICULTURE
        assert "二维码" in found.text("zh").splitlines()[0]

    def test_a_strangers_is_open(self, world, pdf):
        found = judge(pdf, stranger(world), w.AT)
        assert (found.verdict, found.sub_indication) == (Verdict.INDETERMINATE, "NO_CERTIFICATE_CHAIN_FOUND")
        assert (found.exit_code, found.facts) == (11, {})
        assert found.observed["signatures"][0]["coverage"] == "whole-file"

    def test_a_suite_that_policy_does_not_list_is_open(self, world, pdf):
        trust = TrustStore(world.trust.anchors, world.trust.log_verifiers, suites=frozenset({"sm2-sm3"}))
        assert judge(pdf, trust, w.AT).sub_indication == "CRYPTO_CONSTRAINTS_FAILURE"

    def test_unsigned_is_refused(self, world):
        found = judge(papers.page(), world.trust, w.AT)
        assert (found.deciding.code, found.exit_code) == ("pdf_not_signed", 10)

    def test_the_time_asked_about_counts_where_none_is_proven(self, world, pdf):
        found = judge(pdf, world.trust, w.ENDS + timedelta(days=1))
        assert (found.verdict, found.sub_indication) == (Verdict.INDETERMINATE, "OUT_OF_BOUNDS_NO_POE")
        found = judge(pdf, world.trust, w.ISSUED - timedelta(days=1))
        assert (found.verdict, found.sub_indication) == (Verdict.FAILED, "NOT_YET_VALID")

    def test_a_key_for_status_lists_signs_no_documents(self, world):
        found = judge(papers.sealed(world.status_key), world.trust, w.AT)
        assert (found.deciding.code, found.sub_indication) == ("judge_signer_purpose", "SIG_CONSTRAINTS_FAILURE")

    def test_who_pins_signers_takes_no_other(self, world, pdf):
        trust = TrustStore(world.trust.anchors, world.trust.log_verifiers, licence_signers=frozenset({"0" * 64}))
        assert judge(pdf, trust, w.AT).deciding.code == "issuer_not_pinned"

    @pytest.mark.parametrize(
        ("when", "expected"),
        [
            (w.ISSUED - timedelta(hours=1), (Verdict.FAILED, "REVOKED")),
            (w.ISSUED + timedelta(hours=1), (Verdict.INDETERMINATE, "REVOKED_NO_POE")),
        ],
    )
    def test_a_revoked_signer(self, world, pdf, when, expected):
        issuing = authority.certify_authority(
            world.root, w.private_key("issuing"), name="City issuing CA", starts=w.STARTS, ends=w.ENDS, serial=2
        )
        entries = [Revocation(world.agriculture.certificate.serial_number, when)]
        crl = authority.revocation_list(issuing, entries, number=1, this_update=w.AT, next_update=w.UNTIL)
        found = judge(pdf, world.trust, w.AT, crls=[crl])
        assert (found.verdict, found.sub_indication) == expected

    def test_no_byte_may_change(self, world, pdf):
        places = [*range(0, len(pdf), len(pdf) // 120), *range(len(pdf) - 60, len(pdf))]
        for place in places:
            altered = pdf[:place] + bytes([pdf[place] ^ 1 << place % 8]) + pdf[place + 1 :]
            assert judge(altered, world.trust, w.AT).exit_code != 0, place


class TestStamped:
    def judge(self, monkeypatch, world, pdf, tsa, at, **options):
        """With a time stamp of *at* inside the signature, where its bytes are not signed."""
        facts = read_signatures(pdf, papers.SUITES)
        (signature,) = facts.signatures
        asked = timestamps.parse_request(timestamps.request(signature.signature, suite=tsa.suite, nonce=None))
        token = timestamps.token_of(timestamps.respond(asked, tsa, at=at, serial=1))
        stamped = replace(facts, signatures=(replace(signature, stamps=(token,)),))
        monkeypatch.setattr("licence.verifying.pdf.read_signatures", lambda *_: stamped)
        return judge(pdf, world.trust, w.AT, **options)

    def test_a_stamp_proves_the_time(self, monkeypatch, world, tsa, pdf):
        issuing = authority.certify_authority(
            world.root, w.private_key("issuing"), name="City issuing CA", starts=w.STARTS, ends=w.ENDS, serial=2
        )
        entries = [Revocation(world.agriculture.certificate.serial_number, w.ISSUED + timedelta(hours=1))]
        crl = authority.revocation_list(issuing, entries, number=1, this_update=w.AT, next_update=w.UNTIL)
        found = self.judge(monkeypatch, world, pdf, tsa, w.ISSUED, crls=[crl])
        assert found.verdict is Verdict.PASSED, found.text("en")
        assert "judge_time_stamp_ok" in [s.code for s in found.steps]
        late = self.judge(monkeypatch, world, pdf, tsa, w.ISSUED + timedelta(minutes=90), crls=[crl])
        assert late.sub_indication == "REVOKED_NO_POE"

    def test_a_stamp_before_the_signing_contradicts_it(self, monkeypatch, world, tsa, pdf):
        found = self.judge(monkeypatch, world, pdf, tsa, w.ISSUED - timedelta(hours=1))
        assert (found.verdict, found.deciding.code) == (Verdict.FAILED, "judge_time_stamp_contradicts")

    def test_a_strangers_stamp_is_open(self, monkeypatch, world, pdf):
        other = papers.stamping_key(w.make_root("stranger"))
        found = self.judge(monkeypatch, world, pdf, other, w.ISSUED)
        assert (found.verdict, found.deciding.name) == (Verdict.INDETERMINATE, "time_stamp")
        assert found.sub_indication == "NO_CERTIFICATE_CHAIN_FOUND"


class TestOfd:
    def test_passes_and_says_what_it_holds(self, city, trust, ofd):
        found = judge_ofd(city, trust, ofd)
        assert (found.form, found.verdict, found.exit_code) == (Form.OFD, Verdict.PASSED, 0), found.text("en")
        assert [s.number for s in found.steps] == list(range(1, 16))
        assert found.facts["custom"]["ZZBS"] == paper.IDENTIFIER
        assert found.facts["unauthenticated"] == []
        assert found.facts["seals"][0]["name"] == c.NAME

    def test_a_strangers_is_open(self, city, world, ofd):
        found = judge_ofd(city, stranger(world), ofd)
        assert (found.verdict, found.sub_indication) == (Verdict.INDETERMINATE, "NO_CERTIFICATE_CHAIN_FOUND")
        assert (found.exit_code, found.facts) == (11, {})

    def test_a_signature_made_for_another_place_is_refused(self, city, trust):
        found = judge_ofd(city, trust, ofd_of(city, property_info="/Doc_1/Signature.xml"))
        assert (found.deciding.code, found.exit_code) == ("judge_place_differs", 10)
        assert judge_ofd(city, trust, ofd_of(city, property_info=SIGNATURE_PATH[1:])).exit_code == 0

    def test_another_seal_in_the_container_is_refused(self, city, trust):
        other = c.new_seal(city, seal_id="SEAL-2").raw
        found = judge_ofd(city, trust, ofd_of(city, shown=other))
        assert (found.deciding.code, found.exit_code) == ("judge_container_seal_differs", 10)

    def test_an_added_file_is_refused(self, city, trust, ofd):
        found = judge_ofd(city, trust, pack({**unpack(ofd).files, "Doc_0/more.xml": b"<a/>"}))
        assert (found.deciding.code, found.exit_code) == ("ofd_uncovered", 10)

    def test_what_nobody_vouches_for_is_named(self, city, trust, ofd):
        # The time of the first entry of the ZIP, local header and directory alike.
        noted = 0
        for place in (ofd.index(b"PK\x01\x02") + 12,):
            altered = ofd[:place] + bytes([ofd[place] ^ 1]) + ofd[place + 1 :]
            found = judge_ofd(city, trust, altered)
            if found.exit_code == 0:
                noted += 1
                assert found.facts["unauthenticated"] == ["zip"]
                assert "judge_coverage_but" in [s.code for s in found.steps]
        assert noted or found.verdict is Verdict.FAILED

    def test_no_byte_passes_unseen(self, city, trust, ofd):
        whole = judge_ofd(city, trust, ofd).facts
        for place in range(0, len(ofd), max(1, len(ofd) // 250)):
            altered = ofd[:place] + bytes([ofd[place] ^ 1 << place % 8]) + ofd[place + 1 :]
            found = judge_ofd(city, trust, altered)
            if found.exit_code == 0:
                assert found.facts == whole | {"unauthenticated": ["zip"]}, place

    def test_both_languages_name_every_step(self, city, trust, ofd):
        found = judge_ofd(city, trust, ofd)
        assert len(re.findall(r"^ \d+\. .+ — 通过 — ", found.text("zh"), re.MULTILINE)) == len(found.steps)
        assert all(s.outcome is Outcome.PASSED for s in found.steps)
