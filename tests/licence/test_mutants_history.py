"""The history of a status list, second by second and version by version."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from audit.entry import Entry
from audit.notes import SignerKey
from audit.proof import LogProof
from licence.errors import FormatError
from licence.status import Status, token_digest
from licence.status import history as module
from licence.status.events import published_facts
from licence.status.history import StatusHistory, StatusVersion, from_json, to_json
from tests.licence import world as w
from tests.licence.test_mutants_status import resigned
from tests.licence.test_status_history import HOUR, make, token

SECOND, SKEW = timedelta(seconds=1), timedelta(minutes=5)


@pytest.fixture(scope="module")
def versions(world):
    return make(world)


def verified(world, versions, uri=w.STATUS_URI):
    return StatusHistory.verified(uri, versions, world.trust)


def fault(action, *arguments):
    with pytest.raises(FormatError) as caught:
        action(*arguments)
    assert caught.value.text("zh") != caught.value.text("en")
    return caught.value


def refused(world, versions, uri=w.STATUS_URI):
    found = fault(verified, world, versions, uri)
    return found.code, found.sub_indication


def logged(world, facts, *, tokens=None, times=None):
    """Versions whose entries tell *facts*, one behind the other."""
    entries = [
        Entry("status.published", times[n] if times else w.ISSUED + n * HOUR, "status", "", "", "", told).encode()
        for n, told in enumerate(facts)
    ]
    return [
        StatusVersion(e, w.prove(entries, n, world.log_key), tokens[n] if tokens else None)
        for n, e in enumerate(entries)
    ]


def facts(number, version=0, previous=""):
    return published_facts(w.STATUS_URI, digest(number), version=version, previous=previous)


def digest(number):
    return f"sha256:{number:064x}"


class TestOrder:
    def test_clocks_may_be_set_back_by_five_minutes(self, world):
        told = [facts(0), facts(1)]
        late = w.ISSUED + HOUR
        assert len(verified(world, logged(world, told, times=[late, late - SKEW]))) == 2
        wrong = logged(world, told, times=[late, late - SKEW - timedelta(microseconds=1)])
        found = fault(verified, world, wrong)
        assert (found.code, found.sub_indication) == ("history_disordered", "LOG_PROOF_INVALID")
        assert found.finding_params["index"] == "1"

    def test_of_versions_whose_clock_was_set_back_the_later_in_the_log_decides(self, world):
        tokens = [token(world, value, w.ISSUED) for value in (0, 1)]
        told = [{"uri": w.STATUS_URI, "token": token_digest(t)} for t in tokens]
        at = w.ISSUED + SKEW
        found = verified(world, logged(world, told, tokens=tokens, times=[at, at - SECOND]))
        assert found.status_at(at, w.IDX).index == 1
        assert found.status_at(at - SECOND, w.IDX).index == 1

    def test_a_list_may_be_signed_five_minutes_past_its_entry(self, world):
        for lead, good in ((SKEW, True), (SKEW + SECOND, False)):
            text = token(world, 0, w.ISSUED + lead)
            told = [published_facts(w.STATUS_URI, token_digest(text), version=1, previous="")]
            versions = logged(world, told, tokens=[text])
            if good:
                assert verified(world, versions).status_at(w.ISSUED, w.IDX).as_of == w.ISSUED + SKEW
            else:
                assert refused(world, versions) == ("history_signed_after_logged", "LOG_PROOF_INVALID")

    def test_an_entry_counts_once(self, world, versions):
        assert refused(world, [versions[0]] * 2) == ("history_entry_twice", "LOG_PROOF_INVALID")
        other = SignerKey("other.city.example", b"\2" * 32)
        both = replace(world, trust=replace(world.trust, log_verifiers=(world.log_key.verifier, other.verifier)))
        elsewhere = make(world, signer=other)
        found = fault(verified, both, [versions[0], elsewhere[1]])
        assert (found.code, found.sub_indication) == ("history_entry_twice", "LOG_PROOF_INVALID")
        assert found.finding_params["index"] == "1"


class TestGaps:
    @pytest.mark.parametrize(
        "told",
        [
            [facts(0), facts(1)],
            [facts(0), facts(1, 1)],
            [facts(0, 1), facts(1, 2, digest(0))],
            [facts(0, 7, digest(9)), facts(1, 8, digest(0))],
            [facts(0, 2)],
        ],
    )
    def test_versions_that_follow_each_other_are_a_history(self, world, told):
        assert len(verified(world, logged(world, told))) == len(told)

    @pytest.mark.parametrize(
        "told",
        [
            [facts(0, 1), facts(1)],
            [facts(0), facts(1, 2, digest(0))],
            [facts(0, 1), facts(1, 1)],
            [facts(0, 1), facts(1, 2)],
            [facts(0, 1), facts(1, 2, digest(9))],
            [facts(0, 1), facts(1, 3, digest(0))],
            [facts(0, 2), facts(1, 1)],
            [facts(0, 1), facts(1, 2, digest(0)), facts(2, 4, digest(1))],
        ],
    )
    def test_a_count_that_skips_or_a_digest_of_another_is_a_gap(self, world, told):
        found = fault(verified, world, logged(world, told))
        assert found.code == "history_version_missing"
        assert found.finding_params["index"] == str(len(told) - 1)
        assert found.finding_params["before"] == str(len(told) - 2)


class TestEvidence:
    def test_each_refusal_says_what_of_the_log_does_not_hold(self, world, versions):
        first = versions[0]
        log = "LOG_PROOF_INVALID"
        assert refused(world, [replace(first, proof=versions[1].proof)]) == ("log_proof_invalid", log)
        assert refused(world, [replace(first, proof="x")]) == ("log_proof_invalid", log)
        assert refused(world, make(world, signer=SignerKey("log.city.example", b"\1" * 32))) == (
            "log_key_untrusted", log,
        )  # fmt: skip
        assert refused(world, versions, w.STATUS_URI + "0") == ("history_other_list", log)
        assert refused(world, [replace(first, token=versions[1].token)]) == ("history_token_differs", "HASH_FAILURE")
        elsewhere = make(world, tokens=[token(world, 0, w.ISSUED, uri="https://elsewhere.example")])
        assert refused(world, elsewhere) == ("history_other_list", "FORMAT_FAILURE")

    def test_a_proof_has_one_spelling(self, world, versions):
        proof = LogProof.from_text(versions[0].proof)
        index = versions[0].proof.replace("index 0\n", "index 00\n")
        extra = replace(proof, extra=b"trust me").to_text()
        for text in (index, extra, extra.replace("extra ", "extra  "), versions[0].proof.replace("\n", "\r\n")):
            found = fault(verified, world, [replace(versions[0], proof=text)])
            assert (found.code, found.sub_indication) == ("log_proof_invalid", "LOG_PROOF_INVALID")

    def test_an_entry_about_a_licence_is_no_version(self, world, sealed):
        entry = w.issued_entry(sealed)
        version = StatusVersion(entry, w.prove([entry], 0, world.log_key))
        found = fault(verified, world, [version])
        assert (found.code, found.finding_params["index"]) == ("history_other_list", "0")
        noise = Entry("grant.given", w.ISSUED, "a", "", "R1", "", {}).encode()
        assert refused(world, [StatusVersion(noise, w.prove([noise], 0, world.log_key))])[0] == "history_other_list"

    def test_a_token_is_ascii_and_of_a_size(self, world, versions, monkeypatch):
        first = versions[0]
        assert refused(world, [replace(first, token=first.token + "é")])[0] == "too_large"
        assert refused(world, [replace(first, token="\ud800")])[0] == "too_large"
        monkeypatch.setattr(module, "MAX_TOKEN_BYTES", len(first.token))
        assert len(verified(world, [first])) == 1
        monkeypatch.setattr(module, "MAX_TOKEN_BYTES", len(first.token) - 1)
        found = fault(verified, world, [first])
        assert (found.code, found.finding_params["what"]) == ("too_large", "status list token")

    def test_a_history_has_versions_and_not_too_many(self, world, versions, monkeypatch):
        assert refused(world, [])[0] == "history_empty"
        monkeypatch.setattr(module, "MAX_VERSIONS", 3)
        assert len(verified(world, versions)) == 3
        monkeypatch.setattr(module, "MAX_VERSIONS", 2)
        found = fault(verified, world, versions)
        assert (found.code, found.finding_params) == ("too_large", {"what": "status history", "limit": "2"})


class TestAnswers:
    def test_what_was_promised_ends_with_the_list_itself(self, world):
        def times(**changes):
            text = resigned(world, **changes)
            told = [published_facts(w.STATUS_URI, token_digest(text), version=1, previous="")]
            found = verified(world, logged(world, told, tokens=[text])).status_at(w.AT, w.IDX)
            return found.next_update - w.ISSUED, found.until - w.ISSUED

        day = timedelta(days=1)
        assert times() == (HOUR, day)
        assert times(ttl=None) == (day, day)
        assert times(ttl=2 * 86400) == (day, day)

    def test_only_a_version_that_is_counted_and_followed_is_closed(self, world, versions):
        whole = verified(world, versions)
        assert [whole.status_at(w.ISSUED + n * HOUR + 2 * SKEW, w.IDX).closed for n in range(3)] == [True, True, False]
        uncounted = verified(world, make(world, counted=False))
        assert not uncounted.status_at(w.ISSUED + 2 * SKEW, w.IDX).closed

    def test_a_status_that_has_no_meaning_is_none(self, world):
        found = verified(world, make(world, tokens=[token(world, 3, w.ISSUED)])).status_at(w.AT, w.IDX)
        assert (found.value, found.status, found.fresh) == (3, None, False)
        soon = verified(world, make(world, tokens=[token(world, 3, w.ISSUED)])).status_at(w.ISSUED + HOUR, w.IDX)
        assert (soon.value, soon.status, soon.fresh) == (3, None, True)

    def test_a_list_is_fresh_until_its_last_second_and_revocation_stands(self, world, versions):
        until = w.ISSUED + 2 * HOUR
        only = verified(world, versions[:1])
        assert only.status_at(until - SECOND, w.IDX).status is Status.VALID
        late = only.status_at(until, w.IDX)
        assert (late.fresh, late.status, late.value) == (False, None, 0)
        revoked = verified(world, versions).status_at(w.ISSUED + 99 * HOUR, w.IDX)
        assert (revoked.fresh, revoked.status) == (False, Status.INVALID)

    def test_before_the_first_version_the_refusal_says_when_that_was(self, world, versions):
        found = fault(verified(world, versions).status_at, w.ISSUED, w.IDX)
        assert (found.code, found.sub_indication) == ("history_before_first", "TRY_LATER")
        assert found.finding_params["first"] == "2025-03-01T08:01:00Z"
        local = make(world, times=[w.ISSUED + timedelta(minutes=1, microseconds=5) + n * HOUR for n in range(3)])
        found = fault(verified(world, local).evidence_at, w.ISSUED)
        assert found.finding_params["first"] == "2025-03-01T08:01:00Z"

    def test_a_version_answers_from_the_second_it_was_logged(self, world, versions):
        whole = verified(world, versions)
        first = w.ISSUED + timedelta(minutes=1)
        assert whole.status_at(first, w.IDX).index == 0
        assert fault(whole.status_at, first - timedelta(microseconds=1), w.IDX).code == "history_before_first"
        with pytest.raises(ValueError, match="zone"):
            whole.evidence_at(datetime(2025, 3, 1))  # noqa: DTZ001 - what is tested

    def test_evidence_is_the_version_and_the_one_behind_it_without_token(self, world, versions):
        whole = verified(world, versions)
        at = w.ISSUED + SKEW
        assert whole.evidence_at(at) == (versions[0], replace(versions[1], token=None))
        assert whole.evidence_at(at + 9 * HOUR) == (versions[2],)

    def test_without_the_token_that_decides_there_is_no_answer(self, world, versions):
        found = fault(verified(world, [replace(versions[0], token=None)]).status_at, w.AT, w.IDX)
        assert (found.code, found.finding_params["index"]) == ("history_token_missing", "0")


class TestText:
    def test_the_text_is_this(self):
        text = to_json("u", [StatusVersion("条".encode(), "p", "t"), StatusVersion(b"e", "q")])
        assert text == (
            '{"format":"zhengtong-status-history/1","uri":"u","versions":'
            '[{"entry":"条","proof":"p","token":"t"},{"entry":"e","proof":"q"}]}\n'
        )
        assert from_json(text) == ("u", (StatusVersion("条".encode(), "p", "t"), StatusVersion(b"e", "q", None)))
        assert from_json(text.encode()) == from_json(text)

    @pytest.mark.parametrize(
        "changes",
        [
            {"format": "zhengtong-status-history/2"},
            {"format": ...},
            {"uri": ...},
            {"uri": 5},
            {"versions": ...},
            {"versions": 5},
            {"versions": {}},
            {"versions": {"a": 1}},
            {"more": 1},
            {"versions": [5]},
            {"versions": [["entry", "proof"]]},
            {"versions": [{"entry": "e"}]},
            {"versions": [{"proof": "p"}]},
            {"versions": [{"entry": "e", "proof": "p", "more": "x"}]},
            {"versions": [{"entry": 5, "proof": "p"}]},
            {"versions": [{"entry": "e", "proof": None}]},
            {"versions": [{"entry": "e", "proof": "p", "token": None}]},
        ],
    )
    def test_members_are_there_and_of_their_kind(self, changes):
        plain = {"format": "zhengtong-status-history/1", "uri": "u", "versions": []} | changes
        text = json.dumps({name: value for name, value in plain.items() if value is not ...})
        assert fault(from_json, text).code == "history_malformed"

    def test_it_is_an_object(self):
        for text in ("[]", '["format","uri","versions"]', "5", '"x"', "null"):
            assert fault(from_json, text).code == "history_malformed"
        assert fault(from_json, "x").finding_params["what"] == "status history"

    def test_it_has_fifty_thousand_versions_at_most(self):
        def text(count):
            return to_json("u", [StatusVersion(b"", "")] * count)

        assert len(from_json(text(50_000))[1]) == 50_000
        assert fault(from_json, text(50_001)).code == "history_malformed"

    def test_it_has_256_mebibytes_at_most(self):
        class Long(str):
            __slots__ = ("size",)

            def __len__(self):
                return self.size

        text = Long("x")
        text.size = 256 * 1024 * 1024
        assert fault(from_json, text).code == "json_invalid"
        text.size += 1
        found = fault(from_json, text)
        assert (found.code, found.finding_params["what"]) == ("too_large", "status history")
