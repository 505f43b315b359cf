"""Seals encoded a second time, from the layouts and without the package: bytes in, bytes out."""

from __future__ import annotations

import hashlib
from datetime import UTC


def tlv(tag, *parts):
    content = b"".join(parts)
    if len(content) < 128:
        return bytes([tag, len(content)]) + content
    size = b""
    rest = len(content)
    while rest:
        size = bytes([rest % 256]) + size
        rest //= 256
    return bytes([tag, 128 + len(size)]) + size + content


def seq(*parts):
    return tlv(0x30, *parts)


def num(value):
    return tlv(2, bytes([value]))


def ia5(text):
    return tlv(0x16, text.encode())


def utf8(text):
    return tlv(0x0C, text.encode())


def octets(content):
    return tlv(4, content)


def bits(content):
    return tlv(3, b"\0", content)


def general(at):
    return tlv(0x18, at.astimezone(UTC).strftime("%Y%m%d%H%M%SZ").encode())


def utc(at):
    return tlv(0x17, at.astimezone(UTC).strftime("%y%m%d%H%M%SZ").encode())


OIDS = {
    "1.2.840.10045.4.3.2": bytes.fromhex("06082a8648ce3d040302"),
    "1.2.156.10197.1.501": bytes.fromhex("06082a811ccf55018375"),
    "1.2.3.4": bytes.fromhex("06032a0304"),
}


def sm3(data):
    return hashlib.new("sm3", data).digest()


def info(
    version,
    *,
    custodians,
    created,
    starts,
    ends,
    seal_id="SEAL-1",
    name="某市农业农村局行政审批专用章",
    kind=1,
    vendor="OTHER",
    picture=("ofd", b"picture", 40, 41),
    list_type=1,
    extensions=b"",
    time=general,
    head="ES",
):
    dates = time(created), time(starts), time(ends)
    lists = () if version < 4 else (num(list_type),)
    return seq(
        seq(ia5(head), num(version), ia5(vendor)),
        ia5(seal_id),
        seq(num(kind), utf8(name), *lists, seq(*custodians), *dates),
        seq(ia5(picture[0]), octets(picture[1]), num(picture[2]), num(picture[3])),
        extensions,
    )


def seal(info_der, *, cert, oid, sign, stamp=b"", algorithm=None):
    """V4 and V5: the maker signs the seal information."""
    return seq(info_der, octets(cert), algorithm or OIDS[oid], bits(sign(info_der)), stamp)


def seal_v1(info_der, *, cert, oid, sign):
    """V1: the maker signs information, certificate and algorithm as one SEQUENCE."""
    signed = seq(info_der, octets(cert), OIDS[oid])
    return seq(info_der, seq(octets(cert), OIDS[oid], bits(sign(signed))))


def signature(version, seal_der, *, at, digest, cert, oid, sign, extensions=b"", stamp=b"", time=general):
    tbs = seq(num(version), seal_der, time(at), bits(digest), ia5("/Doc_0/Signs/Sign_0/Signature.xml"), extensions)
    return seq(tbs, octets(cert), OIDS[oid], bits(sign(tbs)), stamp)


def signature_v1(seal_der, *, time_info, digest, cert, oid, sign):
    tbs = seq(
        num(1),
        seal_der,
        bits(time_info),
        bits(digest),
        ia5("/Doc_0/Signs/Sign_0/Signature.xml"),
        octets(cert),
        OIDS[oid],
    )
    return seq(tbs, bits(sign(tbs)))
