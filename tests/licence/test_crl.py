"""Revocation lists: made, read, refused, asked; and what a revocation means for a chain at a time."""

from __future__ import annotations

import subprocess
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given, settings
from hypothesis import strategies as st

from licence import authority, chain, crl
from licence.crl import Reason, Revocation
from licence.errors import CertificationRefusedError, FormatError
from licence.keys import generate_private_key, write_key
from licence.sm2 import native
from licence.suites import ECDSA_P256_SHA256, SM2_SM3, SUITES
from tests.licence import world as w
from tests.licence.tools import needs_openssl, openssl

DAY = timedelta(days=1)
SIGNED = w.ISSUED
BAD = 0x1234

needs_sm2 = pytest.mark.skipif(native.load() is None, reason="no libcrypto with SM2 on this machine")


class City:
    """A root, an issuing CA and a leaf with keys of one suite, and lists of both authorities."""

    def __init__(self, suite):
        make = generate_private_key
        self.root = authority.create_root(make(suite), name="Root", starts=w.STARTS, ends=w.ENDS, serial=1)
        self.issuing = authority.certify_authority(
            self.root, make(suite), name="Issuing", starts=w.STARTS, ends=w.ENDS, serial=2
        )
        self.leaf = authority.certify_leaf(
            self.issuing,
            make(suite),
            role=authority.Role.LICENCES,
            name="leaf",
            uscc=w.AGRICULTURE,
            uri="https://a.example",
            starts=w.STARTS,
            ends=w.ENDS,
            serial=BAD,
        )
        anchors = frozenset({self.root.certificate.public_bytes(Encoding.DER)})
        self.path = chain.validate(self.leaf.chain_der, anchors, frozenset(SUITES))
        self.clean_root = self.list_of(self.root)

    def list_of(self, key, *revocations, on=SIGNED + 10 * DAY, days=7, number=1):
        return authority.revocation_list(key, revocations, number=number, this_update=on, next_update=on + days * DAY)

    def check(self, *lists, at=SIGNED + 12 * DAY, **times):
        return chain.check_revocation(self.path, lists, at=at, **times)


@pytest.fixture(scope="module", params=[ECDSA_P256_SHA256, pytest.param(SM2_SM3, marks=needs_sm2)])
def city(request):
    return City(request.param)


@pytest.fixture(scope="module")
def p256():
    return City(ECDSA_P256_SHA256)


def codes(notes):
    return [n.code for n in notes]


def test_a_list_reads_back(city):
    revocations = [
        Revocation(5, SIGNED, Reason.KEY_COMPROMISE),
        Revocation(6, SIGNED + DAY),
        Revocation(2**150, SIGNED, Reason.HOLD),
    ]
    der = city.list_of(city.issuing, *revocations, number=77)
    read = crl.read(der, city.issuing.certificate)
    assert list(read.entries.values()) == revocations
    assert (read.number, read.this_update, read.next_update) == (77, SIGNED + 10 * DAY, SIGNED + 17 * DAY)
    assert read.covers(city.leaf.certificate)


@settings(max_examples=25, deadline=None)
@given(
    st.dictionaries(
        st.integers(1, 2**159 - 1), st.tuples(st.integers(0, 10**6), st.sampled_from(list(Reason))), max_size=20
    )
)
def test_any_list_reads_back(entries):
    city = City.shared
    revocations = [Revocation(n, SIGNED - timedelta(seconds=s), reason) for n, (s, reason) in entries.items()]
    read = crl.read(city.list_of(city.issuing, *revocations), city.issuing.certificate)
    assert list(read.entries.values()) == revocations


City.shared = City(ECDSA_P256_SHA256)


def test_no_byte_of_a_list_may_change(city):
    der = city.list_of(city.issuing, Revocation(BAD, SIGNED, Reason.SUPERSEDED))
    for at in range(len(der)):
        changed = der[:at] + bytes([der[at] ^ 1]) + der[at + 1 :]
        with pytest.raises(FormatError):
            crl.read(changed, city.issuing.certificate)
    for junk in (b"", b"\x30\0", der[:-1], der + b"\0", b"\x30" * (crl.MAX_CRL_BYTES + 1)):
        with pytest.raises(FormatError):
            crl.read(junk, city.issuing.certificate)


def test_a_list_of_another_authority_is_told_apart(city):
    with pytest.raises(FormatError) as caught:
        crl.read(city.clean_root, city.issuing.certificate)
    assert caught.value.code == "crl_of_other_issuer"


def test_the_same_name_with_another_key_is_another_authority(city):
    stranger = authority.certify_authority(
        authority.create_root(
            generate_private_key(city.root.suite), name="Root", starts=w.STARTS, ends=w.ENDS, serial=1
        ),
        generate_private_key(city.root.suite),
        name="Issuing",
        starts=w.STARTS,
        ends=w.ENDS,
        serial=2,
    )
    assert stranger.certificate.subject == city.issuing.certificate.subject
    with pytest.raises(FormatError):
        crl.read(city.list_of(stranger, Revocation(BAD, SIGNED)), city.issuing.certificate)
    assert "revocation_unknown" in codes(city.check(city.list_of(stranger), city.clean_root))


def test_a_leaf_may_not_sign_lists(p256):
    with pytest.raises(CertificationRefusedError):
        p256.list_of(p256.leaf)
    der = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(p256.leaf.certificate.subject)
        .last_update(SIGNED)
        .next_update(SIGNED + DAY)
        .sign(p256.leaf.private_key, hashes.SHA256())
        .public_bytes(Encoding.DER)
    )
    with pytest.raises(FormatError) as caught:
        crl.read(der, p256.leaf.certificate)
    assert caught.value.code == "crl_signer_may_not"


def test_the_authority_refuses_lists_that_contradict_themselves(p256):
    with pytest.raises(CertificationRefusedError):
        p256.list_of(p256.issuing, days=0)
    for wrong in ([Revocation(5, SIGNED)] * 2, [Revocation(5, SIGNED + 11 * DAY)]):
        with pytest.raises(CertificationRefusedError):
            p256.list_of(p256.issuing, *wrong)


def by_hand(city, *extensions, entry=(), key=None, serials=(BAD,), digest=None):
    """A list with exactly these (extension, critical) pairs, and *entry* in each of its entries."""
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(city.issuing.certificate.subject)
        .last_update(SIGNED)
        .next_update(SIGNED + DAY)
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    for serial in serials:
        made = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(SIGNED)
        for extension, critical in entry:
            made = made.add_extension(extension, critical=critical)
        builder = builder.add_revoked_certificate(made.build())
    return builder.sign(key or city.issuing.private_key, digest or hashes.SHA256()).public_bytes(Encoding.DER)


def point(**changes):
    values = {
        "full_name": None,
        "relative_name": None,
        "only_contains_user_certs": False,
        "only_contains_ca_certs": False,
        "only_some_reasons": None,
        "indirect_crl": False,
        "only_contains_attribute_certs": False,
    }
    return x509.IssuingDistributionPoint(**(values | changes))


URI = x509.UniformResourceIdentifier("https://a.example/crl")
STRANGE = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\0")


@pytest.mark.parametrize(
    ("extensions", "entry"),
    [
        ([(x509.DeltaCRLIndicator(1), True)], []),
        ([(x509.DeltaCRLIndicator(1), False)], []),
        ([(STRANGE, True)], []),
        ([(point(indirect_crl=True), True)], []),
        ([(point(only_contains_attribute_certs=True), True)], []),
        ([(point(only_some_reasons=frozenset({x509.ReasonFlags.superseded})), True)], []),
        ([(point(full_name=[x509.DNSName("a")]), True)], []),
        ([], [(STRANGE, True)]),
        ([], [(x509.CertificateIssuer([URI]), True)]),
        ([], [(x509.CertificateIssuer([URI]), False)]),
    ],
)
def test_lists_that_are_not_the_whole_truth_are_refused(p256, extensions, entry):
    with pytest.raises(FormatError) as caught:
        crl.read(by_hand(p256, *extensions, entry=entry), p256.issuing.certificate)
    assert caught.value.code == "crl_kind_refused"


def test_what_need_not_be_understood_is_passed_over(p256):
    der = by_hand(
        p256,
        (STRANGE, False),
        entry=[(STRANGE, False), (x509.InvalidityDate(SIGNED.replace(tzinfo=None) - DAY), False)],
    )
    found = crl.read(der, p256.issuing.certificate)
    assert found.entries[BAD].effective == SIGNED - DAY


def test_odd_entries_are_unreadable(p256):
    for der in (
        by_hand(p256, serials=(BAD, BAD)),
        by_hand(p256, entry=[(x509.CRLReason(x509.ReasonFlags.remove_from_crl), False)]),
    ):
        with pytest.raises(FormatError) as caught:
            crl.read(der, p256.issuing.certificate)
        assert caught.value.code == "crl_unreadable"


def test_another_algorithm_than_that_of_the_key_is_refused(p256):
    with pytest.raises(FormatError) as caught:
        crl.read(by_hand(p256, digest=hashes.SHA512()), p256.issuing.certificate)
    assert caught.value.sub_indication == "SIG_CRYPTO_FAILURE"


def test_a_list_of_a_part_covers_that_part(p256):
    users = crl.read(by_hand(p256, (point(only_contains_user_certs=True), True)), p256.issuing.certificate)
    authorities = crl.read(by_hand(p256, (point(only_contains_ca_certs=True), True)), p256.issuing.certificate)
    elsewhere = crl.read(by_hand(p256, (point(full_name=[URI]), True)), p256.issuing.certificate)
    leaf, issuing = p256.leaf.certificate, p256.issuing.certificate
    assert (users.covers(leaf), users.covers(issuing)) == (True, False)
    assert (authorities.covers(leaf), authorities.covers(issuing)) == (False, True)
    assert not elsewhere.covers(leaf)
    builder = x509.CertificateBuilder(extensions=[])
    points = x509.CRLDistributionPoints([x509.DistributionPoint([URI], None, None, None)])
    pointed = (
        builder.subject_name(leaf.subject)
        .issuer_name(leaf.issuer)
        .public_key(p256.leaf.public_key)
        .serial_number(9)
        .not_valid_before(w.STARTS)
        .not_valid_after(w.ENDS)
        .add_extension(points, critical=False)
        .sign(p256.issuing.private_key, hashes.SHA256())
    )
    assert elsewhere.covers(pointed)


# What a revocation means for a chain.


def test_clean_lists_are_said_to_be_clean(city):
    assert codes(city.check(city.list_of(city.issuing), city.clean_root)) == ["revocation_checked"] * 2


def test_missing_and_old_lists_are_told(city):
    assert codes(city.check()) == ["revocation_unknown"] * 2
    notes = city.check(city.list_of(city.issuing), at=SIGNED + 30 * DAY)
    assert codes(notes) == ["revocation_stale", "revocation_unknown"]
    assert dict(notes[0].params)["until"] == "2025-03-18T08:00:00Z"
    assert all(n.text(lang) for n in notes for lang in ("en", "zh"))


REVOKED = SIGNED + 3 * DAY


@pytest.mark.parametrize(
    ("times", "indication"),
    [
        ({}, "REVOKED_NO_POE"),
        ({"proven_at": REVOKED - timedelta(seconds=1)}, ""),
        ({"proven_at": REVOKED}, "REVOKED_NO_POE"),
        ({"proven_at": REVOKED + DAY}, "REVOKED_NO_POE"),
        ({"made_after": REVOKED - timedelta(seconds=1)}, "REVOKED_NO_POE"),
        ({"made_after": REVOKED}, "REVOKED"),
        ({"at": REVOKED - timedelta(seconds=1)}, ""),
        ({"at": REVOKED}, "REVOKED_NO_POE"),
    ],
)
def test_a_revoked_leaf(city, times, indication):
    lists = (city.list_of(city.issuing, Revocation(BAD, REVOKED, Reason.KEY_COMPROMISE)), city.clean_root)
    if not indication:
        notes = city.check(*lists, **times)
        assert codes(notes)[0] == "revoked_later"
        assert dict(notes[0].params)["reason"] == "keyCompromise"
        return
    with pytest.raises(FormatError) as caught:
        city.check(*lists, **times)
    assert (caught.value.code, caught.value.sub_indication) == ("certificate_revoked", indication)


@pytest.mark.parametrize("times", [{}, {"made_after": REVOKED + DAY}, {"proven_at": REVOKED + DAY}])
def test_a_revoked_authority(city, times):
    revoked = city.list_of(city.root, Revocation(2, REVOKED, Reason.CA_COMPROMISE))
    with pytest.raises(FormatError) as caught:
        city.check(revoked, city.list_of(city.issuing), **times)
    assert caught.value.sub_indication == "REVOKED_CA_NO_POE"
    assert "revoked_later" in codes(city.check(revoked, proven_at=SIGNED))


def test_the_newest_list_counts_but_nothing_is_revoked_back(city):
    older = {"on": SIGNED + 5 * DAY, "days": 30}
    clean = city.list_of(city.issuing, number=2)
    for lists in ((0, 1), (1, 0)):
        hold = (city.list_of(city.issuing, Revocation(BAD, SIGNED, Reason.HOLD), **older), clean)
        assert "revocation_checked" in codes(city.check(*(hold[i] for i in lists)))
        gone = (city.list_of(city.issuing, Revocation(BAD, SIGNED, Reason.SUPERSEDED), **older), clean)
        with pytest.raises(FormatError):
            city.check(*(gone[i] for i in lists))
    with pytest.raises(FormatError):
        city.check(city.list_of(city.issuing, Revocation(BAD, SIGNED, Reason.HOLD)))


def test_lists_that_do_not_hold_are_told_and_not_used(city):
    good = city.list_of(city.issuing, Revocation(BAD, REVOKED))
    broken = good[:-1] + bytes([good[-1] ^ 1])
    notes = city.check(broken, b"junk", city.clean_root)
    assert codes(notes).count("crl_ignored") == 2
    assert "revocation_unknown" in codes(notes)
    assert {n.text("en") for n in notes if n.code == "crl_ignored"} >= {
        "A revocation list was not used: A revocation list cannot be read (ValueError)."
    }


def test_lists_are_bounded(p256):
    with pytest.raises(FormatError) as caught:
        p256.check(*[b""] * (chain.MAX_LISTS + 1))
    assert caught.value.code == "too_many_lists"


# The peer.


@needs_openssl
def test_openssl_reads_and_heeds_our_lists(p256, tmp_path):
    for name, certificate in zip(("leaf", "issuing", "root"), p256.leaf.chain, strict=True):
        (tmp_path / name).write_bytes(certificate.public_bytes(Encoding.PEM))
    at = str(int((SIGNED + 11 * DAY).timestamp()))
    arguments = ["verify", "-ignore_critical", "-crl_check_all", "-attime", at, "-CAfile", "root"]
    arguments += ["-untrusted", "issuing", "-CRLfile", "lists", "leaf"]
    for revocations in ((), (Revocation(BAD, REVOKED, Reason.KEY_COMPROMISE),)):
        lists = (p256.list_of(p256.issuing, *revocations), p256.clean_root)
        pem = [x509.load_der_x509_crl(d).public_bytes(Encoding.PEM) for d in lists]
        (tmp_path / "lists").write_bytes(b"".join(pem))
        if not revocations:
            assert "OK" in openssl(tmp_path, *arguments)
            continue
        with pytest.raises(subprocess.CalledProcessError) as caught:
            openssl(tmp_path, *arguments)
        assert "certificate revoked" in caught.value.stderr


@needs_openssl
def test_openssl_verifies_the_signature_of_our_lists(city, tmp_path):
    der = city.list_of(city.issuing, Revocation(BAD, REVOKED, Reason.KEY_COMPROMISE))
    (tmp_path / "list").write_bytes(der)
    shown = openssl(tmp_path, "crl", "-inform", "DER", "-in", "list", "-noout", "-text")
    assert f"Serial Number: {BAD:X}" in shown
    assert "Key Compromise" in shown
    # The command `crl` takes no user id, so the signature is given to `pkeyutl`.
    found = x509.load_der_x509_crl(der)
    (tmp_path / "cert").write_bytes(city.issuing.certificate.public_bytes(Encoding.PEM))
    (tmp_path / "signature").write_bytes(found.signature)
    sm2 = city.root.suite == SM2_SM3
    options = ["-digest", "sm3", "-pkeyopt", "distid:1234567812345678"] if sm2 else ["-digest", "sha256"]
    arguments = ["pkeyutl", "-verify", "-certin", "-inkey", "cert", "-rawin", "-in", "tbs", "-sigfile", "signature"]
    (tmp_path / "tbs").write_bytes(found.tbs_certlist_bytes)
    assert "Success" in openssl(tmp_path, *arguments, *options)
    (tmp_path / "tbs").write_bytes(found.tbs_certlist_bytes[:-1] + b"x")
    with pytest.raises(subprocess.CalledProcessError):
        openssl(tmp_path, *arguments, *options)


CONFIGURATION = """
[ca]
default_ca = here
[here]
database = index
crlnumber = number
default_md = {digest}
default_crl_days = 30
crl_extensions = ext
[ext]
authorityKeyIdentifier = keyid:always
"""


@needs_openssl
def test_a_list_of_openssl_is_read(city, tmp_path):
    digest, sigopt = ("sm3", ["-sigopt", "distid:1234567812345678"]) if city.root.suite == SM2_SM3 else ("sha256", [])
    write_key(tmp_path / "key", city.issuing, b"correct horse")
    (tmp_path / "cert").write_bytes(city.issuing.certificate.public_bytes(Encoding.PEM))
    (tmp_path / "conf").write_text(CONFIGURATION.format(digest=digest))
    (tmp_path / "index").write_text("R\t350101000000Z\t250304080000Z,keyCompromise\t1234\tunknown\t/CN=leaf\n")
    (tmp_path / "number").write_text("07\n")
    openssl(
        tmp_path,
        *("ca", "-config", "conf", "-gencrl", "-keyfile", "key", "-passin", "pass:correct horse", "-cert", "cert"),
        *("-out", "list.pem", *sigopt),
    )
    der = x509.load_pem_x509_crl((tmp_path / "list.pem").read_bytes()).public_bytes(Encoding.DER)
    read = crl.read(der, city.issuing.certificate)
    assert read.entries == {BAD: Revocation(BAD, REVOKED, Reason.KEY_COMPROMISE)}
    assert read.number == 7
