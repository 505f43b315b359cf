"""A made-up city with a key of each role in one suite, its kind of licence, and facts that differ for each holder."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.serialization import Encoding

from audit.notes import SignerKey
from licence import authority
from licence.identifiers import mint
from licence.issue import issue, salts_needed
from licence.keys import generate_private_key
from licence.model import Category, FaceField, LicenceKind, StatusRef
from licence.seals.trust import SealTrust
from licence.suites import ECDSA_P256_SHA256
from licence.trust import TrustStore

if TYPE_CHECKING:
    from licence.identifiers import LicenceIdentifier
    from licence.keys import SigningKey
    from licence.model import SealedLicence

# Made-up authorities.
DEFINER = "11100000000013338W"
ISSUER = "11430000006122244L"
URI = "https://licences.city.example/status/{}"
NOW = datetime(2025, 3, 1, tzinfo=UTC)
ENDS = NOW + timedelta(days=3650)
SLOTS = 2**20
KIND = LicenceKind(
    code=DEFINER + "011",
    name="拖拉机和联合收割机驾驶证",
    name_en="Tractor and combine harvester driving licence",
    category=Category.LICENCE,
    authority="农业农村主管部门",
    authority_code=DEFINER,
    issuer="agriculture",
    holder_type="111",
    resource="R1",
    holder_field="citizen_id",
    holder_name_field="name",
    face=tuple(FaceField(f"KZ_F{i}", f"照面项{i}", f"f{i}") for i in range(6)),
)
FACTS = {"citizen_id": "11010519491231002X", "name": "王小明"} | {f"f{i}": f"值{i}" for i in range(6)}
_FAMILY = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗"
_GIVEN = "伟芳娜秀英敏静丽强磊军洋勇艳杰娟涛明超兰霞平刚桂香玉梅建国华志文斌宇浩然欣怡梓涵"


@dataclass(frozen=True)
class City:
    """The keys of one suite and what a verifier pins; *maker* makes seals, *licences* signs and applies them."""

    root: SigningKey
    issuing: SigningKey
    licences: SigningKey
    status: SigningKey
    maker: SigningKey
    log: SignerKey
    trust: TrustStore
    seals: SealTrust


def make_city(suite: str = ECDSA_P256_SHA256) -> City:
    root = authority.create_root(generate_private_key(suite), name="root", starts=NOW, ends=ENDS, serial=1)
    issuing = authority.certify_authority(
        root, generate_private_key(suite), name="issuing", starts=NOW, ends=ENDS, serial=2
    )
    licences, status, maker = (
        authority.certify_leaf(
            parent,
            generate_private_key(suite),
            role=role,
            name=name,
            uscc=ISSUER,
            uri=f"https://{name}.city.example",
            starts=NOW,
            ends=ENDS,
            serial=serial,
        )
        for serial, (parent, role, name) in enumerate(
            [
                (issuing, authority.Role.LICENCES, "licences"),
                (root, authority.Role.STATUS, "status"),
                (issuing, authority.Role.LICENCES, "maker"),
            ],
            3,
        )
    )
    log = SignerKey.generate("log.city.example")
    return City(
        root=root,
        issuing=issuing,
        licences=licences,
        status=status,
        maker=maker,
        log=log,
        trust=TrustStore((root.certificate,), (log.verifier,)),
        seals=SealTrust(
            anchors=frozenset({root.certificate.public_bytes(Encoding.DER)}),
            suites=frozenset({suite}),
            makers=frozenset({hashlib.sha256(maker.chain_der[0]).hexdigest()}),
            intermediates=issuing.chain_der[:1],
        ),
    )


def identifier(number: int) -> LicenceIdentifier:
    return mint(type_code=KIND.code, issuer=ISSUER, serial=f"2025{number:08d}")


def name(number: int) -> str:
    """One of some thirty thousand names: characters differ from face to face, as people's do."""
    return _FAMILY[number % 20] + _GIVEN[number // 20 % 40] + _GIVEN[(number * 7 + number // 800) % 40]


def salts(number: int) -> list[bytes]:
    """Drawn in one go, as an issuer draws them."""
    drawn = hashlib.shake_128(f"{number}".encode()).digest(16 * salts_needed(KIND))
    return [drawn[i : i + 16] for i in range(0, len(drawn), 16)]


def sealed(key: SigningKey, number: int) -> SealedLicence:
    """Licence *number* as data, all claims salted."""
    return issue(
        KIND,
        FACTS,
        identifier=identifier(number),
        issued_at=NOW,
        valid_until=NOW + timedelta(days=1000),
        key=key,
        status_ref=StatusRef(URI.format(number // SLOTS + 1), number % SLOTS),
        salts=salts(number),
    )
