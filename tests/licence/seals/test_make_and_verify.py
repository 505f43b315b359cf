"""Seals made and applied by us, judged by us: what passes, and each thing that must not."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from licence.errors import FormatError, SealRefusedError, TrustEmptyError
from licence.profile import SEAL_MAKING
from licence.report import Outcome, Verdict
from licence.seals import make
from licence.seals.algorithms import sm3
from licence.seals.encode import write_seal, write_signature
from licence.seals.report import STEPS, Subject
from licence.seals.structure import V4, V5, Digest, Extension, parse_signature
from licence.seals.trust import SealTrust
from licence.seals.verify import verify_seal, verify_signature
from tests.licence import world as w
from tests.licence.seals import city as c


def judge(city, signature, at=c.AT, digest=c.DIGEST, trust=None, **options):
    return verify_signature(signature.raw, digest, trust or city.trust, at, **options)


@pytest.mark.parametrize("version", [V4, V5])
@pytest.mark.parametrize("hashed", [False, True])
def test_made_applied_and_verified(city, version, hashed):
    seal = c.new_seal(city, version=version, hashed=hashed)
    assert verify_seal(seal.raw, city.trust, c.AT).verdict is Verdict.PASSED
    report = judge(city, c.applied(city, seal))
    assert report.verdict is Verdict.PASSED, report.text("en")
    assert [s.name for s in report.steps] == [n for n, _, _ in STEPS[Subject.SIGNATURE]]
    assert (report.facts["name"], report.facts["signed_at"]) == (c.NAME, "2025-03-01T08:00:00Z")


def test_the_report_speaks_both_languages(city, signature):
    report = judge(city, signature)
    assert "电子签章有效" in report.text("zh")
    assert f"印章：{c.NAME}（SEAL-1）" in report.text("zh")
    assert "validly applied" in report.text("en")
    document = json.loads(report.to_json())
    assert (document["verdict"], len(document["steps"])) == ("TOTAL-PASSED", 11)
    bad = judge(city, signature, digest=bytes(32))
    assert "原文杂凑值不符" in bad.text("zh")
    assert (bad.deciding.name, bad.sub_indication) == ("document", "HASH_FAILURE")


@pytest.mark.parametrize("mask", [0x01, 0x80, 0xFF])
def test_no_byte_of_a_seal_may_change(city, seal, mask):
    for i in range(len(seal.raw)):
        altered = bytearray(seal.raw)
        altered[i] ^= mask
        assert verify_seal(bytes(altered), city.trust, c.AT).verdict is not Verdict.PASSED, i


@pytest.mark.parametrize("mask", [0x01, 0x80, 0xFF])
def test_no_byte_of_a_signature_may_change(city, signature, mask):
    for i in range(len(signature.raw)):
        altered = bytearray(signature.raw)
        altered[i] ^= mask
        report = verify_signature(bytes(altered), c.DIGEST, city.trust, c.AT)
        assert report.verdict is not Verdict.PASSED, i


def test_no_byte_may_be_missing(city, signature):
    for i in range(len(signature.raw)):
        assert verify_signature(signature.raw[:i], c.DIGEST, city.trust, c.AT).verdict is Verdict.FAILED
    assert verify_signature(signature.raw + b"\0", c.DIGEST, city.trust, c.AT).deciding.code == "seal_not_der"


class TestMaker:
    def test_a_custodians_certificate_makes_no_seals(self, city):
        report = judge(city, c.applied(city, c.new_seal(city, maker=city.custodian)))
        assert (report.verdict, report.deciding.code) == (Verdict.INDETERMINATE, "seal_maker_not_known")
        assert report.facts == {}

    def test_a_pinned_maker_needs_no_purpose(self, city):
        import hashlib

        seal = c.new_seal(city, maker=city.other)
        pinned = replace(city.trust, makers=frozenset({hashlib.sha256(city.other.chain_der[0]).hexdigest()}))
        assert verify_seal(seal.raw, pinned, c.AT).verdict is Verdict.PASSED
        assert verify_seal(seal.raw, city.trust, c.AT).verdict is Verdict.INDETERMINATE

    def test_a_strangers_authority_counts_for_nothing(self, city):
        stranger = w.make_root("stranger")
        seal = c.new_seal(city, maker=c.certify(stranger, "maker", SEAL_MAKING))
        report = verify_seal(seal.raw, city.trust, c.AT)
        assert report.deciding.code == "no_pinned_anchor"
        assert report.verdict is Verdict.INDETERMINATE

    def test_expired_since_is_a_warning(self, city):
        maker = c.certify(city.issuing, "brief maker", SEAL_MAKING, ends=c.MADE + timedelta(days=1))
        report = judge(city, c.applied(city, c.new_seal(city, maker=maker)))
        assert report.verdict is Verdict.PASSED
        assert report.step("maker").notes[0].code == "seal_maker_expired_since"

    @pytest.mark.parametrize("days", [(-10, -1), (1, 10)])
    def test_not_valid_when_made_is_a_failure(self, city, days):
        starts, ends = (c.MADE + timedelta(days=d) for d in days)
        maker = c.certify(city.issuing, "late maker", SEAL_MAKING, starts=starts, ends=ends)
        report = verify_seal(c.new_seal(city, maker=maker).raw, city.trust, c.AT)
        assert report.deciding.code == "seal_maker_not_valid_when_made"


class TestTimes:
    def test_a_seal_made_in_the_future(self, city, seal):
        report = verify_seal(seal.raw, city.trust, c.MADE - timedelta(hours=1))
        assert (report.step("created").code, report.verdict) == ("seal_made_in_future", Verdict.FAILED)

    def test_a_seal_before_and_after_its_validity(self, city):
        seal = c.new_seal(city, valid_from=c.MADE + timedelta(days=1))
        assert verify_seal(seal.raw, city.trust, c.MADE).deciding.code == "seal_not_yet_valid"
        late = verify_seal(seal.raw, city.trust, c.ENDS + timedelta(seconds=1))
        assert late.deciding.code == "seal_expired"
        assert verify_seal(seal.raw, city.trust, c.ENDS).verdict is Verdict.PASSED

    def test_a_signature_outlives_its_seal(self, city, signature):
        assert judge(city, signature, at=c.ENDS + timedelta(days=30)).verdict is Verdict.PASSED

    def test_a_signature_from_the_future(self, city, signature):
        report = judge(city, signature, at=c.SIGNED - timedelta(hours=1))
        assert report.deciding.code == "seal_applied_in_future"

    def test_a_signer_whose_certificate_had_ended(self, city):
        for days, code in (((-30, -1), "EXPIRED"), ((1, 30), "NOT_YET_VALID")):
            starts, ends = (c.SIGNED + timedelta(days=d) for d in days)
            key = c.certify(city.issuing, "brief", starts=starts, ends=ends)
            seal = c.new_seal(city, custodians=[key.chain_der[0]])
            report = judge(city, c.applied(city, seal, signer=key))
            assert (report.deciding.name, report.sub_indication) == ("signer", code)

    def test_a_signer_whose_certificate_ended_since(self, city):
        key = c.certify(city.issuing, "brief", ends=c.SIGNED + timedelta(minutes=1))
        seal = c.new_seal(city, custodians=[key.chain_der[0]])
        report = judge(city, c.applied(city, seal, signer=key))
        assert report.verdict is Verdict.PASSED
        assert report.step("signer").notes[0].code == "seal_custodian_expired_since"

    def test_naive_times_are_the_callers_error(self, city, seal, signature):
        naive = datetime(2025, 3, 1)  # noqa: DTZ001 - the point
        with pytest.raises(ValueError, match="time zone"):
            verify_seal(seal.raw, city.trust, naive)
        with pytest.raises(ValueError, match="time zone"):
            judge(city, signature, at=naive)
        with pytest.raises(ValueError, match="digest"):
            judge(city, signature, digest=b"")


class TestCustodian:
    @pytest.mark.parametrize("hashed", [False, True])
    def test_another_signer_is_refused_when_applying(self, city, hashed):
        with pytest.raises(SealRefusedError, match="not among"):
            c.applied(city, c.new_seal(city, hashed=hashed), signer=city.other)

    @pytest.mark.parametrize("hashed", [False, True])
    def test_another_signer_is_found_when_verifying(self, city, hashed):
        seal = c.new_seal(city, hashed=hashed)
        # The forger signs with a valid key of the same city and a list of custodians of its own making.
        pretended = replace(seal.info, certificates=(city.other.chain_der[0],), digests=())
        forged = c.applied(city, replace(seal, info=pretended), signer=city.other)
        report = judge(city, forged)
        assert (report.verdict, report.step("custodian").code) == (Verdict.FAILED, "seal_custodian_not_listed")
        assert report.facts == {}

    def test_a_digest_of_another_certificate_lists_nobody(self, city, seal):
        other = c.new_seal(city, custodians=[city.other.chain_der[0]], hashed=True)
        assert other.info.digests == (Digest("SM3", sm3(city.other.chain_der[0])),)
        with pytest.raises(SealRefusedError):
            c.applied(city, other)


class TestSuites:
    def test_policy_chooses(self, city, signature):
        report = judge(city, signature, trust=replace(city.trust, suites=frozenset({"sm2-sm3"})))
        assert report.step("signature").code == "seal_algorithm_not_allowed"
        assert report.verdict is Verdict.FAILED

    def test_the_message_does_not(self, city, signature):
        both = replace(city.trust, suites=frozenset({"sm2-sm3", *c.SUITES}))
        renamed = write_signature(replace(signature, algorithm="1.2.156.10197.1.501"))
        report = verify_signature(renamed, c.DIGEST, both, c.AT)
        assert report.step("signature").code == "seal_algorithm_not_of_key"

    def test_trust_is_never_empty(self, city):
        for fields in (
            {"anchors": frozenset(), "suites": c.SUITES},
            {"anchors": city.trust.anchors, "suites": frozenset()},
            {"anchors": city.trust.anchors, "suites": frozenset({"ed25519"})},
        ):
            with pytest.raises(TrustEmptyError):
                SealTrust(**fields)

    def test_intermediates_only_help(self, city, signature):
        report = judge(city, signature, trust=replace(city.trust, intermediates=()))
        assert report.verdict is Verdict.INDETERMINATE
        anchored = replace(city.trust, anchors=frozenset(city.issuing.chain_der[:1]), intermediates=())
        assert judge(city, signature, trust=anchored).verdict is Verdict.PASSED


class TestTimeStamps:
    TOKEN = b"token"

    def reader(self, proven, expected):
        def read(token, stamped):
            if token != self.TOKEN or stamped != expected:
                raise FormatError("signature_wrong", sub_indication="SIG_CRYPTO_FAILURE")
            return proven

        return read

    def test_unexamined_it_is_an_open_question(self, city, signature):
        report = judge(city, make.stamp_signature(signature, self.TOKEN))
        assert (report.verdict, report.deciding.code) == (Verdict.INDETERMINATE, "seal_time_stamp_not_examined")

    def test_examined(self, city, signature):
        stamped = make.stamp_signature(signature, self.TOKEN)
        assert stamped.tbs == signature.tbs
        reader = self.reader(c.SIGNED + timedelta(minutes=1), signature.signature)
        assert judge(city, stamped, time_stamps=reader).verdict is Verdict.PASSED

    def test_wrong_or_contradicting(self, city, signature):
        reader = self.reader(c.SIGNED, signature.signature)
        report = judge(city, make.stamp_signature(signature, b"tampered"), time_stamps=reader)
        assert (report.verdict, report.deciding.name) == (Verdict.FAILED, "time_stamp")
        for proven in (c.SIGNED - timedelta(hours=1), c.AT + timedelta(hours=1)):
            reader = self.reader(proven, signature.signature)
            report = judge(city, make.stamp_signature(signature, self.TOKEN), time_stamps=reader)
            assert report.deciding.code == "seal_time_stamp_contradicts"

    def test_of_the_seal(self, city, seal):
        stamped = make.stamp_seal(seal, self.TOKEN)
        assert verify_seal(stamped.raw, city.trust, c.AT).deciding.name == "seal_time_stamp"
        reader = self.reader(c.MADE, seal.signature)
        assert verify_seal(stamped.raw, city.trust, c.AT, time_stamps=reader).verdict is Verdict.PASSED
        with pytest.raises(SealRefusedError):
            make.stamp_seal(c.new_seal(city, version=V4), self.TOKEN)


class TestMaking:
    @pytest.mark.parametrize(
        ("changes", "code"),
        [
            ({"seal_id": ""}, "seal_text_not_ascii"),
            ({"seal_id": "印章"}, "seal_text_not_ascii"),
            ({"vendor": "Z\nT"}, "seal_text_not_ascii"),
            ({"name": " "}, "seal_name_missing"),
            ({"name": "章\n"}, "seal_name_missing"),
            ({"name": "章" * 400}, "seal_name_missing"),
            ({"kind": 0}, "seal_kind_bad"),
            ({"custodians": []}, "seal_no_custodian"),
            ({"picture": replace(c.PICTURE, data=b"")}, "seal_picture_bad"),
            ({"picture": replace(c.PICTURE, width_mm=0)}, "seal_picture_bad"),
            ({"valid_until": c.STARTS}, "seal_dates_contradict"),
            ({"created": c.ENDS + timedelta(days=1)}, "seal_dates_contradict"),
            ({"version": 1}, "seal_version_not_written"),
            ({"created": datetime(2025, 2, 1)}, "time_not_aware"),  # noqa: DTZ001 - the point
        ],
    )
    def test_refused(self, city, changes, code):
        with pytest.raises(SealRefusedError) as caught:
            c.new_seal(city, **changes)
        assert caught.value.code == code

    def test_a_key_that_is_not_the_certificates(self, city):
        wrong = replace(make.signer_of(city.maker), sign=make.signer_of(city.other).sign)
        with pytest.raises(SealRefusedError) as caught:
            make.make_seal(
                wrong,
                seal_id="S",
                kind=1,
                name=c.NAME,
                picture=c.PICTURE,
                custodians=[city.custodian.chain_der[0]],
                created=c.MADE,
                valid_from=c.STARTS,
                valid_until=c.ENDS,
            )
        assert caught.value.code == "seal_key_not_of_certificate"

    @pytest.mark.parametrize(
        ("changes", "code"),
        [
            ({"document_digest": b"short"}, "seal_digest_bad"),
            ({"property_info": "/文档"}, "seal_text_not_ascii"),
            ({"at": c.MADE - timedelta(seconds=1)}, "seal_applied_before_made"),
            ({"at": c.ENDS + timedelta(seconds=1)}, "seal_expired"),
            ({"at": datetime(2025, 3, 1)}, "time_not_aware"),  # noqa: DTZ001 - the point
        ],
    )
    def test_applying_refused(self, city, seal, changes, code):
        with pytest.raises(SealRefusedError) as caught:
            c.applied(city, seal, **changes)
        assert caught.value.code == code

    def test_signing_is_deterministic_with_p256(self, city, seal, signature):
        assert c.new_seal(city).raw == seal.raw
        assert c.applied(city, seal).raw == signature.raw

    def test_the_seal_goes_in_byte_for_byte(self, city, seal, signature):
        assert seal.raw in signature.raw
        assert parse_signature(signature.raw).signed.seal.raw == seal.raw == write_seal(seal)

    def test_no_key_shows(self, city, seal):
        assert "sign=" not in repr(make.signer_of(city.maker))


def test_critical_extensions(city):
    unknown = Extension("1.2.3.4", critical=True, value=b"x")
    seal = c.new_seal(city, extensions=[unknown])
    report = verify_seal(seal.raw, city.trust, c.AT)
    assert (report.deciding.code, report.steps[1].outcome) == ("seal_extension_not_understood", Outcome.SKIPPED)
    known = replace(city.trust, extensions=frozenset({"1.2.3.4"}))
    assert verify_seal(seal.raw, known, c.AT).verdict is Verdict.PASSED
    ignored = c.new_seal(city, extensions=[replace(unknown, critical=False)])
    assert verify_seal(ignored.raw, city.trust, c.AT).verdict is Verdict.PASSED
    signature = c.applied(city, c.new_seal(city), extensions=[unknown])
    assert judge(city, signature).deciding.code == "seal_extension_not_understood"
