"""A second verifier of sealed PDF files and QR codes: one file, standard library and `cryptography`.

It imports nothing of the project, nor of the other independent verifiers. It answers 0 (accepted), 10 (wrong) or 11
(undecided). Written from ISO 32000-1 §12.8 (ByteRange), RFC 5652 and RFC 5035 (CMS), RFC 5280, RFC 9285 (base45),
RFC 8949 (CBOR), RFC 9052 (COSE) and RFC 8392 (CWT).

Of PDFs it accepts one signature by P-256 that covers the whole file: updates for archives, which `licence` takes, it
answers with 11.
"""

from __future__ import annotations

import hashlib
import itertools
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

LICENCE_PURPOSE = "2.25.169703427927337094492926452619147386169"
ORGANISATION = "2.5.4.97"
UNDERSTOOD = {"2.5.29." + n for n in ("14", "15", "17", "19", "31", "32", "35", "37")}


class InvalidError(Exception):
    pass


class UndecidedError(Exception):
    pass


def need(condition, why):
    if not condition:
        raise InvalidError(why)


def answer(judge):
    try:
        judge()
    except InvalidError:
        return 10
    except UndecidedError:
        return 11
    return 0


# --- DER ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Node:
    tag: int
    content: bytes
    raw: bytes


def first(data):
    """The element at the beginning of *data*."""
    need(len(data) >= 2 and data[0] & 31 != 31, "header")
    size, body = data[1], 2
    if size > 127:
        body += size - 128
        need(2 < body < 7 and len(data) >= body, "length")
        size = int.from_bytes(data[2:body], "big")
        need(size > 127 and data[2], "shortest length")
    need(len(data) >= body + size, "cut short")
    return Node(data[0], data[body : body + size], data[: body + size])


def inside(node, tag, least=0, most=4096):
    need(node.tag == tag, "tag")
    found, rest = [], node.content
    while rest:
        found.append(first(rest))
        need(len(found) <= most, "count")
        rest = rest[len(found[-1].raw) :]
    need(len(found) >= least, "count")
    return found


def whole(data):
    node = first(data)
    need(len(node.raw) == len(data), "trailing bytes")
    return node


def dotted(text):
    """An OBJECT IDENTIFIER, DER."""
    one, two, *rest = map(int, text.split("."))
    out = b""
    for arc in (one * 40 + two, *rest):
        groups = bytes([arc & 127])
        while arc := arc >> 7:
            groups = bytes([arc & 127 | 128]) + groups
        out += groups
    return bytes([6, len(out)]) + out


# --- RFC 5280, P-256 alone ------------------------------------------------------------------------------------

READING = (ValueError, TypeError, UnsupportedAlgorithm, x509.DuplicateExtension, x509.InvalidVersion, Warning)


def load(der):
    try:
        certificate = x509.load_der_x509_certificate(der)
        _ = certificate.extensions, certificate.subject, certificate.issuer, certificate.public_key()
    except (*READING, x509.UnsupportedGeneralNameType):
        raise InvalidError("certificate") from None
    signature = inside(whole(der), 0x30, 3, 3)[2]
    need(signature.tag == 3 and signature.content[:1] == b"\0", "signature of whole bytes")
    need(certificate.public_bytes(Encoding.DER) == der, "DER")
    return certificate


def value(certificate, kind):
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def issued(below, above):
    try:
        below.verify_directly_issued_by(above)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    named, own = value(below, x509.AuthorityKeyIdentifier), value(above, x509.SubjectKeyIdentifier)
    return named is None or own is None or named.key_identifier in {None, own.digest}


def path_of(chain, anchors):
    """The certificates from the leaf (first of *chain*, DER) to one of *anchors* (DER)."""
    walk = [load(c) for c in chain]
    if len(walk) > 1 and chain[-1] in anchors:
        walk.pop()
    above = next((a for a in map(load, anchors) if issued(walk[-1], a)), None)
    if above is None:
        raise UndecidedError("no anchor")
    walk.append(above)
    for depth, above in enumerate(walk[1:]):
        basic, usage = value(above, x509.BasicConstraints), value(above, x509.KeyUsage)
        if not issued(walk[depth], above) or walk[depth].signature_algorithm_oid.dotted_string != "1.2.840.10045.4.3.2":
            raise UndecidedError("chain")
        if basic is None or not basic.ca or usage is None or not usage.key_cert_sign:
            raise UndecidedError("no authority")
        if basic.path_length is not None and depth > basic.path_length:
            raise UndecidedError("path length")
    for certificate in walk:
        for extension in certificate.extensions:
            if (extension.critical and extension.oid.dotted_string not in UNDERSTOOD) or isinstance(
                extension.value, x509.NameConstraints
            ):
                raise UndecidedError("extension")
    basic, usage = value(walk[0], x509.BasicConstraints), value(walk[0], x509.KeyUsage)
    if (basic is not None and basic.ca) or usage is None or not usage.digital_signature:
        raise UndecidedError("leaf may not sign")
    return walk


def within(walk, at):
    return max(c.not_valid_before_utc for c in walk) <= at <= min(c.not_valid_after_utc for c in walk)


def check_revocation(walk, crls, at):
    """Nothing proves when the signature was made: whatever is revoked by *at* counts."""
    for below, above in itertools.pairwise(walk):
        for der in crls:
            try:
                found = x509.load_der_x509_crl(der)
                usage = value(above, x509.KeyUsage)
                if found.issuer != above.subject or not usage.crl_sign:
                    continue
                if not found.is_signature_valid(above.public_key()):
                    continue
                entry = found.get_revoked_certificate_by_serial_number(below.serial_number)
            except READING:
                continue
            need(entry is None or entry.revocation_date_utc > at, "revoked")


def check_p256(certificate, signature, data):
    key = certificate.public_key()
    need(isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name == "secp256r1", "key")
    try:
        key.verify(signature, data, ec.ECDSA(SHA256()))
    except InvalidSignature:
        raise InvalidError("signature") from None


# --- PDF ------------------------------------------------------------------------------------------------------

SHA256_NAME, ECDSA_NAME = dotted("2.16.840.1.101.3.4.2.1"), dotted("1.2.840.10045.4.3.2")
DATA, SIGNED_DATA = dotted("1.2.840.113549.1.7.1"), dotted("1.2.840.113549.1.7.2")
CONTENT_TYPE, MESSAGE_DIGEST = dotted("1.2.840.113549.1.9.3"), dotted("1.2.840.113549.1.9.4")
SIGNING_CERTIFICATE = dotted("1.2.840.113549.1.9.16.2.47")


def verify_pdf(data, anchors, at, crls=()):
    """Exit code for a PDF at the aware time *at*; *anchors* and *crls* are DER."""
    return answer(lambda: judge_pdf(data, anchors, at, crls))


def judge_pdf(data, anchors, at, crls):
    need(len(data) <= 32 << 20 and re.match(rb"%PDF-(1\.[0-7]|2\.0)[\r\n]", data), "header")
    need(re.search(rb"startxref[\r\n ]+\d{1,10}[\r\n ]+%%EOF(\r\n|\r|\n)?\Z", data[-64:]), "end")
    ranges = list(re.finditer(rb"/ByteRange\s*\[\s*(\d{1,10})\s+(\d{1,10})\s+(\d{1,10})\s+(\d{1,10})\s*\]", data))
    need(ranges and data.count(b"/ByteRange") == len(ranges), "ByteRange")
    if len(ranges) > 1:
        raise UndecidedError("several signatures")
    zero, before, after, rest = map(int, ranges[0].groups())
    need(zero == 0 and 0 < before < after and after + rest == len(data), "coverage")
    need(re.search(rb"/Contents\s*\Z", data[:before][-64:]), "gap")
    need(ranges[0].end() <= before or ranges[0].start() >= after, "gap")
    gap = data[before:after]
    need(re.fullmatch(rb"<([0-9a-f]{2})+>|<([0-9A-F]{2})+>", gap), "Contents")
    filled = bytes.fromhex(gap[1:-1].decode())
    signed = first(filled)
    need(not filled[len(signed.raw) :].strip(b"\0"), "padding")
    content = hashlib.sha256(data[:before] + data[after:]).digest()
    walk = judge_cms(signed, content, anchors)
    if not within(walk, at):
        raise UndecidedError("certificate not valid")
    check_revocation(walk, crls, at)


def name_of(node):
    oid, *parameters = inside(node, 0x30, 1, 2)
    need(oid.tag == 6 and all(p.raw == b"\x05\0" for p in parameters), "algorithm")
    return oid.raw


TST_INFO = dotted("1.2.840.113549.1.9.16.1.4")


def stamped_at(token, signed, anchors, crls, at):
    """The POSIX time that *token* (RFC 3161) proves for *signed*; UndecidedError where its authority is not trusted."""
    need(len(token) <= 64 << 10, "size")
    node = whole(token)
    (body,) = inside(inside(node, 0x30, 2, 2)[1], 0xA0, 1, 1)
    encapsulated = inside(body, 0x30, 4, 6)[2]
    kind, explicit = inside(encapsulated, 0x30, 2, 2)
    (octets,) = inside(explicit, 0xA0, 1, 1)
    need(kind.raw == TST_INFO and octets.tag == 4, "time stamp")
    info = octets.content
    walk = judge_cms(node, hashlib.sha256(info).digest(), anchors, encapsulated)
    usage = walk[0].extensions.get_extension_for_oid(EXTENDED_KEY_USAGE)
    if not usage.critical or [p.dotted_string for p in usage.value] != ["1.3.6.1.5.5.7.3.8"]:
        raise UndecidedError("purpose")
    version, _policy, imprint, serial, moment, *rest = inside(whole(info), 0x30, 5, 10)
    need(version.raw == b"\2\1\1" and serial.tag == 2, "TSTInfo")
    need(not rest or (len(rest) == 1 and rest[0].tag == 2), "TSTInfo")
    algorithm, digest = inside(imprint, 0x30, 2, 2)
    need(name_of(algorithm) == SHA256_NAME, "imprint")
    need(digest.raw == b"\x04\x20" + hashlib.sha256(signed).digest(), "imprint")
    need(moment.tag == 0x18 and re.fullmatch(rb"\d{14}Z", moment.content), "time")
    time = datetime.strptime(moment.content.decode(), "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
    if not within(walk, time) or not within(walk, max(at, time)) or time > at + timedelta(minutes=5):
        raise UndecidedError("time")
    try:
        check_revocation(walk, crls, at)
    except InvalidError:
        raise UndecidedError("authority revoked") from None
    return time.timestamp()


EXTENDED_KEY_USAGE = x509.ObjectIdentifier("2.5.29.37")


def judge_cms(node, content, anchors, attached=None):
    """The signer's path; the content, detached or of another type and in *attached*, has the SHA-256 *content*."""
    kind, explicit = inside(node, 0x30, 2, 2)
    need(kind.raw == SIGNED_DATA, "SignedData")
    (signed,) = inside(explicit, 0xA0, 1, 1)
    version, algorithms, encapsulated, certificates, *more = inside(signed, 0x30, 5, 6)
    content_type = DATA if attached is None else inside(attached, 0x30)[0].raw
    need(encapsulated.raw == (attached.raw if attached else bytes([0x30, len(DATA)]) + DATA), "content")
    need(len(more) == 1 or more[0].tag == 0xA1, "revocation values")
    (info,) = inside(more[-1], 0x31, 1, 1)
    need([name_of(a) for a in inside(algorithms, 0x31)] == [SHA256_NAME], "digests")
    own, signer, digest, attributes, algorithm, signature, *unsigned = inside(info, 0x30, 6, 7)
    # RFC 5652 §5.1 and §5.3: 1 where the signer is named by issuer, 3 where by its key.
    by_issuer = signer.tag == 0x30
    number = b"\2\1\1" if by_issuer else b"\2\1\3"
    need(version.raw == (b"\2\1\3" if attached else number) and own.raw == number, "version")
    need(name_of(digest) == SHA256_NAME and name_of(algorithm) == ECDSA_NAME, "algorithms")
    if unsigned:
        read_attributes(unsigned[0], 0xA1)
    found = read_attributes(attributes, 0xA0)
    raws = [a.raw for a in inside(attributes, 0xA0)]
    need(raws == sorted(raws), "order")
    need(found.get(CONTENT_TYPE) == [content_type], "content-type")
    need(found.get(MESSAGE_DIGEST) == [b"\x04\x20" + content], "message-digest")
    ders = [c.raw for c in inside(certificates, 0xA0, 1, 16)]
    leaf = named_leaf(found.get(SIGNING_CERTIFICATE), ders)
    issuer, serial, _ = identity(leaf)
    if by_issuer:
        need([n.raw for n in inside(signer, 0x30, 2, 2)] == [issuer, serial], "signer")
    else:
        key = value(load(leaf), x509.SubjectKeyIdentifier)
        need(signer.tag == 0x80 and key is not None and key.digest == signer.content, "signer")
    need(signature.tag == 4, "signature")
    r, s = decode_halves(signature.content)
    need(utils.encode_dss_signature(r, s) == signature.content, "signature")
    check_p256(load(leaf), signature.content, b"\x31" + attributes.raw[1:])
    chain = [leaf]
    while above := next((c for c in ders if identity(c)[2] == identity(chain[-1])[0] and c not in chain), None):
        chain.append(above)
    need(len(chain) == len(set(ders)), "stray certificate")
    return path_of(chain, anchors)


def decode_halves(signature):
    try:
        return utils.decode_dss_signature(signature)
    except ValueError:
        raise InvalidError("signature") from None


def read_attributes(node, tag):
    found = {}
    for member in inside(node, tag):
        oid, values = inside(member, 0x30, 2, 2)
        need(oid.tag == 6 and oid.raw not in found, "attribute")
        found[oid.raw] = [v.raw for v in inside(values, 0x31)]
    return found


def identity(der):
    """Issuer, serial number and subject."""
    fields = inside(inside(whole(der), 0x30, 3, 3)[0], 0x30, 6, 10)
    fields = fields[1:] if fields[0].tag == 0xA0 else fields
    return fields[2].raw, fields[0].raw, fields[4].raw


def named_leaf(values, ders):
    need(values is not None and len(values) == 1, "signing-certificate")
    ids = inside(inside(whole(values[0]), 0x30, 1)[0], 0x30, 1)
    parts = inside(ids[0], 0x30, 1, 3)
    if parts[0].tag == 0x30:
        need(name_of(parts.pop(0)) == SHA256_NAME, "digest")
    digest, *more = parts
    leaf = next((c for c in ders if b"\x04\x20" + hashlib.sha256(c).digest() == digest.raw), None)
    need(leaf is not None and len(more) < 2, "signing-certificate")
    if more:
        issuer, serial, _ = identity(leaf)
        names, number = inside(more[0], 0x30, 2, 2)
        (name,) = inside(names, 0x30, 1, 1)
        need(name.tag == 0xA4 and name.content == issuer and number.raw == serial, "signing-certificate")
    return leaf


# --- Annotated copies (GB/T 36903) ----------------------------------------------------------------------------

COPY_FIELDS = ("JZJZZSJ", "JZJZZZ", "JZJZZSY", "JZJYXQJZSJ")


def verify_copy(data, anchors, at):
    """Exit code for a PDF that may be an annotated copy; 12 where its term has not begun or has ended."""
    code = verify_pdf(data, anchors, at)
    if code:
        return code
    try:
        term = term_of(keywords(data))
    except InvalidError:
        return 10
    return 12 if term and not term[0] - timedelta(minutes=5) <= at < term[1] else 0


def keywords(data):
    """The text of Keywords in the document information that the first trailer of the file names."""
    info = re.search(rb"trailer\s*<<.*?/Info (\d+) 0 R", data, re.DOTALL)
    if not info:
        return ""
    body = re.search(rb"[\r\n]" + info[1] + rb" 0 obj(.*?)endobj", data, re.DOTALL)
    need(body, "information")
    hexadecimal = re.search(rb"/Keywords\s*<([0-9A-Fa-f]*)>", body[1])
    if not hexadecimal:
        literal = re.search(rb"/Keywords\s*\(([ !#-'*-\[\]-~]*)\)", body[1])
        need(literal or b"/Keywords" not in body[1], "another form of string")
        return literal[1].decode() if literal else ""
    text = bytes.fromhex(hexadecimal[1].decode())
    need(text[:2] == b"\xfe\xff", "UTF-16")
    return text[2:].decode("utf-16-be")


def term_of(text):
    """From when until when a copy counts, None for what is no copy."""
    found = {}
    for mark in (m.strip().split("=", 1) for m in text.split(",") if "=" in m):
        if mark[0] in {*COPY_FIELDS, "zhengtong.copy"}:
            need(mark[0] not in found, "twice")
            found[mark[0]] = mark[1].replace("%2C", ",").replace("%25", "%")
    if not found:
        return None
    need(set(COPY_FIELDS) <= set(found), "incomplete")
    made, by, purpose, until = (found[name] for name in COPY_FIELDS)
    need(all(len(t.strip()) > 0 and len(t) <= 100 for t in (by, purpose)), "texts")
    for time in (made, until):
        need(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+08:00", time), "time")
    starts, ends = datetime.fromisoformat(made), datetime.fromisoformat(until)
    need(starts < ends <= starts + timedelta(days=180), "term")
    return starts, ends


# --- QR code --------------------------------------------------------------------------------------------------

SIGNS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
MAX_CODE_BYTES = 264


def unbase45(text):
    need(len(text) % 3 != 1 and set(text) <= set(SIGNS) and len(text) <= 396, "base45")
    out = b""
    for at in range(0, len(text), 3):
        group = [SIGNS.index(c) for c in text[at : at + 3]]
        number = sum(v * 45**power for power, v in enumerate(group))
        need(number < 256 ** (len(group) - 1), "base45")
        out += number.to_bytes(len(group) - 1, "big")
    need(len(out) <= MAX_CODE_BYTES, "size")
    return out


def uncbor(data):
    """The value, which must be in the deterministic form: written again it is the same."""
    found, rest = cbor_item(data, 8)
    need(not rest and cbor(found) == data, "CBOR")
    return found


def cbor_item(data, depth):
    need(data and depth, "CBOR")
    major, size = data[0] >> 5, data[0] & 31
    need(size < 28 and major < 6, "CBOR")
    width = 0 if size < 24 else 2 ** (size - 24)
    number = int.from_bytes(data[1 : 1 + width], "big") if width else size
    need(len(data) > width, "CBOR")
    rest = data[1 + width :]
    if major < 2:
        return (number if major == 0 else -1 - number), rest
    need(number <= len(rest), "CBOR")
    if major < 4:
        try:
            return (rest[:number] if major == 2 else rest[:number].decode()), rest[number:]
        except UnicodeDecodeError:
            raise InvalidError("CBOR") from None
    members = []
    for _ in range(number * (major - 3)):
        member, rest = cbor_item(rest, depth - 1)
        members.append(member)
    if major == 4:
        return members, rest
    keys = members[::2]
    need(all(isinstance(k, int | str | bytes) for k in keys) and len(set(map(cbor, keys))) == number, "CBOR")
    return dict(zip(keys, members[1::2], strict=True)), rest


def cbor(thing):
    def head(major, number):
        if number < 24:
            return bytes([major * 32 + number])
        width = next(w for w in (1, 2, 4, 8) if number < 256**w)
        return bytes([major * 32 + 23 + width.bit_length()]) + number.to_bytes(width, "big")

    match thing:
        case int():
            return head(0, thing) if thing >= 0 else head(1, -1 - thing)
        case bytes():
            return head(2, len(thing)) + thing
        case str():
            return head(3, len(thing.encode())) + thing.encode()
        case list():
            return head(4, len(thing)) + b"".join(map(cbor, thing))
        case _:
            return head(5, len(thing)) + b"".join(sorted(cbor(k) + cbor(v) for k, v in thing.items()))


def verify_code(text, chains, anchors, at):
    """Exit code for the text of a QR code at the aware time *at*, signed by the leaf of one of *chains* (DER)."""
    return answer(lambda: judge_code(text, chains, anchors, at))


def judge_code(text, chains, anchors, at):
    need(text.startswith("ZT1:"), "prefix")
    data = unbase45(text[4:])
    need(data[:1] == b"\xd2", "tag")
    parts = uncbor(data[1:])
    need(isinstance(parts, list) and len(parts) == 4 and parts[1] == {}, "Sign1")
    protected, _, payload, signature = parts
    need(all(isinstance(p, bytes) for p in (protected, payload, signature)), "Sign1")
    header = uncbor(protected)
    need(isinstance(header, dict) and set(header) == {1, 4} and header[1] == -7, "header")
    issuer, issued_at, starts, ends = read_face(uncbor(payload))
    named = [c for c in chains if hashlib.sha256(c[0]).digest()[:8] == header[4]]
    if not named:
        raise UndecidedError("signer")
    walk = path_of(named[0], anchors)
    need(len(signature) == 64, "signature")
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    check_p256(walk[0], utils.encode_dss_signature(r, s), cbor(["Signature1", protected, b"", payload]))
    purposes = {p.dotted_string for p in value(walk[0], x509.ExtendedKeyUsage) or ()}
    owners = [a.value for a in walk[0].subject if a.oid.dotted_string == ORGANISATION]
    need(LICENCE_PURPOSE in purposes and owners == [issuer], "not the issuer")
    valid = [
        c.timestamp() for c in (max(c.not_valid_before_utc for c in walk), min(c.not_valid_after_utc for c in walk))
    ]
    need(valid[0] <= issued_at <= valid[1], "certificate not valid")
    now = at.timestamp()
    need(max(starts, issued_at) <= now and (ends is None or now < ends), "validity")


def read_face(claims):
    need(isinstance(claims, dict) and {5, 6, -70001} <= set(claims) <= {4, 5, 6, -70001}, "claims")
    times = [claims[n] for n in (6, 5)] + ([claims[4]] if 4 in claims else [])
    need(all(isinstance(t, int) and 0 <= t <= 253402300799 for t in times), "times")
    face = claims[-70001]
    need(isinstance(face, list) and len(face) == 7 and face[0] == 1, "face")
    need(isinstance(face[1], bytes) and all(isinstance(t, str) for t in face[2:5]), "face")
    need(all(isinstance(n, int) and 0 <= n < 2**32 for n in face[5:]), "status")
    return read_packed(face[1]), *times, *([None] if 4 not in claims else [])


def read_packed(packed):
    """The issuer in an identifier packed as one number in base 36 behind a leading 1."""
    digits, number = "", int.from_bytes(packed, "big")
    need(packed[:1] != b"\0", "identifier")
    while number:
        number, digit = divmod(number, 36)
        digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"[digit] + digits
    need(digits[:1] == "1" and 44 <= len(digits) <= 107, "identifier")
    version = digits[40:43]
    need(version.isdigit() and version != "000", "identifier")
    return digits[22:40]
