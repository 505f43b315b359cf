"""What all forms ask, each at its border: a path in time, its revocation, a time stamp, what is shown."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from licence import authority, chain, timestamps
from licence.crl import Reason, Revocation
from licence.errors import FormatError
from licence.report import Note, Outcome
from licence.suites import ECDSA_P256_SHA256
from licence.timestamping import TimeStampingAuthority, stamp
from licence.timestamps import TimeStamp
from licence.trust import TrustStore
from licence.verifying import case as c
from licence.verifying.report import Section
from tests.licence import world as w

SECOND = timedelta(seconds=1)
MINUTES_5 = timedelta(minutes=5)
TERM = {"starts": w.STARTS, "ends": w.ENDS}
STARTS, ENDS = datetime(2025, 2, 1, tzinfo=UTC), datetime(2025, 5, 1, tzinfo=UTC)
MIDDLE = datetime(2025, 3, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def issuing(world):
    return authority.certify_authority(world.root, w.private_key("issuing"), name="City issuing CA", serial=2, **TERM)


@pytest.fixture(scope="module")
def tsa(issuing):
    role = authority.Role.TIME_STAMPS
    return w.make_leaf(issuing, "tsa", w.STATUS_OFFICE, role=role, starts=STARTS, ends=ENDS)


@pytest.fixture(scope="module")
def case(world):
    return c.Case(b"", world.trust, w.AT)


def path(**changes):
    fields = {
        "leaf": b"leaf",
        "certificates": (),
        "starts": STARTS,
        "ends": ENDS,
        "purposes": frozenset(),
        "uris": frozenset(),
        "organisation_code": "",
        "subject": "Bureau",
        "demonstration": False,
    }
    return chain.Path(**(fields | changes))


def failed(code, sub_indication, **params):
    return c.Finding(Outcome.FAILED, code, tuple(params.items()), sub_indication)


def undecided(code, sub_indication, **params):
    return c.Finding(Outcome.INDETERMINATE, code, tuple(params.items()), sub_indication)


def revoked(issuing, key, since, reason=Reason.UNSPECIFIED):
    term = {"this_update": w.ISSUED, "next_update": w.UNTIL}
    entries = [Revocation(key.certificate.serial_number, since, reason)]
    return authority.revocation_list(issuing, entries, number=1, **term)


class TestWhatAFileBrings:
    def test_comes_after_what_was_given_and_once_and_no_more_than_is_bearable(self, case):
        given = replace(case, certificates=(b"a", b"b"), crls=(b"x",))
        found = given.with_material([b"b", b"c", b"a", b"c"], [b"y", b"x"])
        assert (found.certificates, found.crls) == ((b"a", b"b", b"c"), (b"x", b"y"))
        many = given.with_material(map(str, range(600)), map(str, range(200)))
        assert (len(many.certificates), len(many.crls)) == (512, 128)
        assert many.certificates[:3] == (b"a", b"b", "0")
        assert many.crls[:2] == (b"x", "0")


class TestWhatAFaultMeans:
    @pytest.mark.parametrize(
        "missing",
        [
            "CHAIN_CONSTRAINTS_FAILURE",
            "CRYPTO_CONSTRAINTS_FAILURE",
            "NO_CERTIFICATE_CHAIN_FOUND",
            "NO_SIGNING_CERTIFICATE_FOUND",
            "OUT_OF_BOUNDS_NO_POE",
            "REVOKED_CA_NO_POE",
            "REVOKED_NO_POE",
            "SIGNED_DATA_NOT_FOUND",
            "TRY_LATER",
        ],
    )
    def test_what_is_missing_is_open(self, missing):
        fault = FormatError("too_large", sub_indication=missing, what="a\nb", limit=3)
        assert c.finding_of(fault) == undecided("too_large", missing, what="a\N{REPLACEMENT CHARACTER}b", limit="3")

    @pytest.mark.parametrize("wrong", ["FORMAT_FAILURE", "HASH_FAILURE", "SIG_CRYPTO_FAILURE", "REVOKED", "EXPIRED"])
    def test_what_is_wrong_fails(self, wrong):
        fault = FormatError("too_large", sub_indication=wrong, what="it", limit=3)
        assert c.finding_of(fault) == failed("too_large", wrong, what="it", limit="3")

    def test_a_finding_keeps_its_notes_and_params(self):
        notes = [Note("judge_certificates_loose")]
        assert c.passed("x", notes, a=1) == c.Finding(Outcome.PASSED, "x", (("a", "1"),), "", tuple(notes))
        assert c.undecided("x", "S", notes, a=1).notes == tuple(notes)
        assert c.failed("x", "S", a="\u202e").params == (("a", "\N{REPLACEMENT CHARACTER}"),)
        assert c.Finding(Outcome.SKIPPED, "skipped") == c.SKIPPED


class TestPart:
    def test_steps_are_numbered_on_and_those_not_reached_are_told(self):
        note = Note("judge_certificates_loose")
        made = [c.passed("judge_code_ok", [note], identifier="I"), c.failed("signature_wrong", "SIG_CRYPTO_FAILURE")]
        part = c.part(Section.QR, made, first=4, label="a\nb")
        names = ["format", "chain", "signature", "issuer", "status", "validity"]
        assert [(s.number, s.name) for s in part.steps] == list(enumerate(names, start=4))
        first, second, *rest = part.steps
        assert (first.outcome, first.code, first.params) == (Outcome.PASSED, "judge_code_ok", (("identifier", "I"),))
        assert first.notes == (note,)
        assert (second.outcome, second.sub_indication) == (Outcome.FAILED, "SIG_CRYPTO_FAILURE")
        assert {(s.outcome, s.code, s.sub_indication) for s in rest} == {(Outcome.SKIPPED, "skipped", "")}
        assert part.label == "a\N{REPLACEMENT CHARACTER}b"
        assert part.complete

    def test_a_step_too_many_is_an_error_of_ours(self):
        with pytest.raises(ValueError, match="zip"):
            c.part(Section.PDF, [c.passed("x"), c.passed("y")], first=1)


class TestPathInTime:
    def test_signed_within_the_skew_of_our_clock_is_signed_now(self, case):
        now = replace(case, at=MIDDLE)
        good = c.passed("chain_ok", subject="Bureau")
        assert c.check_path(path(), now, claimed=MIDDLE + MINUTES_5, proven=None) == good
        late = MIDDLE + MINUTES_5 + SECOND
        assert c.check_path(path(), now, claimed=late, proven=None) == failed(
            "judge_signed_in_future", "NOT_YET_VALID", signed="2025-03-01T00:05:01Z"
        )

    def test_a_demonstration_says_so(self, case):
        found = c.check_path(path(demonstration=True), replace(case, at=MIDDLE), claimed=None, proven=None)
        assert found == c.passed("chain_ok_demonstration", subject="Bureau")

    @pytest.mark.parametrize("proven", [None, MIDDLE])
    def test_the_signers_word_lies_within_the_path(self, case, proven):
        now = replace(case, at=ENDS)
        for claimed in (STARTS, ENDS):
            assert c.check_path(path(), now, claimed=claimed, proven=proven).outcome is Outcome.PASSED
        starts, ends = c.iso(STARTS), c.iso(ENDS)
        early, late = STARTS - SECOND, ENDS + SECOND
        assert c.check_path(path(), now, claimed=early, proven=proven) == failed(
            "certificate_not_yet_valid_at_signing", "NOT_YET_VALID", signed="2025-01-31T23:59:59Z", limit=starts
        )
        assert c.check_path(path(), now, claimed=late, proven=proven) == failed(
            "certificate_expired_at_signing", "EXPIRED", signed="2025-05-01T00:00:01Z", limit=ends
        )

    def test_without_proof_the_time_asked_about_counts_and_with_proof_the_proven_one(self, case):
        starts, ends = c.iso(STARTS), c.iso(ENDS)
        ask = [(replace(case, at=t), None) for t in (STARTS, ENDS, STARTS - SECOND, ENDS + SECOND)]
        first, last, early, late = (c.check_path(path(), at, claimed=None, proven=proven) for at, proven in ask)
        assert first.outcome is last.outcome is Outcome.PASSED
        assert early == failed(
            "certificate_not_yet_valid_at_signing", "NOT_YET_VALID", signed="2025-01-31T23:59:59Z", limit=starts
        )
        assert late == undecided("judge_no_proof_of_time", "OUT_OF_BOUNDS_NO_POE", limit=ends)
        long_after = replace(case, at=ENDS + timedelta(days=900))
        assert c.check_path(path(), long_after, claimed=MIDDLE, proven=ENDS).outcome is Outcome.PASSED
        assert c.check_path(path(), long_after, claimed=MIDDLE, proven=ENDS + SECOND).outcome is Outcome.INDETERMINATE
        assert c.check_path(path(), long_after, claimed=None, proven=STARTS - SECOND).outcome is Outcome.FAILED


class TestRevocation:
    def test_the_lists_at_hand_decide(self, world, issuing, case):
        key = world.agriculture
        found = c.lead(key.chain_der, case)
        day = timedelta(days=1)
        good = c.passed("chain_ok", [Note("judge_certificates_loose")], subject="x")
        ask = {"proven": None, "made_after": None}
        without = c.check_revocation(found, case, good, **ask)
        assert without == good
        # A revocation that the signature's own word is after: it was made by a key that was revoked.
        since = w.ISSUED - day
        listed = replace(case, crls=(revoked(issuing, key, since, Reason.KEY_COMPROMISE),))
        params = {"subject": found.subject, "revoked": "2025-02-28T08:00:00Z", "reason": "keyCompromise"}
        assert c.check_revocation(found, listed, good, proven=None, made_after=w.ISSUED) == failed(
            "certificate_revoked", "REVOKED", **params
        )
        assert c.check_revocation(found, listed, good, proven=None, made_after=None) == undecided(
            "certificate_revoked", "REVOKED_NO_POE", **params
        )
        # Proven to be older, it holds, and the reader is told.
        older = c.check_revocation(found, listed, good, proven=since - day, made_after=None)
        assert older.outcome is Outcome.PASSED
        assert [n.code for n in older.notes] == [
            "judge_certificates_loose",
            "revoked_later",
            "revocation_checked",
            "revocation_unknown",
        ]
        assert ("subject", found.subject) in older.notes[1].params
        # Asked about a time before the revocation, it decides nothing; long after, the list is old.
        early = replace(listed, at=since - day)
        assert c.check_revocation(found, early, good, **ask).outcome is Outcome.PASSED
        stale = replace(listed, at=w.UNTIL + day)
        assert c.check_revocation(found, stale, good, proven=since - day, made_after=None).notes[2].code == (
            "revocation_stale"
        )

    def test_a_path_is_asked_about_with_its_two_times(self, world, issuing, case):
        key = world.agriculture
        found = c.lead(key.chain_der, case)
        listed = replace(case, crls=(revoked(issuing, key, w.ISSUED),))
        assert c.check_path(found, listed, claimed=w.ISSUED, proven=None).sub_indication == "REVOKED"
        before = w.ISSUED - SECOND
        assert c.check_path(found, listed, claimed=before, proven=None).sub_indication == "REVOKED_NO_POE"
        held = c.check_path(found, listed, claimed=before, proven=before)
        assert (held.outcome, held.code) == (Outcome.PASSED, "chain_ok_demonstration")

    def test_what_lists_say_is_made_safe_to_show(self, case, monkeypatch):
        monkeypatch.setattr(chain, "check_revocation", lambda *_, **__: (Note("x", (("subject", "a\nb"),)),))
        listed = replace(case, crls=(b"",))
        found = c.check_revocation(path(), listed, c.passed("y"), proven=None, made_after=None)
        assert found.notes == (Note("x", (("subject", "a\N{REPLACEMENT CHARACTER}b"),)),)


class TestTimeStamps:
    def of(self, tsa, at=MIDDLE, extra=()):
        return TimeStamp(at, 1, b"", (*tsa.chain_der, *extra), ECDSA_P256_SHA256)

    def good(self, tsa, at="2025-03-01T00:00:00Z", notes=()):
        (subject,) = {c.lead(tsa.chain_der, c.Case(b"", w.make_world().trust, w.AT)).subject}
        return c.passed("judge_time_stamp_ok", notes, stamped=at, subject=subject)

    def test_one_that_holds_says_when_and_who(self, tsa, case):
        assert c.check_stamp(self.of(tsa), replace(case, at=MIDDLE), claimed=MIDDLE, existed=None) == self.good(tsa)

    def test_its_time_may_differ_from_ours_and_the_signers_by_the_skew(self, tsa, case):
        now = replace(case, at=MIDDLE)
        ahead = self.of(tsa, MIDDLE + MINUTES_5)
        assert c.check_stamp(ahead, now, claimed=MIDDLE + 2 * MINUTES_5, existed=None).outcome is Outcome.PASSED
        contradicts = {"code": "judge_time_stamp_contradicts", "sub_indication": "TIMESTAMP_ORDER_FAILURE"}
        further = self.of(tsa, MIDDLE + MINUTES_5 + SECOND)
        assert c.check_stamp(further, now, claimed=None, existed=None) == failed(
            **contradicts, stamped="2025-03-01T00:05:01Z", claimed="?"
        )
        signed_after = MIDDLE + MINUTES_5 + SECOND
        assert c.check_stamp(self.of(tsa), now, claimed=signed_after, existed=None) == failed(
            **contradicts, stamped="2025-03-01T00:00:00Z", claimed="2025-03-01T00:05:01Z"
        )

    def test_its_time_lies_within_the_authoritys_term(self, tsa, case):
        after = replace(case, at=ENDS)
        for at in (STARTS, ENDS):
            assert c.check_stamp(self.of(tsa, at), after, claimed=None, existed=None) == self.good(tsa, c.iso(at))
        for at, text in ((STARTS - SECOND, "2025-01-31T23:59:59Z"), (ENDS + SECOND, "2025-05-01T00:00:01Z")):
            assert c.check_stamp(self.of(tsa, at), after, claimed=None, existed=None) == failed(
                "judge_time_stamp_expired", "EXPIRED", stamped=text, starts=c.iso(STARTS), ends=c.iso(ENDS)
            )

    def test_it_must_be_proven_to_have_existed_while_its_authority_held(self, tsa, case):
        late = replace(case, at=ENDS + SECOND)
        undone = undecided("judge_no_proof_of_time", "OUT_OF_BOUNDS_NO_POE", limit=c.iso(ENDS))
        assert c.check_stamp(self.of(tsa), late, claimed=None, existed=None) == undone
        assert c.check_stamp(self.of(tsa), late, claimed=None, existed=ENDS) == self.good(tsa)
        assert c.check_stamp(self.of(tsa), late, claimed=None, existed=ENDS + SECOND) == undone
        assert c.check_stamp(self.of(tsa), replace(case, at=ENDS), claimed=None, existed=None) == self.good(tsa)

    def test_certificates_that_lead_elsewhere_are_told(self, tsa, world, case):
        now = replace(case, at=MIDDLE)
        loose = self.of(tsa, extra=world.agriculture.chain_der[:1])
        bare = TimeStamp(MIDDLE, 1, b"", tsa.chain_der[:1], ECDSA_P256_SHA256)
        helped = replace(now, certificates=tsa.chain_der[1:])
        assert c.check_stamp(loose, now, claimed=None, existed=None) == self.good(
            tsa, notes=[Note("judge_certificates_loose")]
        )
        assert c.check_stamp(bare, helped, claimed=None, existed=None) == self.good(tsa)
        whole = self.of(tsa, extra=world.trust.anchors_der)
        assert c.check_stamp(whole, now, claimed=None, existed=None) == self.good(tsa)
        found = c.check_stamp(bare, now, claimed=None, existed=None)
        assert (found.outcome, found.sub_indication) == (Outcome.INDETERMINATE, "NO_CERTIFICATE_CHAIN_FOUND")

    def test_a_revoked_authority_is_asked_about(self, tsa, issuing, case):
        listed = replace(case, at=MIDDLE, crls=(revoked(issuing, tsa, MIDDLE),))
        ask = {"claimed": None, "existed": None}
        assert c.check_stamp(self.of(tsa), listed, **ask).sub_indication == "REVOKED"
        before = self.of(tsa, MIDDLE - SECOND)
        assert c.check_stamp(before, listed, **ask).sub_indication == "REVOKED_NO_POE"
        assert c.check_stamp(before, listed, claimed=None, existed=MIDDLE - SECOND).outcome is Outcome.PASSED

    def test_a_token_is_read_over_what_it_stamped_by_the_suites_allowed(self, tsa, world, case):
        token = stamp(TimeStampingAuthority(tsa, lambda: MIDDLE, itertools.count(9)), b"it", suites=[ECDSA_P256_SHA256])
        found = c.read_stamp(token, b"it", case)
        assert (found.time, found.serial, found.chain) == (MIDDLE, 9, tsa.chain_der)
        with pytest.raises(FormatError, match="something else"):
            c.read_stamp(token, b"other", case)
        none = replace(case, trust=TrustStore(world.trust.anchors, world.trust.log_verifiers, frozenset({"sm2-sm3"})))
        with pytest.raises(FormatError):
            c.read_stamp(token, b"it", none)
        assert timestamps.verify(token, (b"it",), suites=[ECDSA_P256_SHA256]) == found


class TestSealTrust:
    def test_has_the_anchors_the_suites_of_seals_and_the_helpers_that_parse(self, world, issuing, case):
        trust = TrustStore(
            world.trust.anchors, world.trust.log_verifiers, frozenset({"ed25519", "sm2-sm3", ECDSA_P256_SHA256})
        )
        given = replace(case, trust=trust, certificates=(b"no", issuing.chain_der[0]), crls=(b"list",))
        found = c.seal_trust(given)
        assert (found.anchors, found.suites) == (trust.anchors_der, frozenset({"sm2-sm3", ECDSA_P256_SHA256}))
        assert (found.intermediates, found.crls) == (issuing.chain_der[:1], (b"list",))
        none = TrustStore(world.trust.anchors, world.trust.log_verifiers, frozenset({"ed25519"}))
        assert c.seal_trust(replace(case, trust=none)) is None


class TestWhatIsShown:
    def test_is_printable_and_short(self):
        assert (
            c.shown("王小明 a\u2029b\u202e\t") == "王小明 a\N{REPLACEMENT CHARACTER}b" + "\N{REPLACEMENT CHARACTER}" * 2
        )
        assert c.shown("a" * 501) == "a" * 500
        assert c.params_of(a="x\ny", b=3) == (("a", "x\N{REPLACEMENT CHARACTER}y"), ("b", "3"))

    def test_times_are_told_in_utc_and_whole_seconds(self):
        china = timezone(timedelta(hours=8))
        assert c.iso(datetime(2025, 3, 1, 8, 0, 0, 999_999, tzinfo=china)) == "2025-03-01T00:00:00Z"
