"""The targets of `bench/fuzz.py` that read what strangers hand over as licences, seals, documents, codes and lists.

Each is judged by the trust that lies beside its good bytes in `bench/fuzz_corpus/`. Those that are sealed twice, a
signature in a container, have a target for the container and one for what is in it, put into a good container again:
otherwise checksums would keep nearly every change from the reader behind them.
"""

from __future__ import annotations

import contextlib
import json
import re
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Final

from cryptography import x509

from audit.verifiers import read_verifiers
from bench.fuzzing import corpus
from bench.fuzzing.target import Target, hold, text_of
from licence import chain, credential, crl, jose, status, timestamps, trustlist
from licence.bundle import LicenceBundle
from licence.errors import FormatError, KindsInvalidError, KindsUnreadableError
from licence.kinds import compare, reading
from licence.ofd.container import pack, unpack
from licence.ofd.read import Policy, read_ofd
from licence.pdf import objects
from licence.pdf.read import read_signatures
from licence.qr import base45, cbor, code
from licence.report import Verdict
from licence.seals.trust import SealTrust
from licence.seals.verify import verify_seal, verify_signature
from licence.status import StatusList
from licence.suites import ECDSA_P256_SHA256, SM2_SM3
from licence.trust import TrustStore, fingerprint
from licence.verify import verify

if TYPE_CHECKING:
    from collections.abc import Callable

# An hour or two after everything in the corpus was made.
AT: Final = datetime(2025, 3, 1, 10, 0, tzinfo=UTC)
DIGEST: Final = bytes(range(32))
STAMPED: Final = b"what existed"
SUITES: Final = frozenset({ECDSA_P256_SHA256})
MAX_CODE_BYTES: Final = 4096
_CONTENTS: Final = re.compile(rb"/Contents<([0-9a-fA-F]+)>")
_SIGN: Final = "Doc_0/Signs/Sign_0/"


class _RefusedError(Exception):
    """A report that is not TOTAL-PASSED."""


@cache
def _trust() -> TrustStore:
    return TrustStore(
        anchors=(x509.load_der_x509_certificate(corpus.read("trust/root.der")),),
        log_verifiers=read_verifiers(corpus.read("trust/log.txt").decode()),
    )


@cache
def _seal_trust() -> SealTrust:
    parts = {
        part: tuple(corpus.read(f"trust/seal_{label}_{part}.der") for label in ("p256", "sm2"))
        for part in ("root", "issuing")
    }
    return SealTrust(
        anchors=frozenset(parts["root"]),
        suites=frozenset({ECDSA_P256_SHA256, SM2_SM3}),
        intermediates=parts["issuing"],
    )


def _samples(folder: str, *names: str) -> tuple[bytes, ...]:
    return tuple(corpus.read(f"{folder}/{name}") for name in names)


_SEALS: Final = ("v5_p256.der", "v4_p256.der", "v5_sm2.der", "v4_sm2.der")


def _same(data: bytes, good: tuple[bytes, ...]) -> None:
    hold(data in good, "something else than what was sealed was taken")


# --- seals -------------------------------------------------------------------------------------------------------


def _seal(data: bytes) -> None:
    report = verify_seal(data, _seal_trust(), AT)
    report.text("en"), report.text("zh")
    if report.verdict is not Verdict.PASSED:
        raise _RefusedError
    _same(data, _samples("seal", *_SEALS))


def _ses_signature(data: bytes) -> None:
    _judge_signature(data, DIGEST)
    _same(data, _samples("ses_signature", *_SEALS))


def _judge_signature(data: bytes, digest: bytes) -> None:
    report = verify_signature(data, digest, _seal_trust(), AT)
    report.text("en"), report.text("zh")
    if report.verdict is not Verdict.PASSED:
        raise _RefusedError


# --- certificates and lists of them ------------------------------------------------------------------------------


def _certificate(data: bytes) -> None:
    chain.load(data)
    # Not signed by whom we trust: it was only read.
    with contextlib.suppress(FormatError):
        chain.validate((data, corpus.read("trust/issuing.der")), _trust().anchors_der, SUITES)
        _same(data, (corpus.read("trust/signer.der"),))


def _crl(data: bytes) -> None:
    crl.load(data)
    crl.read(data, _trust().anchors[0])
    _same(data, (corpus.read("crl/list.der"),))


# --- OFD ---------------------------------------------------------------------------------------------------------


def _ofd(data: bytes) -> None:
    # Strangers' files meet the loose policy first; ours must be accepted by the strict one.
    for policy in (Policy(), Policy(later_signatures=False, canonical=True)):
        for signature in read_ofd(data, policy).signatures:
            _judge_signature(signature.value, signature.digest)
    _same(data, (corpus.read("ofd/sealed.ofd"),))


@cache
def _ofd_files() -> dict[str, bytes]:
    return dict(unpack(corpus.read("ofd/sealed.ofd")).files)


def _inside_ofd(name: str) -> Callable[[bytes], None]:
    def read(data: bytes) -> None:
        _ofd(pack({**_ofd_files(), name: data}))

    return read


# --- PDF ---------------------------------------------------------------------------------------------------------


def _pdf(data: bytes) -> None:
    facts = read_signatures(data, SUITES)
    for signature in facts.signatures:
        chain.validate(signature.chain, _trust().anchors_der, SUITES)
    for stamp in facts.stamps:
        chain.validate(stamp.stamp.chain, _trust().anchors_der, SUITES)
    _same(data, (corpus.read("pdf/sealed.pdf"),))


@cache
def _gap() -> tuple[int, int]:
    found = _CONTENTS.search(corpus.read("pdf/sealed.pdf"))
    if found is None:
        raise RuntimeError("the corpus holds no sealed PDF: make it again")
    return found.start(1), found.end(1)


def _cms() -> bytes:
    begin, end = _gap()
    return bytes.fromhex(corpus.read("pdf/sealed.pdf")[begin:end].decode())


def _pdf_cms(data: bytes) -> None:
    pdf = corpus.read("pdf/sealed.pdf")
    begin, end = _gap()
    digits = data.hex().encode()[: end - begin].ljust(end - begin, b"0")
    digits = digits if pdf[begin:end] == pdf[begin:end].lower() else digits.upper()
    _pdf(pdf[:begin] + digits + pdf[end:])


def _pdf_object(data: bytes) -> None:
    objects.parse(data, 0, len(data))


# --- QR codes ----------------------------------------------------------------------------------------------------


def _code(data: bytes) -> None:
    signers = code.trusted_signers([(corpus.read("trust/signer.der"), corpus.read("trust/issuing.der"))], _trust())
    code.verify_code(text_of(data), signers, suites=SUITES, at=AT)
    _same(data, (corpus.read("qr/code.txt"),))


def _code_bytes() -> bytes:
    return base45.decode(corpus.read("qr/code.txt").decode().removeprefix(code.PREFIX), max_bytes=MAX_CODE_BYTES)


def _cose(data: bytes) -> None:
    _code((code.PREFIX + base45.encode(data)).encode())


def _cbor(data: bytes) -> None:
    hold(cbor.encode(cbor.decode(data, max_bytes=len(data))) == data, "written again it is another")


def _base45(data: bytes) -> None:
    text = text_of(data)
    hold(base45.encode(base45.decode(text, max_bytes=len(data))) == text, "written again it is another")


# --- JSON: credentials, status, trust ----------------------------------------------------------------------------


def _bundle(data: bytes) -> None:
    report = verify(data, _trust(), AT)
    report.text("en"), report.text("zh")
    if report.exit_code:
        raise _RefusedError
    # JSON has many spellings, and a holder may keep disclosures back: the signed parts must be the same.
    good, found = (LicenceBundle.from_json(one) for one in (corpus.read("sd_jwt/bundle.json"), data))
    hold(found.entry == good.entry and found.identifier == good.identifier, "another licence")
    _credential(found.credential.encode())


def _credential(data: bytes) -> None:
    good = corpus.read("sd_jwt/credential.txt").decode()
    found = credential.parse(text_of(data))
    path = chain.validate(found.jws.chain, _trust().anchors_der, SUITES)
    jose.verify(found.jws, chain.public_key(path.leaf), SUITES)
    hold(found.compact().partition("~")[0] == good.partition("~")[0], "another credential")
    hold(found.claims.items() <= credential.parse(good).claims.items(), "another claim")


def _status_token(data: bytes) -> None:
    token = status.parse_status_token(text_of(data))
    path = chain.validate(token.chain, _trust().anchors_der, SUITES)
    token.verify(chain.public_key(path.leaf), SUITES)
    token.states()
    _same(data, (corpus.read("status/token.jwt"),))


_LIST: Final = json.dumps(StatusList.build(64, {1: 1, 2: 2}).to_claim()).encode()


def _status_claim(data: bytes) -> None:
    try:
        claim = json.loads(data)
    except (ValueError, RecursionError):
        raise _RefusedError from None
    found = StatusList.parse(claim)
    hold(StatusList.parse(found.to_claim()) == found, "written again it is another")


def _targets(data: bytes) -> None:
    root = corpus.read("trust_list/root.json").decode()
    found = trustlist.pin(root, text_of(data), root_digest=fingerprint(root.encode()), now=AT)
    good = trustlist.pin(
        root, corpus.read("trust_list/targets.json").decode(), root_digest=fingerprint(root.encode()), now=AT
    )
    hold(found.targets == good.targets, "another list was signed")


def _root(data: bytes) -> None:
    """A root is pinned by its digest: only that it is read is asked, and that the keys' signatures are."""
    text = text_of(data)
    digest = fingerprint(text.encode("utf-8", "surrogatepass"))
    trustlist.pin(text, corpus.read("trust_list/targets.json").decode(), root_digest=digest, now=AT)


# --- time stamps and kinds ---------------------------------------------------------------------------------------


def _token(data: bytes) -> None:
    timestamps.verify(data, [STAMPED], suites=SUITES)
    _same(data, (corpus.read("timestamp/token.der"),))


def _response(data: bytes) -> None:
    _token(timestamps.token_of(data))


def _request(data: bytes) -> None:
    timestamps.parse_request(data)


def _kinds(data: bytes) -> None:
    hold(compare.version_of(reading.load_bytes(data, "kinds.yaml", sourced=False)), "no version")


def targets() -> tuple[Target, ...]:
    """Every target here; where it is *whole*, nothing but its samples may be taken."""
    bad = (FormatError, _RefusedError)
    yaml = (KindsUnreadableError, KindsInvalidError)
    files = _ofd_files()
    payload = cbor.decode(_code_bytes()[1:], max_bytes=MAX_CODE_BYTES)
    parts = tuple(p for p in payload if isinstance(p, bytes)) if isinstance(payload, tuple) else ()
    syntax = (b"<</A[1 -2.5(a\\)\\012)<0a>/B#20 null true 3 0 R]>>", b"[(((nested)))]", b"<</Length 3>>")
    return (
        Target("seal", _seal, bad, _samples("seal", *_SEALS), whole=True),
        Target("ses_signature", _ses_signature, bad, _samples("ses_signature", *_SEALS), whole=True),
        Target("x509", _certificate, bad, _samples("trust", "signer.der", "issuing.der", "root.der")),
        Target("crl", _crl, bad, _samples("crl", "list.der"), whole=True),
        Target("ofd", _ofd, bad, _samples("ofd", "sealed.ofd"), whole=True),
        *(
            Target(f"ofd_{label}", _inside_ofd(name), bad, (files[name],), whole=True)
            for label, name in (
                ("root", "OFD.xml"),
                ("signatures", "Doc_0/Signs/Signatures.xml"),
                ("signature", f"{_SIGN}Signature.xml"),
                ("value", f"{_SIGN}SignedValue.dat"),
            )
        ),
        Target("pdf", _pdf, bad, _samples("pdf", "sealed.pdf"), whole=True),
        Target("pdf_cms", _pdf_cms, bad, (_cms().rstrip(b"\0"),), whole=True),
        Target("pdf_object", _pdf_object, bad, syntax),
        Target("qr", _code, bad, _samples("qr", "code.txt"), whole=True),
        Target("cose", _cose, bad, (_code_bytes(),), whole=True),
        Target("cbor", _cbor, bad, (_code_bytes()[1:], *parts[:2])),
        Target("base45", _base45, bad, (corpus.read("qr/code.txt")[len(code.PREFIX) :],)),
        Target("bundle", _bundle, bad, _samples("sd_jwt", "bundle.json"), whole=True),
        Target("sd_jwt", _credential, bad, _samples("sd_jwt", "credential.txt"), whole=True),
        Target("status_token", _status_token, bad, _samples("status", "token.jwt"), whole=True),
        Target("status_claim", _status_claim, bad, (_LIST,)),
        Target("trust_targets", _targets, bad, _samples("trust_list", "targets.json"), whole=True),
        Target("trust_root", _root, bad, _samples("trust_list", "root.json")),
        Target("timestamp", _token, bad, _samples("timestamp", "token.der"), whole=True),
        Target("timestamp_response", _response, bad, _samples("timestamp", "response.der")),
        Target("timestamp_request", _request, bad, _samples("timestamp", "request.der")),
        Target("kinds", _kinds, yaml, _samples("kinds", "kinds.yaml")),
    )
