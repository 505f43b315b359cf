"""A rendered and sealed licence, its seal's picture, and a time-stamping authority."""

from __future__ import annotations

import functools
import struct
import zlib

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from licence import chain
from licence.keys import SigningKey
from licence.pdf.read import read_signatures
from licence.pdf.render import Face, Renderer
from licence.pdf.sign import seal_pdf
from licence.suites import ECDSA_P256_SHA256
from tests.licence import world as w

SUITES = [ECDSA_P256_SHA256]
FACE = Face(
    title="拖拉机和联合收割机驾驶证",
    subtitle="Tractor and combine harvester driving licence",
    rows=(("姓名", "王小明"), ("住址", "幸福路 1 号")),
    issuer="市农业农村局",
    closing=(("颁发机构", "市农业农村局"), ("颁发日期", "2025年3月1日")),
    identifier="1.2.156.3005.2.11100000000013338W011.11430000006122244L.20230000403.001.U",
    qr=tuple("".join("01"[(x * y + x) % 3 == 0] for x in range(33)) for y in range(33)),
)


@functools.cache
def renderer():
    return Renderer()


@functools.cache
def page():
    return renderer().render(FACE, dated=w.ISSUED)


def sealed(key, pdf=None, **changes):
    arguments = {"signed_at": w.ISSUED, "seal_png": png(), "name": "市农业农村局", "reason": "签发"} | changes
    return seal_pdf(page() if pdf is None else pdf, key, **arguments)


@functools.cache
def png(side=24, colour_type=6, filter_type=0, bits=8, interlaced=0):
    samples = {0: 1, 2: 3, 4: 2, 6: 4}.get(colour_type, 1)
    rows = b"".join(bytes([filter_type]) + bytes((x * y) % 256 for x in range(side * samples)) for y in range(side))
    header = struct.pack(">IIBBBBB", side, side, bits, colour_type, 0, 0, interlaced)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in chunks
    )


def accept(pdf, world):
    """What a verifier does: read, then lead the chain to the pinned anchor."""
    (signature,) = read_signatures(pdf, SUITES).signatures
    anchor = world.root.certificate.public_bytes(Encoding.DER)
    chain.validate(signature.chain, frozenset({anchor}), frozenset(SUITES))
    return signature


def stamping_key(issuer, *, purposes=(ExtendedKeyUsageOID.TIME_STAMPING,), critical=True, label="tsa"):
    """A leaf for time stamps under *issuer*, with what the test asks for."""
    private_key = w.private_key(label)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Time stamps (DEMONSTRATION)")])
    usage = {
        n: n in {"digital_signature", "content_commitment"}
        for n in (
            "digital_signature",
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "key_cert_sign",
            "crl_sign",
            "encipher_only",
            "decipher_only",
        )
    }
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject)
        .public_key(private_key.public_key())
        .not_valid_before(w.STARTS)
        .not_valid_after(w.ENDS)
        .serial_number(77)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(**usage), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(private_key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.certificate.public_key()), critical=False
        )
    )
    if purposes:
        builder = builder.add_extension(x509.ExtendedKeyUsage(list(purposes)), critical=critical)
    certificate = builder.sign(issuer.private_key, hashes.SHA256(), ecdsa_deterministic=True)
    return SigningKey(ECDSA_P256_SHA256, private_key, (certificate, *issuer.chain))


def update(pdf, objects, *, catalog_extra=b"", before_trailer=b"", trailer_extra=b"", size=None):
    """*pdf* with one more revision: {number: body} as anybody can append without a key."""
    old_xref = int(pdf.rsplit(b"startxref", 1)[1].split()[0])
    old_trailer = pdf[pdf.rfind(b"trailer") :]
    root = int(old_trailer.split(b"/Root ")[1].split()[0])
    if catalog_extra:
        objects = objects | {root: current(pdf, root)[:-2] + catalog_extra + b">>"}
    body, offsets = bytearray(pdf), {}
    for number, content in objects.items():
        offsets[number] = len(body)
        body += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    body += before_trailer
    start = len(body)
    body += b"xref\n"
    for number in sorted(offsets):
        body += b"%d 1\n%010d 00000 n \n" % (number, offsets[number])
    ids = old_trailer[old_trailer.find(b"/ID[") : old_trailer.find(b"]", old_trailer.find(b"/ID[")) + 1]
    info = b"/Info " + old_trailer.split(b"/Info ")[1].split(b"R")[0] + b"R"
    size = size or max([size_of(pdf), *(n + 1 for n in offsets)])
    body += b"trailer\n<</Size %d/Root %d 0 R%s%s/Prev %d%s>>\nstartxref\n%d\n%%%%EOF\n" % (
        size,
        root,
        info,
        ids,
        old_xref,
        trailer_extra,
        start,
    )
    return bytes(body)


def size_of(pdf):
    return int(pdf[pdf.rfind(b"/Size ") + 6 :].split(b"/")[0])


def current(pdf, number):
    """The newest text of object *number*."""
    start = pdf.rfind(b"\n%d 0 obj\n" % number) + len(b"\n%d 0 obj\n" % number)
    return pdf[start : pdf.find(b"\nendobj", start)]
