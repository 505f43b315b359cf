"""How many licences a second are issued and verified on one core, beside the `sd-jwt` library in the same run.

`issue_p256`: facts → sealed SD-JWT VC, all claims salted; the peer makes the same claims disclosable with the same kind
of key. `verify_bundle`: from JSON text to verdict, all eight steps; the peer checks one signature and the disclosures
of the same credential, and neither chain, log, status nor validity. Medians of several rounds, alternating.

    python bench/licence.py [--quick]
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import statistics
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

# The folder of this file holds an `audit.py` and a `licence.py` of its own: the packages must come first.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from audit import tree
from audit.checkpoint import Checkpoint
from audit.entry import Entry
from audit.notes import SignerKey
from audit.proof import LogProof
from licence import authority, credential
from licence.bundle import LicenceBundle
from licence.identifiers import mint
from licence.issue import issue
from licence.keys import SigningKey, generate_private_key
from licence.model import Category, FaceField, LicenceKind, SealedLicence, StatusRef
from licence.report import Verdict
from licence.status import StatusList, sign_status_list, token_digest
from licence.trust import TrustStore
from licence.verify import verify

if TYPE_CHECKING:
    from collections.abc import Callable

# Made-up authorities.
DEFINER = "11100000000013338W"
ISSUER = "11430000006122244L"
URI = "https://licences.city.example/status/1"
NOW = datetime(2025, 3, 1, tzinfo=UTC)
LOG_SIZE = 100_000
STATUS_SIZE = 100_000
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


@dataclass(frozen=True)
class Scene:
    """A key, the trust to verify by, one bundle as JSON text and the credential in it."""

    key: SigningKey
    trust: TrustStore
    bundle: str
    credential: str


def seal(key: SigningKey, number: int) -> SealedLicence:
    return issue(
        KIND,
        FACTS,
        identifier=mint(type_code=KIND.code, issuer=ISSUER, serial=f"2025{number:07d}"),
        issued_at=NOW,
        valid_until=NOW + timedelta(days=1000),
        key=key,
        status_ref=StatusRef(URI, number % STATUS_SIZE),
        salts=[hashlib.sha256(f"{number}/{i}".encode()).digest()[:16] for i in range(19)],
    )


def scene() -> Scene:
    ends = NOW + timedelta(days=3650)
    root = authority.create_root(generate_private_key(), name="root", starts=NOW, ends=ends, serial=1)
    issuing = authority.certify_authority(root, generate_private_key(), name="issuing", starts=NOW, ends=ends, serial=2)
    leaves = [
        authority.certify_leaf(
            parent,
            generate_private_key(),
            role=role,
            name=role.value,
            uscc=ISSUER,
            uri=f"https://{role.value}.city.example",
            starts=NOW,
            ends=ends,
            serial=serial,
        )
        for serial, (parent, role) in enumerate([(issuing, authority.Role.LICENCES), (root, authority.Role.STATUS)], 3)
    ]
    sealed = seal(leaves[0], 7)
    token = sign_status_list(
        StatusList.build(STATUS_SIZE, dict.fromkeys(range(0, STATUS_SIZE, 100), 1)),
        key=leaves[1],
        uri=URI,
        issued_at=NOW,
        expires_at=NOW + timedelta(days=1),
        ttl_s=3600,
    )
    entry = Entry("licence.issued", NOW, "agriculture", "", "R1", "", sealed.log_facts()).encode()
    published = Entry(
        "status.published", NOW, "status", "", "", "", {"uri": URI, "token": token_digest(token)}
    ).encode()
    signer = SignerKey.generate("log.city.example")
    leaf_hashes = [tree.leaf_hash(e) for e in (entry, published)]
    leaf_hashes += [hashlib.sha256(f"{i}".encode()).digest() for i in range(LOG_SIZE - 2)]
    read = tree.subtrees(leaf_hashes)
    note = Checkpoint(signer.name, LOG_SIZE, tree.root_at(LOG_SIZE, read)).sign([signer])
    proofs = [LogProof(i, tree.inclusion_path(i, LOG_SIZE, read), note).to_text() for i in (0, 1)]
    bundle = LicenceBundle(
        identifier=sealed.identifier,
        credential=sealed.credential,
        chain=credential.parse(sealed.credential).jws.chain,
        entry=entry,
        proof=proofs[0],
        status_token=token,
        status_entry=published,
        status_proof=proofs[1],
    )
    trust = TrustStore((root.certificate,), (signer.verifier,))
    return Scene(leaves[0], trust, bundle.to_json(), sealed.credential)


def peers(world: Scene) -> dict[str, Callable[[int], object]]:
    """The `sd-jwt` library doing its share of the same work; empty when it is not installed."""
    with contextlib.suppress(ImportError):
        from jwcrypto.jwk import JWK  # type: ignore[import-untyped]  # noqa: PLC0415 - for development
        from sd_jwt.common import SDObj  # type: ignore[import-untyped]  # noqa: PLC0415
        from sd_jwt.issuer import SDJWTIssuer  # type: ignore[import-untyped]  # noqa: PLC0415
        from sd_jwt.verifier import SDJWTVerifier  # type: ignore[import-untyped]  # noqa: PLC0415

        assert isinstance(world.key.private_key, ec.EllipticCurvePrivateKey)  # the scene's, and what the library takes
        private = JWK.from_pem(world.key.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        public = JWK.from_pem(
            world.key.certificate.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        )
        parsed = credential.parse(world.credential)
        open_claims = {k: v for k, v in parsed.jws.payload.items() if k not in {"_sd", "_sd_alg"}}

        def issue_one(_: int) -> object:
            claims: dict[Any, Any] = open_claims | {SDObj(n): v for n, v in parsed.claims.items()}
            return SDJWTIssuer(claims, private, extra_header_parameters={"typ": "dc+sd-jwt"}).sd_jwt_issuance

        def verify_one(_: int) -> object:
            return SDJWTVerifier(world.credential, lambda *_: public).get_verified_payload()

        return {"issue_p256": issue_one, "verify_bundle": verify_one}
    return {}


def rate(work: Callable[[int], object], count: int) -> float:
    start = time.perf_counter()
    for i in range(count):
        work(i)
    return count / (time.perf_counter() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="fewer rounds, for a smoke test")
    quick = parser.parse_args().quick
    rounds, count = (3, 100) if quick else (9, 1000)
    world = scene()
    if verify(world.bundle, world.trust, NOW).verdict is not Verdict.PASSED:
        raise SystemExit("bench: the bundle does not verify; numbers would mean nothing")
    ours: dict[str, Callable[[int], object]] = {
        "issue_p256": lambda i: seal(world.key, i),
        "verify_bundle": lambda _: verify(world.bundle, world.trust, NOW),
    }
    others = peers(world)
    results: dict[str, Any] = {}
    print(f"{'metric':<16}{'ours /s':>10}{'sd-jwt /s':>12}{'ratio':>8}")
    for name, work in ours.items():
        mine, theirs = [], []
        for _ in range(rounds):
            mine.append(rate(work, count))
            if name in others:
                theirs.append(rate(others[name], max(count // 4, 1)))
        own = statistics.median(mine)
        peer = statistics.median(theirs) if theirs else None
        ratio = None if peer is None else round(own / peer, 2)
        results[name] = {
            "ours": round(own, 1),
            "peers": {} if peer is None else {"sd-jwt": round(peer, 1)},
            "ratio": ratio,
            "unit": "1/s",
        }
        print(f"{name:<16}{own:>10.0f}{peer or 0:>12.0f}{ratio or 0:>8.2f}")
    print(json.dumps(results))


if __name__ == "__main__":
    main()
