from __future__ import annotations

import base64
import json
import zlib
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from licence import status
from licence.errors import FormatError, IssueRefusedError
from licence.status import Status, StatusList, parse_status_token, sign_status_list
from tests.licence import world as w

# draft-ietf-oauth-status-list, section "Status List": 16 one-bit statuses pack to 0xB9 0xA3, and the published JSON
# example compresses them to this text.
DRAFT_BITS = [1, 0, 0, 1, 1, 1, 0, 1, 1, 1, 0, 0, 0, 1, 0, 1]
DRAFT_LST = "eNrbuRgAAhcBXQ"


def test_vector_of_the_draft():
    statuses = StatusList.build(16, dict(enumerate(DRAFT_BITS)), bits=1)
    assert statuses.packed == bytes([0xB9, 0xA3])
    assert statuses.to_claim() == {"bits": 1, "lst": DRAFT_LST}
    assert StatusList.parse({"bits": 1, "lst": DRAFT_LST}) == statuses


@settings(deadline=None)
@given(st.sampled_from([1, 2, 4, 8]), st.data())
def test_what_was_built_reads_back(bits, data):
    values = data.draw(st.lists(st.integers(0, 2**bits - 1), min_size=1, max_size=200))
    statuses = StatusList.build(len(values), dict(enumerate(values)), bits=bits)
    again = StatusList.parse(json.loads(json.dumps(statuses.to_claim())))
    assert [again.value(i) for i in range(len(values))] == values
    assert again.value(len(again)) is None
    assert again.value(-1) is None


def test_a_million_licences_with_a_few_revoked_stay_small():
    states = dict.fromkeys(range(0, 1_000_000, 1000), Status.INVALID)
    claim = StatusList.build(1_000_000, states).to_claim()
    assert len(claim["lst"]) < 20_000
    assert StatusList.parse(claim).value(999_000) == Status.INVALID


@pytest.mark.parametrize(
    ("size", "states", "bits"), [(8, {8: 1}, 1), (8, {-1: 1}, 1), (8, {0: 2}, 1), (8, {0: 4}, 2), (8, {}, 3)]
)
def test_what_does_not_fit_is_refused(size, states, bits):
    with pytest.raises(IssueRefusedError):
        StatusList.build(size, states, bits=bits)


def lst(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


@pytest.mark.parametrize(
    "claim",
    [
        None,
        [],
        {"bits": 2},
        {"bits": 3, "lst": DRAFT_LST},
        {"bits": True, "lst": DRAFT_LST},
        {"bits": 1, "lst": 5},
        {"bits": 1, "lst": DRAFT_LST + "="},
        {"bits": 1, "lst": lst(b"not zlib")},
        {"bits": 1, "lst": lst(zlib.compress(b"x" * 100)[:-5])},
        {"bits": 1, "lst": lst(zlib.compress(b"x") + b"more")},
        {"bits": 1, "lst": lst(zlib.compress(b"x")), "other": 1},
    ],
)
def test_malformed_claims_are_refused(claim):
    with pytest.raises(FormatError):
        StatusList.parse(claim)


def test_a_bomb_is_not_expanded():
    bomb = zlib.compress(b"\0" * (status.MAX_LIST_BYTES + 1), 9)
    assert len(bomb) < 20_000
    with pytest.raises(FormatError):
        StatusList.parse({"bits": 2, "lst": lst(bomb)})


def test_token_reads_back(world, token):
    found = parse_status_token(token)
    assert (found.uri, found.issued_at, found.ttl) == (w.STATUS_URI, int(w.ISSUED.timestamp()), 3600)
    assert found.states().value(1) == Status.INVALID
    assert status.token_digest(token).startswith("sha256:")


@pytest.mark.parametrize(("valid_for", "ttl"), [(timedelta(0), 60), (timedelta(days=1), 0)])
def test_a_list_that_is_stale_at_once_is_not_signed(world, valid_for, ttl):
    with pytest.raises(IssueRefusedError):
        sign_status_list(
            StatusList.build(8, {}),
            key=world.status_key,
            uri=w.STATUS_URI,
            issued_at=w.ISSUED,
            expires_at=w.ISSUED + valid_for,
            ttl_s=ttl,
        )
