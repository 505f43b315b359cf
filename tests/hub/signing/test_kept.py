"""What is kept of a signed request shows who sent it, and shows nothing once a byte of it is another."""

import base64

import pytest

from hub.signing import algorithms, kept
from hub.signing.errors import SignatureWrongError
from tests.hub.signing.test_requests import BODY, ED, EVERY, SIGNERS, call, check, signed


def taken(signer=ED, message=None, **more):
    return kept.plain(check(signed(signer, message, **more)), BODY)


@EVERY
def test_it_shows_who_asked_what(signer):
    shown = kept.check(taken(signer))
    assert shown == kept.Shown("POST", "/v1/resources/R/1:query", BODY, algorithms.key_id(signer.public))


def test_a_whole_address_shows_its_path():
    message = signed(ED, call(), also=["@target-uri"])
    assert kept.check(kept.plain(check(message), BODY)).path == "/v1/resources/R/1:query"


def test_no_character_of_it_can_be_altered():
    whole = taken()
    for name, text in whole.items():
        for place in range(len(text)):
            for other in ("A", "B"):
                altered = {**whole, name: text[:place] + (other if text[place] != other else "C") + text[place + 1 :]}
                with pytest.raises(SignatureWrongError):
                    kept.check(altered)


@pytest.mark.parametrize("gone", sorted(kept.MEMBERS))
def test_nothing_of_it_may_be_missing(gone):
    with pytest.raises(SignatureWrongError):
        kept.check({name: text for name, text in taken().items() if name != gone})


def test_another_s_signature_over_the_same_shows_another():
    other = SIGNERS["p256"]
    mine, theirs = taken(), taken(other)
    with pytest.raises(SignatureWrongError):
        kept.check({**mine, "key": theirs["key"]})
    # Another key and its own signature over a base that names mine.
    forged = base64.b64encode(other.sign(mine["base"].encode())).decode()
    with pytest.raises(SignatureWrongError):
        kept.check({**mine, "key": theirs["key"], "signature": forged})
