"""Keys kept by a PKCS#11 token, on SoftHSM: they sign licences, and a token that goes away is told and found again."""

from __future__ import annotations

import os
import subprocess
import threading
from pathlib import Path

import pytest

from licence import authority, keys
from licence.errors import KeyFileError, SignerError
from licence.suites import ECDSA_P256_SHA256, SUITES
from tests.licence import world as w

MODULE = next((p for p in Path("/usr/lib").glob("**/softhsm/libsofthsm2.so")), None)
PIN = "483920"


def missing():
    """Why no token can be had here, or None."""
    try:
        import pkcs11  # noqa: F401 - whether it is there is all that is asked
    except ImportError:
        return "python-pkcs11 (the extra `hsm`) is not installed"
    return None if MODULE else "SoftHSM is not installed (Debian package softhsm2)"


pytestmark = [
    pytest.mark.service("softhsm"),
    pytest.mark.skipif(
        missing() is not None and os.environ.get("ZHENGTONG_REQUIRE_SERVICES") != "1", reason=missing() or ""
    ),
]


@pytest.fixture(scope="module")
def uri(tmp_path_factory):
    """A token with one P-256 key; the library reads its configuration once in a process."""
    import pkcs11

    folder = tmp_path_factory.mktemp("softhsm")
    (folder / "tokens").mkdir()
    (folder / "conf").write_text(
        f"directories.tokendir = {folder}/tokens\nobjectstore.backend = file\nlog.level = ERROR\n"
    )
    os.environ["SOFTHSM2_CONF"] = str(folder / "conf")
    made = ["softhsm2-util", "--init-token", "--free", "--label", "city seal", "--so-pin", "1234567", "--pin", PIN]
    subprocess.run(made, check=True, capture_output=True)
    with pkcs11.lib(str(MODULE)).get_token(token_label="city seal").open(rw=True, user_pin=PIN) as session:
        for label, curve in (("agriculture", "secp256r1"), ("other", "secp384r1")):
            parameters = session.create_domain_parameters(
                pkcs11.KeyType.EC,
                {pkcs11.Attribute.EC_PARAMS: pkcs11.util.ec.encode_named_curve_parameters(curve)},
                local=True,
            )
            parameters.generate_keypair(label=label, store=True)
    yield f"pkcs11:token=city%20seal;object=agriculture?module-path={MODULE}"
    del os.environ["SOFTHSM2_CONF"]


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
