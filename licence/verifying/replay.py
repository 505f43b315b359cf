"""The diagnostic depth: a report together with everything it was judged by, which `replay` judges again.

The file itself is in it, with all that it says of its holder: it is for those who look into a dispute.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from cryptography import x509

from audit.errors import AuditError
from audit.verifiers import read_verifier
from licence import jose
from licence import second as second_signatures
from licence.errors import FormatError, TrustEmptyError
from licence.trust import TrustStore
from licence.verifying.door import judge, recognise

if TYPE_CHECKING:
    from collections.abc import Sequence

    from licence.verifying.report import Report

FORMAT = "zhengtong-diagnostic/1"
# A file and status lists of the largest size that readers take, in base64, with the report around them.
MAX_DIAGNOSTIC_BYTES = 256 * 1024 * 1024
_INPUTS = frozenset({"data", "sha256", "at", "trust", "status_tokens", "crls", "certificates", "histories"})
_TRUST = frozenset({"anchors", "log_keys", "suites", "licence_signers", "status_signers"})
# Only where keys of second signatures were pinned.
_TRUST_SECOND = frozenset({"second_keys", "require_second"})


def diagnostic(
    report: Report,
    data: bytes,
    trust: TrustStore,
    at: datetime,
    *,
    status_tokens: Sequence[str | bytes] = (),
    crls: Sequence[bytes] = (),
    certificates: Sequence[bytes] = (),
    histories: Sequence[str | bytes] = (),
) -> str:
    """*report* and what it was judged by, as JSON text."""
    document = {
        "format": FORMAT,
        "form": recognise(data).value,
        "report": json.loads(report.to_json()),
        "inputs": {
            "data": _b64(data),
            "sha256": hashlib.sha256(data).hexdigest(),
            "at": at.astimezone(UTC).isoformat(),
            "trust": {
                "anchors": sorted(map(_b64, trust.anchors_der)),
                "log_keys": [v.to_text() for v in trust.log_verifiers],
                "suites": sorted(trust.suites),
                "licence_signers": sorted(trust.licence_signers),
                "status_signers": sorted(trust.status_signers),
                **_second(trust),
            },
            "status_tokens": [token if isinstance(token, str) else {"cwt": _b64(token)} for token in status_tokens],
            # Those of the trust are no pins, and help whatever trust it is judged by again.
            "crls": [_b64(der) for der in dict.fromkeys((*crls, *trust.crls))],
            "certificates": [_b64(der) for der in dict.fromkeys((*certificates, *trust.certificates))],
            "histories": [_b64(h if isinstance(h, bytes) else h.encode()) for h in histories],
        },
    }
    return json.dumps(document, ensure_ascii=False, indent=1) + "\n"


def replay(text: str | bytes, *, trust: TrustStore | None = None, at: datetime | None = None) -> Report:
    """Judge again what `diagnostic` wrote down, by *trust* and at the aware time *at* if given, else by those written.

    A diagnostic report proves nothing by itself: without *trust* it is judged by what it says was trusted.

    Raises:
        FormatError: not such a text.
        ValueError: *at* is naive: an error of the calling program.
    """
    if len(text) > MAX_DIAGNOSTIC_BYTES:
        raise FormatError("too_large", what="diagnostic", limit=MAX_DIAGNOSTIC_BYTES)
    document = jose.strict_json(text, "diagnostic")
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise FormatError("diagnostic_malformed", part="format")
    given = document.get("inputs")
    # What was written before histories were heard has none.
    inputs = _members({"histories": [], **given} if isinstance(given, dict) else given, _INPUTS, "inputs")
    data = _bytes(inputs["data"], "data")
    if hashlib.sha256(data).hexdigest() != inputs["sha256"]:
        raise FormatError("diagnostic_malformed", part="sha256", sub_indication="HASH_FAILURE")
    return judge(
        data,
        trust or _trust(inputs["trust"]),
        at or _time(inputs["at"]),
        status_tokens=_tokens(inputs["status_tokens"]),
        crls=[_bytes(v, "crls") for v in _texts(inputs["crls"], "crls")],
        certificates=[_bytes(v, "certificates") for v in _texts(inputs["certificates"], "certificates")],
        histories=[_bytes(v, "histories") for v in _texts(inputs["histories"], "histories")],
    )


def _trust(value: object) -> TrustStore:
    pinned = isinstance(value, dict) and bool(value.keys() & _TRUST_SECOND)
    plain = _members(value, _TRUST | _TRUST_SECOND if pinned else _TRUST, "trust")
    keys, required = plain.get("second_keys"), plain.get("require_second", False)
    if pinned and (not isinstance(keys, str) or not isinstance(required, bool)):
        raise FormatError("diagnostic_malformed", part="trust")
    anchors = [_bytes(v, "anchors") for v in _texts(plain["anchors"], "anchors")]
    log_keys, suites = _texts(plain["log_keys"], "log_keys"), _texts(plain["suites"], "suites")
    licence_signers = _texts(plain["licence_signers"], "licence_signers")
    status_signers = _texts(plain["status_signers"], "status_signers")
    try:
        return TrustStore(
            anchors=tuple(map(x509.load_der_x509_certificate, anchors)),
            log_verifiers=tuple(map(read_verifier, log_keys)),
            suites=frozenset(suites),
            licence_signers=frozenset(licence_signers),
            status_signers=frozenset(status_signers),
            second_keys=frozenset() if keys is None else second_signatures.read_keys(keys),
            require_second=required,
        )
    except (AuditError, TrustEmptyError, FormatError, ValueError, TypeError):
        raise FormatError("diagnostic_malformed", part="trust") from None


def _second(trust: TrustStore) -> dict[str, Any]:
    if not trust.second_keys:
        return {}
    text = second_signatures.write_keys(trust.second_keys).decode("ascii")
    return {"second_keys": text, "require_second": trust.require_second}


def _tokens(value: object) -> list[str | bytes]:
    """A JWT is a text; a CWT an object, so that neither can be taken for the other."""
    if not isinstance(value, list):
        raise FormatError("diagnostic_malformed", part="status_tokens")
    return [v if isinstance(v, str) else _cwt(v) for v in value]


def _cwt(value: object) -> bytes:
    return _bytes(_members(value, frozenset({"cwt"}), "status_tokens")["cwt"], "status_tokens")


def _members(value: object, names: frozenset[str], part: str) -> dict[str, Any]:
    if not isinstance(value, dict) or set(value) != names:
        raise FormatError("diagnostic_malformed", part=part)
    return value


def _texts(value: object, part: str) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
        raise FormatError("diagnostic_malformed", part=part)
    return value


def _bytes(value: object, part: str) -> bytes:
    try:
        return base64.b64decode(value if isinstance(value, str) else "?", validate=True)
    except (binascii.Error, ValueError):
        raise FormatError("diagnostic_malformed", part=part) from None


def _time(value: object) -> datetime:
    try:
        at = datetime.fromisoformat(value if isinstance(value, str) else "")
    except ValueError:
        raise FormatError("diagnostic_malformed", part="at") from None
    if at.tzinfo is None:
        raise FormatError("diagnostic_malformed", part="at")
    return at


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()
