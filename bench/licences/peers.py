"""Others doing their share of the same work; whoever is not installed is left out by name on standard error."""

from __future__ import annotations

import functools
import io
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from bench.licences.city import NOW
from bench.licences.measure import Work
from licence import credential
from licence.suites import ECDSA_P256_SHA256, SM2_SM3

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.licences.city import City
    from licence.keys import SigningKey
    from licence.model import SealedLicence

_SPEED = {ECDSA_P256_SHA256: ("ecdsap256", "+F4:"), SM2_SM3: ("sm2", "+F7:")}


@functools.cache
def _left_out(name: str, why: str) -> None:
    print(f"left out: {name} ({why})", file=sys.stderr)


def _private(key: SigningKey, form: Encoding) -> bytes:
    assert isinstance(key.private_key, ec.EllipticCurvePrivateKey)  # what the peers take
    return key.private_key.private_bytes(form, PrivateFormat.PKCS8, NoEncryption())


def sd_jwt_issue(key: SigningKey, one: SealedLicence) -> dict[str, Work]:
    """The library `sd-jwt` makes the same claims disclosable and signs them; it keeps and logs nothing."""
    try:
        from jwcrypto.jwk import JWK  # type: ignore[import-untyped]  # noqa: PLC0415 - for development
        from sd_jwt.common import SDObj  # type: ignore[import-untyped]  # noqa: PLC0415 - for development
        from sd_jwt.issuer import SDJWTIssuer  # type: ignore[import-untyped]  # noqa: PLC0415 - for development
    except ImportError as error:
        _left_out("sd-jwt", str(error))
        return {}
    private = JWK.from_pem(_private(key, Encoding.PEM))
    parsed = credential.parse(one.credential)
    open_claims = {k: v for k, v in parsed.jws.payload.items() if k not in {"_sd", "_sd_alg"}}

    def issue_one(_: int) -> object:
        claims: dict[Any, Any] = open_claims | {SDObj(n): v for n, v in parsed.claims.items()}
        return SDJWTIssuer(claims, private, extra_header_parameters={"typ": "dc+sd-jwt"}).sd_jwt_issuance

    return {"sd-jwt": Work(issue_one, 250)}


def sd_jwt_verify(key: SigningKey, one: SealedLicence) -> dict[str, Work]:
    """`sd-jwt` checks one signature and the disclosures, and neither chain, log, status nor validity."""
    try:
        from jwcrypto.jwk import JWK  # noqa: PLC0415 - for development
        from sd_jwt.verifier import SDJWTVerifier  # type: ignore[import-untyped]  # noqa: PLC0415 - for development
    except ImportError as error:
        _left_out("sd-jwt", str(error))
        return {}
    public = JWK.from_pem(key.certificate.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return {
        "sd-jwt": Work(lambda _: SDJWTVerifier(one.credential, lambda *_: public).get_verified_payload(), 250),
    }


def pyhanko(city: City, page: Callable[[int], bytes]) -> tuple[dict[str, Work], Callable[[bytes], dict[str, Work]]]:
    """The stock signer of pyHanko on the pages that *page* renders; and, of a sealed PDF, its stock validator."""
    try:
        from asn1crypto import keys, x509  # noqa: PLC0415 - for development
        from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter  # noqa: PLC0415 - for development
        from pyhanko.pdf_utils.reader import PdfFileReader  # noqa: PLC0415 - for development
        from pyhanko.sign import fields, signers  # noqa: PLC0415 - for development
        from pyhanko.sign.validation import validate_pdf_signature  # noqa: PLC0415 - for development
        from pyhanko_certvalidator import ValidationContext  # noqa: PLC0415 - for development
        from pyhanko_certvalidator.registry import SimpleCertificateStore  # noqa: PLC0415 - for development
    except ImportError as error:
        _left_out("pyHanko", str(error))
        return {}, lambda _: {}
    chain = [x509.Certificate.load(c.public_bytes(Encoding.DER)) for c in city.licences.chain]
    signer = signers.SimpleSigner(
        signing_cert=chain[0],
        signing_key=keys.PrivateKeyInfo.load(_private(city.licences, Encoding.DER)),
        cert_registry=SimpleCertificateStore.from_certs(chain),  # type: ignore[no-untyped-call]
    )
    settings = signers.PdfSignatureMetadata(
        field_name="Peer",
        subfilter=fields.SigSeedSubFilter.PADES,
        md_algorithm="sha256",
        certify=True,
        docmdp_permissions=fields.MDPPerm.NO_CHANGES,
    )

    def sign_one(number: int) -> object:
        return signers.sign_pdf(IncrementalPdfFileWriter(io.BytesIO(page(number))), settings, signer=signer)

    root = x509.Certificate.load(city.root.certificate.public_bytes(Encoding.DER))

    def verifying(pdf: bytes) -> dict[str, Work]:
        def validate_one(_: int) -> object:
            context = ValidationContext(
                trust_roots=[root], moment=NOW, allow_fetching=False, revocation_mode="soft-fail"
            )
            return validate_pdf_signature(PdfFileReader(io.BytesIO(pdf)).embedded_signatures[0], context)

        return {"pyHanko": Work(validate_one, 20)}

    return {"pyHanko": Work(sign_one, 20)}, verifying


@functools.cache
def openssl(suite: str, what: str) -> dict[str, float]:
    """How many bare signatures of *suite* the openssl command makes (*what* ``sign``) or checks (``verify``) a second.

    The command's own libcrypto, which need not be that of Python.
    """
    name, mark = _SPEED[suite]
    try:
        done = subprocess.run(
            ["openssl", "speed", "-mr", "-seconds", "1", name],
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        (line,) = (line for line in done.stdout.splitlines() if line.startswith(mark))
        numbers = line.split(":")[-2:]
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        _left_out(f"openssl speed {name}", type(error).__name__)
        return {}
    return {f"openssl {what} alone": float(numbers[what == "verify"])}
