"""A cloud signature: approved by one person, for one document, once, within minutes."""

from __future__ import annotations

import hmac
from datetime import timedelta

import pytest

from licence.errors import SealProofError, SealRefusedError
from licence.seals import cloud
from licence.seals.cloud import MAX_ATTEMPTS, State
from tests.licence.seals import city as c

NOW = c.SIGNED
SECRET = b"secret of zhang"


def asked(**changes):
    fields = {
        "request_id": bytes(16),
        "person": "zhang",
        "seal": "SEAL-1",
        "document_digest": c.DIGEST,
        "purpose": "颁发许可证",
        "at": NOW,
    }
    return cloud.ask(**(fields | changes))


def proof(approval):
    return hmac.digest(SECRET, approval.challenge, "sha256")


def check(person, challenge, given):
    if person != "zhang" or not hmac.compare_digest(given, hmac.digest(SECRET, challenge, "sha256")):
        raise SealProofError


def approved(approval=None, **changes):
    approval = approval or asked()
    fields = {"by": "zhang", "proof": proof(approval), "check": check, "at": NOW + timedelta(minutes=1)} | changes
    return cloud.approve(approval, **fields)


def spent(approval, **changes):
    fields = {"by": "zhang", "seal": "SEAL-1", "document_digest": c.DIGEST, "at": NOW + timedelta(minutes=2)} | changes
    return cloud.spend(approval, **fields)


def code(call, *args, **kwargs):
    with pytest.raises(SealRefusedError) as caught:
        call(*args, **kwargs)
    return caught.value.code


def test_asked_approved_and_spent():
    approval = approved()
    assert approval.state is State.APPROVED
    assert spent(approval).state is State.SPENT


def test_it_is_spent_once():
    assert code(spent, spent(approved())) == "seal_approval_not_open"


def test_not_without_approval():
    assert code(spent, asked()) == "seal_approval_not_open"
    assert code(spent, cloud.decline(asked(), by="zhang", at=NOW)) == "seal_approval_not_open"


def test_only_for_its_document_seal_and_person():
    assert code(spent, approved(), document_digest=bytes(32)) == "seal_approval_other_document"
    assert code(spent, approved(), seal="SEAL-2") == "seal_approval_other_document"
    assert code(spent, approved(), by="li") == "seal_approval_other_person"
    assert code(approved, by="li") == "seal_approval_other_person"


def test_a_proof_for_one_request_is_none_for_another():
    for other in ({"document_digest": bytes(32)}, {"seal": "SEAL-2"}, {"request_id": b"\1" * 16}, {"purpose": "x"}):
        assert approved(proof=proof(asked(**other))).state is State.ASKED
    assert asked(person="ab", seal="c").challenge != asked(person="a", seal="bc").challenge


def test_wrong_proofs_are_counted_and_end_it():
    approval = asked()
    for n in range(1, MAX_ATTEMPTS + 1):
        approval = approved(approval, proof=b"wrong")
        assert approval.failures == n
    assert approval.state is State.LOCKED
    assert code(approved, approval) == "seal_approval_not_open"


def test_it_ends_by_itself():
    assert code(approved, at=NOW + timedelta(minutes=10)) == "seal_approval_ended"
    assert code(spent, approved(), at=NOW + timedelta(minutes=10)) == "seal_approval_ended"
    assert code(approved, at=NOW - timedelta(seconds=1)) == "seal_approval_ended"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"person": ""}, "seal_entry_blank"),
        ({"request_id": b"short"}, "seal_approval_id_short"),
        ({"document_digest": b""}, "seal_digest_bad"),
        ({"valid_for": timedelta(hours=1)}, "seal_approval_time_bad"),
        ({"valid_for": timedelta()}, "seal_approval_time_bad"),
    ],
)
def test_what_cannot_be_asked(changes, expected):
    assert code(asked, **changes) == expected


def test_a_checker_out_of_order_is_no_wrong_proof():
    def broken(*_):
        raise OSError("server away")

    with pytest.raises(OSError, match="away"):
        approved(check=broken)
