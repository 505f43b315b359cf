"""Time stamps (RFC 3161): a demonstration authority's answers made, and tokens of any authority checked strictly.

Clock, keys and serial numbers are arguments. Whether the authority's chain is trusted, and held at the time stated,
is left to `licence.chain`; sending requests over a network to the caller.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from licence import chain, der
from licence.errors import FormatError, IssueRefusedError
from licence.pdf import cms

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from cryptography.hazmat.primitives.hashes import HashAlgorithm

WHAT = "time stamp"
TST_INFO = "1.2.840.113549.1.9.16.1.4"
# ITU-T X.667 UUID-based arc, as in `licence.profile`: the policy of the demonstration authority.
DEMONSTRATION_TSA_POLICY = "2.25.63029289837159938694609224814783922967"
MAX_REQUEST_BYTES = 4096
MAX_TOKEN_BYTES = 64 * 1024
MAX_NONCE_BYTES = 32
_VERSION = 1
_GRANTED = (0, 1)
_ACCURACY, _FALSE, _TRUE = der.SEQUENCE, b"\x01\x01\x00", b"\x01\x01\xff"
_TSA = 0xA0


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be stamped. *nonce* is None where the asker gave none; *policy* "" where any will do."""

    digest_oid: bytes
    imprint: bytes
    nonce: int | None
    policy: bytes
    with_certificates: bool


@dataclass(frozen=True, slots=True)
class TimeStamp:
    """A token whose signature and imprint hold: the data existed at *time*. *chain* is DER, leaf first, unjudged."""

    time: datetime
    serial: int
    policy: bytes
    chain: tuple[bytes, ...]
    suite: str


def request(data: bytes, *, suite: str, nonce: int | None) -> bytes:
    """A TimeStampReq (§2.4.1) for *data*, hashed as *suite* hashes; it asks for the authority's certificates.

    Raises:
        IssueRefusedError: the suite has no form in CMS, or the nonce is negative or longer than 32 bytes.
    """
    form = cms.FORMS.get(suite)
    if form is None:
        raise IssueRefusedError("cms_suite_without_form", suite=suite)
    if nonce is not None and not 0 <= nonce < 1 << 8 * MAX_NONCE_BYTES - 1:
        raise IssueRefusedError("timestamp_request_invalid")
    imprint = _imprint(der.write_oid(form.digest_oid), cms.digest(form.digest, data))
    given = () if nonce is None else (der.write_integer(nonce),)
    return der.write(der.SEQUENCE, der.write_integer(_VERSION), imprint, *given, _TRUE)


def parse_request(data: bytes) -> Request:
    """Parse a TimeStampReq.

    Raises:
        FormatError: not one, or one with extensions, a digest or a nonce that is not answered here.
    """
    if len(data) > MAX_REQUEST_BYTES:
        raise FormatError("too_large", what=WHAT, limit=MAX_REQUEST_BYTES)
    parts = list(der.read(data, WHAT).expect(der.SEQUENCE, WHAT).children(WHAT))
    if len(parts) < 2 or der.read_integer(parts[0], WHAT) != _VERSION:  # noqa: PLR2004 - version and imprint
        _refuse_request()
    digest_oid, imprint = _read_imprint(parts[1])
    rest = parts[2:]
    policy = rest.pop(0).raw if rest and rest[0].tag == der.OID else b""
    nonce = _read_nonce(rest.pop(0)) if rest and rest[0].tag == der.INTEGER else None
    wanted = rest.pop(0).raw if rest and rest[0].tag == der.BOOLEAN else _FALSE
    by = cms.DIGESTS.get(digest_oid)
    if rest or wanted not in {_FALSE, _TRUE} or by is None or by.digest_size != len(imprint):
        _refuse_request()
    return Request(digest_oid, imprint, nonce, policy, wanted == _TRUE)


def respond(asked: Request, authority: cms.Signer, *, at: datetime, serial: int) -> bytes:
    """A granted TimeStampResp (§2.4.2) over *asked*, stating *at*; *serial* is never used twice by this authority.

    Raises:
        IssueRefusedError: another policy is asked for, *at* has no zone, or the key is not one for time stamps.
    """
    if at.tzinfo is None:
        raise IssueRefusedError("time_not_aware")
    if asked.policy not in {b"", der.write_oid(DEMONSTRATION_TSA_POLICY)} or serial <= 0:
        raise IssueRefusedError("timestamp_request_invalid")
    if not _stamps_only(authority.chain_der[0]):
        raise IssueRefusedError("timestamp_certificate_purpose")
    form = cms.FORMS.get(authority.suite)
    if form is None:
        raise IssueRefusedError("cms_suite_without_form", suite=authority.suite)
    nonce = () if asked.nonce is None else (der.write_integer(asked.nonce),)
    info = der.write(
        der.SEQUENCE,
        der.write_integer(_VERSION),
        der.write_oid(DEMONSTRATION_TSA_POLICY),
        _imprint(asked.digest_oid, asked.imprint),
        der.write_integer(serial),
        der.write_time(at),
        *nonce,
    )
    token = cms.sign(
        authority,
        content_digest=cms.digest(form.digest, info),
        content_type=TST_INFO,
        content=info,
        with_certificates=asked.with_certificates,
    )
    status = der.write(der.SEQUENCE, der.write_integer(_GRANTED[0]))
    return der.write(der.SEQUENCE, status, token)


def token_of(response: bytes) -> bytes:
    """The token of a TimeStampResp.

    Raises:
        FormatError: not one, or a refusal.
    """
    if len(response) > MAX_TOKEN_BYTES:
        raise FormatError("too_large", what=WHAT, limit=MAX_TOKEN_BYTES)
    parts = der.read(response, WHAT).expect(der.SEQUENCE, WHAT).children(WHAT)
    status = (parts[0] if parts else _refuse()).expect(der.SEQUENCE, WHAT).children(WHAT)
    value = der.read_integer(status[0] if status else _refuse(), WHAT)
    if value not in _GRANTED:
        raise FormatError("timestamp_refused", status=str(value)[:8])
    if len(parts) != 2:  # noqa: PLR2004 - status and token
        _refuse()
    return parts[1].raw


def verify(
    token: bytes,
    data: Iterable[bytes | memoryview],
    *,
    suites: Iterable[str],
    policies: frozenset[str] | None = None,
    nonce: int | None = None,
) -> TimeStamp:
    """Check that *token* is a time stamp of *data* (parts, one after another).

    *policies* are the authority's policies that are accepted, None for any; *nonce* is the one asked with, None where
    the token comes from a document.

    Raises:
        FormatError: not a token of this data (``HASH_FAILURE``), its signature (``SIG_CRYPTO_FAILURE``) or its
            certificate's purpose (``CHAIN_CONSTRAINTS_FAILURE``) does not hold, or policy or nonce differ.
    """
    if len(token) > MAX_TOKEN_BYTES:
        raise FormatError("too_large", what=WHAT, limit=MAX_TOKEN_BYTES)
    signed = cms.parse(token, WHAT)
    if signed.content is None or signed.content_type != der.write_oid(TST_INFO):
        _refuse()
    checked = cms.check(signed, None, suites, WHAT)
    if not _stamps_only(checked.chain[0]):
        raise FormatError("timestamp_certificate_purpose", sub_indication="CHAIN_CONSTRAINTS_FAILURE")
    info = _info(signed.content)
    by: HashAlgorithm | None = cms.DIGESTS.get(info.digest_oid)
    if by is None:
        raise FormatError("cms_suite_not_allowed", sub_indication="CRYPTO_CONSTRAINTS_FAILURE", what=WHAT)
    if cms.digest(by, *data) != info.imprint:
        raise FormatError("timestamp_imprint_differs", sub_indication="HASH_FAILURE")
    if policies is not None and info.policy not in {der.write_oid(p) for p in policies}:
        raise FormatError("timestamp_policy_not_allowed", policy=info.policy.hex())
    if nonce is not None and info.nonce != nonce:
        raise FormatError("timestamp_nonce_differs")
    if info.authority and info.authority != cms.certificate_identity(checked.chain[0]).subject:
        raise FormatError("timestamp_name_differs")
    return TimeStamp(info.time, info.serial, info.policy, checked.chain, checked.suite)


@dataclass(frozen=True, slots=True)
class _Info:
    policy: bytes
    digest_oid: bytes
    imprint: bytes
    serial: int
    time: datetime
    nonce: int | None
    authority: bytes


def _info(content: bytes) -> _Info:
    """TSTInfo (§2.4.2), its optional parts in their order."""
    parts = list(der.read(content, WHAT).expect(der.SEQUENCE, WHAT).children(WHAT))
    if len(parts) < 5 or der.read_integer(parts[0], WHAT) != _VERSION:  # noqa: PLR2004 - up to genTime
        _refuse()
    digest_oid, imprint = _read_imprint(parts[2])
    rest = parts[5:]
    if rest and rest[0].tag == _ACCURACY:
        rest.pop(0)
    if rest and rest[0].tag == der.BOOLEAN and rest.pop(0).raw != _TRUE:
        # DER leaves the default, FALSE, out.
        _refuse()
    nonce = _read_nonce(rest.pop(0)) if rest and rest[0].tag == der.INTEGER else None
    authority = _directory_name(rest.pop(0)) if rest and rest[0].tag == _TSA else b""
    if rest:
        # Extensions among it: what one may qualify nobody can foresee. RFC 3161 §2.4.2 has critical ones refused; so
        # are all.
        _refuse()
    return _Info(
        policy=parts[1].expect(der.OID, WHAT).raw,
        digest_oid=digest_oid,
        imprint=imprint,
        serial=der.read_integer(parts[3], WHAT),
        time=der.read_time(parts[4], WHAT),
        nonce=nonce,
        authority=authority,
    )


def _directory_name(node: der.Node) -> bytes:
    """The name inside tsa [0] EXPLICIT GeneralName; of other kinds of name nothing can be compared."""
    names = node.children(WHAT)
    if len(names) != 1 or names[0].tag != 0xA4:  # noqa: PLR2004 - [4]: directoryName
        _refuse()
    inner = names[0].children(WHAT)
    if len(inner) != 1:
        _refuse()
    return inner[0].raw


def _imprint(digest_oid: bytes, value: bytes) -> bytes:
    return der.write(der.SEQUENCE, der.write(der.SEQUENCE, digest_oid), der.write(der.OCTET_STRING, value))


def _read_imprint(node: der.Node) -> tuple[bytes, bytes]:
    parts = node.expect(der.SEQUENCE, WHAT).children(WHAT)
    if len(parts) != 2:  # noqa: PLR2004 - algorithm and digest
        _refuse()
    algorithm = parts[0].expect(der.SEQUENCE, WHAT).children(WHAT)
    # RFC 5754 §2: no parameters, or one NULL.
    if not algorithm or [p.raw for p in algorithm[1:]] not in ([], [b"\x05\x00"]):
        _refuse()
    return algorithm[0].expect(der.OID, WHAT).raw, parts[1].expect(der.OCTET_STRING, WHAT).content


def _read_nonce(node: der.Node) -> int:
    if len(node.content) > MAX_NONCE_BYTES:
        _refuse()
    return der.read_integer(node, WHAT)


def _stamps_only(leaf: bytes) -> bool:
    """Whether the certificate's one purpose, marked critical, is time stamping (§2.3)."""
    try:
        usage = chain.load(leaf).extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    except x509.ExtensionNotFound:
        return False
    return usage.critical and list(usage.value) == [ExtendedKeyUsageOID.TIME_STAMPING]


def _refuse() -> NoReturn:
    raise FormatError("der_invalid", what=WHAT)


def _refuse_request() -> NoReturn:
    raise FormatError("timestamp_request_invalid")
