"""pyHanko and poppler accept our seals; we accept what pyHanko writes, and refuse a suite we do not have."""

from __future__ import annotations

import io
import os
import shutil
import subprocess

import pytest
from asn1crypto import keys, tsp
from asn1crypto import x509 as ax
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign import fields, signers
from pyhanko.sign.timestamps import TimeStamper
from pyhanko.sign.validation import validate_pdf_signature
from pyhanko.sign.validation.status import SignatureCoverageLevel
from pyhanko_certvalidator import ValidationContext
from pyhanko_certvalidator.registry import SimpleCertificateStore

from licence import timestamps
from licence.errors import FormatError
from licence.pdf.read import Coverage, read_signatures
from tests.licence import world as w
from tests.licence.pdf import papers as p
from tests.services.postgres import REQUIRED


def asn1(certificate):
    return ax.Certificate.load(certificate.public_bytes(Encoding.DER))


def signer(private_key, chain):
    der = private_key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return signers.SimpleSigner(
        signing_cert=asn1(chain[0]),
        signing_key=keys.PrivateKeyInfo.load(der),
        cert_registry=SimpleCertificateStore.from_certs([asn1(c) for c in chain]),
    )


def context(world):
    return ValidationContext(
        trust_roots=[asn1(world.root.certificate)], moment=w.AT, allow_fetching=False, revocation_mode="soft-fail"
    )


class Stamper(TimeStamper):
    def __init__(self, key):
        super().__init__()
        self.key = key

    async def async_request_tsa_response(self, req):
        asked = timestamps.parse_request(req.dump())
        return tsp.TimeStampResp.load(timestamps.respond(asked, self.key, at=w.AT, serial=5))


def by_peer(world, pdf, **changes):
    stamper = changes.pop("timestamper", None)
    who = changes.pop("signer", None) or signer(world.agriculture.private_key, world.agriculture.chain)
    settings = {"field_name": "Peer", "subfilter": fields.SigSeedSubFilter.PADES, "md_algorithm": "sha256"} | changes
    return signers.sign_pdf(
        IncrementalPdfFileWriter(io.BytesIO(pdf)),
        signers.PdfSignatureMetadata(**settings),
        signer=who,
        timestamper=stamper,
    ).getvalue()


def test_pyhanko_accepts_ours(world):
    embedded = PdfFileReader(io.BytesIO(p.sealed(world.agriculture))).embedded_signatures[0]
    status = validate_pdf_signature(embedded, context(world))
    assert status.bottom_line
    assert status.coverage is SignatureCoverageLevel.ENTIRE_FILE
    assert embedded.docmdp_level == fields.MDPPerm.NO_CHANGES


def test_poppler_accepts_ours(world, tmp_path):
    if shutil.which("pdfsig") is None:
        why = "pdfsig (poppler-utils) is not installed"
        (pytest.fail if os.environ.get(REQUIRED) == "1" else pytest.skip)(why)
    path = tmp_path / "sealed.pdf"
    path.write_bytes(p.sealed(world.agriculture))
    done = subprocess.run(["pdfsig", "-nocert", path], capture_output=True, check=False).stdout.decode()
    assert "Signature Validation: Signature is Valid." in done
    assert "Total document signed" in done
    assert "ETSI.CAdES.detached" in done


def test_we_accept_what_pyhanko_signs(world):
    facts = read_signatures(by_peer(world, p.page()), p.SUITES)
    (signature,) = facts.signatures
    assert (signature.certification, signature.coverage) == (None, Coverage.WHOLE_FILE)
    certified = by_peer(world, p.page(), certify=True, docmdp_permissions=fields.MDPPerm.NO_CHANGES)
    assert p.accept(certified, world).certification == 1


def test_a_stamped_signature_carries_its_token(world):
    pdf = by_peer(world, p.page(), timestamper=Stamper(p.stamping_key(world.root)))
    signature = p.accept(pdf, world)
    (token,) = signature.stamps
    assert timestamps.verify(token, [signature.signature], suites=p.SUITES).time == w.AT


def archived(world, pdf):
    stamper = signers.PdfTimeStamper(Stamper(p.stamping_key(world.root)))
    return stamper.timestamp_pdf(IncrementalPdfFileWriter(io.BytesIO(pdf)), "sha256").getvalue()


def test_document_time_stamps_may_follow_our_seal(world):
    pdf = archived(world, archived(world, p.sealed(world.agriculture)))
    facts = read_signatures(pdf, p.SUITES)
    assert [s.coverage for s in facts.signatures] == [Coverage.BEFORE_ARCHIVING]
    assert [s.coverage for s in facts.stamps] == [Coverage.BEFORE_ARCHIVING, Coverage.WHOLE_FILE]
    assert {s.stamp.time for s in facts.stamps} == {w.AT}
    for position in range(len(p.sealed(world.agriculture)), len(pdf), 97):
        forged = bytearray(pdf)
        forged[position] ^= 1
        with pytest.raises(FormatError):
            read_signatures(bytes(forged), p.SUITES)


def test_long_term_archive_by_pyhanko_is_accepted(world):
    pdf = by_peer(
        world,
        p.page(),
        timestamper=Stamper(p.stamping_key(world.root)),
        certify=True,
        docmdp_permissions=fields.MDPPerm.NO_CHANGES,
        embed_validation_info=True,
        use_pades_lta=True,
        validation_context=context(world),
    )
    facts = read_signatures(pdf, p.SUITES)
    assert facts.signatures[0].coverage is Coverage.BEFORE_ARCHIVING
    assert facts.certificates
    assert facts.stamps


def test_a_second_approval_after_ours_is_refused(world):
    twice = by_peer(world, by_peer(world, p.page()), field_name="Second")
    with pytest.raises(FormatError) as caught:
        read_signatures(twice, p.SUITES)
    assert caught.value.code == "pdf_changed_after_signing"


def test_rsa_is_refused_by_name(world):
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Stranger")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(5)
        .not_valid_before(w.STARTS)
        .not_valid_after(w.ENDS)
        .sign(key, hashes.SHA256())
    )
    pdf = by_peer(world, p.page(), signer=signer(key, [certificate]))
    with pytest.raises(FormatError) as caught:
        read_signatures(pdf, p.SUITES)
    assert (caught.value.code, caught.value.sub_indication) == ("cms_suite_not_allowed", "CRYPTO_CONSTRAINTS_FAILURE")
