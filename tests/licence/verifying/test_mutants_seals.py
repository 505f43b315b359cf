"""Seals and OFD files held together: where a signature stands, which seal is shown, and what is left open."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import timedelta

import pytest

from licence import authority
from licence.der import write
from licence.errors import FormatError
from licence.ofd.read import OWN, SHA256, SM3, Document, Signature
from licence.report import Outcome, Verdict
from licence.seals import der, make
from licence.seals.encode import write_signature, write_tbs
from licence.suites import ECDSA_P256_SHA256
from licence.timestamping import TimeStampingAuthority, stamp
from licence.trust import TrustStore, fingerprint
from licence.verifying import case as c
from licence.verifying import seals
from licence.verifying.report import SECTIONS, DocumentReport, Form, Section
from licence.verifying.seals import is_signature, judge_ofd, judge_seal, judge_seal_signature
from tests.licence import world as w
from tests.licence.seals import city as s

PASSED, FAILED, OPEN, SKIPPED = (Outcome.PASSED, Outcome.FAILED, Outcome.INDETERMINATE, Outcome.SKIPPED)
MARK = "\N{REPLACEMENT CHARACTER}"
WHERE = s.WHERE.removeprefix("/")
HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def city():
    return s.make_city()


@pytest.fixture(scope="module")
def seal(city):
    return s.new_seal(city)


@pytest.fixture(scope="module")
def case(city, world):
    trust = TrustStore((city.root.certificate,), world.trust.log_verifiers)
    return c.Case(b"", trust, s.AT, certificates=city.issuing.chain_der[:1])


@pytest.fixture(scope="module")
def tsa(city):
    return w.make_leaf(city.issuing, "tsa", w.STATUS_OFFICE, role=authority.Role.TIME_STAMPS)


def unlisted(case):
    return replace(case, trust=TrustStore(case.trust.anchors, case.trust.log_verifiers, frozenset({"ed25519"})))


def stamper(tsa, at):
    """Stamps a signature value for `make`."""
    asked = TimeStampingAuthority(tsa, lambda: at, itertools.count(9))
    return lambda value: stamp(asked, value, suites=[ECDSA_P256_SHA256])


def told(report, section):
    return [
        {step.name: (step.outcome, step.code, step.sub_indication) for step in part.steps}
        for part in report.parts
        if part.section is section
    ]


NO_SUITE = c.undecided("judge_suite_not_allowed", "CRYPTO_CONSTRAINTS_FAILURE")


class TestOutline:
    @pytest.mark.parametrize(
        ("data", "found"),
        [
            ("30 05 30 03 02 01 04", True),
            ("30 07 30 03 02 01 04 05 00", True),
            ("30 05 30 03 0a 01 04", False),
            ("30 05 30 03 04 01 04", False),
            ("30 05 31 03 02 01 04", False),
            ("31 05 30 03 02 01 04", False),
            ("30 00", False),
            ("30 02 30 00", False),
            ("30 05 30 03 02 01", False),
            ("30", False),
            ("", False),
        ],
    )
    def test_a_signature_begins_with_a_version(self, data, found):
        assert is_signature(bytes.fromhex(data)) is found

    def test_of_more_parts_than_either_has_it_is_none(self):
        version, null = write(der.INTEGER, b"\x04"), write(0x05)
        eight = write(der.SEQUENCE, version, *[null] * 7)
        nine = write(der.SEQUENCE, version, *[null] * 8)
        assert is_signature(write(der.SEQUENCE, eight, *[null] * 7))
        assert not is_signature(write(der.SEQUENCE, eight, *[null] * 8))
        assert not is_signature(write(der.SEQUENCE, nine))


class TestSeal:
    def test_a_good_one_is_told_with_its_facts(self, city, seal, case):
        report = judge_seal(replace(case, data=seal.raw))
        assert [(n.number, n.name) for n in report.steps] == list(enumerate(SECTIONS[Section.SEAL], start=1))
        assert {n.outcome for n in report.steps} == {PASSED}
        assert (report.form, report.at, report.facts["name"]) == (Form.SEAL, s.AT, s.NAME)
        assert (len(report.parts), report.parts[0].label) == (1, "")

    def test_without_a_suite_of_seals_nothing_is_decided(self, seal, case):
        for judge, form, section in (
            (judge_seal, Form.SEAL, Section.SEAL),
            (judge_seal_signature, Form.SEAL_SIGNATURE, Section.SEAL_SIGNATURE),
        ):
            found = judge(replace(unlisted(case), data=seal.raw))
            assert found == DocumentReport(form, (c.part(section, [NO_SUITE], first=1),), s.AT)

    def test_a_suite_that_policy_does_not_list_leaves_it_open(self, seal, case):
        trust = TrustStore(case.trust.anchors, case.trust.log_verifiers, frozenset({"sm2-sm3"}))
        report = judge_seal(replace(case, data=seal.raw, trust=trust))
        found = told(report, Section.SEAL)[0]
        assert found["maker_signature"] == (OPEN, "seal_algorithm_not_allowed", "CRYPTO_CONSTRAINTS_FAILURE")
        assert dict(report.deciding.params)["oid"] == s.OID
        assert report.facts == {}

    def test_what_is_wrong_stays_wrong(self, seal, case):
        stranger = TrustStore((w.make_root("x").certificate,), case.trust.log_verifiers)
        altered = seal.raw[:-1] + bytes([seal.raw[-1] ^ 1])
        assert told(judge_seal(replace(case, data=altered)), Section.SEAL)[0]["maker_signature"][0] is FAILED
        report = judge_seal(replace(case, data=seal.raw, trust=stranger))
        assert told(report, Section.SEAL)[0]["maker"][0] is OPEN


class TestSignature:
    def test_without_its_document_the_last_step_stays_open(self, city, seal, case):
        data = s.applied(city, seal).raw
        report = judge_seal_signature(replace(case, data=data))
        found = told(report, Section.SEAL_SIGNATURE)[0]
        assert found.pop("document") == (OPEN, "judge_document_absent", "SIGNED_DATA_NOT_FOUND")
        assert {outcome for outcome, *_ in found.values()} == {PASSED}
        assert [n.number for n in report.steps] == list(range(1, 12))
        assert report.steps[-1].params == ()
        assert (report.form, report.facts, report.at) == (Form.SEAL_SIGNATURE, {}, s.AT)
        assert report.observed["document_digest"] == s.DIGEST.hex()
        assert report.observed["claims"]["name"] == s.NAME

    def test_one_that_is_wrong_fails_and_its_claims_are_not_told(self, city, seal, case):
        raw = s.applied(city, seal).raw
        report = judge_seal_signature(replace(case, data=raw[:-1] + bytes([raw[-1] ^ 1])))
        assert (report.verdict, report.steps[-1].outcome) == (Verdict.FAILED, OPEN)
        assert (report.parts[0].section, report.observed["claims"]) == (Section.SEAL_SIGNATURE, {})

    def test_a_digest_too_short_is_compared_at_the_length_of_one(self, city, seal, case):
        signature = s.applied(city, seal)
        signed = replace(signature.signed, document_digest=b"\1" * 5)
        data = write_signature(replace(signature, signed=signed, tbs=write_tbs(signed)))
        report = judge_seal_signature(replace(case, data=data))
        assert report.observed["document_digest"] == "01" * 5 + "00" * 27
        assert (report.steps[-1].code, report.steps[-1].params) == ("judge_document_absent", ())

    def test_of_what_is_none_the_last_step_was_not_made(self, case):
        report = judge_seal_signature(replace(case, data=b"\x30\x05\x30\x03\x02\x01\x04"))
        assert (report.steps[0].outcome, report.steps[-1].outcome) == (FAILED, SKIPPED)
        assert report.observed == {"document_digest": "00" * 32, "claims": {}}


class TestStamps:
    """The time stamps of seals, judged by the trust of the case."""

    def judge(self, case, tsa, stamped, **changes):
        token = stamper(tsa, stamped)(b"value")
        return seals._Stamps(replace(case, **changes))(token, b"value")

    def test_one_that_holds_says_when(self, case, tsa):
        assert self.judge(case, tsa, s.SIGNED) == s.SIGNED

    def test_one_that_does_not_says_why(self, case, tsa):
        for changes, at, code, word in (
            ({}, s.AT + HOUR, "judge_time_stamp_contradicts", "TIMESTAMP_ORDER_FAILURE"),
            ({"at": w.ENDS + HOUR}, s.SIGNED, "judge_no_proof_of_time", "OUT_OF_BOUNDS_NO_POE"),
        ):
            with pytest.raises(FormatError) as caught:
                self.judge(case, tsa, at, **changes)
            assert (caught.value.code, caught.value.sub_indication) == (code, word)
            assert caught.value.finding_params
        with pytest.raises(FormatError):
            seals._Stamps(case)(stamper(tsa, s.SIGNED)(b"value"), b"other")

    def test_an_unknown_authority_leaves_open_and_a_wrong_one_fails(self, city, seal, case, tsa):
        stranger = w.make_leaf(w.make_root("x"), "tsa", w.STATUS_OFFICE, role=authority.Role.TIME_STAMPS)
        for key, at, outcome, word in (
            (tsa, s.SIGNED, PASSED, ""),
            (stranger, s.SIGNED, OPEN, "NO_CERTIFICATE_CHAIN_FOUND"),
            (tsa, s.AT + HOUR, FAILED, "TIMESTAMP_ORDER_FAILURE"),
        ):
            signature, give = s.applied(city, seal), stamper(key, at)
            data = make.stamp_signature(signature, give(signature.signature)).raw
            found = told(judge_seal_signature(replace(case, data=data)), Section.SEAL_SIGNATURE)[0]["time_stamp"]
            assert (found[0], found[2]) == (outcome, word)
            made = make.stamp_seal(seal, give(seal.signature)).raw
            found = told(judge_seal(replace(case, data=made)), Section.SEAL)[0]["seal_time_stamp"]
            assert (found[0], found[2]) == (outcome, word)


def of(value, seal=None, **changes):
    fields = {
        "identifier": "1",
        "kind": "Seal",
        "path": WHERE,
        "provider": "p\n",
        "signed_at": "t\n",
        "signature_method": "m",
        "method": SHA256,
        "digest": s.DIGEST,
        "value_path": "v",
        "value": value,
        "seal": seal,
        "covered": ("a", "b"),
        "uncovered": ("c\n",),
    }
    return Signature(**(fields | changes))


@pytest.fixture
def ask(case, monkeypatch):
    """Judges an OFD of which reading found what is given."""

    def asked(*signatures, at=s.AT, trust=None, **changes):
        fields = {"identifier": "I\n", "title": "T\n", "custom": {"a\n": "b\n"}, "files": {"x": b"", "y": b""}}
        document = Document(**(fields | {"signatures": signatures, "unauthenticated": ()} | changes))
        monkeypatch.setattr(seals, "read_ofd", lambda *_: document)
        return judge_ofd(replace(case, at=at, trust=trust or case.trust))

    return asked


class TestOfd:
    @pytest.fixture
    def value(self, city, seal):
        return s.applied(city, seal).raw

    def test_a_good_one_is_told_whole(self, ask, value, seal):
        report = ask(of(value, seal.raw))
        assert [n.number for n in report.steps] == list(range(1, 16))
        assert told(report, Section.OFD) == [
            {"format": (PASSED, "judge_ofd_ok", ""), "coverage": (PASSED, "judge_coverage_ok", "")}
        ]
        assert report.steps[0].params == (("files", "2"), ("signatures", "1"))
        (found,) = told(report, Section.OFD_SIGNATURE)
        assert {outcome for outcome, *_ in found.values()} == {PASSED}
        assert found["place"] == (PASSED, "judge_place_ok", "")
        assert found["container_seal"] == (PASSED, "judge_container_seal_ok", "")
        assert [p.label for p in report.parts] == ["", WHERE]
        assert (report.form, report.at, report.verdict) == (Form.OFD, s.AT, Verdict.PASSED)
        facts = dict(report.facts)
        (told_seal,) = facts.pop("seals")
        assert told_seal["name"] == s.NAME
        assert facts == {
            "identifier": f"I{MARK}",
            "title": f"T{MARK}",
            "custom": {f"a{MARK}": f"b{MARK}"},
            "unauthenticated": [],
        }
        assert report.observed == {
            "files": 2,
            "unauthenticated": [],
            "signatures": [
                {
                    "path": WHERE,
                    "kind": "Seal",
                    "provider": f"p{MARK}",
                    "signed_at": f"t{MARK}",
                    "digest_method": SHA256,
                    "digest": s.DIGEST.hex(),
                    "value_sha256": fingerprint(value),
                    "covered": 2,
                    "uncovered": [f"c{MARK}"],
                }
            ],
        }

    def test_its_time_stamp_is_judged_by_the_trust_of_the_case(self, ask, city, seal, tsa):
        signature = s.applied(city, seal)
        for at, outcome in ((s.SIGNED, PASSED), (s.AT + HOUR, FAILED)):
            stamped = make.stamp_signature(signature, stamper(tsa, at)(signature.signature)).raw
            assert told(ask(of(stamped)), Section.OFD_SIGNATURE)[0]["time_stamp"][0] is outcome

    def test_its_digest_is_the_one_read_from_the_container(self, ask, value):
        (found,) = told(ask(of(value, digest=bytes(32))), Section.OFD_SIGNATURE)
        assert found["document"][0] is FAILED

    def test_the_place_it_names_is_where_it_stands(self, ask, city, seal):
        for named, good in ((WHERE, True), (f"/{WHERE}", True), (f"//{WHERE}", False), ("Sign_1/x", False)):
            report = ask(of(s.applied(city, seal, property_info=named).raw))
            (found,) = told(report, Section.OFD_SIGNATURE)
            assert found["place"] == (
                (PASSED, "judge_place_ok", "") if good else (FAILED, "judge_place_differs", "SIG_CONSTRAINTS_FAILURE")
            ), named
            assert found["container_seal"] == (PASSED, "judge_container_seal_none", "")
        step = report.deciding
        assert dict(step.params) == {"named": "Sign_1/x", "found": WHERE}
        assert report.facts == {}

    def test_the_seal_that_is_shown_is_the_one_applied(self, ask, city, value):
        (found,) = told(ask(of(value, s.new_seal(city, seal_id="SEAL-2").raw)), Section.OFD_SIGNATURE)
        assert found["container_seal"] == (FAILED, "judge_container_seal_differs", "SIG_CONSTRAINTS_FAILURE")
        assert found["place"][0] is PASSED

    def test_what_is_no_signature_has_no_place(self, ask):
        (found,) = told(ask(of(b"no")), Section.OFD_SIGNATURE)
        assert found["format"][0] is FAILED
        assert found["place"] == found["container_seal"] == (SKIPPED, "skipped", "")

    def test_every_signature_must_hold_and_one_of_another_kind_is_open(self, ask, value):
        report = ask(of(value), of(b"", kind="Si\ngn", path="p\n"))
        assert [n.number for n in report.steps] == list(range(1, 29))
        assert [p.label for p in report.parts] == ["", WHERE, f"p{MARK}"]
        second = told(report, Section.OFD_SIGNATURE)[1]
        assert second.pop("format") == (OPEN, "judge_signature_kind", "")
        assert set(second.values()) == {(SKIPPED, "skipped", "")}
        assert dict(report.deciding.params) == {"kind": f"Si{MARK}gn"}
        assert (report.verdict, report.facts) == (Verdict.INDETERMINATE, {})
        assert ask(of(value), of(b"no")).verdict is Verdict.FAILED

    def test_without_a_suite_of_seals_nothing_is_decided(self, ask, case, value):
        report = ask(of(value), trust=unlisted(case).trust)
        (found,) = told(report, Section.OFD_SIGNATURE)
        assert found.pop("format") == (OPEN, "judge_suite_not_allowed", "CRYPTO_CONSTRAINTS_FAILURE")
        assert set(found.values()) == {(SKIPPED, "skipped", "")}
        assert report.parts[1].label == WHERE

    def test_it_is_judged_at_the_time_asked_about(self, ask, value):
        assert ask(of(value), at=s.SIGNED - HOUR).verdict is Verdict.FAILED

    def test_what_no_signature_covers_is_told_ten_by_name(self, ask, value):
        names = tuple(f"f{n}" for n in range(11))
        for count, end in ((1, ""), (10, ""), (11, " …")):
            report = ask(of(value), unauthenticated=names[:count])
            step = report.steps[1]
            assert (step.outcome, step.code) == (PASSED, "judge_coverage_but")
            assert dict(step.params) == {"names": ", ".join(names[:10][:count]) + end}
            assert report.facts["unauthenticated"] == report.observed["unauthenticated"] == list(names[:count])
        assert ask(of(value), unauthenticated=("a\n",)).facts["unauthenticated"] == [f"a{MARK}"]

    def test_marks_of_a_copy_are_read_from_its_custom_data(self, ask, value):
        report = ask(of(value), custom={"zhengtong.copy": "K1"})
        assert report.parts[-1].section is Section.COPY
        assert report.deciding.code == "copy_unreadable"


class TestReading:
    def test_our_own_rules_come_first_then_those_for_strangers(self, case, monkeypatch):
        asked = []

        def refuses(data, policy):
            asked.append((data, policy))
            raise FormatError("ofd_not_zip")

        monkeypatch.setattr(seals, "read_ofd", refuses)
        report = judge_ofd(replace(case, data=b"x"))
        assert asked == [(b"x", OWN), (b"x", seals.STRANGERS)]
        assert seals.STRANGERS.digests == {SM3, SHA256}
        assert (seals.STRANGERS.later_signatures, seals.STRANGERS.canonical) == (True, False)
        finding = c.failed("ofd_not_zip", "FORMAT_FAILURE")
        assert report == DocumentReport(Form.OFD, (c.part(Section.OFD, [finding], first=1),), s.AT)
