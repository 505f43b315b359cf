"""A second verifier of credentials and bundles, written from the specifications alone.

One file, standard library and `cryptography`; `independent_seals` has seals and OFD, `independent_documents` the rest.

It imports nothing of the project. It answers with the exit code (0, 10, 11, 12, 13) and is compared with
`licence.verify` on every vector; where the two differ, one of them is wrong.

Order of work: RFC 9901 form and digests → RFC 5280 path to an anchor → RFC 7515 signature → who signed → GB/T 36904
identifier → log entry and C2SP proof → token status list → validity period.
"""

from __future__ import annotations

import base64
import calendar
import hashlib
import itertools
import json
import string
import time
import zlib

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, utils
from cryptography.hazmat.primitives.hashes import SHA256

LICENCE_PURPOSE = "2.25.169703427927337094492926452619147386169"
STATUS_PURPOSE = "2.25.17491817125958936503489112917321418424"
# What claims to expand to more is no list: a city of twenty million needs shards of 256 KiB.
MAX_LIST_BYTES = 16 << 20
URLSAFE = set(string.ascii_letters + string.digits + "-_")


class InvalidError(Exception):
    """Definitely wrong; carries the exit code."""

    def __init__(self, why, code=10):
        super().__init__(why)
        self.code = code


class UndecidedError(Exception):
    pass


def need(condition, why, code=10):
    if not condition:
        raise InvalidError(why, code)


def unb64u(text):
    need(isinstance(text, str) and set(text) <= URLSAFE and len(text) % 4 != 1, "base64url")
    data = base64.urlsafe_b64decode(text + "===")
    need(base64.urlsafe_b64encode(data).decode().replace("=", "") == text, "canonical base64url")
    return data


def unb64(text):
    try:
        data = base64.b64decode(text, validate=True)
    except (ValueError, TypeError):
        raise InvalidError("base64") from None
    need(base64.b64encode(data).decode() == text, "canonical base64")
    return data


def read_json(data):
    def pairs(items):
        need(len({k for k, _ in items}) == len(items), "duplicate member")
        return dict(items)

    def number(text):
        need(text.lstrip("-").isdigit() and len(text) <= 18 and text != "-0", "number")
        return int(text)

    def nope(_):
        raise InvalidError("number")

    try:
        text = data.decode("utf-8") if isinstance(data, bytes) else data
        value = json.loads(text, object_pairs_hook=pairs, parse_int=number, parse_float=nope, parse_constant=nope)
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError):
        raise InvalidError("json") from None
    return value


def whole(value):
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 253402300799


def word(value):
    return isinstance(value, str) and 0 < len(value) <= 512


# --- RFC 7515 -------------------------------------------------------------------------------------------------


def read_jws(token, typ):
    parts = token.split(".")
    need(len(parts) == 3 and token.isascii(), "compact")
    header, payload = read_json(unb64u(parts[0])), read_json(unb64u(parts[1]))
    need(isinstance(header, dict) and isinstance(payload, dict), "objects")
    need(header.get("alg") == "ES256" and header.get("typ") == typ, "alg or typ")
    need(set(header) <= {"alg", "typ", "x5c"}, "header members")
    x5c = header.get("x5c", [])
    need(isinstance(x5c, list) and (x5c or "x5c" not in header) and len(x5c) <= 4, "x5c")
    chain = [unb64(c) for c in x5c]
    return payload, chain, (parts[0] + "." + parts[1]).encode(), unb64u(parts[2])


def parse_certificates(chain):
    try:
        certificates = [x509.load_der_x509_certificate(c) for c in chain]
        for certificate in certificates:
            _ = certificate.extensions, certificate.public_key(), certificate.subject, certificate.issuer
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.DuplicateExtension, x509.InvalidVersion, Warning):
        raise InvalidError("certificate") from None
    return certificates


def check_es256(certificate, data, signature):
    key = certificate.public_key()
    need(isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name == "secp256r1", "key")
    need(len(signature) == 64, "signature length")
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    try:
        key.verify(utils.encode_dss_signature(r, s), data, ec.ECDSA(SHA256()))
    except InvalidSignature:
        raise InvalidError("signature") from None


# --- RFC 5280 -------------------------------------------------------------------------------------------------


def extension(certificate, kind):
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def path(certificates, anchors):
    """The certificates from leaf to anchor, or UndecidedError."""
    walk = list(certificates)
    if len(walk) > 1 and walk[-1] in anchors:
        walk.pop()
    for anchor in anchors:
        try:
            walk[-1].verify_directly_issued_by(anchor)
        except (ValueError, TypeError, InvalidSignature):
            continue
        walk.append(anchor)
        break
    else:
        raise UndecidedError("anchor")
    for depth in range(len(walk) - 1):
        below, above = walk[depth], walk[depth + 1]
        try:
            below.verify_directly_issued_by(above)
        except (ValueError, TypeError, InvalidSignature):
            raise UndecidedError("chain") from None
        if below.signature_algorithm_oid.dotted_string != "1.2.840.10045.4.3.2":
            raise UndecidedError("certificate algorithm")
        basic, usage = extension(above, x509.BasicConstraints), extension(above, x509.KeyUsage)
        if basic is None or not basic.ca or usage is None or not usage.key_cert_sign:
            raise UndecidedError("not a CA")
        if basic.path_length is not None and depth > basic.path_length:
            raise UndecidedError("path length")
    basic, usage = extension(walk[0], x509.BasicConstraints), extension(walk[0], x509.KeyUsage)
    if (basic is not None and basic.ca) or usage is None or not usage.digital_signature:
        raise UndecidedError("leaf")
    return walk


def within(certificates, moment):
    starts = max(calendar.timegm(c.not_valid_before_utc.timetuple()) for c in certificates)
    ends = min(calendar.timegm(c.not_valid_after_utc.timetuple()) for c in certificates)
    return starts <= moment <= ends


def purposes(certificate):
    return {p.dotted_string for p in extension(certificate, x509.ExtendedKeyUsage) or ()}


# --- RFC 9901 -------------------------------------------------------------------------------------------------


def read_credential(text):
    token, *disclosures = text.split("~")
    need(disclosures and disclosures.pop() == "", "trailing tilde")
    payload, chain, signed, signature = read_jws(token, "dc+sd-jwt")
    required = {"iss", "jti", "iat", "nbf", "vct", "status", "_sd", "_sd_alg"}
    need(required <= set(payload) <= required | {"exp", "cnf"}, "claims")
    if "cnf" in payload:
        check_holder(payload["cnf"])
    need(all(whole(payload[n]) for n in ("iat", "nbf")) and whole(payload.get("exp", 0)), "dates")
    need(all(word(payload[n]) for n in ("iss", "jti", "vct")), "texts")
    digests = payload["_sd"]
    need(payload["_sd_alg"] == "sha-256" and isinstance(digests, list), "_sd")
    need(all(isinstance(d, str) for d in digests) and len(set(digests)) == len(digests), "duplicate digest")
    status = payload["status"]
    need(isinstance(status, dict) and set(status) == {"status_list"}, "status")
    listed = status["status_list"]
    need(isinstance(listed, dict) and set(listed) == {"idx", "uri"}, "status list")
    need(whole(listed["idx"]) and word(listed["uri"]), "status reference")
    claims = {}
    for disclosure in disclosures:
        parts = read_json(unb64u(disclosure))
        need(isinstance(parts, list) and len(parts) == 3 and isinstance(parts[0], str), "disclosure")
        need(len(parts[0]) >= 22 and isinstance(parts[2], str | bool), "salt or value")
        digest = base64.urlsafe_b64encode(hashlib.sha256(disclosure.encode()).digest()).decode().rstrip("=")
        need(digest in digests, "unreferenced disclosure")
        need(isinstance(parts[1], str) and parts[1] not in claims and parts[1] not in payload, "claim name")
        claims[parts[1]] = parts[2]
    return token, payload, chain, signed, signature, claims


def check_holder(cnf):
    """RFC 7800: the holder's key, as a JWK (RFC 7517) of a kind that wallets use."""
    need(isinstance(cnf, dict) and set(cnf) == {"jwk"} and isinstance(cnf["jwk"], dict), "cnf")
    jwk = cnf["jwk"]
    need(all(isinstance(v, str) for v in jwk.values()), "jwk")
    if jwk.get("kty") == "EC":
        need(set(jwk) - {"alg", "use", "kid"} == {"kty", "crv", "x", "y"} and jwk["crv"] == "P-256", "jwk")
        x, y = unb64u(jwk["x"]), unb64u(jwk["y"])
        need(len(x) == len(y) == 32, "jwk")
        try:
            ec.EllipticCurvePublicNumbers(*(int.from_bytes(n, "big") for n in (x, y)), ec.SECP256R1()).public_key()
        except ValueError:
            raise InvalidError("jwk") from None
    else:
        need(set(jwk) - {"alg", "use", "kid"} == {"kty", "crv", "x"}, "jwk")
        need((jwk["kty"], jwk["crv"]) == ("OKP", "Ed25519") and len(unb64u(jwk["x"])) == 32, "jwk")


# --- GB/T 36904 -----------------------------------------------------------------------------------------------


def read_identifier(text):
    prefix = "1.2.156.3005.2."
    need(text.startswith(prefix), "root")
    parts = text.removeprefix(prefix).split(".")
    need([len(p) for p in parts[:2]] == [21, 18] and len(parts) == 5 and len(parts[3]) == 3, "shape")
    alphabet = string.digits + string.ascii_uppercase
    need(all(p and set(p) <= set(alphabet) for p in parts), "alphabet")
    need(len(parts[2]) <= 64 and parts[3].isdigit() and parts[3] != "000", "serial or version")
    # ISO 7064 hybrid: the recursion over payload and check character must end at 1 modulo 36.
    state = 36
    for character in "".join(parts[:4]):
        state = ((state + alphabet.index(character)) % 36 or 36) * 2 % 37
    need(len(parts[4]) == 1 and (state + alphabet.index(parts[4])) % 36 == 1, "check character")
    return parts


# --- Log ------------------------------------------------------------------------------------------------------


def read_entry(text, *kinds):
    try:
        entry = read_json(text)
    except InvalidError:
        raise InvalidError("entry", 13) from None
    need(isinstance(entry, dict) and isinstance(entry.get("facts"), dict), "entry", 13)
    canonical = json.dumps(entry, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    need(canonical == text and entry.get("kind") in kinds, "entry form or kind", 13)
    return entry


def check_proof(entry, proof, log_keys):
    head, _, note = proof.partition("\n\n")
    lines = head.split("\n")
    need(lines[0] == "c2sp.org/tlog-proof@v1" and lines[1].startswith("index "), "proof", 13)
    need(lines[1][6:].isdigit() and str(int(lines[1][6:])) == lines[1][6:], "index", 13)
    index = int(lines[1][6:])
    try:
        hashes = [unb64(line) for line in lines[2:]]
        body, _, signatures = note.rpartition("\n\n")
        text = body + "\n"
        origin, size, root = text.split("\n")[:3]
        root = unb64(root)
        lines = [line.split(" ") for line in signatures.split("\n")[:-1]]
        need(note.endswith("\n") and all(len(line) == 3 and line[0] == "\u2014" for line in lines), "note", 13)
        blobs = [(line[1], unb64(line[2])) for line in lines]
    except (InvalidError, ValueError, IndexError):
        raise InvalidError("proof text", 13) from None
    need(origin and size.isdigit() and str(int(size)) == size and index < int(size), "checkpoint", 13)
    trusted = 0
    for name, blob in blobs:
        for known, key_id, key in log_keys:
            if (name, blob[:4]) == (known, key_id):
                try:
                    ed25519.Ed25519PublicKey.from_public_bytes(key).verify(blob[4:], text.encode())
                except InvalidSignature:
                    raise InvalidError("note signature", 13) from None
                trusted += 1
    need(trusted, "no pinned log key", 13)
    # RFC 9162 §2.1.3.2.
    fn, sn = index, int(size) - 1
    result = hashlib.sha256(b"\x00" + entry.encode()).digest()
    for step in hashes:
        need(sn > 0, "path too long", 13)
        if fn % 2 or fn == sn:
            result = hashlib.sha256(b"\x01" + step + result).digest()
            while fn and not fn % 2:
                fn, sn = fn // 2, sn // 2
        else:
            result = hashlib.sha256(b"\x01" + result + step).digest()
        fn, sn = fn // 2, sn // 2
    need(sn == 0 and result == root, "inclusion", 13)


def read_log_key(text):
    name, key_id, key = text.strip().split("+", 2)
    return name, bytes.fromhex(key_id), base64.b64decode(key)[1:]


# --- Token Status List ----------------------------------------------------------------------------------------


def read_status(token, anchors, uri, idx, at):
    """(issued, expires, value) or None when the token is not to be used."""
    try:
        payload, chain, signed, signature = read_jws(token, "statuslist+jwt")
        need(chain, "x5c")
        certificates = parse_certificates(chain)
        walk = path(certificates, anchors)
        check_es256(certificates[0], signed, signature)
        need(STATUS_PURPOSE in purposes(certificates[0]), "purpose")
        need(whole(payload.get("iat")) and whole(payload.get("exp")) and payload.get("sub") == uri, "claims")
        need(within(walk, payload["iat"]) and payload["iat"] <= at + 300, "time")
        bits, lst = payload["status_list"]["bits"], unb64u(payload["status_list"]["lst"])
        inflater = zlib.decompressobj()
        packed = inflater.decompress(lst, MAX_LIST_BYTES)
        need(inflater.eof and not inflater.unused_data, "list")
    except (InvalidError, UndecidedError, zlib.error, KeyError, TypeError):
        return None
    if bits not in {1, 2, 4, 8} or idx * bits // 8 >= len(packed):
        return None
    value = (packed[idx * bits // 8] >> (idx * bits % 8)) & (2**bits - 1)
    return payload["iat"], payload["exp"], value


# --- All of it ------------------------------------------------------------------------------------------------


def verify(text, anchors_pem, log_keys, at, status_tokens=(), *, stamped_at=None):
    """Exit code for the bundle's (or bare credential's) *text* at POSIX time *at*.

    *stamped_at* reads time stamps: of token, what was stamped, lists and time it makes the POSIX time proven, None
    where the authority is not trusted, InvalidError where it is no token of that.
    """
    try:
        return _verify(
            text, x509.load_pem_x509_certificates(anchors_pem), log_keys, at, status_tokens, stamped_at=stamped_at
        )
    except InvalidError as fault:
        return fault.code
    except UndecidedError:
        return 11


def check_added(bundle):
    crls, documents = bundle.get("crls", ["AAAA"]), bundle.get("documents", {"pdf": "AAAA"})
    need(isinstance(crls, list) and 0 < len(crls) <= 16, "crls")
    need(isinstance(documents, dict) and documents, "documents")
    need(list(documents) in (["ofd"], ["pdf"], ["ofd", "pdf"]), "documents")
    # Of a second signature the form only: it knows no keys to judge one by, and says nothing about it.
    second = bundle.get("second", {"suite": "ml-dsa-65", "key": "0" * 64, "signature": "AAAA"})
    need(isinstance(second, dict) and set(second) == {"suite", "key", "signature"}, "second")
    need(second["suite"] == "ml-dsa-65" and isinstance(second["key"], str), "second")
    need(len(second["key"]) == 64 and set(second["key"]) <= set("0123456789abcdef"), "second")
    need(isinstance(second["signature"], str), "second")
    need(len(unb64(second["signature"])) <= 8192, "second")
    for text in [*crls, *documents.values(), bundle.get("timestamp", "AAAA")]:
        need(isinstance(text, str) and text, "base64")
        unb64(text)


def check_revocation(walk, crls, at, *, signed, existed):
    """Lists of the chain's own authorities; *existed* is when the signature is proven to have existed, or None."""
    for depth, (below, above) in enumerate(itertools.pairwise(walk)):
        since = [t for t in (revoked_at(der, below, above) for der in crls) if t is not None and t <= at]
        if not since or (existed is not None and existed < min(since)):
            continue
        need(depth or signed < min(since), "revoked")
        raise UndecidedError("revoked")


def revoked_at(der, below, above):
    try:
        found = x509.load_der_x509_crl(der)
        usage = extension(above, x509.KeyUsage)
        if found.issuer != above.subject or usage is None or not usage.crl_sign:
            return None
        if not found.is_signature_valid(above.public_key()):
            return None
        entry = found.get_revoked_certificate_by_serial_number(below.serial_number)
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.DuplicateExtension, Warning):
        return None
    return None if entry is None else calendar.timegm(entry.revocation_date_utc.timetuple())


def _verify(text, anchors, log_keys, at, status_tokens, *, stamped_at):
    bundle = None
    credential = text
    if text.lstrip().startswith("{"):
        bundle = read_json(text)
        members = {"format", "identifier", "credential", "chain", "log"}
        added = {"crls", "timestamp", "documents", "second"}
        need(isinstance(bundle, dict) and members <= set(bundle) <= members | {"status"} | added, "bundle")
        need(bundle["format"] == f"zhengtong-licence-bundle/{2 if added & set(bundle) else 1}", "format")
        check_added(bundle)
        need(isinstance(bundle["log"], dict) and set(bundle["log"]) == {"entry", "proof"}, "log")
        status = bundle.get("status", {"token": ""})
        need(isinstance(status, dict) and {"token"} <= set(status) <= {"token", "entry", "proof"}, "status")
        need(all(isinstance(v, str) for v in [*status.values(), *bundle["log"].values()]), "texts")
        credential = bundle["credential"]
        need(isinstance(credential, str) and isinstance(bundle["chain"], list), "texts")
    token, payload, chain, signed, signature, claims = read_credential(credential)
    if bundle is not None:
        need([unb64(c) for c in bundle["chain"]] == chain and bundle["identifier"] == payload["jti"], "copies")
    if not chain:
        raise UndecidedError("no certificate")
    certificates = parse_certificates(chain)
    check_es256(certificates[0], signed, signature)
    parts = read_identifier(payload["jti"])
    need(payload["vct"] == "zhengtong-licence-kind/" + parts[0], "kind")
    mirrored = {"ZZBS": payload["jti"], "ZZLXDM": parts[0], "ZZBFJGDM": parts[1]}
    need(all(claims.get(n, v) == v for n, v in mirrored.items()), "claims")
    walk = path(certificates, anchors)
    need(within(walk, payload["iat"]), "certificate time")
    leaf = walk[0]
    uris = extension(leaf, x509.SubjectAlternativeName).get_values_for_type(x509.UniformResourceIdentifier)
    owners = [a.value for a in leaf.subject if a.oid.dotted_string == "2.5.4.97"]
    need(LICENCE_PURPOSE in purposes(leaf) and payload["iss"] in uris and owners == [parts[1]], "issuer")
    undecided = []
    crls = [unb64(c) for c in (bundle or {}).get("crls", [])]
    proven = None
    if bundle is not None and "timestamp" in bundle:
        proven = stamped_at(unb64(bundle["timestamp"]), token.encode(), crls, at)
        need(proven is None or payload["iat"] <= proven + 300, "stamped before signing")
    logged = None
    try:
        logged = check_log(bundle, token, payload, parts, walk=walk, log_keys=log_keys, proven=proven)
    except UndecidedError as open_question:
        undecided.append(open_question)
    try:
        check_status(bundle, payload, anchors, at, status_tokens)
    except UndecidedError as open_question:
        undecided.append(open_question)
    # What the lists say is about step 2, which speaks before the log.
    try:
        times = [t for t in (logged, proven) if t is not None]
        check_revocation(walk, crls, at, signed=payload["iat"], existed=min(times, default=None))
    except UndecidedError as open_question:
        undecided.append(open_question)
    need(max(payload["iat"], payload["nbf"]) <= at, "not yet", 12)
    need("exp" not in payload or at < payload["exp"], "expired", 12)
    if undecided:
        raise undecided[0]
    return 0


def check_log(bundle, token, payload, parts, *, walk, log_keys, proven):
    if bundle is None:
        raise UndecidedError("no proof")
    entry = read_entry(bundle["log"]["entry"], "licence.issued", *(["licence.bound"] if "cnf" in payload else []))
    digest = "sha256:" + hashlib.sha256(token.encode()).hexdigest()
    facts = {"licence": payload["jti"], "credential": digest, "kind": parts[0], **payload["status"]}
    facts["status"] = facts.pop("status_list")
    need(all(entry["facts"].get(n) == v for n, v in facts.items()), "facts", 13)
    check_proof(bundle["log"]["entry"], bundle["log"]["proof"], log_keys)
    status = bundle.get("status", {})
    if "entry" in status or "proof" in status:
        need("entry" in status and "proof" in status, "status proof", 13)
        published = read_entry(status["entry"], "status.published")
        digest = "sha256:" + hashlib.sha256(status["token"].encode()).hexdigest()
        need(published["facts"].get("token") == digest, "status digest", 13)
        need(published["facts"].get("uri") == payload["status"]["status_list"]["uri"], "status uri", 13)
        check_proof(status["entry"], status["proof"], log_keys)
    logged = calendar.timegm(time.strptime(entry["at"][:19], "%Y-%m-%dT%H:%M:%S"))
    need(logged >= payload["iat"] - 300, "logged before", 13)
    if not within(walk, max(logged, payload["iat"])) and (proven is None or not within(walk, proven)):
        raise UndecidedError("logged late")
    return logged


def check_status(bundle, payload, anchors, at, status_tokens):
    listed = payload["status"]["status_list"]
    offered = [bundle["status"]["token"]] if bundle and "status" in bundle else []
    found = [read_status(t, anchors, listed["uri"], listed["idx"], at) for t in [*offered, *status_tokens]]
    found = [f for f in found if f]
    if not found:
        raise UndecidedError("no status")
    _issued, expires, value = max(found, key=lambda f: (f[0], f[2] != 0))
    need(value != 1, "revoked", 12)
    if at >= expires:
        raise UndecidedError("stale status")
    need(value != 2, "suspended", 12)
    if value:
        raise UndecidedError("unknown state")
