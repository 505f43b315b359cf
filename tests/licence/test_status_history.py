from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from audit.entry import Entry
from audit.notes import SignerKey
from audit.proof import LogProof
from licence.authority import Role
from licence.errors import FormatError
from licence.status import Status, StatusList, sign_status_list, token_digest
from licence.status.events import published_facts
from licence.status.history import MAX_VERSIONS, StatusHistory, StatusVersion, from_json, to_json
from tests.licence import world as w

HOUR = timedelta(hours=1)
# Entry 5 of the list, version by version: in force, suspended, revoked; logged each hour, a minute after it was signed.
VALUES = (0, 2, 1)


def token(world, value, signed, **changes):
    arguments = {"key": world.status_key, "uri": w.STATUS_URI, "issued_at": signed, "expires_at": signed + 2 * HOUR}
    return sign_status_list(StatusList.build(64, {w.IDX: value}), ttl_s=3600, **(arguments | changes))


def make(world, *, counted=True, signer=None, tokens=None, facts=None, times=None):
    tokens = tokens or [token(world, v, w.ISSUED + n * HOUR) for n, v in enumerate(VALUES)]
    entries, previous = [], ""
    for n, text in enumerate(tokens):
        told = published_facts(w.STATUS_URI, token_digest(text), version=n + 1, previous=previous)
        if not counted:
            told = {"uri": w.STATUS_URI, "token": token_digest(text)}
        at = times[n] if times else w.ISSUED + n * HOUR + timedelta(minutes=1)
        entries.append(Entry("status.published", at, "status", "", "", "", told | (facts or {}).get(n, {})).encode())
        previous = token_digest(text)
    signer = signer or world.log_key
    return [StatusVersion(e, w.prove(entries, n, signer), tokens[n]) for n, e in enumerate(entries)]


@pytest.fixture(scope="module")
def versions(world):
    return make(world)


@pytest.fixture(scope="module")
def history(world, versions):
    return StatusHistory.verified(w.STATUS_URI, versions, world.trust)


@pytest.mark.parametrize(
    ("minutes", "status", "index", "closed"),
    [
        (1, Status.VALID, 0, True),
        (60, Status.VALID, 0, True),
        (61, Status.SUSPENDED, 1, True),
        (120.9, Status.SUSPENDED, 1, True),
        (121, Status.INVALID, 2, False),
        (60 * 24 * 365, Status.INVALID, 2, False),
    ],
)
def test_the_status_at_any_past_time(history, minutes, status, index, closed):
    found = history.status_at(w.ISSUED + timedelta(minutes=minutes), w.IDX)
    assert (found.status, found.index, found.closed, found.origin) == (status, index, closed, "log.city.example")
    assert found.as_of == w.ISSUED + index * HOUR
    assert found.logged_at == found.as_of + timedelta(minutes=1)
    assert (found.next_update, found.until) == (found.as_of + HOUR, found.as_of + 2 * HOUR)


def test_a_list_past_its_time_says_nothing_but_that_a_licence_was_revoked(world):
    found = StatusHistory.verified(w.STATUS_URI, make(world)[:2], world.trust)
    late = found.status_at(w.ISSUED + 3 * HOUR, w.IDX)
    assert (late.fresh, late.status, late.value) == (False, None, Status.SUSPENDED)
    assert found.status_at(w.ISSUED + 3 * HOUR - timedelta(seconds=1), w.IDX).fresh


def test_an_index_outside_has_no_status(history):
    assert history.status_at(w.AT, 64).status is None
    assert history.status_at(w.AT, -1).value is None


def test_before_the_first_version_nothing_is_known(history):
    with pytest.raises(FormatError) as caught:
        history.status_at(w.ISSUED, w.IDX)
    assert caught.value.code == "history_before_first"


def test_a_naive_time_is_an_error_of_the_program(history):
    with pytest.raises(ValueError, match="zone"):
        history.status_at(datetime(2025, 1, 1), w.IDX)  # noqa: DTZ001 - what is tested


def test_two_versions_are_evidence_enough(world, history):
    at = w.ISSUED + timedelta(minutes=90)
    evidence = history.evidence_at(at)
    assert [v.token is None for v in evidence] == [False, True]
    again = StatusHistory.verified(w.STATUS_URI, from_json(to_json(w.STATUS_URI, evidence))[1], world.trust)
    assert again.status_at(at, w.IDX) == history.status_at(at, w.IDX)
    with pytest.raises(FormatError) as caught:
        again.status_at(at + HOUR, w.IDX)
    assert caught.value.code == "history_token_missing"


def test_any_order_is_the_order_of_the_log(world, versions, history):
    assert StatusHistory.verified(w.STATUS_URI, versions[::-1], world.trust) == history


def code_of(world, versions, uri=w.STATUS_URI):
    with pytest.raises(FormatError) as caught:
        StatusHistory.verified(uri, versions, world.trust)
    return caught.value.code


def test_a_version_left_out_is_seen(world, versions):
    assert code_of(world, [versions[0], versions[2]]) == "history_version_missing"


def test_a_version_whose_predecessor_is_another_is_seen(world):
    other = make(world, facts={1: {"previous": "sha256:" + "0" * 64}})
    assert code_of(world, other) == "history_version_missing"


def test_versions_that_do_not_count_never_close(world):
    found = StatusHistory.verified(w.STATUS_URI, make(world, counted=False), world.trust)
    assert not found.status_at(w.ISSUED + timedelta(minutes=5), w.IDX).closed


def test_versions_are_bound_to_log_list_and_signer(world, versions):
    first = versions[0]
    assert code_of(world, []) == "history_empty"
    assert code_of(world, [first] * (MAX_VERSIONS + 1)) == "too_large"
    assert code_of(world, [first, first]) == "history_entry_twice"
    assert code_of(world, versions, w.STATUS_URI + "0") == "history_other_list"
    assert code_of(world, make(world, signer=SignerKey("log.city.example", b"\1" * 32))) == "log_key_untrusted"
    assert code_of(world, [replace(first, proof=versions[1].proof)]) == "log_proof_invalid"
    assert code_of(world, [replace(first, token=versions[1].token)]) == "history_token_differs"
    assert (
        code_of(world, make(world, tokens=[token(world, 0, w.ISSUED, key=world.agriculture)]))
        == "status_signer_purpose"
    )
    assert code_of(world, make(world, tokens=[token(world, 0, w.ISSUED + HOUR)])) == "history_signed_after_logged"
    elsewhere = [token(world, 0, w.ISSUED, uri="https://elsewhere.example")]
    assert code_of(world, make(world, tokens=elsewhere)) == "history_other_list"


def test_a_clock_set_back_by_much_is_seen(world):
    times = [w.ISSUED + 3 * HOUR, w.ISSUED + 2 * HOUR, w.ISSUED + 4 * HOUR]
    assert code_of(world, make(world, times=times)) == "history_disordered"


def test_each_byte_of_entry_and_token_counts(world, versions):
    one = versions[0]
    for at in range(len(one.entry)):
        flipped = bytearray(one.entry)
        flipped[at] ^= 1
        assert code_of(world, [replace(one, entry=bytes(flipped))])
    for at in range(0, len(one.token), 7):
        text = one.token[:at] + ("A" if one.token[at] != "A" else "B") + one.token[at + 1 :]
        assert code_of(world, [replace(one, token=text)])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"format":"x","uri":"u","versions":[]}',
        '{"format":"zhengtong-status-history/1","uri":"u","versions":[{"entry":"e"}]}',
        '{"format":"zhengtong-status-history/1","uri":"u","versions":[{"entry":"e","proof":5}]}',
        '{"format":"zhengtong-status-history/1","uri":5,"versions":[]}',
        '{"format":"zhengtong-status-history/1","uri":"u","versions":5}',
        '{"format":"zhengtong-status-history/1","uri":"u","versions":["\\ud800"]}',
        "[" * 100_000,
        b"\xff",
    ],
)
def test_other_texts_are_no_history(text):
    with pytest.raises(FormatError):
        from_json(text)


def test_a_history_reads_back(versions):
    assert from_json(to_json(w.STATUS_URI, versions)) == (w.STATUS_URI, tuple(versions))


def test_what_the_log_recorded_is_still_judged_by_its_signature_and_signer(world):
    """The log keeps any digest: only the pinned chain, its time and the signature make a token count."""
    signed = token(world, 0, w.ISSUED)
    altered = signed[:-8] + ("A" if signed[-8] != "A" else "B") + signed[-7:]
    assert code_of(world, make(world, tokens=[altered])) == "signature_wrong"
    brief = w.make_leaf(
        world.root, "brief", w.STATUS_OFFICE, role=Role.STATUS, starts=w.STARTS, ends=w.STARTS + timedelta(days=9)
    )
    assert code_of(world, make(world, tokens=[token(world, 0, w.ISSUED, key=brief)])) == "status_signer_out_of_time"
    pinned = replace(world, trust=replace(world.trust, status_signers=frozenset({"0" * 64})))
    assert code_of(pinned, make(world)) == "status_signer_not_pinned"


def test_versions_of_two_logs_are_no_history(world, versions):
    other = SignerKey("other.city.example", b"\2" * 32)
    both = replace(world, trust=replace(world.trust, log_verifiers=(world.log_key.verifier, other.verifier)))
    elsewhere = make(world, signer=other)
    assert code_of(both, [versions[0], elsewhere[1]]) == "history_entry_twice"


def test_what_no_proof_covers_is_refused(world, versions):
    proof = LogProof.from_text(versions[0].proof)
    said = replace(versions[0], proof=replace(proof, extra=b"trust me").to_text())
    assert code_of(world, [said]) == "log_proof_invalid"
