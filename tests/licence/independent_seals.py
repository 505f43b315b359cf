"""A second verifier of electronic seals and sealed OFD files: one file, standard library and `cryptography`.

It imports nothing of the project, nor of the other independent verifiers. It answers 0 (accepted), 10 (wrong) or 11
(undecided). Written from GM/T 0031 V5 and GB/T 38540 V4 as the norms of the project tell them, GB/T 32918 (SM2, in
plain Python below), RFC 5280 and GB/T 33190. RFC 3161 and RFC 5652 (time stamps by P-256).
V1 seals are not judged: undecided; so is whatever bears a time stamp that does not hold.
"""

from __future__ import annotations

import base64
import io
import itertools
import re
import zipfile
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from xml.etree import ElementTree as ET

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256, SM3, Hash
from cryptography.hazmat.primitives.serialization import Encoding

SEAL_MAKING = "2.25.258973889063822253494189276248439032673"
SM2_SIGNATURE, P256_SIGNATURE = "1.2.156.10197.1.501", "1.2.840.10045.4.3.2"
SM2_KEY = bytes.fromhex("301306072a8648ce3d020106082a811ccf5501822d")
P256_KEY = bytes.fromhex("301306072a8648ce3d020106082a8648ce3d030107")
SKEW = timedelta(minutes=5)


class InvalidError(Exception):
    pass


class UndecidedError(Exception):
    pass


@dataclass(frozen=True)
class Trust:
    """DER throughout; *algorithms* are the signature OIDs allowed, *crls* the lists at hand."""

    anchors: tuple
    intermediates: tuple = ()
    algorithms: frozenset = frozenset({SM2_SIGNATURE, P256_SIGNATURE})
    crls: tuple = ()
    crl_required: bool = False


def need(condition, why):
    if not condition:
        raise InvalidError(why)


def sm3(data):
    state = Hash(SM3())
    state.update(data)
    return state.finalize()


def sha256(data):
    state = Hash(SHA256())
    state.update(data)
    return state.finalize()


# --- DER ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Node:
    tag: int
    content: bytes
    raw: bytes


def pieces(data):
    found = []
    at = 0
    while at < len(data):
        need(len(data) - at >= 2 and data[at] & 31 != 31, "header")
        size, body = data[at + 1], at + 2
        if size > 127:
            octets = size - 128
            need(0 < octets < 5 and body + octets <= len(data), "length")
            size = int.from_bytes(data[body : body + octets], "big")
            need(size > 127 and size.bit_length() > 8 * (octets - 1), "shortest length")
            body += octets
        need(body + size <= len(data), "cut short")
        found.append(Node(data[at], data[body : body + size], data[at : body + size]))
        need(len(found) <= 4096, "too many")
        at = body + size
    return found


def only(data):
    found = pieces(data)
    need(len(found) == 1, "one element")
    return found[0]


def items(node, least, most, tag=0x30):
    need(node.tag == tag, "tag")
    found = pieces(node.content)
    need(least <= len(found) <= most, "count")
    return found


def integer(node):
    need(node.tag == 2 and 0 < len(node.content) < 9 and node.content[0] < 128, "integer")
    need(len(node.content) == 1 or node.content[0] or node.content[1] > 127, "shortest integer")
    return int.from_bytes(node.content, "big")


def octets(node):
    need(node.tag == 4, "octets")
    return node.content


def bits(node):
    need(node.tag == 3 and node.content[:1] == b"\0", "bits")
    return node.content[1:]


def text(node, *tags, most=1024):
    need(node.tag in tags and len(node.content) <= most, "text")
    try:
        return node.content.decode("utf-8" if node.tag == 12 else "ascii")
    except UnicodeDecodeError:
        raise InvalidError("text") from None


def oid(node):
    need(node.tag == 6 and 0 < len(node.content) <= 64 and node.content[-1] < 128, "oid")
    arcs = re.findall(rb"[\x80-\xff]*[\x00-\x7f]", node.content, re.DOTALL)
    need(not any(a.startswith(b"\x80") for a in arcs), "oid")
    numbers = []
    for arc in arcs:
        value = 0
        for octet in arc:
            value = value * 128 + octet % 128
        numbers.append(value)
    root = min(2, numbers[0] // 40)
    return ".".join(map(str, [root, numbers[0] - root * 40, *numbers[1:]]))


def moment(node):
    forms = {23: rb"(\d\d)(\d{10})()(Z|[+-]\d{4})", 24: rb"(\d{4})(\d{10})(\.\d{1,6})?(Z|[+-]\d{4})"}
    need(node.tag in forms, "time")
    match = re.fullmatch(forms[node.tag], node.content)
    need(match, "time")
    year, rest, fraction, zone = (part.decode() if part else "" for part in match.groups())
    if node.tag == 23:
        year = ("20" if year < "50" else "19") + year
    offset = timedelta()
    if zone != "Z":
        offset = timedelta(hours=int(zone[1:3]), minutes=int(zone[3:])) * (-1 if zone[0] == "-" else 1)
    try:
        at = datetime.strptime(year + rest, "%Y%m%d%H%M%S").replace(tzinfo=timezone(offset))
        at = at.replace(microsecond=int(fraction[1:].ljust(6, "0")) if fraction else 0)
        return at.astimezone(UTC)
    except (ValueError, OverflowError):
        raise InvalidError("time") from None


def algorithm(node):
    if node.tag == 6:
        return oid(node)
    parts = items(node, 1, 2)
    need(len(parts) == 1 or parts[1].raw == b"\x05\x00", "parameters")
    return oid(parts[0])


# --- SM2 (GB/T 32918.2 and .5) --------------------------------------------------------------------------------

P = 2**256 - 2**224 - 2**96 + 2**64 - 1
N = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
B = 0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93
G = (
    0x32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7,
    0xBC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0,
)
ID = b"1234567812345678"


def plus(one, other):
    """Affine addition on y² = x³ - 3x + b; None is the point at infinity."""
    if one is None or other is None:
        return one or other
    if one[0] == other[0]:
        if (one[1] + other[1]) % P == 0:
            return None
        slope = 3 * (one[0] * one[0] - 1) * pow(2 * one[1], -1, P) % P
    else:
        slope = (other[1] - one[1]) * pow(other[0] - one[0], -1, P) % P
    x = (slope * slope - one[0] - other[0]) % P
    return x, (slope * (one[0] - x) - one[1]) % P


def sm2_holds(point, signature, data):
    """Whether DER *signature* over *data* is by the key *point* (65 bytes)."""
    x, y = int.from_bytes(point[1:33], "big"), int.from_bytes(point[33:], "big")
    if len(point) != 65 or point[0] != 4 or max(x, y) >= P or (x**3 - 3 * x + B - y * y) % P:
        return False
    r, s = halves(signature)
    t = (r + s) % N
    if not (0 < r < N and 0 < s < N and t):
        return False
    known = b"".join(v.to_bytes(32, "big") for v in (P - 3, B, *G))
    z = sm3((8 * len(ID)).to_bytes(2, "big") + ID + known + point[1:])
    e = int.from_bytes(sm3(z + data), "big")
    # s·G + t·Q in one walk over the bits of both (Shamir's trick).
    both, found = plus(G, (x, y)), None
    for bit in range(255, -1, -1):
        found = plus(found, found)
        step = (s >> bit & 1, t >> bit & 1)
        if any(step):
            found = plus(found, {(1, 0): G, (0, 1): (x, y), (1, 1): both}[step])
    return found is not None and (e + found[0]) % N == r


def halves(signature):
    r, s = items(only(signature), 2, 2)
    for half in (r, s):
        content = half.content
        need(half.tag == 2 and 0 < len(content) <= 33 and content[0] < 128, "half")
        need(len(content) == 1 or content[0] or content[1] > 127, "shortest half")
    return int.from_bytes(r.content, "big"), int.from_bytes(s.content, "big")


def check_signature(spki, named, signature, data):
    """*named* is the signature's OID; it must be that of the key."""
    key, point = items(only(spki), 2, 2)
    if named == SM2_SIGNATURE:
        need(key.raw == SM2_KEY, "key of another algorithm")
        need(sm2_holds(bits(point), signature, data), "signature")
        return
    need(named == P256_SIGNATURE and key.raw == P256_KEY, "key of another algorithm")
    halves(signature)
    try:
        known = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), bits(point))
        known.verify(signature, data, ec.ECDSA(SHA256()))
    except (ValueError, InvalidSignature):
        raise InvalidError("signature") from None


# --- RFC 5280 -------------------------------------------------------------------------------------------------

READING = (ValueError, TypeError, UnsupportedAlgorithm, x509.DuplicateExtension, x509.InvalidVersion, Warning)
UNDERSTOOD = {"15", "17", "19", "31", "32", "35", "14", "37"}


class Certificate:
    def __init__(self, der):
        self.der = der
        self.tbs, inner_name, signature = items(only(der), 3, 3)
        fields = items(self.tbs, 6, 10)
        fields = fields[1:] if fields[0].tag == 0xA0 else fields
        self.serial, inner, self.issuer, _, self.subject, self.spki = (f.raw for f in fields[:6])
        need(inner == inner_name.raw, "two algorithms")
        self.algorithm, self.signature = algorithm(inner_name), bits(signature)
        try:
            self.parsed = x509.load_der_x509_certificate(der)
            self.extensions = {e.oid.dotted_string: e for e in self.parsed.extensions}
            self.starts, self.ends = self.parsed.not_valid_before_utc, self.parsed.not_valid_after_utc
            _ = self.parsed.subject, self.parsed.issuer
        except (*READING, x509.UnsupportedGeneralNameType):
            raise InvalidError("certificate") from None
        need(self.parsed.public_bytes(Encoding.DER) == der, "certificate")

    def value(self, number):
        found = self.extensions.get("2.5.29." + number)
        return None if found is None else found.value

    def issued(self, below):
        own, named = self.value("14"), below.value("35")
        if below.issuer != self.subject or (own and named and named.key_identifier not in {None, own.digest}):
            return False
        try:
            check_signature(self.spki, below.algorithm, below.signature, below.tbs.raw)
        except InvalidError:
            return False
        return True


def path_of(leaf, trust):
    """Certificates from *leaf* to an anchor."""
    anchors = [Certificate(a) for a in trust.anchors]
    helpers = [Certificate(c) for c in trust.intermediates]
    walks = [[Certificate(leaf)]]
    while walks:
        walk = walks.pop()
        above = next((a for a in anchors if a.issued(walk[-1])), None)
        if above is not None:
            return constrained([*walk, above], trust)
        need(len(walks) < 32, "too many ways")
        if len(walk) < 6:
            walks += [[*walk, h] for h in helpers if h not in walk and h.issued(walk[-1])]
    raise UndecidedError("no anchor")


def constrained(walk, trust):
    for certificate in walk:
        for name, extension in certificate.extensions.items():
            known = name.startswith("2.5.29.") and name.removeprefix("2.5.29.") in UNDERSTOOD
            if (extension.critical and not known) or name == "2.5.29.30":
                raise UndecidedError("extension")
    for depth, above in enumerate(walk[1:]):
        basic, usage = above.value("19"), above.value("15")
        if walk[depth].algorithm not in trust.algorithms:
            raise UndecidedError("algorithm of a certificate")
        if basic is None or not basic.ca or usage is None or not usage.key_cert_sign:
            raise UndecidedError("no authority")
        if basic.path_length is not None and depth > basic.path_length:
            raise UndecidedError("path length")
    basic, usage = walk[0].value("19"), walk[0].value("15")
    if (basic is not None and basic.ca) or usage is None or not usage.digital_signature:
        raise UndecidedError("leaf may not sign")
    return walk


def within(walk, at):
    return max(c.starts for c in walk) <= at <= min(c.ends for c in walk)


def revoked_since(below, above, trust, at):
    """The time from which *below* is revoked, or None; UndecidedError when a list is required and missing."""
    lists = []
    for der in trust.crls:
        try:
            tbs, outer, signature = items(only(der), 3, 3)
            found = x509.load_der_x509_crl(der)
            fields = items(tbs, 4, 7)
            inner, issuer = (f.raw for f in fields[1:3])
            need(inner == outer.raw and issuer == above.subject and above.value("15").crl_sign, "of another")
            check_signature(above.spki, algorithm(outer), bits(signature), tbs.raw)
            entry = found.get_revoked_certificate_by_serial_number(below.parsed.serial_number)
            lists.append((found.last_update_utc, found.next_update_utc, entry))
        except (InvalidError, *READING):
            continue
    lists.sort(key=lambda one: one[0])
    if trust.crl_required and (not lists or lists[-1][1] < at):
        raise UndecidedError("no current list")
    times = []
    for entry in (one[2] for one in lists if one[2] is not None):
        told = {type(e.value): e.value for e in entry.extensions}
        reason = told.get(x509.CRLReason)
        # A hold counts while the newest list says so.
        if reason is None or reason.reason is not x509.ReasonFlags.certificate_hold or entry is lists[-1][2]:
            times.append(entry.revocation_date_utc)
            times += [told[x509.InvalidityDate].invalidity_date_utc] if x509.InvalidityDate in told else []
    return min(times, default=None)


def check_revocation(walk, trust, at, proven):
    for below, above in itertools.pairwise(walk):
        since = revoked_since(below, above, trust, at)
        if since is not None and since <= at and not (proven is not None and proven < since):
            raise InvalidError("revoked")


# --- GM/T 0031 ------------------------------------------------------------------------------------------------


def check_extensions(nodes):
    if not nodes:
        return
    (listed,) = items(nodes[0], 1, 1, 0xA0) if nodes[0].tag == 0xA0 else nodes
    for extension in items(listed, 0, 256):
        parts = items(extension, 2, 3)
        oid(parts[0])
        octets(parts[-1])
        need(len(parts) == 2 or parts[1].raw in {b"\x01\x01\x00", b"\x01\x01\xff"}, "critical")
        need(len(parts) == 2 or parts[1].content == b"\0", "critical extension")


def check_stamp(nodes, stamped, claimed, trust, at):
    """A time stamp over the bytes *stamped* that is not before the time they *claimed*, to whole seconds."""
    if not nodes:
        return
    try:
        walk, when = read_stamp(nodes, stamped, trust)
        purpose = walk[0].value("37")
        need(purpose is not None and [p.dotted_string for p in purpose] == ["1.3.6.1.5.5.7.3.8"], "purpose")
        need(within(walk, when) and within(walk, max(at, when)) and when - at <= SKEW, "time")
        need(claimed - when <= SKEW, "order")
        check_revocation(walk, trust, at, None)
    except InvalidError:
        raise UndecidedError("time stamp") from None


def read_stamp(nodes, stamped, trust):
    need(len(nodes) == 1 and nodes[0].tag == 0xA0, "time stamp")
    kind, wrapped = items(only(bits(only(nodes[0].content))), 2, 2)
    need(oid(kind) == "1.2.840.113549.1.7.2", "CMS")
    _, _, encapsulated, certificates, signers = items(items(wrapped, 1, 1, 0xA0)[0], 5, 5)
    kind, wrapped = items(encapsulated, 2, 2)
    need(oid(kind) == "1.2.840.113549.1.9.16.1.4", "TSTInfo")
    content = octets(items(wrapped, 1, 1, 0xA0)[0])
    (signer,) = items(signers, 1, 1, 0x31)
    _, sid, _, signed, named, value, *_ = items(signer, 6, 7)
    need(signed.tag == 0xA0, "signed attributes")
    given = [Certificate(c.raw) for c in items(certificates, 1, 8, 0xA0)]
    issuer, serial = items(sid, 2, 2)
    leaf = next((c for c in given if (c.issuer, c.serial) == (issuer.raw, serial.raw)), None)
    need(leaf is not None, "signer")
    check_signature(leaf.spki, algorithm(named), octets(value), b"\x31" + signed.raw[1:])
    attributes = {oid(a): b for a, b in (items(one, 2, 2) for one in pieces(signed.content))}
    (digest,) = items(attributes.get("1.2.840.113549.1.9.4", signed), 1, 1, 0x31)
    need(octets(digest) == sha256(content), "digest")
    info = items(only(content), 5, 10)
    need(info[0].raw == b"\2\1\1", "TSTInfo")
    digested, imprint = items(info[2], 2, 2)
    need(algorithm(digested) == "2.16.840.1.101.3.4.2.1" and octets(imprint) == sha256(stamped), "imprint")
    helpers = tuple(c.der for c in given if c is not leaf)
    return path_of(leaf.der, replace(trust, intermediates=(*trust.intermediates, *helpers))), moment(info[4])


@dataclass(frozen=True)
class Seal:
    version: int
    custodians: tuple
    hashed: bool
    created: datetime
    starts: datetime
    ends: datetime
    parts: list


def read_seal(node):
    parts = items(node, 4, 5)
    info = items(parts[0], 4, 5)
    mark, number, vendor = items(info[0], 3, 3)
    version = integer(number)
    need(mark.raw == b"\x16\x02ES" and version in {4, 5}, "header")
    text(vendor, 12, 19, 22)
    text(info[1], 12, 19, 22)
    kind, name, list_kind, listed, *times = items(info[2], 7, 7)
    integer(kind)
    text(name, 12)
    need(integer(list_kind) in {1, 2}, "certListType")
    hashed = integer(list_kind) == 2
    custodians = items(listed, 1, 4096)
    if hashed:
        pairs = [items(c, 2, 2) for c in custodians]
        known = tuple((text(k, 12, 19, 22), octets(v))[1] for k, v in pairs)
    else:
        known = tuple(c.raw if c.tag == 0x30 else octets(c) for c in custodians)
    form, data, width, height = items(info[3], 4, 4)
    text(form, 12, 19, 22)
    octets(data)
    need(integer(width) <= 10_000 and integer(height) <= 10_000, "picture")
    check_extensions(info[4:])
    return Seal(version, known, hashed, *map(moment, times), parts)


def check_value(certificate, named, value, data, trust):
    """A signature of GM/T 0031: DER, or r ‖ s as some vendors write it."""
    need(algorithm(named) in trust.algorithms, "algorithm")
    signature = bits(value)
    if len(signature) == 64 and signature[:2] != b"\x30\x3e":
        signature = sequence(der_integer(signature[:32]) + der_integer(signature[32:]))
    check_signature(Certificate(octets(certificate)).spki, algorithm(named), signature, data)


def der_integer(half):
    stripped = half.lstrip(b"\0") or b"\0"
    stripped = b"\0" + stripped if stripped[0] > 127 else stripped
    return bytes((2, len(stripped))) + stripped


def sequence(content):
    return bytes((0x30, len(content))) + content


def judge_seal(seal, trust, at, used):
    """Maker's signature, dates, maker's certificate, validity when *used*, time stamp."""
    info, certificate, named, value, *stamp = seal.parts
    check_value(certificate, named, value, info.raw, trust)
    need(seal.created - at <= SKEW, "made in the future")
    need(seal.starts <= seal.ends and seal.created <= seal.ends, "dates")
    need(seal.starts <= used <= seal.ends, "validity of the seal")
    walk = path_of(octets(certificate), trust)
    purposes = {p.dotted_string for p in walk[0].value("37") or ()}
    if SEAL_MAKING not in purposes:
        raise UndecidedError("not a maker")
    need(within(walk, seal.created), "maker not valid")
    check_revocation(walk, trust, at, seal.created)
    check_stamp(stamp, bits(value), seal.created, trust, at)


def answer(judge):
    try:
        judge()
    except InvalidError:
        return 10
    except UndecidedError:
        return 11
    return 0


def verify_seal(data, trust, at):
    """Exit code for an SESeal at the aware time *at*."""
    return answer(lambda: judge_seal(read_seal(only(data)), trust, at, at))


def verify_signature(data, digest, trust, at):
    """Exit code for an SES_Signature over a document of *digest*."""
    return answer(lambda: judge_signature(data, digest, trust, at))


def judge_signature(data, digest, trust, at):
    signed, certificate, named, value, *stamp = items(only(data), 4, 5)
    version, eseal, time, covered, where, *extra = items(signed, 5, 6)
    seal = read_seal(eseal)
    need(integer(version) == seal.version, "two versions")
    text(where, 12, 19, 22, most=16 * 1024)
    check_extensions(extra)
    when = moment(time)
    check_value(certificate, named, value, signed.raw, trust)
    custodian = octets(certificate)
    need((sm3(custodian) if seal.hashed else custodian) in seal.custodians, "not a custodian")
    need(when - at <= SKEW and seal.created - when <= SKEW, "time of sealing")
    need(bits(covered) == digest, "document")
    judge_seal(seal, trust, at, when)
    walk = path_of(custodian, trust)
    need(within(walk, when), "custodian not valid")
    check_revocation(walk, trust, at, None)
    check_stamp(stamp, bits(value), when, trust, at)


# --- GB/T 33190 -----------------------------------------------------------------------------------------------

OFD = "{http://www.ofdspec.org/2016}"
SM3_NAMES = {"1.2.156.10197.1.401", "SM3"}


def read_container(data):
    """Files by name. The container must be what `zipfile` writes of them, stored, undated and without attributes."""
    need(len(data) <= 64 << 20, "size")
    files = {}
    made = io.BytesIO()
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as container, zipfile.ZipFile(made, "w") as again:
            listed = container.infolist()
            need(0 < len(listed) <= 4096 and sum(i.file_size for i in listed) <= len(data), "entries")
            for entry in listed:
                need(entry.compress_type == zipfile.ZIP_STORED and entry.filename.isascii(), "entry")
                need(entry.filename not in files and not entry.is_dir(), "entry")
                files[entry.filename] = container.read(entry)
                fresh = zipfile.ZipInfo(entry.filename)
                fresh.create_system = 0
                again.writestr(fresh, files[entry.filename])
                fresh.external_attr = 0
    except (zipfile.BadZipFile, zipfile.LargeZipFile, ValueError, NotImplementedError, RuntimeError, OSError, EOFError):
        raise InvalidError("container") from None
    need(made.getvalue() == data, "container in another form")
    folded = {name.casefold() for name in files}
    need(len(folded) == len(files), "names differ in case only")
    return files


def tree(files, name, root):
    need(name in files, "missing file")
    data = files[name]
    need(len(data) <= 8 << 20, "size")
    try:
        data.decode("utf-8")
        top = ET.fromstring(data)  # noqa: S314 - document types were refused in every file before
    except (ET.ParseError, ValueError, LookupError):
        raise InvalidError("XML") from None
    need(top.tag == OFD + root, "root")
    return top


def child(element, name):
    found = element.findall(OFD + name)
    need(len(found) == 1, name)
    return found[0]


def place(base, path):
    path = (path or "").strip()
    folder = "" if path.startswith("/") or "/" not in base else base.rpartition("/")[0] + "/"
    path = path.removeprefix("/")
    need(path and all(p not in {"", ".", ".."} for p in path.split("/")) and "\\" not in path, "path")
    return folder + path


def verify_ofd(data, trust, at):
    """Exit code for a sealed OFD of ours: every signature covers every file but its own two, and is good."""
    return answer(lambda: judge_ofd(data, trust, at))


def judge_ofd(data, trust, at):
    files = read_container(data)
    for name, content in files.items():
        need(".." not in name.split("/") and not name.startswith("/") and "\\" not in name, "name")
        if name.lower().endswith(".xml"):
            need(not re.search(rb"<!DOCTYPE|<!ENTITY|\x00", content), "document type")
    body = child(tree(files, "OFD.xml", "OFD"), "DocBody")
    need(child(child(body, "DocInfo"), "DocID").text, "DocID")
    need(place("OFD.xml", child(body, "DocRoot").text) in files, "DocRoot")
    listed = place("OFD.xml", child(body, "Signatures").text)
    signatures = tree(files, listed, "Signatures").findall(OFD + "Signature")
    need(0 < len(signatures) <= 64, "signatures")
    for one in signatures:
        judge_ofd_signature(files, place(listed, one.get("BaseLoc")), trust, at)


def judge_ofd_signature(files, path, trust, at):
    top = tree(files, path, "Signature")
    value = place(path, child(top, "SignedValue").text)
    need(value in files, "missing value")
    references = child(child(top, "SignedInfo"), "References")
    need(references.get("CheckMethod") in SM3_NAMES, "digest")
    left = set(files) - {path, value}
    for reference in references.findall(OFD + "Reference"):
        name = place(path, reference.get("FileRef"))
        need(name in left, "reference")
        left.remove(name)
        digest = (child(reference, "CheckValue").text or "").strip()
        need(base64.b64encode(sm3(files[name])).decode() == digest, "digest")
    need(not left, "uncovered")
    judge_signature(files[value], sm3(files[path]), trust, at)
