"""Whose status list counts: pinned signers, and the ends of a certificate's term."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from licence.authority import Role
from licence.errors import FormatError
from licence.status import cwt, to_cwt
from licence.status.authentic import authentic_token, with_signer
from licence.trust import fingerprint
from tests.licence import world as w

SECOND = timedelta(seconds=1)
STARTS, ENDS = w.ISSUED, w.ISSUED + timedelta(days=9)


def fault(*arguments):
    with pytest.raises(FormatError) as caught:
        authentic_token(*arguments)
    return caught.value


def test_a_signer_who_is_pinned_is_taken_and_no_other(world, token):
    prints = frozenset({fingerprint(world.status_key.chain_der[0])})
    assert authentic_token(token, replace(world.trust, status_signers=prints)).uri == w.STATUS_URI
    other = frozenset({fingerprint(world.agriculture.chain_der[0])})
    assert fault(token, replace(world.trust, status_signers=other)).code == "status_signer_not_pinned"


def test_a_list_is_signed_from_the_first_to_the_last_second_of_the_certificate(world):
    brief = w.make_leaf(world.root, "brief", w.STATUS_OFFICE, role=Role.STATUS, starts=STARTS, ends=ENDS)
    for at in (STARTS, ENDS):
        assert authentic_token(w.status_token(brief, issued_at=at), world.trust)
    for at in (STARTS - SECOND, ENDS + SECOND):
        assert fault(w.status_token(brief, issued_at=at), world.trust).code == "status_signer_out_of_time"


def test_who_is_not_at_hand_is_named_with_the_list(world, token):
    bare = cwt.with_chain(to_cwt(token, key=world.status_key), ())
    found = fault(bare, world.trust)
    assert (found.code, found.sub_indication) == ("status_signer_unknown", "NO_SIGNING_CERTIFICATE_FOUND")
    assert found.finding_params["x5t"] == fingerprint(world.status_key.chain_der[0])
    assert found.finding_params["uri"] == w.STATUS_URI


def test_a_token_of_either_form_without_chain_and_name_is_nobodys(world, token):
    parsed = authentic_token(token, world.trust)
    for signed in (replace(parsed.signed, chain=()), cwt.SignedCwt((), b"", None)):
        with pytest.raises(FormatError) as caught:
            with_signer(replace(parsed, signed=signed), (), world.trust.anchors_der, world.trust.suites)
        assert caught.value.code == "no_signing_certificate"
        assert caught.value.sub_indication == "NO_SIGNING_CERTIFICATE_FOUND"
