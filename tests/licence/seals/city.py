"""A small city with fixed keys and times: a seal maker, two custodians, a stranger."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from licence import authority
from licence.profile import SEAL_MAKING
from licence.seals import make
from licence.seals.structure import Picture
from licence.seals.trust import SealTrust
from licence.sm2 import Sm2PrivateKey
from licence.suites import ECDSA_P256_SHA256
from tests.licence import world as w

if TYPE_CHECKING:
    from licence.keys import SigningKey

OID = "1.2.840.10045.4.3.2"
MADE = datetime(2025, 2, 1, 8, 0, 0, tzinfo=UTC)
STARTS = datetime(2025, 2, 1, tzinfo=UTC)
ENDS = datetime(2027, 2, 1, tzinfo=UTC)
SIGNED = datetime(2025, 3, 1, 8, 0, 0, tzinfo=UTC)
AT = SIGNED + timedelta(hours=1)
DIGEST = bytes(range(32))
WHERE = "/Doc_0/Signs/Sign_0/Signature.xml"
PICTURE = Picture("SVG", b"<svg/>", 40, 40)
NAME = "某市农业农村局行政审批专用章"
SUITES = frozenset({ECDSA_P256_SHA256})


def private_key(label, suite):
    if suite == ECDSA_P256_SHA256:
        return w.private_key(label)
    return Sm2PrivateKey.derive(int.from_bytes(hashlib.sha256(label.encode()).digest(), "big") >> 8)


def certify(parent, label, *purposes, starts=w.STARTS, ends=w.ENDS):
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, label)]))
        .issuer_name(parent.certificate.subject)
        .not_valid_before(starts)
        .not_valid_after(ends)
        .serial_number(1000 + sum(label.encode()))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(authority._usage(ca=False), critical=True)
    )
    if purposes:
        builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), critical=True)
    return authority._certified(parent, private_key(label, parent.suite), builder)


@dataclass(frozen=True)
class City:
    root: SigningKey
    issuing: SigningKey
    maker: SigningKey
    custodian: SigningKey
    other: SigningKey
    trust: SealTrust


def make_city(suite=ECDSA_P256_SHA256):
    term = {"starts": w.STARTS, "ends": w.ENDS}
    root = authority.create_root(private_key("root", suite), name="City root", serial=1, **term)
    issuing = authority.certify_authority(root, private_key("issuing", suite), name="City issuing CA", serial=2, **term)
    return City(
        root=root,
        issuing=issuing,
        maker=certify(issuing, "maker", SEAL_MAKING),
        custodian=certify(issuing, "custodian"),
        other=certify(issuing, "other"),
        trust=trust_of(root, issuing, suites=frozenset({suite})),
    )


def trust_of(root, issuing, **changes):
    fields = {
        "anchors": frozenset({root.certificate.public_bytes(Encoding.DER)}),
        "suites": SUITES,
        "intermediates": issuing.chain_der[:1],
    }
    return SealTrust(**(fields | changes))


def new_seal(city, **changes):
    fields = {
        "seal_id": "SEAL-1",
        "kind": 1,
        "name": NAME,
        "picture": PICTURE,
        "custodians": [city.custodian.chain_der[0]],
        "created": MADE,
        "valid_from": STARTS,
        "valid_until": ENDS,
    } | changes
    maker = fields.pop("maker", city.maker)
    return make.make_seal(make.signer_of(maker), **fields)


def applied(city, seal, **changes):
    fields = {"document_digest": DIGEST, "at": SIGNED, "property_info": WHERE} | changes
    signer = fields.pop("signer", city.custodian)
    return make.apply_seal(seal, make.signer_of(signer), **fields)
