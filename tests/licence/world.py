"""A small world with fixed keys, salts and times: one city's authority, two departments, a log and a status list."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric import ec

from audit import tree
from audit.checkpoint import Checkpoint
from audit.entry import Entry
from audit.notes import SignerKey
from audit.proof import LogProof
from licence import authority, credential
from licence.bundle import LicenceBundle
from licence.identifiers import mint
from licence.issue import issue, salts_needed
from licence.model import Category, FaceField, LicenceKind, SealedLicence, StatusRef
from licence.status import StatusList, sign_status_list, token_digest
from licence.trust import TrustStore

if TYPE_CHECKING:
    from licence.keys import SigningKey

ISSUED = datetime(2025, 3, 1, 8, 0, 0, tzinfo=UTC)
AT = ISSUED + timedelta(hours=2)
UNTIL = datetime(2028, 3, 1, tzinfo=UTC)
STARTS = datetime(2025, 1, 1, tzinfo=UTC)
ENDS = datetime(2035, 1, 1, tzinfo=UTC)
# Made-up authorities with the shape of unified social credit codes.
DEFINER = "11100000000013338W"
AGRICULTURE = "11430000006122244L"
FORESTRY = "11330105002500287C"
STATUS_OFFICE = "11220000013544541J"
STATUS_URI = "https://licences.city.example/status/1"
IDX = 5

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
    face=(
        FaceField("KZ_ZJCX", "准驾机型", "vehicle_class"),
        FaceField("KZ_ZZ", "住址", "address", required=False),
        FaceField("KZ_DABH", "档案编号", "file_number"),
    ),
    validity_days=1096,
)
FACTS: dict[str, Any] = {
    "citizen_id": "11010519491231002X",
    "name": "王小明",
    "vehicle_class": "R",
    "address": "",
    "file_number": 340000123456,
}


def private_key(label: str) -> ec.EllipticCurvePrivateKey:
    scalar = int.from_bytes(hashlib.sha256(label.encode()).digest(), "big") >> 8
    return ec.derive_private_key(scalar + 1, ec.SECP256R1())


def salts(label: str, count: int = 40) -> list[bytes]:
    return [hashlib.sha256(f"{label}{i}".encode()).digest()[:16] for i in range(count)]


def make_root(label: str = "root", starts: datetime = STARTS, ends: datetime = ENDS) -> SigningKey:
    return authority.create_root(private_key(label), name="City root", starts=starts, ends=ends, serial=1)


def make_leaf(
    parent: SigningKey,
    label: str,
    uscc: str,
    *,
    role: authority.Role = authority.Role.LICENCES,
    starts: datetime = STARTS,
    ends: datetime = ENDS,
) -> SigningKey:
    return authority.certify_leaf(
        parent,
        private_key(label),
        role=role,
        name=label,
        uscc=uscc,
        uri=f"https://{label}.city.example",
        starts=starts,
        ends=ends,
        serial=int.from_bytes(hashlib.sha256(label.encode()).digest()[:8], "big"),
    )


@dataclass(frozen=True)
class World:
    root: SigningKey
    agriculture: SigningKey
    forestry: SigningKey
    status_key: SigningKey
    log_key: SigningKey | SignerKey
    trust: TrustStore


def make_world() -> World:
    root = make_root()
    issuing = authority.certify_authority(
        root, private_key("issuing"), name="City issuing CA", starts=STARTS, ends=ENDS, serial=2
    )
    log_key = SignerKey("log.city.example", hashlib.sha256(b"log").digest())
    return World(
        root=root,
        agriculture=make_leaf(issuing, "agriculture", AGRICULTURE),
        forestry=make_leaf(issuing, "forestry", FORESTRY),
        status_key=make_leaf(root, "status", STATUS_OFFICE, role=authority.Role.STATUS),
        log_key=log_key,
        trust=TrustStore(anchors=(root.certificate,), log_verifiers=(log_key.verifier,)),
    )


def seal(key: SigningKey, **changes: Any) -> SealedLicence:
    kind = changes.pop("kind", KIND)
    arguments: dict[str, Any] = {
        "identifier": mint(type_code=kind.code, issuer=AGRICULTURE, serial="20250000001"),
        "issued_at": ISSUED,
        "valid_until": UNTIL,
        "key": key,
        "status_ref": StatusRef(STATUS_URI, IDX),
        "salts": salts("golden", salts_needed(kind)),
        "issuer_name": "市农业农村局",
    } | changes
    return issue(kind, arguments.pop("facts", FACTS), **arguments)


def status_token(
    key: SigningKey,
    value: int = 0,
    issued_at: datetime = ISSUED,
    valid_for: timedelta = timedelta(days=1),
    uri: str = STATUS_URI,
) -> str:
    statuses = StatusList.build(64, {IDX: value, 1: 1, 2: 2})
    return sign_status_list(
        statuses, key=key, uri=uri, issued_at=issued_at, expires_at=issued_at + valid_for, ttl_s=3600
    )


def issued_entry(sealed: SealedLicence, at: datetime = ISSUED, **facts: Any) -> bytes:
    entry = Entry("licence.issued", at, "agriculture", "", "R1", "matter", sealed.log_facts() | facts)
    return entry.encode()


def status_entry(token: str, at: datetime = ISSUED, **facts: Any) -> bytes:
    base = {"uri": STATUS_URI, "token": token_digest(token), "version": 1}
    return Entry("status.published", at, "status", "", "", "", base | facts).encode()


def prove(entries: list[bytes], index: int, signer: SignerKey) -> str:
    hashes = [tree.leaf_hash(e) for e in entries]
    read = tree.subtrees(hashes)
    checkpoint = Checkpoint(signer.name, len(entries), tree.root_at(len(entries), read))
    return LogProof(index, tree.inclusion_path(index, len(entries), read), checkpoint.sign([signer])).to_text()


def bundle_of(world: World, sealed: SealedLicence, token: str | None, **changes: Any) -> LicenceBundle:
    entry = changes.pop("entry", None) or issued_entry(sealed)
    signer = changes.pop("signer", world.log_key)
    published = status_entry(token) if token is not None else None
    others = [Entry("grant.given", ISSUED, f"a{i}", "", "R1", "", {}).encode() for i in range(5)]
    entries = [*others, entry, *([published] if published else [])]
    bundle = LicenceBundle(
        identifier=sealed.identifier,
        credential=sealed.credential,
        chain=credential.parse(sealed.credential).jws.chain,
        entry=entry,
        proof=prove(entries, 5, signer),
        status_token=token,
        status_entry=published,
        status_proof=prove(entries, 6, signer) if published else None,
    )
    return replace(bundle, **changes)
