"""The licence bundle (证照数据包): one JSON file with everything a stranger needs to verify a licence offline.

Reading checks form only; what the parts are worth is left to `licence.verify`. Trust never comes from a bundle.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from licence import jose
from licence import second as second_signatures
from licence.crl import MAX_CRL_BYTES
from licence.errors import FormatError
from licence.timestamps import MAX_TOKEN_BYTES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from licence.second import SecondSignature

# The second has room for lists, a time stamp, documents and a second signature. What has none of them is written and
# read as the first, so that verifiers of before still read it, and only so: there is one text for each bundle.
FORMAT = "zhengtong-licence-bundle/1"
FORMAT_2 = "zhengtong-licence-bundle/2"
SUFFIX = ".licence.json"
# A status token may come along; one of a city's size (1 million licences) is well under 1 MiB.
MAX_BUNDLE_BYTES = 32 * 1024 * 1024
_REQUIRED = frozenset({"format", "identifier", "credential", "chain", "log"})
_OPTIONAL = frozenset({"status"})
_ADDED = frozenset({"crls", "timestamp", "documents", "second"})
# As many as a verifier takes (`licence.chain`).
MAX_LISTS = 16
DOCUMENT_FORMS = ("ofd", "pdf")
MAX_DOCUMENT_BYTES = 8 * 1024 * 1024
_LOG = frozenset({"entry", "proof"})
_STATUS_REQUIRED = frozenset({"token"})
_WHAT = "bundle"


@dataclass(frozen=True, slots=True)
class LicenceBundle:
    """A licence with its evidence.

    *credential*: SD-JWT VC compact. *chain*: its certificates as DER, leaf first, a copy of x5c for tools that do not
    open JWS headers; must equal it. *entry*: the log leaf bytes. *proof*: C2SP tlog-proof text. *status_token*, and
    the log entry and proof of its publication, or None. *crls*: revocation lists (DER). *timestamp*: an RFC 3161 token
    (DER) over the issuer-signed part of the credential, so that withheld fields do not matter. *documents*: the licence
    as a document, by form (`DOCUMENT_FORMS`). *second*: a second signature over what *timestamp* stamps.
    """

    identifier: str
    credential: str
    chain: tuple[bytes, ...]
    entry: bytes
    proof: str
    status_token: str | None = None
    status_entry: bytes | None = None
    status_proof: str | None = None
    crls: tuple[bytes, ...] = ()
    timestamp: bytes | None = None
    documents: Mapping[str, bytes] = field(default_factory=dict, hash=False)
    second: SecondSignature | None = None

    def to_json(self) -> str:
        """The text of the ``.licence.json`` file; deterministic, UTF-8 when encoded, ends in a newline."""
        added = self._added()
        document: dict[str, Any] = {
            "format": FORMAT_2 if added else FORMAT,
            "identifier": self.identifier,
            "credential": self.credential,
            "chain": [base64.b64encode(c).decode("ascii") for c in self.chain],
            "log": {"entry": self.entry.decode("utf-8"), "proof": self.proof},
        }
        if self.status_token is not None:
            status: dict[str, str] = {"token": self.status_token}
            if self.status_entry is not None:
                status["entry"] = self.status_entry.decode("utf-8")
            if self.status_proof is not None:
                status["proof"] = self.status_proof
            document["status"] = status
        document |= added
        return json.dumps(document, ensure_ascii=False, indent=1) + "\n"

    def _added(self) -> dict[str, Any]:
        """The members that only the second format has."""
        added: dict[str, Any] = {}
        if self.crls:
            added["crls"] = [base64.b64encode(c).decode("ascii") for c in self.crls]
        if self.timestamp is not None:
            added["timestamp"] = base64.b64encode(self.timestamp).decode("ascii")
        if self.documents:
            added["documents"] = {
                form: base64.b64encode(self.documents[form]).decode("ascii") for form in sorted(self.documents)
            }
        if self.second is not None:
            added["second"] = self.second.plain()
        return added

    @classmethod
    def from_json(cls, text: str | bytes) -> LicenceBundle:
        """Read a bundle from untrusted text.

        Raises:
            FormatError: too large, not the JSON of a bundle, a member missing, repeated or unknown.
        """
        if len(text) > MAX_BUNDLE_BYTES:
            raise FormatError("too_large", what=_WHAT, limit=MAX_BUNDLE_BYTES)
        document = _members(jose.strict_json(text, _WHAT), _REQUIRED, _OPTIONAL | _ADDED)
        if document["format"] != (FORMAT_2 if document.keys() & _ADDED else FORMAT):
            raise FormatError("bundle_unknown_format")
        log = _members(document["log"], _LOG, frozenset())
        status = _members(document.get("status", {"token": ""}), _STATUS_REQUIRED, _LOG)
        chain = document["chain"]
        if not isinstance(chain, list) or not 0 < len(chain) <= jose.MAX_CHAIN:
            raise FormatError("bundle_unknown_format")
        return cls(
            identifier=_text(document["identifier"]),
            credential=_text(document["credential"]),
            chain=tuple([_certificate(c) for c in chain]),
            entry=_text(log["entry"]).encode(),
            proof=_text(log["proof"]),
            status_token=_text(status["token"]) if "status" in document else None,
            status_entry=_text(status["entry"]).encode() if "entry" in status else None,
            status_proof=_text(status["proof"]) if "proof" in status else None,
            crls=_lists(document["crls"]) if "crls" in document else (),
            timestamp=jose.b64_decode(document["timestamp"], "timestamp", MAX_TOKEN_BYTES)
            if "timestamp" in document
            else None,
            documents=_documents(document["documents"]) if "documents" in document else {},
            second=second_signatures.read(document["second"]) if "second" in document else None,
        )


def _certificate(value: object) -> bytes:
    if not isinstance(value, str):
        raise FormatError("base64_not_canonical", what="chain")
    return _decoded(value)


# Few keys sign whatever comes in a day.
@lru_cache(maxsize=256)
def _decoded(text: str) -> bytes:
    return jose.b64_decode(text, "chain", jose.MAX_CERTIFICATE_BYTES)


def _lists(value: object) -> tuple[bytes, ...]:
    if not isinstance(value, list) or not 0 < len(value) <= MAX_LISTS:
        raise FormatError("bundle_unknown_format")
    return tuple(jose.b64_decode(c, "crls", MAX_CRL_BYTES) for c in value)


def _documents(value: object) -> Mapping[str, bytes]:
    plain = _members(value, frozenset(), frozenset(DOCUMENT_FORMS))
    if not plain or list(plain) != sorted(plain):
        raise FormatError("bundle_unknown_format")
    return {form: jose.b64_decode(d, "documents", MAX_DOCUMENT_BYTES) for form, d in plain.items()}


def _members(value: object, required: frozenset[str], optional: frozenset[str]) -> dict[str, Any]:
    if not isinstance(value, dict) or not required <= set(value) <= required | optional:
        raise FormatError("bundle_unknown_format")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise FormatError("bundle_unknown_format")
    return value
