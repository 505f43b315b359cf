"""The QR code judged step by step: whose list counts, which of several, and what each of them says."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import timedelta

import pytest

from licence import authority, chain
from licence.crl import Revocation
from licence.errors import FormatError
from licence.qr import cose
from licence.qr.code import make_code
from licence.report import Note, Outcome, Verdict
from licence.status import StatusList, cwt
from licence.status.lists import StatusToken, to_cwt
from licence.trust import TrustStore, fingerprint
from licence.verifying import case as c
from licence.verifying import codes
from licence.verifying.codes import judge_code
from tests.licence import world as w
from tests.licence.qr.test_code import FACE as LONG_FACE

SECOND, HOUR, DAY = timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)
URI = "https://licences.city.example/status/20"
FACE = replace(LONG_FACE, idx=w.IDX)
NAMES = ["format", "chain", "signature", "issuer", "status", "validity"]
PASSED, FAILED, OPEN, SKIPPED = (Outcome.PASSED, Outcome.FAILED, Outcome.INDETERMINATE, Outcome.SKIPPED)


@pytest.fixture(scope="module")
def text(world):
    return make_code(FACE, world.agriculture)


@pytest.fixture(scope="module")
def case(world, text):
    return c.Case(text.encode(), world.trust, w.AT, certificates=world.agriculture.chain_der)


def listed(world, value=0, key=None, **changes):
    return w.status_token(key or world.status_key, value, **({"uri": URI} | changes))


def as_cwt(world, *, key=None, with_chain=False, **changes):
    key = key or world.status_key
    token = to_cwt(listed(world, key=key, **changes), key=key)
    return cwt.with_chain(token, key.chain_der if with_chain else ())


def told(report):
    """The steps as (outcome, code, sub-indication), by name."""
    assert [s.name for s in report.steps] == NAMES
    assert [s.number for s in report.steps] == list(range(1, 7))
    return {s.name: (s.outcome, s.code, s.sub_indication) for s in report.steps}


def params(report, name):
    return dict(next(s for s in report.steps if s.name == name).params)


def status(case, *tokens, **changes):
    report = judge_code(replace(case, status_tokens=tokens, **changes))
    step = report.steps[4]
    return (step.outcome, step.code, step.sub_indication), dict(step.params), step.notes


class TestWholeCode:
    def test_a_good_one_tells_everything(self, case, world):
        report = judge_code(replace(case, status_tokens=(listed(world),)))
        subject = chain.validate(world.agriculture.chain_der, world.trust.anchors_der, world.trust.suites).subject
        assert told(report) == {
            "format": (PASSED, "judge_code_ok", ""),
            "chain": (PASSED, "chain_ok_demonstration", ""),
            "signature": (PASSED, "signature_ok", ""),
            "issuer": (PASSED, "issuer_ok", ""),
            "status": (PASSED, "status_ok", ""),
            "validity": (PASSED, "validity_until_ok", ""),
        }
        assert {name: params(report, name) for name in NAMES} == {
            "format": {"identifier": str(FACE.identifier)},
            "chain": {"subject": subject},
            "signature": {"suite": "COSE"},
            "issuer": {"issuer": w.AGRICULTURE},
            "status": {"as_of": "2025-03-01T08:00:00Z"},
            "validity": {"starts": "2025-03-01T08:00:00Z", "ends": "2028-03-01T00:00:00Z"},
        }
        assert report.facts == {
            "identifier": str(FACE.identifier),
            "kind_name": FACE.kind_name,
            "holder_name": "王小明",
            "holder_code": "**************002X",
            "issuer_name": subject,
            "demonstration": True,
            "issued_at": "2025-03-01T08:00:00Z",
            "valid_from": "2025-03-01T08:00:00Z",
            "valid_until": "2028-03-01T00:00:00Z",
            "status_list": 20,
            "status_idx": w.IDX,
            "status": {"value": 0, "uri": URI, "as_of": "2025-03-01T08:00:00Z", "until": "2025-03-02T08:00:00Z"},
        }
        assert report.verdict is Verdict.PASSED

    def test_what_a_scanner_adds_is_no_part_of_it_and_what_is_no_ascii_is_no_code(self, case, text):
        for data in (f" \r\n\t{text}\t\n\r ".encode(), text.encode()):
            assert told(judge_code(replace(case, data=data)))["signature"][0] is PASSED
        report = judge_code(replace(case, data=f"{text}。".encode()))
        assert report.steps[0].outcome is FAILED
        assert {s.outcome for s in report.steps[1:]} == {SKIPPED}
        assert report.facts == {}

    def test_one_without_an_end_has_none(self, case, world):
        report = judge_code(replace(case, data=make_code(replace(FACE, valid_until=None), world.agriculture).encode()))
        assert told(report)["validity"] == (PASSED, "validity_ok", "")
        assert params(report, "validity") == {"starts": "2025-03-01T08:00:00Z"}
        assert report.facts["valid_until"] is None

    def test_it_starts_at_the_later_of_its_two_times(self, case, world):
        face = replace(FACE, valid_from=w.ISSUED - DAY)
        report = judge_code(replace(case, data=make_code(face, world.agriculture).encode()))
        assert params(report, "validity")["starts"] == "2025-03-01T08:00:00Z"
        assert report.facts["valid_from"] == "2025-02-28T08:00:00Z"

    def test_names_are_made_safe_to_show(self, case, world):
        face = replace(FACE, kind_name="a\nb", holder_name="c\nd", holder_code="e\nf")
        facts = judge_code(replace(case, data=make_code(face, world.agriculture).encode())).facts
        mark = "\N{REPLACEMENT CHARACTER}"
        found = [facts[name] for name in ("kind_name", "holder_name", "holder_code")]
        assert found == [f"a{mark}b", f"c{mark}d", f"e{mark}f"]


class TestSigner:
    def test_an_unknown_one_leaves_all_open(self, case):
        report = judge_code(replace(case, certificates=()))
        assert list(told(report).values()) == [
            (PASSED, "judge_code_ok", ""),
            (OPEN, "code_signer_unknown", "NO_SIGNING_CERTIFICATE_FOUND"),
            *[(SKIPPED, "skipped", "")] * 4,
        ]
        kid = hashlib.sha256(case.certificates[0]).digest()[:8].hex()
        assert params(report, "chain") == {"kid": kid}
        assert report.facts == {}

    def test_it_is_the_one_named_among_others_that_are_trusted(self, case, world):
        report = judge_code(replace(case, certificates=(*world.forestry.chain_der, *case.certificates)))
        assert told(report)["signature"][0] is PASSED
        report = judge_code(replace(case, certificates=world.forestry.chain_der))
        assert told(report)["chain"] == (OPEN, "code_signer_unknown", "NO_SIGNING_CERTIFICATE_FOUND")

    def test_of_two_that_share_the_key_id_the_trusted_one_is_taken(self, case, monkeypatch, world):
        stranger = w.make_leaf(w.make_root("stranger"), "agriculture", w.AGRICULTURE)
        monkeypatch.setattr(cose, "key_id", lambda der: cose_id(world.agriculture.chain_der[0]))
        helpers = (stranger.chain_der[0], *world.agriculture.chain_der)
        assert told(judge_code(replace(case, certificates=helpers)))["chain"][0] is PASSED
        report = judge_code(replace(case, certificates=stranger.chain_der[:1]))
        assert told(report)["chain"] == (OPEN, "no_pinned_anchor", "NO_CERTIFICATE_CHAIN_FOUND")

    def test_a_signature_that_does_not_hold_leaves_the_rest_unmade(self, case, world, monkeypatch):
        other = w.make_leaf(w.make_root(), "forger", w.AGRICULTURE)
        forged = make_code(FACE, other)
        monkeypatch.setattr(cose, "key_id", lambda der: cose_id(other.chain_der[0]))
        report = judge_code(replace(case, data=forged.encode(), status_tokens=(listed(world),)))
        assert list(told(report).values())[1:] == [
            (PASSED, "chain_ok_demonstration", ""),
            (FAILED, "signature_wrong", "SIG_CRYPTO_FAILURE"),
            *[(SKIPPED, "skipped", "")] * 3,
        ]
        assert report.facts == {}

    @pytest.mark.parametrize(
        ("code", "step", "passed"),
        [
            ("code_signer_unknown", "signature", ["format", "chain"]),
            ("certificate_expired_at_signing", "chain", ["format", "signature", "issuer"]),
            ("certificate_not_yet_valid_at_signing", "chain", ["format", "signature", "issuer"]),
            ("issuer_purpose", "issuer", ["format", "chain", "signature"]),
            ("issuer_code_differs", "issuer", ["format", "chain", "signature"]),
            ("licence_not_yet_valid", "validity", ["format", "chain", "signature", "issuer"]),
            ("licence_expired", "validity", ["format", "chain", "signature", "issuer"]),
            ("signature_wrong", "signature", ["format", "chain"]),
        ],
    )
    def test_a_fault_stands_at_its_step_and_what_comes_after_is_not_made(self, case, monkeypatch, code, step, passed):
        def refuses(*_, **__):
            raise FormatError(code, sub_indication="SIG_CONSTRAINTS_FAILURE", kid="", signed="", limit="", claimed="",
                              certified="")  # fmt: skip

        monkeypatch.setattr(codes, "verify_code", refuses)
        report = judge_code(case)
        found = told(report)
        assert found[step] == (FAILED, code, "SIG_CONSTRAINTS_FAILURE")
        held = [name for name, (outcome, *_) in found.items() if outcome is PASSED]
        assert set(held) == set(passed)

    def test_a_certificate_that_had_ended_is_said_at_the_chain(self, world):
        issuing = authority.certify_authority(
            world.root, w.private_key("issuing"), name="City issuing CA", starts=w.STARTS, ends=w.ENDS, serial=2
        )
        for term, code in (
            ({"ends": w.ISSUED - SECOND}, "certificate_expired_at_signing"),
            ({"starts": w.ISSUED + SECOND}, "certificate_not_yet_valid_at_signing"),
        ):
            key = w.make_leaf(issuing, "agriculture", w.AGRICULTURE, **term)
            report = judge_code(c.Case(make_code(FACE, key).encode(), world.trust, w.AT, certificates=key.chain_der))
            assert told(report)["chain"][:2] == (FAILED, code)
            assert told(report)["signature"][0] is told(report)["issuer"][0] is PASSED
            assert told(report)["validity"][0] is SKIPPED
            assert report.facts == {}

    def test_a_revoked_one_is_no_good(self, case, world):
        issuing = authority.certify_authority(
            world.root, w.private_key("issuing"), name="City issuing CA", starts=w.STARTS, ends=w.ENDS, serial=2
        )
        term = {"this_update": w.AT + DAY, "next_update": w.UNTIL}
        serial = world.agriculture.certificate.serial_number
        for since, word, outcome in (
            (w.ISSUED, "REVOKED", FAILED),
            (w.ISSUED + HOUR, "REVOKED_NO_POE", OPEN),
            (w.AT + HOUR, "", PASSED),
        ):
            crl = authority.revocation_list(issuing, [Revocation(serial, since)], number=1, **term)
            report = judge_code(replace(case, crls=(crl,), status_tokens=(listed(world),)))
            assert (told(report)["chain"][0], told(report)["chain"][2]) == (outcome, word)
            assert bool(report.facts) is (outcome is PASSED)
            notes = [n.code for n in report.steps[1].notes]
            expected = ["revoked_later", "revocation_checked", "revocation_unknown"]
            assert notes == (expected if outcome is PASSED else [])

    def test_a_revocation_does_not_hide_that_it_had_ended(self, world):
        issuing = authority.certify_authority(
            world.root, w.private_key("issuing"), name="City issuing CA", starts=w.STARTS, ends=w.ENDS, serial=2
        )
        key = w.make_leaf(issuing, "agriculture", w.AGRICULTURE, ends=w.ISSUED - SECOND)
        entries = [Revocation(key.certificate.serial_number, w.ISSUED + HOUR)]
        crl = authority.revocation_list(issuing, entries, number=1, this_update=w.AT, next_update=w.UNTIL)
        text = make_code(FACE, key).encode()
        report = judge_code(c.Case(text, world.trust, w.AT, certificates=key.chain_der, crls=(crl,)))
        assert told(report)["chain"] == (FAILED, "certificate_expired_at_signing", "EXPIRED")

    def test_another_who_is_pinned_leaves_it_open(self, case, world):
        pins = (("0" * 64, OPEN), (fingerprint(world.agriculture.chain_der[0]), PASSED))
        for pin, outcome in pins:
            pinned = TrustStore(world.trust.anchors, world.trust.log_verifiers, licence_signers=frozenset({pin}))
            report = judge_code(replace(case, trust=pinned, status_tokens=(listed(world),)))
            assert told(report)["issuer"][0] is outcome
            assert bool(report.facts) is (outcome is PASSED)
            if outcome is OPEN:
                assert told(report)["issuer"][1:] == ("issuer_not_pinned", "NO_SIGNING_CERTIFICATE_FOUND")

    def test_the_time_asked_about_is_the_one_given(self, case, world):
        early = judge_code(replace(case, at=w.ISSUED - SECOND))
        assert told(early)["validity"] == (FAILED, "licence_not_yet_valid", "NOT_YET_VALID")
        late = judge_code(replace(case, at=w.UNTIL))
        assert told(late)["validity"] == (FAILED, "licence_expired", "EXPIRED")
        assert told(late)["status"][0] is OPEN

    def test_a_chain_that_is_no_demonstrations_says_so(self, case, monkeypatch):
        lead = c.lead
        monkeypatch.setattr(
            c, "lead", lambda certificates, case: replace(lead(certificates, case), demonstration=False)
        )
        report = judge_code(case)
        assert told(report)["chain"] == (PASSED, "chain_ok", "")
        assert report.facts["demonstration"] is False


def cose_id(der):
    return hashlib.sha256(der).digest()[:8]


class TestStatus:
    def test_without_a_list_it_is_open(self, case, world):
        missing = (OPEN, "judge_status_missing", "TRY_LATER")
        assert status(case) == (missing, {"number": "20"}, ())
        # The number is the last part of the address, whole.
        for uri in (f"{URI}0", "https://licences.city.example/status/120", f"{URI}/1", f"{URI}/"):
            assert status(case, listed(world, 1, uri=uri)) == (missing, {"number": "20"}, ()), uri

    def test_a_list_behind_others_counts(self, case, world):
        others = [listed(world, 1, uri="https://licences.city.example/status/1"), "no token", listed(world, 1)]
        found, _, notes = status(case, *others)
        assert found == (FAILED, "status_revoked", "REVOKED")
        found, _, notes = status(case, *others[:2], listed(world))
        assert (found, [n.code for n in notes]) == ((PASSED, "status_ok", ""), ["status_token_ignored"])

    def test_a_list_that_cannot_be_read_is_told_with_its_place_and_reason(self, case, world):
        stranger = w.make_leaf(w.make_root("stranger"), "status", w.STATUS_OFFICE, role=authority.Role.STATUS)
        found, said, notes = status(case, "no", listed(world, 1, key=stranger))
        assert (found[1], said) == ("judge_status_missing", {"number": "20"})
        assert [dict(n.params)["source"] for n in notes] == ["given 1", "given 2"]
        assert [n.code for n in notes] == ["status_token_ignored"] * 2
        assert dict(notes[1].params)["why"] == "no_pinned_anchor"
        assert all(n.text("zh") != n.text("en") for n in notes)
        assert dict(notes[1].params)["claim"] == ""

    def test_a_list_under_another_anchor_says_nothing(self, case, world):
        root = w.make_root("stranger")
        other = w.make_leaf(root, "status", w.STATUS_OFFICE, role=authority.Role.STATUS)
        both = TrustStore((world.root.certificate, root.certificate), world.trust.log_verifiers)
        tokens = (listed(world, 1, key=other), listed(world))
        assert status(case, *tokens, trust=both) == ((PASSED, "status_ok", ""), {"as_of": c.iso(w.ISSUED)}, ())
        assert status(case, tokens[0], trust=both)[0][1] == "judge_status_missing"

    def test_a_list_from_the_future_is_told_and_does_not_count(self, case, world):
        ahead = timedelta(minutes=5)
        assert status(case, listed(world, issued_at=w.AT + ahead))[0][0] is PASSED
        later = w.AT + ahead + SECOND
        found, said, notes = status(case, listed(world, 1, issued_at=later), listed(world))
        assert found == (PASSED, "status_ok", "")
        assert notes == (Note("status_token_newer", (("source", "given 1"), ("as_of", "2025-03-01T10:05:01Z"))),)
        assert said == {"as_of": "2025-03-01T08:00:00Z"}
        alone, _, notes = status(case, listed(world, 1, issued_at=later))
        assert (alone[1], len(notes)) == ("judge_status_missing", 1)

    def test_of_several_addresses_none_decides(self, case, world):
        other = listed(world, 1, uri="https://other.example/20")
        for tokens in ((listed(world), other), (other, listed(world))):
            found, said, notes = status(case, "no", *tokens)
            assert found == (OPEN, "judge_status_ambiguous", "TRY_LATER")
            assert (said, len(notes)) == ({"count": "2", "number": "20"}, 1)

    def test_the_newest_decides_wherever_it_stands(self, case, world):
        old, new = listed(world, 1), listed(world, issued_at=w.ISSUED + HOUR)
        for tokens in ((old, new), (new, old)):
            found, said, _ = status(case, *tokens)
            assert (found[0], said["as_of"]) == (PASSED, "2025-03-01T09:00:00Z")
        old, new = listed(world), listed(world, 1, issued_at=w.ISSUED + HOUR)
        for tokens in ((old, new), (new, old)):
            assert status(case, *tokens)[0][2] == "REVOKED"

    @pytest.mark.parametrize("value", [1, 2, 3])
    def test_of_two_lists_of_one_second_the_one_against_the_licence_decides(self, case, world, value):
        good, bad = listed(world), listed(world, value)
        for tokens in ((good, bad), (bad, good)):
            assert status(case, *tokens)[0][0] is not PASSED

    def test_each_value_means_what_it_means(self, case, world):
        later = {"as_of": "2025-03-01T08:00:00Z"}
        assert status(case, listed(world, 1)) == ((FAILED, "status_revoked", "REVOKED"), later, ())
        assert status(case, listed(world, 2)) == ((FAILED, "status_suspended", "SUSPENDED"), later, ())
        assert status(case, "no", listed(world, 3))[:2] == ((OPEN, "status_unknown", "TRY_LATER"), {"value": "3"})
        assert len(status(case, "no", listed(world, 3))[2]) == 1

    def test_a_list_that_is_old_shows_only_what_cannot_be_undone(self, case, world):
        ends = w.ISSUED + HOUR
        for value in (0, 2, 3):
            token = listed(world, value, valid_for=HOUR)
            assert status(case, token, at=ends - SECOND)[0][1] != "status_too_old"
            found, said, notes = status(case, "no", token, at=ends)
            assert found == (OPEN, "status_too_old", "TRY_LATER")
            assert (said, len(notes)) == (
                {"as_of": "2025-03-01T08:00:00Z", "until": "2025-03-01T09:00:00Z", "uri": URI},
                1,
            )
        assert status(case, listed(world, 1, valid_for=HOUR), at=ends)[0][2] == "REVOKED"

    def test_a_place_beyond_the_list_is_open(self, case, world):
        far = replace(case, data=make_code(replace(FACE, idx=64), world.agriculture).encode())
        found, said, notes = status(far, "no", listed(world))
        assert found == (OPEN, "status_index_outside", "TRY_LATER")
        assert (said, len(notes)) == ({"idx": "64"}, 1)
        last = replace(case, data=make_code(replace(FACE, idx=63), world.agriculture).encode())
        assert status(last, listed(world))[0][0] is PASSED

    def test_a_list_that_does_not_unpack_is_open(self, case, world, monkeypatch):
        monkeypatch.setattr(StatusToken, "states", lambda _: StatusList.parse({"bits": 2, "lst": "AAAA"}))
        token = listed(world)
        found, _, notes = status(case, "no", token)
        assert (found, len(notes)) == ((OPEN, "bad_claim", "TRY_LATER"), 1)

    def test_a_list_as_cwt_finds_its_signer_among_what_is_at_hand(self, case, world):
        bare = as_cwt(world)
        assert status(case, bare, certificates=(*case.certificates, *world.status_key.chain_der))[0][0] is PASSED
        found, said, notes = status(case, bare)
        assert found == (OPEN, "status_signer_unknown", "NO_SIGNING_CERTIFICATE_FOUND")
        assert said["x5t"] == fingerprint(world.status_key.chain_der[0])
        assert [n.code for n in notes] == ["status_token_ignored"]
        # A list with its chain helps one of the same signer that came without, wherever it stands.
        whole = as_cwt(world, with_chain=True)
        for tokens in ((whole, bare), (bare, b"no", whole)):
            assert status(case, *tokens)[0][0] is PASSED
            assert len(status(case, *tokens)[2]) == len(tokens) - 2

    def test_that_a_signer_is_unknown_is_told_unless_another_list_decides(self, case, world):
        stranger = w.make_leaf(w.make_root("stranger"), "status", w.STATUS_OFFICE, role=authority.Role.STATUS)
        bare = as_cwt(world, key=stranger)
        assert status(case, bare, listed(world))[0][0] is PASSED
        assert status(case, bare, "no")[0][1] == "status_signer_unknown"
        assert status(case, "no", bare)[0][1] == "status_signer_unknown"

    def test_a_jwt_beside_it_brings_its_certificates_too(self, case, world):
        bare = as_cwt(world, issued_at=w.ISSUED + HOUR)
        found, said, notes = status(case, listed(world), bare)
        assert (found[0], said["as_of"], notes) == (PASSED, "2025-03-01T09:00:00Z", ())

    def test_the_signers_own_chain_helps(self, world):
        # One office signs both: its certificate is in the path of the code.
        issuing = authority.certify_authority(
            world.root, w.private_key("issuing"), name="City issuing CA", starts=w.STARTS, ends=w.ENDS, serial=2
        )
        status_key = w.make_leaf(issuing, "status", w.STATUS_OFFICE, role=authority.Role.STATUS)
        helpers = (*world.agriculture.chain_der, status_key.chain_der[0])
        case = c.Case(make_code(FACE, world.agriculture).encode(), world.trust, w.AT, certificates=helpers)
        assert status(case, as_cwt(world, key=status_key))[0][0] is PASSED
