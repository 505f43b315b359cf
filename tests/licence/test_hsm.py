"""Keys kept by a PKCS#11 token, on SoftHSM: they sign licences, and a token that goes away is told and found again."""

from __future__ import annotations

import os
import threading

import pytest

from licence import authority, keys
from licence.errors import KeyFileError, SignerError
from licence.suites import ECDSA_P256_SHA256, SUITES
from tests.licence import softhsm
from tests.licence import world as w
from tests.licence.softhsm import PIN, missing

pytestmark = [
    pytest.mark.service("softhsm"),
    pytest.mark.skipif(
        missing() is not None and os.environ.get("ZHENGTONG_REQUIRE_SERVICES") != "1", reason=missing() or ""
    ),
]


@pytest.fixture
def uri():
    return softhsm.token()


@pytest.fixture
def signer(uri):
    from licence.hsm import TokenSigner

    made = keys.open_signer(uri, PIN, {"pkcs11": TokenSigner.from_uri})
    yield made
    made.close()


def code(act):
    with pytest.raises(SignerError) as caught:
        act()
    assert PIN not in str(caught.value)
    assert caught.value.text("zh") != caught.value.text("en")
    return caught.value.code


def test_a_token_signs_and_certifies(signer):
    root = authority.create_root(signer, name="HSM", starts=w.STARTS, ends=w.ENDS, serial=1)
    for _ in range(20):
        SUITES[ECDSA_P256_SHA256].verify(root.public_key, root.sign(b"data"), b"data")
    assert w.make_leaf(root, "leaf", w.FORESTRY).certificate.verify_directly_issued_by(root.certificate) is None
    assert PIN not in repr(signer) + repr(root)


def test_threads_take_turns(signer):
    done = []
    threads = [threading.Thread(target=lambda: done.extend(signer.sign_der(b"x") for _ in range(20))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for signature in done:
        SUITES[ECDSA_P256_SHA256].verify_der(signer.public_key(), signature, b"x")
    assert len(done) == 80


def test_a_token_that_goes_away_is_told_and_found_again(signer):
    # What the library sees when a token is pulled: its session is no longer one.
    signer._session.close()
    assert code(lambda: signer.sign_der(b"x")) == "signer_gone"
    SUITES[ECDSA_P256_SHA256].verify_der(signer.public_key(), signer.sign_der(b"x"), b"x")


def test_another_key_under_the_same_name_is_refused(signer):
    signer.close()
    signer._public = w.private_key("x").public_key()
    assert code(lambda: signer.sign_der(b"x")) == "signer_no_key"


def test_a_session_does_not_cross_a_fork(signer):
    signer._process += 1
    assert code(lambda: signer.sign_der(b"x")) == "signer_forked"


def test_what_cannot_be_opened_says_why(uri):
    from licence.hsm import TokenSigner

    assert code(lambda: TokenSigner.from_uri(uri, "000000")) == "signer_pin"
    assert code(lambda: TokenSigner.from_uri(uri.replace("city", "town"), PIN)) == "signer_gone"
    assert code(lambda: TokenSigner.from_uri(uri.replace("agri", "aqua"), PIN)) == "signer_no_key"
    assert code(lambda: TokenSigner.from_uri(uri.replace("agriculture", "other"), PIN)) == "signer_no_key"
    assert code(lambda: TokenSigner.from_uri(uri.replace("softhsm2.so", "none.so"), PIN)) == "signer_gone"
    for wrong in ("", "pkcs11:", "pkcs11:token=a;object=b", uri.replace("object", "id"), "file:x"):
        with pytest.raises(KeyFileError):
            TokenSigner.from_uri(wrong, PIN)
